// What the pages answer: a method and a target in, a status, a type, a cache rule and bytes out. No network.
//
// Invariant: as log_pages.h. A log is found by its own folder's name made from the path, never by joining a path of
// the request to a folder: no request names a file.
// Threads: one user. Cost: a reader for each log asked for, at most kReadersMax; a checkpoint is read again when it is
// older than kRefreshMs.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "audit/counters.h"
#include "audit/settings.h"
#include "base/result.h"
#include "ledger/log_reader.h"

namespace stillwatch::audit {

struct Page {
  int status = 500;
  std::string_view type = "text/plain; charset=utf-8";
  std::string_view cache = "no-store";
  std::string body;
};

class PageBook {
 public:
  static constexpr std::size_t kReadersMax = 64;   // open at once. Further: the one asked for longest ago is closed
  static constexpr std::int64_t kRefreshMs = 250;  // a checkpoint may be so old; anchors come every 10 s
  static constexpr std::size_t kTargetBytesMax = 1'024;

  PageBook(std::string folder, std::string host, Audience audience, Counters& counters)
      : folder_(std::move(folder)), host_(std::move(host)), audience_(audience), counters_(counters) {}

  /// `now_ms` of a clock that only goes forward.
  Page answer(std::string_view method, std::string_view target, std::int64_t now_ms);

 private:
  struct Open {
    std::string path;  // "anchor/2026"
    std::string name;  // "anchor-2026", of its folder
    ledger::LogReader reader;
    std::int64_t read_ms = 0;
  };
  Page route(std::string_view target, std::int64_t now_ms);
  Page resource(std::string_view path, std::int64_t now_ms);
  Page proof(std::string_view query, std::int64_t now_ms);
  Page cosigned(std::string_view query, std::int64_t now_ms);
  /// Null with `failed` filled in when there is no such log for this audience, or it cannot be read.
  Open* find(std::string_view path, std::int64_t now_ms, Page& failed);

  std::string folder_, host_;
  Audience audience_;
  Counters& counters_;
  std::list<Open> open_;  // asked for last first
};

}  // namespace stillwatch::audit
