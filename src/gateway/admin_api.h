// What operators and their monitoring ask: health, metrics, dry run, human overrides, reload.
//
// GET /healthz, /readyz, /metrics; GET and POST /v1/admin/dry-run; GET, PUT and DELETE /v1/admin/overrides;
// POST /v1/admin/reload; /v1/admin/ledger/... (admin_ledger.h). Invariant: everything under /v1/admin needs the admin
// token when one is configured; a change is on the disk before it is answered, so that a restart does not undo it.
// Threads: coroutines of the admin server's only thread. Cost: a change writes a small file. Spec:
// docs/reference/decision-api.md.
#pragma once

#include <functional>
#include <string>

#include "gateway/station.h"
#include "http/server.h"

namespace stillwatch::gateway {

class LedgerDesk;

/// What the service does for this API.
struct AdminPorts {
  std::string token;         // empty: none is asked for
  std::string state_folder;  // overrides.ndjson and dry_run are kept there
  std::function<base::Status()> reload;
  std::function<std::string()> metrics;    // the exposition, gauges brought up to date
  std::function<std::string()> not_ready;  // why; empty: ready
  LedgerDesk* ledger = nullptr;            // nothing: there is no audit log
};

/// False when the path is none of this API's: nothing was answered.
http::Task<bool> serve_admin(Desk& desk, http::Exchange& exchange, const AdminPorts& ports);

/// The switches and overrides that a former process left in the state folder. Environment error when they cannot be
/// read: who was freed by hand must not be caught again because a file is damaged.
base::Status restore_decisions(Station& station, const std::string& state_folder, std::int64_t now_us);

/// The subject of the verdict table that an override is about.
base::Token subject_token(const crypto::KeyedHash& keyed_hash, std::string_view account, std::string_view end_user);

}  // namespace stillwatch::gateway
