#include "ledger/payload.h"

#include <fmt/format.h>
#include <zstd.h>

#include "base/assert.h"
#include "crypto/sha256.h"

namespace stillwatch::ledger {
namespace {

constexpr char kPlain = 0;
constexpr char kZstd = 1;
constexpr int kZstdLevel = 1;  // 3 ns a byte; higher levels gain a tenth on prompts and cost three times as much
constexpr std::size_t kLengthBytes = 4;

tl::unexpected<base::Error> wrong(std::string_view what) { return base::fail(base::Fault::input, std::string(what)); }

void append_part(std::string& out, std::string_view part) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(part.size() >> shift);
  out += part;
}

bool take_part(std::string_view& bytes, std::string& part) {
  if (bytes.size() < kLengthBytes) return false;
  std::size_t size = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) size = size << 8 | static_cast<unsigned char>(bytes[i]);
  bytes.remove_prefix(kLengthBytes);
  if (size > bytes.size()) return false;
  part.assign(bytes.substr(0, size));
  bytes.remove_prefix(size);
  return true;
}

}  // namespace

std::string payload_bytes(std::string_view prompt, std::string_view response, std::string_view headers) {
  std::string out;
  out.reserve(3 * kLengthBytes + prompt.size() + response.size() + headers.size());
  for (const std::string_view part : {prompt, response, headers}) append_part(out, part);
  return out;
}

base::Result<Payload> parse_payload(std::string_view bytes) {
  Payload out;
  const bool fits = take_part(bytes, out.prompt) && take_part(bytes, out.response) && take_part(bytes, out.headers);
  if (!fits || !bytes.empty()) return wrong("its three parts do not fill it");
  return out;
}

Hash32 payload_commitment(const Hash32& salt, std::string_view payload) {
  const Hash32 inner = crypto::sha256(payload);
  crypto::Sha256 outer;
  outer.update(std::string_view("aud1 payload\0", 13));
  outer.update({reinterpret_cast<const char*>(salt.data()), salt.size()});
  outer.update({reinterpret_cast<const char*>(inner.data()), inner.size()});
  return outer.finish();
}

void pack_parts(const Hash32& salt, std::string_view prompt, std::string_view response, std::string_view headers,
                std::string& out) {
  out.assign(reinterpret_cast<const char*>(salt.data()), salt.size());
  out += kPlain;
  for (const std::string_view part : {prompt, response, headers}) append_part(out, part);
}

std::string_view payload_in(std::string_view packed) { return packed.substr(sizeof(Hash32) + 1); }

void compress_packed(std::string& packed) {
  const std::string_view payload = payload_in(packed);
  std::string out(packed.size() - payload.size() + ZSTD_compressBound(payload.size()), '\0');
  const std::size_t begin = packed.size() - payload.size();
  const std::size_t size =
      ZSTD_compress(out.data() + begin, out.size() - begin, payload.data(), payload.size(), kZstdLevel);
  STILLWATCH_ASSERT(ZSTD_isError(size) == 0U);  // the bound is enough, and there is memory
  out.resize(begin + size);
  packed.copy(out.data(), begin - 1);
  out[begin - 1] = kZstd;
  packed = std::move(out);
}

base::Result<Unpacked> unpack_payload(std::string_view bytes) {
  Unpacked out;
  if (bytes.size() < out.salt.size() + 1) return wrong("it is shorter than its salt");
  std::copy_n(bytes.begin(), out.salt.size(), reinterpret_cast<char*>(out.salt.data()));
  const char flag = bytes[out.salt.size()];
  bytes.remove_prefix(out.salt.size() + 1);
  if (flag == kPlain) {
    if (bytes.size() > kPayloadBytesMax) return wrong("it is longer than a payload may be");
    out.payload.assign(bytes);
    return out;
  }
  if (flag != kZstd) return wrong("it says neither plain nor zstd");
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kPayloadBytesMax) {
    return wrong("it is no zstd frame of a size that a payload may have");
  }
  out.payload.resize(size);
  if (ZSTD_decompress(out.payload.data(), out.payload.size(), bytes.data(), bytes.size()) != size) {
    return wrong("its zstd frame is damaged");
  }
  return out;
}

}  // namespace stillwatch::ledger
