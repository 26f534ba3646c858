// Where query lines go: a zstd file written aside and renamed, or a descriptor as plain NDJSON.
//
// A thread of its own compresses and writes one block while the next one fills. Every block is a zstd frame of its own,
// which any reader of the format joins. Invariant: the file has its final name only after finish().
// Threads: append and finish from one. Cost: one copy; level 1 compression, about 400 MB/s.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/files.h"
#include "base/result.h"

namespace stillwatch::sim {

class LogWriter {
 public:
  static base::Result<std::unique_ptr<LogWriter>> to_file(const std::string& path);
  static std::unique_ptr<LogWriter> to_descriptor(int descriptor, std::string name);
  ~LogWriter();

  base::Status append(std::string_view bytes);
  base::Status finish();
  std::uint64_t bytes() const { return bytes_; }

 private:
  LogWriter() = default;
  void start();
  void serve();
  base::Status write_block(std::string_view block);
  base::Status hand_over();

  std::optional<base::AtomicFile> file_;
  int descriptor_ = -1;
  std::string name_;
  std::string filling_, writing_, packed_;
  std::uint64_t bytes_ = 0;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool has_block_ = false, stop_ = false;
  std::optional<base::Error> failure_;
};

}  // namespace stillwatch::sim
