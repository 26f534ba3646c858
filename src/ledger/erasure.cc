#include "ledger/erasure.h"

#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "base/files.h"
#include "crypto/random_bytes.h"
#include "ledger/durable_files.h"
#include "ledger/file_eraser.h"
#include "ledger/hold_file.h"
#include "ledger/vault_leaves.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::string_view kEnd = ".order";
constexpr std::uint64_t kOrderBytesMax = 256U << 20;  // 7 million keys: all tenants of one large provider's month

base::Status check_order(const ErasureOrder& order) {
  if (!is_leaf_text(order.who) || !is_leaf_text(order.why)) {
    return base::fail(Fault::caller,
                      fmt::format("an erasure needs who ordered it and why, at most {} bytes each", kWhoWhyBytesMax));
  }
  if (order.kind != OrderKind::retention && order.tenant.empty()) {
    return base::fail(Fault::caller, "an erasure needs the customer that it is of");
  }
  return order.kind == OrderKind::retention ? check_profile(order.profile) : base::Status();
}

std::string reason_of(const ErasureOrder& order, const KeyScope& scope) {
  if (order.kind != OrderKind::retention) return order.why;
  if (scope.kind == KeyKind::pseudonym) return "retention: nothing of the month is kept any longer";
  return fmt::format("retention of {}: {} days", name_of(scope.retention), order.profile.of(scope.retention));
}

}  // namespace

struct Eraser::Run {
  ErasureOrder order;
  ErasureResult result;
  std::set<std::string> holds;
  std::set<KeyScope> scopes_due;  // of retention: also those with nothing but tombstones, whose files go

  bool is_planned(const KeyScope& scope, const KeyId& id) const {
    const auto same = [&](const PlannedKey& key) { return key.scope == scope && key.id == id; };
    return std::any_of(order.plan.begin(), order.plan.end(), same);
  }
};

std::vector<std::string> what_remains() {
  return {
      "log: time, sizes in tokens, model, endpoint, verdicts and actions, under pseudonyms that nobody can link",
      "log: hashes of payloads and record lines, made with salts and keys that are destroyed",
      "key book: that keys were destroyed, when and why, under a hash of the name that needs the master key",
      "free space, SSDs, snapshots, backups: ciphertext that nothing opens; wrapped keys that were not overwritten",
      "gateway: overrides and levels of before a rotation that name the account, until they end; undelivered webhooks",
      "elsewhere: evidence bundles handed out, and backups of the key book together with the master key",
  };
}

base::Result<Eraser> Eraser::open(const std::string& orders_folder, KeyBook& book, Vault* vault, const HoldBook& holds,
                                  ErasureRoads roads) {
  STILLWATCH_CHECK(base::make_writable_folder(orders_folder));
  STILLWATCH_TRY(failures, finish_replacements(orders_folder));
  (void)failures;  // orders are sealed, and hold no keys
  return Eraser(orders_folder, book, vault, holds, std::move(roads));
}

base::Status Eraser::write(const ErasureOrder& order) const {
  STILLWATCH_TRY(overwritten, replace_file(path_of(order.id), seal_order(order, book_->key_for(kOrderPurpose))));
  (void)overwritten;
  return {};
}

base::Result<ErasureOrder> Eraser::place(ErasureOrder order) {
  STILLWATCH_CHECK(check_order(order));
  if (order.id.empty()) order.id = base64url(crypto::random_array<16>());
  order.placed_us = book_->now_us();
  order.plan.clear();
  STILLWATCH_CHECK(write(order));
  return order;
}

base::Result<ErasureResult> Eraser::erase(ErasureOrder order) {
  STILLWATCH_TRY(placed, place(std::move(order)));
  return resume(std::move(placed));
}

base::Result<ErasureResult> Eraser::apply_retention(const RetentionProfile& profile, std::vector<ErasureFile> files,
                                                    std::string who) {
  ErasureOrder order;
  order.kind = OrderKind::retention;
  order.profile = profile;
  order.files = std::move(files);
  order.who = std::move(who);
  order.why = "retention";
  return erase(std::move(order));
}

