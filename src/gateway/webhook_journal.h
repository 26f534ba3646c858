// The deliveries of webhooks that have not been made yet, in a file that survives a stop.
//
// Invariant: a delivery that was added and not removed is there after a restart, but for what the system had not yet
// written when the machine (not the process) went down; torn and foreign lines are left out and counted. The file
// never grows beyond bytes_max but for the short lines of removals.
// Threads: one user. Cost: one write a line. Lines: {"v":1,"id":..,"url":..,"body":..} and {"v":1,"done":ID}.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace stillwatch::gateway {

/// One event for one endpoint.
struct Delivery {
  std::string id, url, body;
};

/// What of a journal's text is left to deliver, in order; `bad_lines` counts what was no line of one.
std::vector<Delivery> parse_webhook_journal(std::string_view text, std::uint64_t& bad_lines);

class WebhookJournal {
 public:
  /// Reads what an earlier process left, and writes the file anew without what was done.
  static base::Result<std::unique_ptr<WebhookJournal>> open(const std::string& path, std::uint64_t bytes_max);
  ~WebhookJournal();

  std::vector<Delivery>& left() { return left_; }
  std::uint64_t bad_lines() const { return bad_lines_; }
  std::uint64_t bytes() const { return bytes_; }
  /// False when the file would grow beyond its limit, or cannot be written.
  bool add(const Delivery& delivery);
  bool remove(const Delivery& delivery);
  /// Replaces the file by one with these only.
  base::Status rewrite(const std::vector<const Delivery*>& live);

 private:
  WebhookJournal() = default;
  bool append(const std::string& line);

  std::string path_;
  std::uint64_t bytes_max_ = 0, bytes_ = 0, bad_lines_ = 0;
  int file_ = -1;
  std::vector<Delivery> left_;
};

}  // namespace stillwatch::gateway
