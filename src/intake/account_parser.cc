#include "intake/account_parser.h"

#include <algorithm>
#include <array>

#include "base/event_time.h"
#include "base/limits.h"
#include "intake/body_reader.h"
#include "intake/client.h"
#include "intake/json_value.h"
#include "intake/line_source.h"

namespace stillwatch::intake {
namespace {

using crypto::Domain;

constexpr std::array<std::string_view, 6> kVerifications{"none", "email", "phone", "card", "id", "org"};
constexpr std::array<std::string_view, 6> kPurposes{"evaluation",   "research", "synthetic_data",
                                                    "distillation", "resale",   "batch"};

}  // namespace

struct AccountParser::State {
  explicit State(const crypto::KeyedHash& hash) : keyed_hash(hash) {}
  const crypto::KeyedHash& keyed_hash;
  JsonReader json{kLineNotJson};
  std::string account, tier;
  std::uint64_t unknown = 0;
  bool has_version = false, has_time = false;

  MaybeRefusal time_of(od::value value, std::string_view name, std::int64_t& out) {
    std::string_view bytes;
    if (auto refusal = json.string_of(value, name, bytes)) return refusal;
    const auto time_us = parse_time_text(bytes);
    if (!time_us) return Refusal{RejectReason::bad_time, name};
    out = *time_us;
    return {};
  }
  MaybeRefusal token_of(od::value value, std::string_view name, Domain domain, event::Token& out) {
    std::string_view bytes;
    if (auto refusal = json.string_of(value, name, bytes)) return refusal;
    out = bytes.empty() ? 0 : keyed_hash(domain, bytes);
    return {};
  }
  template <std::size_t kCount>
  MaybeRefusal choice_of(od::value value, std::string_view name, const std::array<std::string_view, kCount>& names,
                         std::uint8_t& out) {
    std::string_view bytes;
    if (auto refusal = json.string_of(value, name, bytes)) return refusal;
    const auto found = std::find(names.begin(), names.end(), bytes);
    if (found == names.end()) return Refusal{RejectReason::unknown_value, name};
    out = static_cast<std::uint8_t>(found - names.begin());
    return {};
  }

  MaybeRefusal read_declared(od::value value, std::vector<event::DeclaredUse>& out) {
    out.clear();
    od::array uses;
    if (value.get_array().get(uses)) return is_null(value) ? MaybeRefusal{} : MaybeRefusal{wrong_type("declared")};
    for (auto result : uses) {
      od::value element;
      if (std::move(result).get(element)) return kLineNotJson;
      od::object use;
      if (element.get_object().get(use)) return wrong_type("declared");
      if (out.size() >= base::limits::kDeclaredUsesMax) return Refusal{RejectReason::too_many, "declared"};
      event::DeclaredUse declared;
      bool has_purpose = false;
      const auto refusal = json.each_field(use, [&](std::string_view key, od::value inner) -> MaybeRefusal {
        std::uint8_t choice = 0;
        if (key == "purpose") {
          if (auto refused = choice_of(inner, "declared.purpose", kPurposes, choice)) return refused;
          declared.purpose = static_cast<event::Purpose>(choice);
          has_purpose = true;
        } else if (key == "from" && !is_null(inner)) {
          return time_of(inner, "declared.from", declared.from_us);
        } else if (key == "until" && !is_null(inner)) {
          return time_of(inner, "declared.until", declared.until_us);
        } else if (key != "scope" && key != "note" && key != "from" && key != "until") {
          ++unknown;
        }
        return {};
      });
      if (refusal) return refusal;
      if (!has_purpose) return Refusal{RejectReason::missing_field, "declared.purpose"};
      out.push_back(declared);
    }
    return {};
  }

