#include "audit/leaf_maker.h"

#include <algorithm>
#include <array>

#include "audit/commitments.h"
#include "crypto/hmac.h"
#include "crypto/random_bytes.h"
#include "event/json_lines.h"

namespace stillwatch::audit {
namespace {

constexpr std::array<std::string_view, 4> kEndpoints{"openai.chat", "openai.responses", "anthropic.messages", "text"};
// As text/scores.h orders them.
constexpr std::array<std::string_view, event::Fingerprint::kScores> kScoreNames{
    "reasoning", "judging", "rewriting", "breadth", "output_heavy", "code"};

/// At a border of UTF-8 letters.
std::string_view cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t size = bytes_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  return text.substr(0, size);
}

/// What became of the request, as far as its record tells.
std::string_view action_of(std::uint16_t status) {
  if (status == 0) return "unknown";
  return status < 400 ? "answered" : "failed";
}

ledger::Hash32 retention_hash(const ledger::RetentionProfile& profile) {
  std::string text;
  for (const std::int32_t days : profile.days) text += std::to_string(days) + "\n";
  return crypto::sha256(text);
}

}  // namespace

Record record_of(const event::Query& query) {
  Record record;
  record.time_us = query.time_us;
  record.dialect = query.dialect;
  record.status = query.status;
  record.input_tokens = query.input_tokens;
  record.output_tokens = query.output_tokens;
  record.scores = query.fingerprint.scores;
  record.is_refused = (query.flags & event::kFlagRejected) != 0;
  record.is_shed = (query.flags & event::kFlagShed) != 0;
  return record;
}

base::Result<LeafMaker::Names*> LeafMaker::names_of(std::string_view account, std::int64_t time_us) {
  const std::string_view tenant = tenant_of(account);
  const std::int32_t month = ledger::month_of_day(ledger::day_of(time_us));
  name_key_.assign(reinterpret_cast<const char*>(&month), sizeof month);
  name_key_ += tenant;
  if (const std::uint64_t now = keys_.generation(); now != generation_) {
    names_.clear();  // a key was destroyed meanwhile
    generation_ = now;
  }
  if (const auto found = names_.find(name_key_); found != names_.end()) return &found->second;
  STILLWATCH_TRY(names, ledger::Pseudonyms::obtain(keys_, tenant, time_us));
  if (names_.size() >= kNamesMax) names_.clear();
  const ledger::Id16 pseudonym = names.are_live() ? names.account(tenant) : ledger::Id16{};
  return &names_.emplace(name_key_, Names{std::move(names), pseudonym}).first->second;
}

ledger::Id16 LeafMaker::unnamed_id(std::string_view what, std::string_view bytes) const {
  if (!derives_ids_) return crypto::random_array<16>();
  const ledger::Key32 key = keys_.key_for("ids of leaves without a name");
  const auto tag = crypto::hmac_sha256(key.view(), {what, bytes});
  ledger::Id16 id;
  std::copy_n(tag.begin(), id.size(), id.begin());
  return id;
}

void LeafMaker::seal(const Record& record, std::string_view tenant, ledger::QueryLeaf& leaf, Made& made) {
  ledger::SealRequest request;
  request.id = leaf.id;
  request.tenant = tenant;
  request.account = tenant;
  request.time_us = record.time_us;
  request.retention = record.is_flagged ? ledger::RetentionClass::flagged : ledger::RetentionClass::content;
  request.prompt = record.prompt;
  request.response = record.response;
  const auto sealed = vault_->seal(request);
  made.payload_failed = !sealed.has_value();
  if (!sealed || !sealed->stored) return;
  made.has_payload = true;
  leaf.payload_plain = sealed->commitment;
  leaf.payload_blob = sealed->ciphertext_hash;
  leaf.payload_key = sealed->fate.id;
}

base::Result<LeafMaker::Made> LeafMaker::make(const Record& record, std::string& out) {
  STILLWATCH_TRY(names, names_of(record.account, record.time_us));
  Made made;
  made.is_named = names->names.are_live();
  ledger::QueryLeaf& leaf = query_;
  leaf.time_ms = record.time_us / 1'000;
  const crypto::Sha256Digest digest = record.line.empty() ? record.digest : crypto::sha256(record.line);
  const auto own_id = derives_ids_ ? std::nullopt : gateway_leaf_id(record.id);
  const std::string_view digest_bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
  if (made.is_named) {
    leaf.tenant = names->names.tenant();
    leaf.account = names->account;
    leaf.record = record_commitment(names->names, digest);
    leaf.id = own_id ? *own_id : derived_leaf_id(names->names, digest, record.is_refused);
  } else {
    leaf.tenant = leaf.account = {};
    leaf.record = {};
    leaf.id = own_id ? *own_id : unnamed_id("record", digest_bytes);
  }
  leaf.model = cut(record.model, kModelBytesMax);
  leaf.endpoint = kEndpoints[static_cast<std::size_t>(record.dialect)];
  leaf.tokens_in = record.input_tokens;
  leaf.tokens_out = record.output_tokens;
  leaf.scores.clear();
  for (std::size_t i = 0; i < kScoreNames.size(); ++i) {
    if (record.scores[i] > 0)
      leaf.scores.push_back({std::string(kScoreNames[i]), static_cast<double>(record.scores[i]) / 100});
  }
  if (record.is_refused) leaf.scores.push_back({"unreadable", 1});
  if (record.is_shed) leaf.scores.push_back({"shed", 1});
  leaf.action = action_of(record.status);
  leaf.policy = deployed_ ? ledger::name_of(deployed_->policy) : ledger::Name12{};
  leaf.payload_plain.reset();
  leaf.payload_blob.reset();
  leaf.payload_key.reset();
  if (vault_ != nullptr && !(record.prompt.empty() && record.response.empty()))
    seal(record, tenant_of(record.account), leaf, made);
  made.id = leaf.id;
  STILLWATCH_CHECK(ledger::write_leaf(leaf, out));
  return made;
}

