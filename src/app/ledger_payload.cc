#include "app/ledger_payload.h"

#include <filesystem>

#include "audit/ledger_paths.h"

namespace stillwatch::app {

using base::Fault;

base::Result<PayloadOpener> PayloadOpener::open(const LedgerPlace& place, ledger::KeyBook& keys, audit::DeskLog& desk) {
  const std::string folder = audit::vault_folder(place.folder);
  std::error_code code;
  if (!std::filesystem::exists(folder, code)) {
    return base::fail(Fault::caller, "this ledger has no vault: contents were never kept (`vault` in [ledger] is off)");
  }
  ledger::VaultOptions options;
  options.read_only = true;
  STILLWATCH_TRY(vault, ledger::Vault::open(folder, keys, options));
  return PayloadOpener(std::move(vault), desk);
}

base::Result<ledger::Opened> PayloadOpener::open(const FoundLeaf& leaf, OpeningRequest request) {
  const auto* query = std::get_if<ledger::QueryLeaf>(&leaf.leaf);
  if (query == nullptr) return base::fail(Fault::caller, "this is the id of a decision, which has no content");
  if (!query->payload_key) return base::fail(Fault::check, "no content was kept of this request, as its leaf says");
  if (request.who.empty()) request.who = default_operator();
  ledger::OpenRequest asked;
  asked.record = {query->id, *query->payload_key};
  asked.time_us = query->time_ms * 1'000;
  asked.who = request.who;
  asked.why = request.why;
  if (!request.case_id.empty()) asked.case_id = request.case_id;
  asked.commitment = query->payload_plain;
  asked.ciphertext_hash = query->payload_blob;
  STILLWATCH_TRY(opened, vault_->open_record(asked));
  ledger::AccessLeaf access;
  access.time_ms = desk_->leaf_time_ms(now_ms());
  access.id = query->id;
  access.key = *query->payload_key;
  access.by = request.who;
  access.why = request.why;
  access.case_id = asked.case_id;
  STILLWATCH_CHECK(desk_->append(access, now_ms()));
  return opened;
}

std::string opened_sentence(const ledger::Opened& opened) {
  if (opened.found == ledger::Found::absent) return "the vault has no content of this request";
  return "the content was erased: " + ledger::sentence_of(opened.fate);
}

}  // namespace stillwatch::app
