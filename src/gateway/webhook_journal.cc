#include "gateway/webhook_journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unordered_map>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/files.h"
#include "base/json_text.h"

namespace stillwatch::gateway {
namespace {

using base::Fault;
namespace dom = simdjson::dom;

constexpr std::uint64_t kJournalBytesMax = 4ULL << 30;  // beyond any journal_bytes_max in use; a safeguard for reading

std::string line_of(const Delivery& delivery) {
  std::string line = "{\"v\":1,\"id\":";
  base::append_json_string(line, delivery.id);
  line += ",\"url\":";
  base::append_json_string(line, delivery.url);
  line += ",\"body\":";
  base::append_json_string(line, delivery.body);
  return line + "}\n";
}

}  // namespace

std::vector<Delivery> parse_webhook_journal(std::string_view text, std::uint64_t& bad_lines) {
  std::vector<Delivery> deliveries;
  std::unordered_map<std::string, std::size_t> place;
  dom::parser parser;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, std::min(end, text.size()));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    dom::object object;
    std::string_view id, url, body;
    if (end == std::string_view::npos || parser.parse(line.data(), line.size()).get(object) != simdjson::SUCCESS) {
      ++bad_lines;
    } else if (object.at_key("done").get(id) == simdjson::SUCCESS) {
      // Not found: the delivery was left out by an earlier rewrite already.
      if (const auto found = place.find(std::string(id)); found != place.end()) deliveries[found->second].id.clear();
    } else if (object.at_key("id").get(id) == simdjson::SUCCESS && !id.empty() &&
               object.at_key("url").get(url) == simdjson::SUCCESS &&
               object.at_key("body").get(body) == simdjson::SUCCESS &&
               place.emplace(std::string(id), deliveries.size()).second) {
      deliveries.push_back({std::string(id), std::string(url), std::string(body)});
    } else {
      ++bad_lines;
    }
  }
  std::erase_if(deliveries, [](const Delivery& delivery) { return delivery.id.empty(); });
  return deliveries;
}

base::Result<std::unique_ptr<WebhookJournal>> WebhookJournal::open(const std::string& path, std::uint64_t bytes_max) {
  std::unique_ptr<WebhookJournal> journal(new WebhookJournal);
  journal->path_ = path;
  journal->bytes_max_ = bytes_max;
  std::error_code code;
  if (std::filesystem::exists(path, code)) {
    STILLWATCH_TRY(text, base::read_file(path, kJournalBytesMax));
    journal->left_ = parse_webhook_journal(text, journal->bad_lines_);
  }
  std::vector<const Delivery*> live;
  for (const Delivery& delivery : journal->left_) live.push_back(&delivery);
  STILLWATCH_CHECK(journal->rewrite(live));
  return journal;
}

WebhookJournal::~WebhookJournal() {
  if (file_ < 0) return;
  ::fdatasync(file_);
  ::close(file_);
}

bool WebhookJournal::append(const std::string& line) {
  std::size_t at = 0;
  while (at < line.size()) {
    const ssize_t written = ::write(file_, line.data() + at, line.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    at += static_cast<std::size_t>(written);
  }
  if (at == line.size()) {
    bytes_ += at;
    return true;
  }
  // Half a line would spoil the next one too.
  if (::ftruncate(file_, static_cast<off_t>(bytes_)) != 0) bytes_ += at;
  return false;
}

bool WebhookJournal::add(const Delivery& delivery) {
  const std::string line = line_of(delivery);
  return bytes_ + line.size() <= bytes_max_ && append(line);
}

bool WebhookJournal::remove(const Delivery& delivery) {
  std::string line = "{\"v\":1,\"done\":";
  base::append_json_string(line, delivery.id);
  return append(line + "}\n");
}

base::Status WebhookJournal::rewrite(const std::vector<const Delivery*>& live) {
  STILLWATCH_TRY(file, base::AtomicFile::create(path_, 0600));
  std::uint64_t bytes = 0;
  for (const Delivery* delivery : live) {
    const std::string line = line_of(*delivery);
    STILLWATCH_CHECK(file.write(line));
    bytes += line.size();
  }
  STILLWATCH_CHECK(file.commit());
  const int opened = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (opened < 0) {
    return base::fail(Fault::environment,
                      fmt::format("cannot open the journal of webhooks {}: {}", path_, std::strerror(errno)));
  }
  if (file_ >= 0) ::close(file_);
  file_ = opened;
  bytes_ = bytes;
  return {};
}

}  // namespace stillwatch::gateway