Decision decision_of(const event::Verdict& verdict) {
  Decision decision;
  decision.time_us = verdict.time_us;
  decision.kind = verdict.kind;
  decision.rule = verdict.rule;
  decision.level = event::name(verdict.level);
  decision.class_ = event::name(verdict.class_);
  if (verdict.campaign != 0) decision.campaign = event::campaign_name(verdict.campaign);
  decision.is_dry_run = verdict.dry_run;
  return decision;
}

base::Result<LeafMaker::Made> LeafMaker::make(const Decision& decision,
                                              const std::vector<ledger::DecisionLeaf::Input>& inputs,
                                              const std::optional<ledger::Hash32>& state, std::string& out) {
  STILLWATCH_TRY(names, names_of(decision.account, decision.time_us));
  Made made;
  made.is_named = names->names.are_live();
  ledger::DecisionLeaf leaf;
  leaf.time_ms = decision.time_us / 1'000;
  if (made.is_named) {
    leaf.id = decision_leaf_id(names->names, decision.line);
    leaf.account = names->account;
    leaf.verdict = verdict_commitment(names->names, decision.line);
  } else {
    leaf.id = unnamed_id("verdict", decision.line);
  }
  leaf.subject = event::name(decision.kind);
  leaf.rule = cut(decision.rule, ledger::kLeafTextBytesMax);
  leaf.level = decision.level;
  leaf.class_ = decision.class_;
  if (!decision.campaign.empty()) leaf.campaign = decision.campaign;
  leaf.is_dry_run = decision.is_dry_run;
  if (decision.has_inputs) {
    leaf.inputs = inputs;
    leaf.state = state;
  }
  if (deployed_) {
    leaf.software = ledger::name_of(deployed_->software);
    leaf.configuration = ledger::name_of(deployed_->configuration);
    if (deployed_->calibration && decision.has_inputs) leaf.calibration = ledger::name_of(*deployed_->calibration);
    leaf.policy = ledger::name_of(deployed_->policy);
  }
  made.id = leaf.id;
  STILLWATCH_CHECK(ledger::write_leaf(leaf, out));
  return made;
}

base::Status LeafMaker::deploy(const Deployment& deployment, const ledger::RetentionProfile* retention,
                               std::int64_t time_ms, std::vector<std::string>& out) {
  out.clear();
  ledger::PolicyLeaf policy;
  STILLWATCH_TRY(software, software_hash());
  policy.software = software;
  // A text that is no hash is named by its own.
  const auto configuration = configuration_hash(deployment.policy_hash);
  policy.configuration = configuration ? *configuration : crypto::sha256(deployment.policy_hash);
  if (!deployment.calibration_bytes.empty()) policy.calibration = calibration_hash(deployment.calibration_bytes);
  if (retention != nullptr) policy.retention = retention_hash(*retention);
  policy.policy = ledger::policy_hash(policy);
  if (deployed_ && deployed_->policy == policy.policy) return {};
  policy.time_ms = time_ms;
  std::string bytes;
  if (policy.calibration && (!deployed_ || deployed_->calibration != policy.calibration)) {
    ledger::CalibrationLeaf calibration;
    calibration.time_ms = time_ms;
    calibration.calibration = *policy.calibration;
    calibration.from_ms = deployment.calibrated_from_us / 1'000;
    calibration.to_ms = deployment.calibrated_to_us / 1'000;
    calibration.groups = deployment.calibration_groups;
    STILLWATCH_CHECK(ledger::write_leaf(ledger::Leaf(calibration), bytes));
    out.push_back(bytes);
  }
  STILLWATCH_CHECK(ledger::write_leaf(ledger::Leaf(policy), bytes));
  out.push_back(bytes);
  deployed_ = policy;
  return {};
}

base::Status make_gap(std::int64_t time_ms, const Loss& loss, std::string& out) {
  ledger::GapLeaf gap;
  gap.time_ms = time_ms;
  gap.from_ms = loss.from_us / 1'000;
  gap.to_ms = std::max(gap.from_ms, loss.to_us / 1'000);
  gap.leaves = std::min(loss.records, ledger::kLeafNumberMax);
  gap.why = cut(loss.reason, ledger::kLeafTextBytesMax);
  return ledger::write_leaf(ledger::Leaf(gap), out);
}

}  // namespace stillwatch::audit
