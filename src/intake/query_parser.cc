#include "intake/query_parser.h"

#include <algorithm>

#include "intake/json_value.h"
#include "intake/record_parser.h"
#include "text/fingerprint_codec.h"

namespace stillwatch::intake {
namespace {

constexpr std::string_view kAccountPath[] = {"account"};
constexpr std::string_view kTimePath[] = {"time"};

class QueryParser final : public RecordParser {
 public:
  QueryParser(const crypto::KeyedHash& keyed_hash, const Identities* identities)
      : RecordParser(keyed_hash, identities) {}

 private:
  MaybeRefusal read(std::string_view line, ParsedLine&) override {
    MaybeRefusal refusal = read_record(line);
    if (!refusal) refusal = builder_.finish();
    if (refusal) scan(line);
    return refusal;
  }

  void scan(std::string_view line) override {
    if (!builder_.has_account()) (void)find_account(line, kAccountPath);
    if (!builder_.has_time()) {
      const auto time = find_string(line, kTimePath, text_);
      if (time) (void)builder_.set_time(*time);
    }
  }

  MaybeRefusal read_record(std::string_view line) {
    first_.reset();
    request_ = response_body_ = {};
    has_version_ = has_usage_ = false;
    dialect_.reset();
    // A broken line ends the reading; a field that is refused does not: account and time may follow it.
    const auto visit = [this](std::string_view key, od::value value) {
      const MaybeRefusal refusal = read_field(key, value);
      if (refusal && !first_) first_ = refusal;
      return refusal && refusal->reason == RejectReason::not_json ? refusal : MaybeRefusal{};
    };
    if (auto broken = json_.read_line(line, [&](od::object& record) { return json_.each_field(record, visit); }))
      return broken;
    if (first_) return first_;
    if (!has_version_) return Refusal{RejectReason::missing_field, "v"};
    if (!dialect_) return Refusal{RejectReason::missing_field, "dialect"};
    builder_.set_dialect(*dialect_);
    if (request_.empty()) return {};
    Body body;
    if (const MaybeRefusal refusal = body_.read(*dialect_, request_, body, response_body_)) return refusal;
    builder_.set_body(body);
    return {};
  }

  /// A nested object of the record; null counts as absent.
  template <class Visit>
  MaybeRefusal each_field_of(od::value value, std::string_view name, Visit visit) {
    od::object object;
    if (value.get_object().get(object)) return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
    return json_.each_field(object, visit);
  }

  /// A count, saturating; null leaves it as it is.
  static MaybeRefusal count_of(od::value value, std::string_view name, std::uint32_t& out) {
    double number = 0;
    if (value.get_double().get(number)) return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type(name)};
    if (!(number >= 0)) return wrong_type(name);
    out = static_cast<std::uint32_t>(std::min(number, 4294967295.0));
    return {};
  }

  MaybeRefusal read_field(std::string_view key, od::value value) {
    std::string_view bytes;
    const auto text = [&](std::string_view name) { return json_.string_of(value, name, bytes); };
    if (key == "request") {
      od::object body;
      request_ = {};
      if (value.get_object().get(body)) return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type("request")};
      return body.raw_json().get(request_) ? MaybeRefusal{kLineNotJson} : MaybeRefusal{};
    }
    if (key == "v") {
      std::int64_t version = 0;
      if (value.get_int64().get(version)) return wrong_type("v");
      has_version_ = true;
      return version == 1 ? MaybeRefusal{} : MaybeRefusal{Refusal{RejectReason::bad_version, "v"}};
    }
    if (key == "id") {
      if (auto refusal = text("id")) return refusal;
      return builder_.set_id(bytes);
    }
    if (key == "time") {
      if (auto refusal = text("time")) return refusal;
      return bytes.data() == nullptr ? MaybeRefusal{Refusal{RejectReason::missing_field, "time"}}
                                     : builder_.set_time(bytes);
    }
    if (key == "ended") {
      if (auto refusal = text("ended")) return refusal;
      return bytes.data() == nullptr ? MaybeRefusal{} : builder_.set_ended(bytes);
    }
    if (key == "account") {
      if (auto refusal = text("account")) return refusal;
      return builder_.set_account(bytes);
    }
    if (key == "key") {
      if (auto refusal = text("key")) return refusal;
      builder_.set_key(bytes);
      return {};
    }
    if (key == "end_user") {
      if (auto refusal = text("end_user")) return refusal;
      builder_.set_end_user(bytes);
      return {};
    }
    if (key == "dialect") {
      if (auto refusal = text("dialect")) return refusal;
      dialect_ = dialect_of(bytes);
      return dialect_ || bytes.data() == nullptr ? MaybeRefusal{}
                                                 : MaybeRefusal{Refusal{RejectReason::unknown_dialect, "dialect"}};
    }
    if (key == "client") return read_client(value);
    if (key == "response") return read_response(value);
    if (key == "fingerprint") return read_fingerprint(value);
    if (key == "shed") {
      bool shed = false;
      if (value.get_bool().get(shed) && !is_null(value)) return wrong_type("shed");
      builder_.set_shed(shed);
      return {};
    }
    // Where a gateway had the record from, and what it tells of lost ones: for its own recovery.
    if (key == "tail" || key == "gap") return {};
    ++builder_.counters().unknown_fields;
    return {};
  }