base::Result<std::vector<ErasureOrder>> Eraser::open_orders() const {
  std::vector<ErasureOrder> orders;
  std::error_code code;
  for (const auto& file : std::filesystem::directory_iterator(folder_, code)) {
    const std::string path = file.path().string();
    if (!path.ends_with(kEnd)) continue;
    STILLWATCH_TRY(bytes, base::read_file(path, kOrderBytesMax));
    auto order = open_order(bytes, book_->key_for(kOrderPurpose));
    if (!order || path_of(order->id) != path) {
      return base::fail(Fault::environment,
                        fmt::format("{} is no order of this ledger, or damaged; restore it from its backup, or take it "
                                    "away and order the erasure again",
                                    path));
    }
    orders.push_back(std::move(*order));
  }
  if (code) return base::fail(file_error("list", folder_, code.value()));
  std::sort(orders.begin(), orders.end(), [](const ErasureOrder& left, const ErasureOrder& right) {
    return std::tie(left.placed_us, left.id) < std::tie(right.placed_us, right.id);
  });
  return orders;
}

base::Status Eraser::acknowledge(const std::string& order_id) {
  STILLWATCH_TRY(overwritten, overwrite_and_remove(path_of(order_id)));
  (void)overwritten;
  return {};
}

base::Result<ErasureResult> Eraser::resume(ErasureOrder order) {
  Run run;
  run.order = std::move(order);
  run.result.order = run.order.id;
  run.result.kind = run.order.kind;
  run.result.who = run.order.who;
  run.result.why = run.order.why;
  const std::uint64_t failures_before =
      book_->counts().overwrites_failed + (vault_ == nullptr ? 0 : vault_->counts().overwrites_failed);
  // Keys first: from then on the rest is unreadable, whatever happens.
  if (roads_.with_keys)
    STILLWATCH_CHECK(roads_.with_keys([&] { return destroy(run); }));
  else
    STILLWATCH_CHECK(destroy(run));
  if (vault_ != nullptr) STILLWATCH_CHECK(vault_->compact());
  STILLWATCH_CHECK(erase_files(run));
  run.result.time_us = book_->now_us();
  run.result.held_by.assign(run.holds.begin(), run.holds.end());
  run.result.complete = run.holds.empty();
  run.result.overwrites_failed += book_->counts().overwrites_failed +
                                  (vault_ == nullptr ? 0 : vault_->counts().overwrites_failed) - failures_before;
  run.result.remains = what_remains();
  return std::move(run.result);
}

base::Status Eraser::destroy(Run& run) const {
  if (vault_ != nullptr) STILLWATCH_CHECK(vault_->commit());
  const std::size_t planned_before = run.order.plan.size();
  if (run.order.kind == OrderKind::customer) STILLWATCH_CHECK(plan_customer(run));
  if (run.order.kind == OrderKind::retention) STILLWATCH_CHECK(plan_retention(run));
  if (run.order.plan.size() != planned_before) STILLWATCH_CHECK(write(run.order));
  STILLWATCH_CHECK(destroy_planned(run));
  return run.order.kind == OrderKind::record ? erase_record(run) : remove_records(run);
}

base::Status Eraser::plan_customer(Run& run) const {
  const NameTag tag = book_->tag_of(run.order.tenant);
  for (const KeyScope& scope : book_->scopes()) {
    STILLWATCH_TRY(answer, book_->look_up(scope, run.order.tenant));
    if (!answer.is_live()) continue;
    std::uint64_t records = 0;
    if (vault_ != nullptr && scope.kind == KeyKind::payload) {
      STILLWATCH_TRY(ids, vault_->records_under(answer.fate.id));
      records = ids.size();
    }
    if (const Hold* hold = holds_->keeping({tag}, first_day_of_scope(scope), last_day_of_scope(scope))) {
      run.holds.insert(hold->name);
      ++run.result.keys_held;
      run.result.records_held += records;
    } else if (!run.is_planned(scope, answer.fate.id)) {
      run.order.plan.push_back({scope, answer.fate.id, records});
    }
  }
  return {};
}

