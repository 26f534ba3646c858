#include "sim/log_writer.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <zstd.h>

namespace stillwatch::sim {
namespace {

constexpr std::size_t kBlockBytes = 4U << 20;  // large enough for ratio, small enough for the caches
constexpr int kCompressionLevel = 1;

}  // namespace

base::Result<std::unique_ptr<LogWriter>> LogWriter::to_file(const std::string& path) {
  STILLWATCH_TRY(file, base::AtomicFile::create(path));
  std::unique_ptr<LogWriter> writer(new LogWriter());
  writer->file_.emplace(std::move(file));
  writer->name_ = path;
  writer->start();
  return writer;
}

std::unique_ptr<LogWriter> LogWriter::to_descriptor(int descriptor, std::string name) {
  std::unique_ptr<LogWriter> writer(new LogWriter());
  writer->descriptor_ = descriptor;
  writer->name_ = std::move(name);
  writer->start();
  return writer;
}

void LogWriter::start() {
  filling_.reserve(kBlockBytes + (1U << 20));
  writing_.reserve(kBlockBytes + (1U << 20));
  thread_ = std::thread([this] { serve(); });
}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LogWriter::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return has_block_ || stop_; });
    if (!has_block_) return;
    lock.unlock();
    base::Status status = write_block(writing_);
    lock.lock();
    if (!status && !failure_) failure_ = std::move(status).error();
    writing_.clear();
    has_block_ = false;
    changed_.notify_all();
  }
}

base::Status LogWriter::write_block(std::string_view block) {
  if (file_) {
    packed_.resize(ZSTD_compressBound(block.size()));
    const std::size_t size =
        ZSTD_compress(packed_.data(), packed_.size(), block.data(), block.size(), kCompressionLevel);
    if (ZSTD_isError(size))
      return base::fail(base::Fault::ours, fmt::format("cannot compress {}: {}", name_, ZSTD_getErrorName(size)));
    return file_->write({packed_.data(), size});
  }
  while (!block.empty()) {
    const ssize_t count = ::write(descriptor_, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return base::fail(
          base::Fault::environment,
          fmt::format("cannot write {}: {}; did the program that reads it stop?", name_, std::strerror(errno)));
    }
    block.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

base::Status LogWriter::hand_over() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !has_block_; });
  if (failure_) return base::fail(*failure_);
  std::swap(filling_, writing_);
  has_block_ = true;
  changed_.notify_all();
  return {};
}

base::Status LogWriter::append(std::string_view bytes) {
  filling_.append(bytes);
  bytes_ += bytes.size();
  if (filling_.size() >= kBlockBytes) return hand_over();
  return {};
}

base::Status LogWriter::finish() {
  if (!filling_.empty()) STILLWATCH_CHECK(hand_over());
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !has_block_; });
    if (failure_) return base::fail(*failure_);
  }
  if (file_) return file_->commit();
  return {};
}

}  // namespace stillwatch::sim
