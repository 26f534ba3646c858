#include "intake/decompress.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/limits.h"

namespace stillwatch::intake {
namespace {

constexpr std::size_t kInputBytes = 1 << 17;
// Unpacked in steps of this size whatever the caller asks for, so that where damage is noticed does not
// depend on the caller's blocks.
constexpr std::size_t kOutputBytes = 1 << 17;
// A short file of equal lines may shrink more than any real log: the ratio counts from here on.
constexpr std::uint64_t kRatioFloorBytes = 64ULL << 20;

enum class Kind : std::uint8_t { unknown, plain, zstd, gzip };

}  // namespace

struct Decompressor::State {
  ByteSource source;
  Kind kind = Kind::unknown;
  std::vector<char> input = std::vector<char>(kInputBytes);
  std::size_t at = 0, end = 0;  // unread input
  std::vector<char> output;
  std::size_t output_at = 0, output_end = 0;  // unpacked, not handed out yet
  bool at_source_end = false;
  std::uint64_t bytes_in = 0, bytes_out = 0;  // consumed and produced
  bool is_inside_frame = false, is_done = false;
  std::optional<StreamDamage> damage;
  ZSTD_DCtx* zstd = nullptr;
  z_stream gzip{};
  bool has_gzip = false;

  ~State() {
    ZSTD_freeDCtx(zstd);
    if (has_gzip) inflateEnd(&gzip);
  }

  /// Makes at least one byte of input available unless the source is at its end.
  base::Status fill(std::size_t wanted = 1) {
    while (end - at < wanted && !at_source_end) {
      if (at > 0) {
        std::memmove(input.data(), input.data() + at, end - at);
        end -= at;
        at = 0;
      }
      STILLWATCH_TRY(count, source(input.data() + end, input.size() - end));
      if (count == 0) at_source_end = true;
      end += count;
    }
    return {};
  }

  base::Status detect() {
    STILLWATCH_CHECK(fill(4));
    const std::string_view first(input.data() + at, end - at);
    if (first.starts_with("\x28\xB5\x2F\xFD")) {
      kind = Kind::zstd;
      zstd = ZSTD_createDCtx();
      ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, static_cast<int>(base::limits::kDecompressWindowLogMax));
    } else if (first.starts_with("\x1F\x8B")) {
      kind = Kind::gzip;
      has_gzip = inflateInit2(&gzip, 15 + 16) == Z_OK;
    } else {
      kind = Kind::plain;
    }
    return {};
  }

  void break_off(bool truncated, std::string what) { damage = StreamDamage{truncated, std::move(what), bytes_in}; }

  base::Result<std::size_t> read_plain(char* out, std::size_t size) {
    if (at < end) {
      const std::size_t count = std::min(size, end - at);
      std::memcpy(out, input.data() + at, count);
      at += count;
      return count;
    }
    return at_source_end ? base::Result<std::size_t>(0) : source(out, size);
  }

  std::size_t step_zstd(char* out, std::size_t size) {
    ZSTD_inBuffer in{input.data() + at, end - at, 0};
    ZSTD_outBuffer to{out, size, 0};
    const std::size_t left = ZSTD_decompressStream(zstd, &to, &in);
    at += in.pos;
    bytes_in += in.pos;
    if (ZSTD_isError(left) != 0) {
      break_off(false, fmt::format("the zstd stream is damaged ({})", ZSTD_getErrorName(left)));
      return 0;
    }
    // Nothing consumed, nothing made, input there: the decoder cannot go on.
    if (in.pos == 0 && to.pos == 0 && at < end) break_off(false, "the zstd stream is damaged");
    is_inside_frame = left != 0;
    return to.pos;
  }

  std::size_t step_gzip(char* out, std::size_t size) {
    gzip.next_in = reinterpret_cast<Bytef*>(input.data() + at);
    gzip.avail_in = static_cast<uInt>(end - at);
    gzip.next_out = reinterpret_cast<Bytef*>(out);
    gzip.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1U << 30));
    const std::size_t asked = gzip.avail_out;
    const int code = inflate(&gzip, Z_NO_FLUSH);
    const std::size_t taken = (end - at) - gzip.avail_in;
    at += taken;
    bytes_in += taken;
    const std::size_t made = asked - gzip.avail_out;
    if (code == Z_STREAM_END) {
      is_inside_frame = false;
      inflateReset(&gzip);  // gzip files may be joined
    } else if (code == Z_OK || (code == Z_BUF_ERROR && at == end)) {
      is_inside_frame = true;
    } else {
      break_off(false,
                fmt::format("the gzip stream is damaged ({})", gzip.msg == nullptr ? "no reason given" : gzip.msg));
    }
    return made;
  }

  base::Result<std::size_t> read(char* out, std::size_t size) {
    if (kind == Kind::unknown) STILLWATCH_CHECK(detect());
    if (kind == Kind::plain) return read_plain(out, size);
    if (output_at == output_end) {
      output.resize(kOutputBytes);
      STILLWATCH_TRY(made, unpack(output.data(), output.size()));
      output_at = 0;
      output_end = made;
    }
    const std::size_t count = std::min(size, output_end - output_at);
    std::memcpy(out, output.data() + output_at, count);
    output_at += count;
    return count;
  }

  base::Result<std::size_t> unpack(char* out, std::size_t size) {
    while (!damage && !is_done) {
      STILLWATCH_CHECK(fill());
      const bool is_fresh = at == end;
      if (is_fresh && !is_inside_frame) {
        is_done = true;
        break;
      }
      const std::size_t made = kind == Kind::zstd ? step_zstd(out, size) : step_gzip(out, size);
      bytes_out += made;
      if (bytes_out > kRatioFloorBytes && bytes_out / base::limits::kDecompressRatioMax > bytes_in) {
        break_off(false, fmt::format("it unpacks to more than {} times its size, as a decompression bomb does",
                                     base::limits::kDecompressRatioMax));
        return 0;
      }
      if (made > 0) return made;
      if (is_fresh && !damage)
        break_off(true, fmt::format("the {} stream ends early", kind == Kind::zstd ? "zstd" : "gzip"));
    }
    return 0;
  }
};

Decompressor::Decompressor(ByteSource source) : state_(std::make_unique<State>()) {
  state_->source = std::move(source);
}
Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;

base::Result<std::size_t> Decompressor::read(char* out, std::size_t size) { return state_->read(out, size); }
const StreamDamage* Decompressor::damage() const { return state_->damage ? &*state_->damage : nullptr; }
bool Decompressor::is_compressed() const { return state_->kind == Kind::zstd || state_->kind == Kind::gzip; }

}  // namespace stillwatch::intake
