// The detector: (state, batch, event time) -> findings. No clock, disk, network, thread or file.
//
// Calibration has two halves. In the first nothing is known: tokens are counted, and groups form on rare traits. Then
// what trusted accounts have in common becomes known, and in the second half groups form on the rest, as they will
// later. Groups of both halves are the benign groups that later ones are judged against.
//
// Life of an epoch: batches go through the account step and the token step (each may run on several workers); the first
// record of the next epoch closes it: groups are formed, measured and judged, and what was found carries that record's
// time. An epoch whose closing would cost more than the requests since the last one pay for is closed later, with the
// next ones (Settings::close_work_per_query): under a flood groups form less often, not at any price. Invariant: same
// records in the same order, same settings -> same findings, however batches are cut or shared out. Threads: observe_*
// as their worker says; close() alone. Cost: ~1-2 us a record, plus linked accounts an epoch.
#pragma once

#include <memory>
#include <span>

#include "detect/findings.h"

namespace stillwatch::detect {

class Detector {
 public:
  explicit Detector(const Settings& settings);

  /// Tells the time of the first record; before any batch.
  void open_log(std::int64_t first_us);
  /// Uses what another log taught, instead of the first days of this one.
  void adopt_calibration(const Calibration& calibration, std::span<const Token> known, std::uint64_t accounts,
                         std::uint64_t trusted_accounts);

  void observe_accounts(Worker worker, std::span<const event::Query> queries,
                        std::span<const event::AccountUpdate> updates, std::span<Observation> observations);
  void observe_tokens(Worker worker, std::span<const event::Query> queries, std::span<const Observation> observations);

  struct Epoch {
    bool calibrated = false;             // verdicts may be given
    bool deferred = false;               // nothing was looked at; a later closing will
    bool calibration_ended = false;      // at this very close
    std::vector<GroupFinding> findings;  // live groups, by id
  };
  /// Closes the epoch before now_us, the time of the record that opens the next one.
  Epoch close(std::int64_t now_us);

  /// Ends calibration now, whatever the period: for a log that is only there to calibrate.
  void finish_calibration(std::int64_t now_us);

  const Calibration& calibration() const { return calibration_; }
  const std::vector<Token>& known_tokens() const { return known_; }
  const AccountTable& accounts() const { return accounts_; }
  const TokenTable& tokens() const { return tokens_; }
  const GroupTable& groups() const { return groups_; }
  const Population& population() const { return population_; }
  const Settings& settings() const { return settings_; }
  bool calibrating() const { return calibrating_; }
  std::uint64_t epochs_deferred() const { return pace_.deferred; }
  std::int64_t log_start_us() const { return log_start_us_; }
  /// The surviving group of a merged one.
  std::uint32_t resolve_group(std::uint32_t group) const { return tokens_.resolve(group); }

  void save(base::ByteWriter& out) const;
  bool load(base::ByteReader& in);

 private:
  /// Whether the epoch before now_us is closed now.
  bool is_due(std::int64_t now_us);
  void make_room();
  std::uint32_t known_actors_min() const;
  bool is_look_only(std::int64_t now_us);
  void end_phase(std::int64_t now_us);

  Settings settings_;
  AccountTable accounts_;
  TokenTable tokens_;
  GroupTable groups_;
  Calibration calibration_;
  Population population_;
  std::vector<Token> known_;  // filled when calibration ends, for another detector to adopt
  std::int64_t log_start_us_ = 0;
  struct Pace {
    std::uint64_t credit = 0;         // work that was paid for
    std::uint64_t queries = 0;        // of the log, at the last epoch's end
    std::uint64_t deferred_last = 0;  // epochs in a row
    std::uint64_t deferred = 0;
  } pace_;
  /// How fast links come in: an epoch is closed early when they come much faster than usual.
  struct LinkRate {
    std::int64_t epoch = -1;        // that was closed last
    std::int64_t closed_us = 0;     // when
    std::uint64_t links = 0;        // of the log, at the last closing
    std::uint64_t links_epoch = 0;  // of the log, at the last whole epoch's end
    double usual = 0;               // an epoch, decayed
  } link_rate_;
  bool calibrating_ = true;
  bool learning_ = true;  // first half of calibration: nothing is known yet
};

}  // namespace stillwatch::detect
