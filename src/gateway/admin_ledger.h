// The part of the admin API that is about the ledger: erasures and holds of a running gateway.
//
// GET and POST /v1/admin/ledger/erasures; GET and POST /v1/admin/ledger/holds; POST /v1/admin/ledger/holds/release.
// Invariant: called with the admin token checked; an order is on the disk before it is answered with 202. Threads: a
// coroutine of the admin server's thread, which sleeps while the desk works. Cost: the desk's.
// Spec: docs/reference/decision-api.md.
#pragma once

#include <string_view>

#include "gateway/ledger_desk.h"
#include "http/server.h"

namespace stillwatch::gateway {

/// `what` is the path behind /v1/admin/ledger/. False when it is none of these: nothing was answered.
http::Task<bool> serve_admin_ledger(http::Exchange& exchange, LedgerDesk* desk, std::string_view what);

}  // namespace stillwatch::gateway
