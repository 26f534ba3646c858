// The decision API: what the gateway would do with a request, for proxies that stand in its place.
//
// POST /v1/decisions/check, GET /v1/decisions (the list), GET /v1/decisions/stream (changes, server-sent events),
// /v1/decisions/auth (nginx auth_request), /v1/decisions/ext_authz/... (Envoy over HTTP),
// POST /beta/litellm_basic_guardrail_api, POST /v1/traces and /v1/logs (OTLP/HTTP JSON, content for the engine).
// Invariant: an answer is made of published state alone, in one look-up; nothing is sent to a model server. Limits of
// requests are reserved, those of tokens are not: they pass elsewhere.
// Threads: coroutines of one network thread. Cost: some 10 us, most of it http and JSON.
// Spec: docs/reference/decision-api.md.
#pragma once

#include "gateway/station.h"
#include "http/server.h"

namespace stillwatch::gateway {

/// False when the path is none of this API's: nothing was answered.
http::Task<bool> serve_decisions(Desk& desk, http::Exchange& exchange);

}  // namespace stillwatch::gateway
