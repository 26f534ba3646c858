// What a request asks of the model beside its turns: parameters, tools, schema, model and end user.
//
// Invariant: fields of other dialects are passed over; an absent and a null field are the same.
// Threads: one a thread. Cost: one walk over the values. Spec: docs/reference/log-formats.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/keyed_hash.h"
#include "event/query.h"
#include "intake/json_value.h"
#include "text/fingerprint.h"

namespace stillwatch::intake {

class ParameterReader {
 public:
  ParameterReader(JsonReader& json, const crypto::KeyedHash& keyed_hash, text::Fingerprinter& fingerprinter)
      : json_(json), keyed_hash_(keyed_hash), fingerprinter_(fingerprinter) {}

  void begin();
  MaybeRefusal read(event::Dialect dialect, std::string_view key, od::value value);
  void set_model(std::string_view name);
  /// The parameters to the fingerprinter, the rest to `out`.
  void finish(Body& out);

 private:
  void set_end_user(std::string_view name);
  MaybeRefusal read_schema(od::value value, std::string_view name);
  MaybeRefusal read_nested(od::value value, std::string_view name, std::string_view wanted, std::string_view& out_text,
                           double& out_number);

  JsonReader& json_;
  const crypto::KeyedHash& keyed_hash_;
  text::Fingerprinter& fingerprinter_;
  text::Parameters parameters_;
  std::int64_t tokens_max_old_ = -1;  // max_tokens, when max_completion_tokens is not there
  bool has_safety_identifier_ = false;
  event::Token model_ = 0, end_user_ = 0;
  std::string model_name_, end_user_name_;
};

}  // namespace stillwatch::intake
