// The observer's side of the audit log: what is noted of a line, and when it is handed over.
#include <algorithm>
#include <charconv>

#include "base/event_time.h"
#include "base/limits.h"
#include "gateway/audit_port.h"
#include "gateway/observer_parts.h"
#include "intake/line_source.h"

namespace stillwatch::gateway {
namespace {

constexpr std::string_view kGapAccount = "stillwatch.gap", kGapId = "gap-";  // record_line.cc

/// The value behind a key of a gap line, which record_line.cc wrote.
std::string_view value_of(std::string_view line, std::string_view key) {
  const std::size_t at = line.rfind(key);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = line.substr(at + key.size());
  return rest.substr(0, rest.find_first_of("\",}"));
}

audit::Loss loss_of(std::string_view line, std::int64_t time_us) {
  audit::Loss loss;
  loss.to_us = time_us;
  loss.from_us = base::parse_time(value_of(line, R"("since":")")).value_or(time_us);
  const std::string_view records = value_of(line, R"("records":)");
  std::from_chars(records.data(), records.data() + records.size(), loss.records);
  loss.reason = value_of(line, R"("reason":")");
  return loss;
}

}  // namespace

/// In place of what the parser keeps of a line, when the line was not parsed.
void Observer::State::take_raw(const Exchange& exchange) {
  if (ports.audit == nullptr) return;
  raw_fields.id = exchange.id;
  raw_fields.account = exchange.account;
}

const std::string& Observer::State::model_name(event::Token model) {
  const auto found = model_names.find(model);
  if (found != model_names.end()) return found->second;
  if (model_names.size() >= intake::kModelsMax) model_names.clear();
  return model_names.emplace(model, model == 0 ? std::string_view{} : identities.open(model)).first->second;
}

void Observer::State::note_line(std::string_view text) {
  if (ports.audit == nullptr || !ports.audit->wants_lines()) return;
  if (raw_fields.account == kGapAccount && raw_fields.id.starts_with(kGapId)) {
    audit_losses.push_back(loss_of(text, parsed.query.time_us));
    return;
  }
  audit::Record record = audit::record_of(parsed.query);
  record.id = raw_fields.id;
  // The line has a longer one cut, or not at all: the record that it gives has it as it is there.
  record.account = raw_fields.account.size() <= base::limits::kIdBytesMax ? std::string_view(raw_fields.account)
                                                                          : identities.open(parsed.query.account);
  record.model = model_name(parsed.query.model);
  record.line = text;
  record.is_refused = !parsed.accepted;
  record.is_flagged = levels.look_up(parsed.query.account).level >= event::Level::verify;
  audit_lines.push_back(std::move(record));
}

/// What the last line is of, for the vault: the request, and the answer as far as the gateway keeps it.
void Observer::State::note_bodies(Exchange& exchange) {
  if (ports.audit == nullptr || !ports.audit->wants_payloads() || audit_lines.empty()) return;
  audit_lines.back().prompt = std::move(exchange.body);
  audit_lines.back().response = std::move(exchange.reply);
}

void Observer::State::hand_over_lines() {
  if (ports.audit == nullptr) return;
  if (!audit_lines.empty()) ports.audit->lines(audit_lines, is_recovering);
  for (audit::Loss& loss : audit_losses) ports.audit->loss(std::move(loss), is_recovering);
  audit_lines.clear();
  audit_losses.clear();
}

void Observer::State::tell_verdict(const event::Verdict& verdict, std::string_view text) {
  if (ports.audit == nullptr) return;
  audit::Decision decision = audit::decision_of(verdict);
  if (verdict.kind != event::SubjectKind::campaign)
    decision.account = name_of(verdict.kind == event::SubjectKind::account ? verdict.subject : verdict.account);
  decision.line = text;
  ports.audit->verdict(std::move(decision), is_recovering);
}

/// What the engine saw before there was an audit log, or before the one that there is.
base::Status Observer::State::tell_lines_before(const LogPosition& until) {
  is_recovering = true;
  intake::LineBlock block;
  for (const std::string& file : log.files()) {
    if (file > until.file) break;
    STILLWATCH_TRY(source, intake::LineSource::open(log.path_of(file)));
    for (bool is_there = true; is_there;) {
      STILLWATCH_TRY(more, source.next(block));
      if (!more) break;
      for (const auto& entry : block.lines) {
        is_there = file < until.file || entry.position.offset < until.next.offset;
        if (!is_there) break;
        if (entry.kind != intake::LineBlock::Kind::whole) continue;
        parser->parse(block.text(entry), parsed);
        parser->new_ids().clear();
        if (!parsed.is_blank) note_line(block.text(entry));
      }
      hand_over_lines();
    }
  }
  is_recovering = false;
  return {};
}

void Observer::State::keep_state(const ObserverState& found) {
  // Before the first record there is nothing to rest on.
  if (logged_us == INT64_MIN || !(is_state_due || ports.audit->wants_state())) return;
  audit::KeptState state;
  state.first_us = engine->counters().first_us;
  // Of what waits the earliest may be the oldest of all.
  for (const event::Query& query : found.waiting) {
    if (state.first_us == 0 || query.time_us < state.first_us) state.first_us = query.time_us;
  }
  state.time_us = logged_us;
  state.secret_id = keyed_hash.secret_id();
  state.account_updates = accounts->lines();
  state.policy_hash = options.policy_hash;
  state.log_file = log.position().file.empty() ? recovered.file : log.position().file;
  state.waiting = found.waiting;
  state.engine = found.engine;
  const base::Status status = ports.audit->keep(state, found.identities);
  if (!status) return tell(status.error().message);
  is_state_due = false;
}

base::Status Observer::State::recall_audit(std::string_view mark, const LogPosition& from) {
  if (ports.audit == nullptr) return {};
  STILLWATCH_TRY(is_known, ports.audit->recall(mark, from.file.empty() && log.files().empty()));
  ports.audit->note(*engine, true);
  // What the engine has seen may be more than the files that are still there.
  is_state_due = !is_known && !from.file.empty();
  if (is_state_due) STILLWATCH_CHECK(tell_lines_before(from));
  return {};
}

}  // namespace stillwatch::gateway