  MaybeRefusal read_field(std::string_view key, od::value value, event::AccountUpdate& out) {
    const auto note = [&](event::AccountField field, MaybeRefusal refusal) {
      if (!refusal) out.fields = static_cast<std::uint16_t>(out.fields | field);
      return refusal;
    };
    std::string_view bytes;
    if (key == "v") {
      std::int64_t version = 0;
      if (value.get_int64().get(version)) return wrong_type("v");
      has_version = true;
      return version == 1 ? MaybeRefusal{} : MaybeRefusal{Refusal{RejectReason::bad_version, "v"}};
    }
    if (key == "account") {
      if (auto refusal = json.string_of(value, "account", bytes)) return refusal;
      if (bytes.empty()) return Refusal{RejectReason::missing_field, "account"};
      if (bytes.size() > base::limits::kIdBytesMax) return Refusal{RejectReason::id_too_long, "account"};
      account.assign(bytes);
      out.account = keyed_hash(Domain::account, bytes);
      return {};
    }
    if (key == "time") {
      has_time = true;
      return time_of(value, "time", out.time_us);
    }
    // Null says nothing: the field keeps what an earlier line gave.
    if (is_null(value)) return {};
    if (key == "created") return note(event::kFieldCreated, time_of(value, "created", out.created_us));
    if (key == "tier") {
      if (auto refusal = json.string_of(value, "tier", bytes)) return refusal;
      tier.assign(bytes);
      out.tier = bytes.empty() ? 0 : keyed_hash(Domain::tier, bytes);
      return note(event::kFieldTier, {});
    }
    if (key == "verification") {
      std::uint8_t choice = 0;
      if (auto refusal = choice_of(value, "verification", kVerifications, choice)) return refusal;
      out.verification = static_cast<event::Verification>(choice);
      return note(event::kFieldVerification, {});
    }
    if (key == "org") return note(event::kFieldOrg, token_of(value, "org", Domain::org, out.org));
    if (key == "payment") return note(event::kFieldPayment, token_of(value, "payment", Domain::payment, out.payment));
    if (key == "email_domain") {
      return note(event::kFieldEmailDomain, token_of(value, "email_domain", Domain::email_domain, out.email_domain));
    }
    if (key == "referral")
      return note(event::kFieldReferral, token_of(value, "referral", Domain::referral, out.referral));
    if (key == "signup_ip") {
      if (auto refusal = json.string_of(value, "signup_ip", bytes)) return refusal;
      const auto address = parse_address(bytes);
      if (!address) return {};
      out.signup_egress = keyed_hash(Domain::egress, address->bucket());
      return note(event::kFieldSignupAddress, {});
    }
    if (key == "signup_asn") {
      double number = 0;
      if (value.get_double().get(number) || !(number >= 0)) return wrong_type("signup_asn");
      out.signup_asn = static_cast<std::uint32_t>(std::min(number, 4294967295.0));
      return note(event::kFieldSignupAsn, {});
    }
    if (key == "declared") return note(event::kFieldDeclared, read_declared(value, out.declared));
    if (key != "signup_country") ++unknown;
    return {};
  }
};

AccountParser::AccountParser(const crypto::KeyedHash& keyed_hash) : state_(std::make_unique<State>(keyed_hash)) {}
AccountParser::~AccountParser() = default;
std::string_view AccountParser::account_id() const { return state_->account; }
std::string_view AccountParser::tier() const { return state_->tier; }
std::uint64_t AccountParser::unknown_fields() const { return state_->unknown; }

std::optional<Refusal> AccountParser::parse(std::string_view line, event::AccountUpdate& out) {
  State& state = *state_;
  out = {};
  state.account.clear();
  state.tier.clear();
  state.has_version = state.has_time = false;
  const auto visit = [&](std::string_view key, od::value value) { return state.read_field(key, value, out); };
  if (auto refusal =
          state.json.read_line(line, [&](od::object& record) { return state.json.each_field(record, visit); }))
    return refusal;
  if (!state.has_version) return Refusal{RejectReason::missing_field, "v"};
  if (out.account == 0) return Refusal{RejectReason::missing_field, "account"};
  if (!state.has_time) return Refusal{RejectReason::missing_field, "time"};
  return {};
}

base::Result<AccountFile> load_accounts(const std::string& path, const crypto::KeyedHash& keyed_hash,
                                        Identities& identities, const RejectSink& rejects, bool by_time) {
  STILLWATCH_TRY(source, LineSource::open(path));
  AccountParser parser(keyed_hash);
  AccountFile out;
  LineBlock block;
  event::AccountUpdate update;
  for (;;) {
    STILLWATCH_TRY(more, source.next(block));
    if (!more) break;
    for (const LineBlock::Line& line : block.lines) {
      MaybeRefusal refusal;
      if (line.kind == LineBlock::Kind::whole) {
        if (is_blank(block.text(line))) continue;
        refusal = parser.parse(block.text(line), update);
      } else {
        refusal =
            Refusal{line.kind == LineBlock::Kind::too_long ? RejectReason::line_too_long : RejectReason::truncated, ""};
      }
      ++out.lines;
      if (refusal) {
        ++out.rejected;
        if (rejects) rejects({path, line.position.line, refusal->reason, refusal->field});
        continue;
      }
      identities.add(IdKind::account, update.account, parser.account_id());
      if (update.tier != 0) identities.add(IdKind::tier, update.tier, parser.tier());
      out.updates.push_back(update);
    }
  }
  if (source.problem()) return base::fail(base::Fault::environment, source.problem()->message);
  out.unknown_fields = parser.unknown_fields();
  if (!by_time) return out;
  std::stable_sort(out.updates.begin(), out.updates.end(),
                   [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
  return out;
}

}  // namespace stillwatch::intake
