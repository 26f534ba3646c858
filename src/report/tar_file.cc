#include "report/tar_file.h"

#include <cstdio>
#include <cstring>

namespace stillwatch::report {
namespace {

using base::Fault;

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameBytes = 100, kPrefixBytes = 155;
constexpr std::uint64_t kBytesMax = std::uint64_t{8} << 30;  // eleven octal digits

struct Header {
  char name[kNameBytes];
  char mode[8], uid[8], gid[8], size[12], time[12], sum[8];
  char type;
  char linked[100];
  char magic[6], version[2];
  char user[32], group[32], major[8], minor[8];
  char prefix[kPrefixBytes];
  char rest[12];
};
static_assert(sizeof(Header) == kBlock);

template <std::size_t N>
void put_octal(char (&field)[N], std::uint64_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", static_cast<int>(N - 1), static_cast<unsigned long long>(number));
  std::memcpy(field, text, N - 1);  // the last byte stays 0
}

}  // namespace

base::Status TarFile::add(std::string_view name, std::string_view bytes) {
  Header header{};
  std::string_view prefix;
  if (name.size() > kNameBytes) {
    // The longest prefix: what is left as the name is then the shortest.
    const std::size_t slash = name.rfind('/', kPrefixBytes);
    if (slash == std::string_view::npos || slash == 0 || name.size() - slash - 1 > kNameBytes)
      return base::fail(Fault::caller, "a file's name is too long for a tar archive; give the bundle a shorter name");
    prefix = name.substr(0, slash);
    name.remove_prefix(slash + 1);
  }
  if (name.empty() || bytes.size() >= kBytesMax)
    return base::fail(Fault::caller, "a file without a name, or of 8 GiB and more, has no place in a tar archive");
  name.copy(header.name, sizeof header.name);
  prefix.copy(header.prefix, sizeof header.prefix);  // empty for most names: memcpy may not be given its null pointer
  put_octal(header.mode, 0644);
  put_octal(header.uid, 0);
  put_octal(header.gid, 0);
  put_octal(header.size, bytes.size());
  put_octal(header.time, static_cast<std::uint64_t>(time_s_ < 0 ? 0 : time_s_));
  header.type = '0';
  std::memcpy(header.magic, "ustar", 6);
  std::memcpy(header.version, "00", 2);
  put_octal(header.major, 0);
  put_octal(header.minor, 0);
  // The sum is taken with spaces in its own place, and ends with a zero and a space.
  std::memset(header.sum, ' ', sizeof header.sum);
  unsigned sum = 0;
  unsigned char raw[kBlock];
  std::memcpy(raw, &header, kBlock);
  for (const unsigned char byte : raw) sum += byte;
  std::snprintf(header.sum, sizeof header.sum, "%06o", sum);
  header.sum[7] = ' ';
  out_.append(reinterpret_cast<const char*>(&header), kBlock);
  out_.append(bytes);
  out_.append((kBlock - bytes.size() % kBlock) % kBlock, '\0');
  return {};
}

std::string TarFile::finish() {
  out_.append(2 * kBlock, '\0');
  return std::move(out_);
}

}  // namespace stillwatch::report
