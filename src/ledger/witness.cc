#include "ledger/witness.h"

#include <algorithm>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include "crypto/digest.h"
#include "tlog/add_checkpoint.h"
#include "tlog/policy.h"

namespace stillwatch::ledger {
namespace {

using base::Fault;

constexpr std::string_view kText = "text/plain; charset=utf-8";

WitnessAnswer answer(int status, std::string body) { return {status, std::string(kText), std::move(body)}; }

/// What was cosigned last; size 0, the empty root and no note when nothing was.
struct Known {
  std::uint64_t size = 0;
  tlog::Hash root = tlog::empty_root();
  std::string note;
  bool is_stale = false;  // a write failed: what is on the disk decides, if it has not gone back
};

}  // namespace

std::string origin_hex(std::string_view origin) { return crypto::sha256_hex(origin); }

struct Witness::State {
  std::unique_ptr<tlog::Cosigner> cosigner;
  WitnessStore& store;
  std::mutex mutex;
  tlog::Policy policy;                              // these three under the mutex
  std::map<std::string, Known, std::less<>> known;  // what was loaded, by origin; bounded by the logs of policies read
  std::map<std::string, std::string, std::less<>> origins;  // by origin_hex

  State(std::unique_ptr<tlog::Cosigner> its_cosigner, WitnessStore& its_store)
      : cosigner(std::move(its_cosigner)), store(its_store) {}

  void take(tlog::Policy fresh) {
    policy = std::move(fresh);
    origins.clear();
    for (const tlog::Policy::Log& log : policy.logs) origins.emplace(origin_hex(log.key.name), log.key.name);
  }

  std::vector<tlog::VerifierKey> keys_of(const std::string& origin) const {
    std::vector<tlog::VerifierKey> keys;
    for (const tlog::Policy::Log& log : policy.logs) {
      if (log.key.name == origin) keys.push_back(log.key);
    }
    return keys;
  }

  // A stored note without our own good cosignature is damage, or somebody's work: nothing is signed on top of it.
  base::Result<Known*> recall(const std::string& origin) {
    const auto found = known.find(origin);
    if (found != known.end() && !found->second.is_stale) return &found->second;
    STILLWATCH_TRY(bytes, store.load(origin));
    Known fresh;
    if (!bytes.empty()) {
      const tlog::VerifierKey ours[] = {cosigner->verifier_key()};
      STILLWATCH_TRY(opened, tlog::open_note(bytes, ours));
      STILLWATCH_TRY(checkpoint, tlog::read_checkpoint_unchecked(bytes));
      if (checkpoint.origin != origin) return base::fail(Fault::environment, "the stored checkpoint is of another log");
      fresh = {checkpoint.size, checkpoint.root, std::move(bytes), false};
    }
    if (found != known.end() && fresh.size < found->second.size) {
      return base::fail(Fault::environment, "the stored checkpoint is older than the one that was cosigned");
    }
    return &(known[origin] = std::move(fresh));
  }

  WitnessAnswer add_checkpoint(std::string_view body, std::uint64_t now_s);
};

WitnessAnswer Witness::State::add_checkpoint(std::string_view body, std::uint64_t now_s) {
  const auto request = tlog::AddCheckpoint::parse(body);
  if (!request) return answer(400, request.error().message + "\n");
  const auto checkpoint = tlog::read_checkpoint_unchecked(request->checkpoint);
  if (!checkpoint) return answer(400, checkpoint.error().message + "\n");
  const std::lock_guard lock(mutex);
  const std::vector<tlog::VerifierKey> keys = keys_of(checkpoint->origin);
  if (keys.empty()) return answer(404, "no log of this origin is cosigned here\n");
  const auto opened = tlog::open_note(request->checkpoint, keys);
  if (!opened) return answer(403, "no signature by a trusted key of this log, or a wrong one\n");
  if (request->old_size > checkpoint->size) return answer(400, "the old size is beyond the checkpoint's\n");
  const auto recalled = recall(checkpoint->origin);
  if (!recalled) return answer(500, "the witness cannot read its state\n");
  Known& last = **recalled;
  if (request->old_size != last.size) {
    return {409, std::string(tlog::kSizeMediaType), tlog::witness_size_text(last.size)};
  }
  const auto consistent =
      tlog::verify_consistency(last.size, checkpoint->size, last.root, checkpoint->root, request->proof);
  if (!consistent) return answer(422, consistent.error().message + "\n");
  const auto cosignature = cosigner->cosign(opened->text, now_s);
  if (!cosignature) return answer(500, "the witness cannot sign\n");
  // The same tree again changes nothing that is stored, so that repeating old requests costs no write.
  if (last.note.empty() || checkpoint->size != last.size) {
    std::vector<tlog::NoteSignature> signatures = opened->signatures;
    signatures.push_back(*cosignature);
    Known next{checkpoint->size, checkpoint->root, tlog::format_note({opened->text, std::move(signatures)}), false};
    if (!store.replace(checkpoint->origin, last.note, next.note)) {
      last.is_stale = true;  // whether it was stored is known when it is read again
      return answer(500, "the witness cannot store its state\n");
    }
    last = std::move(next);
  }
  return answer(200, tlog::format_signature(*cosignature));
}

base::Result<std::unique_ptr<Witness>> Witness::create(std::unique_ptr<tlog::Cosigner> cosigner,
                                                       std::string_view policy, WitnessStore& store) {
  STILLWATCH_TRY(parsed, tlog::Policy::parse(policy));
  auto state = std::make_unique<State>(std::move(cosigner), store);
  state->take(std::move(parsed));
  return std::unique_ptr<Witness>(new Witness(std::move(state)));
}

Witness::Witness(std::unique_ptr<State> state) : state_(std::move(state)) {}
Witness::~Witness() = default;

WitnessAnswer Witness::add_checkpoint(std::string_view body, std::uint64_t now_s) {
  return state_->add_checkpoint(body, now_s);
}

WitnessAnswer Witness::checkpoint(std::string_view hex) {
  const std::lock_guard lock(state_->mutex);
  const auto origin = state_->origins.find(hex);
  if (origin == state_->origins.end()) return answer(404, "no log of this name is cosigned here\n");
  const auto known = state_->recall(origin->second);
  if (!known) return answer(500, "the witness cannot read its state\n");
  if ((*known)->note.empty()) return answer(404, "no checkpoint of this log was cosigned yet\n");
  return answer(200, (*known)->note);
}

base::Status Witness::replace_policy(std::string_view policy) {
  STILLWATCH_TRY(parsed, tlog::Policy::parse(policy));
  const std::lock_guard lock(state_->mutex);
  state_->take(std::move(parsed));
  return {};
}

const tlog::VerifierKey& Witness::verifier_key() const { return state_->cosigner->verifier_key(); }

}  // namespace stillwatch::ledger
