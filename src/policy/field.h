// One header field of an answer: what the gateway adds to a response or sends with a refusal.
//
// Invariant: names are lower case and fixed in the code; values hold no CR, LF or NUL, whatever they were made of.
// Threads: plain values. Cost: the value's allocation beyond 15 bytes. Spec: RFC 9110 section 5.5.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stillwatch::policy {

struct Field {
  std::string_view name;  // of static storage
  std::string value;

  bool operator==(const Field&) const = default;
};
using FieldList = std::vector<Field>;

/// Appends the field with every byte that a field value may not hold replaced by a space.
void add_field(FieldList& fields, std::string_view name, std::string_view value);

}  // namespace stillwatch::policy
