// The cursor of masking over one region; internal to MaskedText, in two files: words, and what quotes and encloses.
//
// Invariant: each step consumes at least one byte and reads only the region. Threads: one user. Cost: see masking.h.
#pragma once

#include "text/letter_run.h"
#include "text/masking.h"
#include "text/unicode.h"

namespace stillwatch::text {

struct MaskedText::Scan {
  MaskedText& out;
  const char* const first;
  const char* at;
  const char* const end;
  const bool cut_after;

  char peek(std::ptrdiff_t offset) const { return end - at > offset ? at[offset] : '\0'; }
  bool line_open() const { return out.line_open_; }

  void newline();
  void mark(char c);
  void to_blank();
  bool opens(bool after_high) const;
  bool mask_until(std::string_view close, std::size_t open_bytes, std::size_t bytes_max, ItemKind kind);
  void double_quote();
  void apostrophe();
  void backtick();
  void number();
  bool plain_words();
  bool plain_word();
  void word();
  void high();
  void punctuation(const Decoded& decoded);
  void run();
};

}  // namespace stillwatch::text
