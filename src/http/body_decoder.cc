#include "http/body_decoder.h"

#include <algorithm>

#include "http/bytes.h"

namespace stillwatch::http {
namespace {

constexpr std::size_t kSizeDigitsMax = 15;         // 2^60 bytes: no overflow. More: error
constexpr std::size_t kExtensionBytesMax = 4'096;  // of all chunks of a body; nobody uses them. More: error
constexpr std::size_t kTrailerBytesMax = 8'192;    // dropped anyway. More: error

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool BodyDecoder::bad(const char* why) {
  error_ = why;
  return false;
}

BodyDecoder::Step BodyDecoder::step(std::string_view input) {
  Step out;
  if (done_ || error_ != nullptr) return out;
  if (framing_ != Framing::chunked) {
    std::size_t take = input.size();
    if (framing_ == Framing::length) {
      take = static_cast<std::size_t>(std::min<std::uint64_t>(take, left_));
      left_ -= take;
      done_ = left_ == 0;
    }
    body_bytes_ += take;
    return {take, input.substr(0, take)};
  }
  while (out.consumed < input.size()) {
    if (state_ == State::data) {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(input.size() - out.consumed, left_));
      out.data = input.substr(out.consumed, take);
      out.consumed += take;
      left_ -= take;
      body_bytes_ += take;
      if (left_ == 0) state_ = State::data_cr;
      return out;
    }
    if (!framing_byte(input[out.consumed])) return out;
    ++out.consumed;
    if (done_) return out;
  }
  return out;
}

bool BodyDecoder::framing_byte(char c) {
  switch (state_) {
    case State::size_first:
      left_ = 0;
      size_digits_ = 0;
      [[fallthrough]];
    case State::size: {
      const int digit = hex_digit(c);
      if (digit >= 0) {
        if (++size_digits_ > kSizeDigitsMax) return bad("a chunk size with too many digits");
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        state_ = State::size;
        return true;
      }
      if (size_digits_ == 0) return bad("a chunk without a size");
      if (c == '\r') {
        state_ = State::size_lf;
        return true;
      }
      if (c != ';') return bad("a bad byte after a chunk size");
      state_ = State::extension;
      return true;
    }
    case State::extension:
      if (c == '\r') {
        state_ = State::size_lf;
        return true;
      }
      if (!kValueBytes[static_cast<unsigned char>(c)]) return bad("a control byte in a chunk extension");
      if (++extension_bytes_ > kExtensionBytesMax) return bad("chunk extensions are too long");
      return true;
    case State::size_lf:
      if (c != '\n') return bad("a chunk size line ends without LF");
      state_ = left_ == 0 ? State::trailer : State::data;
      return true;
    case State::data: return true;  // not reached: step() takes data whole
    case State::data_cr:
      if (c != '\r') return bad("a chunk is longer than its size");
      state_ = State::data_lf;
      return true;
    case State::data_lf:
      if (c != '\n') return bad("a chunk is longer than its size");
      state_ = State::size_first;
      return true;
    case State::trailer: return trailer_byte(c);
  }
  return bad("a bad state");
}

/// Trailer lines are `name: value` CRLF; an empty line ends the body.
bool BodyDecoder::trailer_byte(char c) {
  if (++trailer_bytes_ > kTrailerBytesMax) return bad("the trailer is too long");
  if (trailer_cr_) {
    if (c != '\n') return bad("a trailer line ends without LF");
    if (trailer_line_ == 0) {
      done_ = true;
      return true;
    }
    if (!trailer_colon_) return bad("a trailer without a colon");
    trailer_line_ = 0;
    trailer_cr_ = trailer_colon_ = false;
    return true;
  }
  if (c == '\r') {
    trailer_cr_ = true;
    return true;
  }
  if (!trailer_colon_) {
    if (c == ':' && trailer_line_ > 0)
      trailer_colon_ = true;
    else if (!kTokenBytes[static_cast<unsigned char>(c)])
      return bad("bad name of a trailer");
  } else if (!kValueBytes[static_cast<unsigned char>(c)]) {
    return bad("a control byte in a trailer");
  }
  ++trailer_line_;
  return true;
}

}  // namespace stillwatch::http