base::Status Eraser::plan_retention(Run& run) const {
  const std::int64_t now_us = run.order.placed_us;
  std::set<std::pair<KeyScope, KeyId>> planned;
  for (const PlannedKey& key : run.order.plan) planned.emplace(key.scope, key.id);
  for (const KeyScope& scope : book_->scopes()) {
    const bool due = scope.kind == KeyKind::payload
                         ? scope.period <= last_day_due(run.order.profile, scope.retention, now_us)
                         : scope.period <= last_month_due(run.order.profile, now_us);
    if (!due) continue;
    run.scopes_due.insert(scope);
    STILLWATCH_TRY(entries, book_->entries(scope));
    for (const KeyBook::Entry& entry : entries) {
      if (entry.fate.state != KeyState::live) continue;
      const Hold* hold = holds_->keeping({entry.tenant}, first_day_of_scope(scope), last_day_of_scope(scope));
      if (hold != nullptr) {
        run.holds.insert(hold->name);
        ++run.result.keys_held;
      } else if (planned.emplace(scope, entry.fate.id).second) {
        run.order.plan.push_back({scope, entry.fate.id, 0});
      }
    }
  }
  return {};
}

base::Status Eraser::destroy_planned(Run& run) const {
  const auto is_held = [&](const KeyScope& scope, const NameTag& tenant) {
    return holds_->keeping({tenant}, first_day_of_scope(scope), last_day_of_scope(scope)) != nullptr;
  };
  if (run.order.kind == OrderKind::customer) {
    const NameTag tag = book_->tag_of(run.order.tenant);
    for (const PlannedKey& key : run.order.plan) {
      if (is_held(key.scope, tag)) continue;  // the hold came after the plan
      STILLWATCH_CHECK(book_->destroy(key.scope, run.order.tenant, reason_of(run.order, key.scope)));
    }
  }
  for (const KeyScope& scope : run.scopes_due) {
    std::vector<NameTag> kept;
    STILLWATCH_TRY(entries, book_->entries(scope));
    for (const KeyBook::Entry& entry : entries) {
      if (entry.fate.state == KeyState::live && is_held(scope, entry.tenant)) kept.push_back(entry.tenant);
    }
    STILLWATCH_CHECK(book_->destroy_scope(scope, reason_of(run.order, scope), kept));
  }
  return {};
}

// What of the plan is destroyed. A hold that came after the plan keeps the rest.
base::Result<std::map<KeyScope, std::vector<PlannedKey>>> Eraser::destroyed_of(const Run& run) const {
  std::map<KeyScope, std::vector<PlannedKey>> destroyed;
  std::map<KeyScope, std::set<KeyId>> live;
  for (const PlannedKey& key : run.order.plan) {
    if (const auto [of_scope, is_new] = live.try_emplace(key.scope); is_new) {
      STILLWATCH_TRY(entries, book_->entries(key.scope));
      for (const KeyBook::Entry& entry : entries) {
        if (entry.fate.state == KeyState::live) of_scope->second.insert(entry.fate.id);
      }
    }
    if (!live.at(key.scope).contains(key.id)) destroyed[key.scope].push_back(key);
  }
  return destroyed;
}

