#include "replay/reject_file.h"

#include <fmt/format.h>

namespace stillwatch::replay {

std::string reject_line(const intake::Reject& reject) {
  std::string file;
  for (const char letter : reject.file) {
    if (letter == '"' || letter == '\\') file += '\\';
    file += static_cast<unsigned char>(letter) < 0x20 ? '?' : letter;
  }
  return fmt::format(R"({{"file":"{}","line":{},"reason":"{}","field":"{}"}})", file, reject.line,
                     intake::name(reject.reason), reject.field);
}

}  // namespace stillwatch::replay
