// Takes the framing off a body: by length, by chunks, or until the connection closes.
//
// Invariant: bytes after the body's end are never consumed; a chunked body that breaks a rule yields no byte after the
// broken one. Chunk extensions and trailers are checked, bounded and dropped.
// Threads: one user. Cost: no copy, no allocation; data is a view into what was given.
// Specification: RFC 9112 sections 6.3 and 7.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stillwatch::http {

class BodyDecoder {
 public:
  enum class Framing : std::uint8_t { none, length, chunked, until_close };

  BodyDecoder() = default;
  explicit BodyDecoder(Framing framing, std::uint64_t length = 0)
      : framing_(framing),
        left_(length),
        done_(framing == Framing::none || (framing == Framing::length && length == 0)) {}

  struct Step {
    std::size_t consumed = 0;  // of the input
    std::string_view data;     // of the body, lies in the consumed bytes
  };
  /// Reads up to the end of the next piece of data. Consumes everything when it yields no data and is neither done
  /// nor bad.
  Step step(std::string_view input);

  bool done() const { return done_; }
  /// Not null once the framing is broken; says how.
  const char* error() const { return error_; }
  Framing framing() const { return framing_; }
  std::uint64_t body_bytes() const { return body_bytes_; }

 private:
  enum class State : std::uint8_t { size_first, size, extension, size_lf, data, data_cr, data_lf, trailer };
  bool framing_byte(char c);
  bool trailer_byte(char c);
  bool bad(const char* why);

  Framing framing_ = Framing::none;
  State state_ = State::size_first;
  std::uint64_t left_ = 0, body_bytes_ = 0;
  std::size_t size_digits_ = 0, extension_bytes_ = 0, trailer_bytes_ = 0, trailer_line_ = 0;
  bool trailer_cr_ = false, trailer_colon_ = false;
  bool done_ = true;
  const char* error_ = nullptr;
};

}  // namespace stillwatch::http
