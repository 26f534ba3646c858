// For tests: an anchor log on the disk, an honest witness as a server, and witnesses that do what a test says.
//
// Invariant: a hostile witness answers by its own function; nothing of WitnessService is in it.
// Threads: one user. Cost: a server and a thread each.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "audit/anchor_writer.h"
#include "audit/audit_fixture.h"
#include "audit/witness_asker.h"
#include "audit/witness_service.h"
#include "base/files.h"
#include "http/socket_fixture.h"
#include "ledger/log_reader.h"
#include "ledger/small_log_fixture.h"
#include "tlog/cosignature.h"

namespace stillwatch::audit {

/// An anchor log with leaves on the disk, and what it takes to ask about it.
class AnchorOnDisk {
 public:
  explicit AnchorOnDisk(const std::string& folder)
      : writer_(std::move(*AnchorWriter::open({folder, "audit.example", "", ""}, kStartMs / 1'000))),
        log_folder_(folder + "/logs/anchor-2026") {}
  void grow(std::uint64_t leaves) {
    for (; leaves > 0; --leaves) EXPECT_TRUE(writer_.append(kStartMs / 1'000, {}, {}));
  }
  ledger::LogReader reader() const { return std::move(*ledger::LogReader::open(log_folder_)); }
  std::string vkey() const { return reader().vkey(); }

 private:
  AnchorWriter writer_;
  std::string log_folder_;
};

/// Answers each POST by a function of its body.
class PlayedWitness {
 public:
  struct Answer {
    int status = 200;
    std::string body;
  };
  explicit PlayedWitness(std::function<Answer(const std::string& body)> play, std::uint8_t key = 50)
      : cosigner_("played.example", ledger::test_seed(key)), play_(std::move(play)) {
    server_ = http::serve(http::loopback_options(), [this](http::Exchange& exchange) { return serve(exchange); });
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }
  std::string vkey() const { return cosigner_.verifier_key().text(); }
  const tlog::Ed25519Cosigner& cosigner() const { return cosigner_; }
  /// A good cosignature line over the checkpoint in this request.
  std::string cosign(const std::string& body, std::uint64_t time_s = kStartMs / 1'000) const {
    const auto request = tlog::AddCheckpoint::parse(body);
    return tlog::format_signature(cosigner_.cosign(tlog::parse_note(request->checkpoint)->text, time_s).value());
  }

 private:
  http::Task<void> serve(http::Exchange& exchange) {
    const auto body = co_await exchange.read_all(1U << 20);
    if (!body) co_return;
    const Answer answer = play_(*body);
    http::ResponseHead head(answer.status);
    (void)co_await exchange.respond(std::move(head), answer.body);
  }
  tlog::Ed25519Cosigner cosigner_;
  std::function<Answer(const std::string& body)> play_;
  std::unique_ptr<http::Server> server_;
};

inline std::unique_ptr<WitnessService> start_witness(const std::string& folder, const std::string& name,
                                                     const std::string& policy, const Clock& clock) {
  EXPECT_TRUE(base::make_writable_folder(folder));
  EXPECT_TRUE(base::write_file(folder + "/policy", policy));
  WitnessServiceSettings settings;
  settings.folder = folder + "/state";
  settings.name = name;
  settings.policy_file = folder + "/policy";
  settings.listen.push_back({"127.0.0.1:0", false});
  settings.clock = clock;
  auto started = WitnessService::start(std::move(settings));
  EXPECT_TRUE(started) << started.error().message;
  return started ? std::move(*started) : nullptr;
}

inline std::string url_of(const WitnessService& witness) {
  return "http://127.0.0.1:" + std::to_string(witness.port());
}

}  // namespace stillwatch::audit