  MaybeRefusal read_client(od::value client) {
    return each_field_of(client, "client", [&](std::string_view key, od::value value) -> MaybeRefusal {
      std::string_view bytes;
      if (key == "ip") {
        if (auto refusal = json_.string_of(value, "client.ip", bytes)) return refusal;
        builder_.set_address(bytes);
      } else if (key == "asn") {
        std::uint32_t asn = 0;
        if (auto refusal = count_of(value, "client.asn", asn)) return refusal;
        builder_.set_asn(asn);
      } else if (key == "user_agent") {
        if (auto refusal = json_.string_of(value, "client.user_agent", bytes)) return refusal;
        builder_.set_user_agent(bytes);
      } else if (key == "ja4") {
        if (auto refusal = json_.string_of(value, "client.ja4", bytes)) return refusal;
        builder_.set_ja4(bytes);
      } else if (key == "headers") {
        od::array names;
        builder_.clear_headers();
        if (value.get_array().get(names))
          return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type("client.headers")};
        for (auto result : names) {
          od::value name;
          if (std::move(result).get(name)) return kLineNotJson;
          if (auto refusal = json_.string_of(name, "client.headers", bytes)) return refusal;
          builder_.add_header(bytes);
        }
      } else if (key != "country") {  // the country is never read: it must not become a feature
        ++builder_.counters().unknown_fields;
      }
      return {};
    });
  }

  /// `usage` of the record or of a response body: the record's counts.
  MaybeRefusal read_usage(od::value usage, bool of_body) {
    return each_field_of(usage, "response.usage", [&](std::string_view key, od::value value) -> MaybeRefusal {
      std::uint32_t count = 0;
      if (key == "input_tokens" || (of_body && key == "prompt_tokens")) {
        if (auto refusal = count_of(value, "response.usage.input_tokens", count)) return refusal;
        builder_.set_input_tokens(count);
      } else if (key == "output_tokens" || (of_body && key == "completion_tokens")) {
        if (auto refusal = count_of(value, "response.usage.output_tokens", count)) return refusal;
        builder_.set_output_tokens(count);
      } else if (key == "reasoning_tokens") {
        if (auto refusal = count_of(value, "response.usage.reasoning_tokens", count)) return refusal;
        builder_.set_reasoning_tokens(count);
      } else if (of_body && (key == "completion_tokens_details" || key == "output_tokens_details")) {
        return read_usage(value, true);
      } else if (!of_body && key != "cached_tokens") {
        ++builder_.counters().unknown_fields;
      }
      return {};
    });
  }

  MaybeRefusal read_response(od::value response) {
    response_body_ = {};
    return each_field_of(response, "response", [&](std::string_view key, od::value value) -> MaybeRefusal {
      if (key == "status") {
        std::uint32_t status = 0;
        if (auto refusal = count_of(value, "response.status", status)) return refusal;
        builder_.set_status(static_cast<std::uint16_t>(std::min<std::uint32_t>(status, 65535)));
      } else if (key == "usage") {
        has_usage_ = true;
        builder_.clear_usage();
        return read_usage(value, false);
      } else if (key == "body") {
        od::json_type type;
        response_body_ = {};
        if (value.type().get(type)) return kLineNotJson;
        if (type != od::json_type::object) return {};
        od::object body;
        if (value.get_object().get(body) || body.raw_json().get(response_body_)) return kLineNotJson;
        // Usage given beside the body wins; a body before it is overwritten, of one after it only the text is read.
        bool ignored = false;
        if (has_usage_) return {};
        if (body.reset().get(ignored)) return kLineNotJson;
        return json_.each_field(body, [&](std::string_view inner_key, od::value inner) -> MaybeRefusal {
          return inner_key == "usage" ? read_usage(inner, true) : MaybeRefusal{};
        });
      } else if (key != "ttft_ms" && key != "duration_ms" && key != "stop") {
        ++builder_.counters().unknown_fields;
      }
      return {};
    });
  }

  MaybeRefusal read_fingerprint(od::value fingerprint) {
    bool has_bytes = false, is_known = true;
    std::string_view bytes;
    std::uint32_t samples = 0;
    if (is_null(fingerprint)) return {};
    const auto refusal =
        each_field_of(fingerprint, "fingerprint", [&](std::string_view key, od::value value) -> MaybeRefusal {
          if (key == "v") {
            std::int64_t version = 0;
            if (value.get_int64().get(version)) return wrong_type("fingerprint.v");
            is_known = version >= 1 && version <= text::kFingerprintVersion;
          } else if (key == "b") {
            if (auto refused = json_.string_of(value, "fingerprint.b", bytes)) return refused;
            if (auto refused = builder_.set_fingerprint(bytes)) return refused;
            has_bytes = true;
          } else if (key == "model") {
            if (auto refused = json_.string_of(value, "fingerprint.model", bytes)) return refused;
            builder_.set_given_model(bytes);
          } else if (key == "n") {
            if (auto refused = count_of(value, "fingerprint.n", samples)) return refused;
            builder_.set_given_sampled_many(samples > 1);
          } else if (key == "refused") {  // the body could not be read when it was there: the same fate
            if (auto refused = json_.string_of(value, "fingerprint.refused", bytes)) return refused;
            return Refusal{reject_reason_of(bytes).value_or(RejectReason::bad_fingerprint), "request"};
          } else {
            ++builder_.counters().unknown_fields;
          }
          return {};
        });
    if (refusal) return refusal;
    if (!is_known) return Refusal{RejectReason::bad_fingerprint, "fingerprint.v"};
    if (!has_bytes) return Refusal{RejectReason::missing_field, "fingerprint.b"};
    return {};
  }

  JsonReader json_{kLineNotJson};
  MaybeRefusal first_;
  std::string_view request_, response_body_;
  std::optional<event::Dialect> dialect_;
  bool has_version_ = false, has_usage_ = false;
};

}  // namespace

std::unique_ptr<LineParser> make_query_parser(const crypto::KeyedHash& keyed_hash, const Identities* identities) {
  return std::make_unique<QueryParser>(keyed_hash, identities);
}

}  // namespace stillwatch::intake