base::Status Eraser::remove_records(Run& run) const {
  STILLWATCH_TRY(destroyed, destroyed_of(run));
  for (const KeyScope& scope : run.scopes_due) destroyed.try_emplace(scope);
  const std::vector<KeyScope> with_file = book_->scopes();
  std::uint64_t removed = 0, planned = 0;
  for (const auto& [scope, keys] : destroyed) {
    for (const PlannedKey& key : keys) {
      run.result.keys.push_back(key.id);
      planned += key.records;
    }
    if (vault_ == nullptr || scope.kind != KeyKind::payload) continue;
    // A scope that is gone as a whole has no records that anybody keeps: its files go without being rewritten.
    if (!std::binary_search(with_file.begin(), with_file.end(), scope)) {
      std::vector<KeyId> ids;
      for (const PlannedKey& key : keys) ids.push_back(key.id);
      STILLWATCH_TRY(count, vault_->remove_scope(scope, ids));
      removed += count;
      continue;
    }
    for (const PlannedKey& key : keys) {
      STILLWATCH_TRY(count, vault_->remove_under(key.id));
      removed += count;
    }
  }
  run.result.records += std::max(removed, planned);
  std::sort(run.result.keys.begin(), run.result.keys.end());
  return {};
}

base::Status Eraser::erase_record(Run& run) const {
  if (vault_ == nullptr) return {};
  STILLWATCH_TRY(place, vault_->find(run.order.record));
  if (!place) return {};
  const std::int64_t day = place->scope.period;
  if (const Hold* hold = holds_->keeping({book_->tag_of(run.order.tenant)}, day, day)) {
    run.holds.insert(hold->name);
    ++run.result.records_held;
    return {};
  }
  STILLWATCH_TRY(removed, vault_->remove(run.order.record));
  run.result.records += removed;
  return {};
}

base::Status Eraser::erase_files(Run& run) const {
  const ErasureOrder& order = run.order;
  const bool of_all = order.kind == OrderKind::retention;
  const NameTag tag = of_all ? NameTag{} : book_->tag_of(order.tenant);
  FieldJudge fields;
  if (order.kind == OrderKind::customer) {
    fields.fields = {"account", "tenant", "subject.id", "subject.account"};
    fields.values = order.names;
    fields.values.push_back(order.tenant);
  } else if (!order.line_id.empty()) {
    fields.fields = {"id"};
    fields.values = {order.line_id};
  }
  std::set<std::string> seen;
  for (const ErasureFile& file : order.files) {
    if (!seen.insert(file.path).second) continue;
    if (!exists(file.path)) {
      // It was there when the order was placed: an earlier try removed it.
      if (file.rule == FileRule::remove) run.result.removed.push_back(file.path);
      continue;
    }
    // Through links, or the file that a link names would keep what the link's new file does not have.
    std::error_code code;
    const std::string path = std::filesystem::canonical(file.path, code).string();
    if (code) return base::fail(file_error("read", file.path, code.value()));
    const auto note = [&](const Hold* hold) {
      if (hold != nullptr) run.holds.insert(hold->name);
      return hold != nullptr;
    };
    if (file.rule == FileRule::lines && !of_all) {
      if (fields.values.empty()) continue;
      fields.is_held = [&](std::optional<std::int64_t> day) {
        return note(holds_->keeping({tag}, day.value_or(0), day.value_or(kHoldDayMax)));
      };
      const JudgeLine judge = make_field_judge(fields);
      STILLWATCH_TRY(erased, roads_.rewrite ? roads_.rewrite(path, judge) : erase_lines(path, judge));
      run.result.lines += erased.lines_erased;
      run.result.lines_held += erased.lines_held;
      run.result.files_rewritten += erased.rewritten ? 1 : 0;
      run.result.overwrites_failed += erased.rewritten && !erased.overwritten ? 1 : 0;
      continue;
    }
    if (of_all && file.last_day > last_day_due(order.profile, file.retention, order.placed_us)) continue;
    // It has records of others too: whoever's hold it is, the file stays.
    const auto any = holds_->keeping_any(file.first_day, file.last_day);
    if (note(any.empty() ? nullptr : any.front())) {
      ++run.result.files_held;
      continue;
    }
    STILLWATCH_TRY(overwritten, overwrite_and_remove_all(path));
    run.result.removed.push_back(file.path);
    ++run.result.files_removed;
    run.result.overwrites_failed += overwritten ? 0 : 1;
  }
  return {};
}

}  // namespace stillwatch::ledger
