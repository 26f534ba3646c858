// For tests: a log in memory, with a key, that can also lie.
//
// Invariant: roots and proofs come from tlog alone. Threads: one user. Cost: linear in its entries.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tlog/add_checkpoint.h"
#include "tlog/checkpoint.h"
#include "tlog/proof.h"
#include "tlog/tree.h"

namespace stillwatch::ledger {

inline crypto::Ed25519Seed test_seed(std::uint8_t fill) {
  crypto::Ed25519Seed seed;
  for (std::uint8_t& byte : seed.writable()) byte = fill;
  return seed;
}

class SmallLog final : public tlog::HashSource {
 public:
  SmallLog(std::string origin, std::uint8_t key) : origin_(origin), signer_(std::move(origin), test_seed(key)) {}

  void add(std::string_view entry) { leaves_.push_back(tlog::leaf_hash(entry)); }
  /// A log of n entries "entry-0" and so on; from `split` on they are called otherwise.
  void grow(std::uint64_t n, std::uint64_t split = ~std::uint64_t{0}) {
    for (std::uint64_t i = size(); i < n; ++i) add((i < split ? "entry-" : "other-") + std::to_string(i));
  }
  std::uint64_t size() const { return leaves_.size(); }
  tlog::Hash root(std::uint64_t n) const { return tlog::root_of(std::span(leaves_).first(n)); }
  tlog::Proof consistency(std::uint64_t from, std::uint64_t to) {
    return tlog::consistency_proof(*this, from, to).value();
  }
  /// Signs anything, such as an empty log with a root of its own.
  std::string signed_note(const tlog::Checkpoint& checkpoint) const {
    const std::string text = tlog::checkpoint_text(checkpoint);
    return tlog::format_note({text, {signer_.sign(text).value()}});
  }
  std::string note(std::uint64_t n) const { return signed_note({origin_, n, root(n), ""}); }
  std::string request(std::uint64_t from, std::uint64_t to) {
    tlog::AddCheckpoint request;
    request.old_size = from;
    request.proof = consistency(from, to);
    request.checkpoint = note(to);
    return request.text();
  }
  std::string vkey() const { return signer_.verifier_key().text(); }
  std::string policy() const { return "log " + vkey() + "\nquorum none\n"; }
  const tlog::VerifierKey& key() const { return signer_.verifier_key(); }
  const std::string& origin() const { return origin_; }

  base::Result<tlog::Hash> subtree_root(const tlog::Subtree& subtree) override {
    return tlog::root_of(std::span(leaves_).subspan(subtree.begin(), subtree.end() - subtree.begin()));
  }

 private:
  std::string origin_;
  tlog::Ed25519NoteSigner signer_;
  std::vector<tlog::Hash> leaves_;
};

}  // namespace stillwatch::ledger
