#include "audit/page_book.h"

#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "audit/cosigned_store.h"
#include "tlog/checkpoint.h"
#include "tlog/offline_proof.h"

namespace stillwatch::audit {
namespace {

using base::Fault;

constexpr std::string_view kBytes = "application/octet-stream", kText = "text/plain; charset=utf-8";
constexpr std::string_view kSeconds = "public, max-age=2", kForever = "public, max-age=31536000, immutable";
constexpr std::string_view kPrivateSeconds = "private, max-age=2",
                           kPrivateForever = "private, max-age=31536000, immutable";
constexpr std::size_t kPartBytesMax = 32;

Page refuse(int status, std::string_view why) { return {status, kText, "no-store", std::string(why) + "\n"}; }

bool is_part(std::string_view text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !text.empty() && text.size() <= kPartBytesMax && text.find_first_not_of(kAllowed) == std::string_view::npos;
}

/// "anchor/2026" -> "anchor-2026", "audit/s00/2026-11" -> "shard-s00-2026-11"; empty for anything else.
std::string log_name(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {};
  const std::string_view tier = path.substr(0, slash), rest = path.substr(slash + 1);
  if (tier == "anchor") return is_part(rest) ? fmt::format("anchor-{}", rest) : std::string();
  const std::size_t next = rest.find('/');
  if (tier != "audit" || next == std::string_view::npos) return {};
  const std::string_view shard = rest.substr(0, next), period = rest.substr(next + 1);
  return is_part(shard) && is_part(period) ? fmt::format("shard-{}-{}", shard, period) : std::string();
}

bool is_for_everyone(std::string_view path) { return path.starts_with("anchor/"); }

/// The values of a query that has exactly these names, each once, in any order.
bool read_query(std::string_view query, std::initializer_list<std::pair<std::string_view, std::string_view*>> wanted) {
  std::size_t found = 0;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return false;
    bool known = false;
    for (const auto& [name, value] : wanted) {
      if (name != pair.substr(0, equals)) continue;
      if (!value->empty()) return false;
      *value = pair.substr(equals + 1);
      known = !value->empty();
    }
    if (!known) return false;
    ++found;
  }
  return found == wanted.size();
}

std::optional<std::uint64_t> read_index(std::string_view text) {
  std::uint64_t index = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), index);
  const bool canonical = !text.empty() && (text[0] != '0' || text.size() == 1);
  if (code != std::errc() || end != text.data() + text.size() || !canonical) return std::nullopt;
  return index;
}

}  // namespace

PageBook::Open* PageBook::find(std::string_view path, std::int64_t now_ms, Page& failed) {
  const std::string name = log_name(path);
  failed = refuse(404, "no such log");
  if (name.empty() || (audience_ == Audience::everyone && !is_for_everyone(path))) return nullptr;
  auto found = std::find_if(open_.begin(), open_.end(), [&](const Open& open) { return open.name == name; });
  if (found == open_.end()) {
    const std::string folder = folder_ + "/logs/" + name;
    std::error_code code;
    if (!std::filesystem::is_directory(folder, code)) return nullptr;
    auto reader = ledger::LogReader::open(folder);
    // A log that has just begun has no checkpoint yet.
    if (!reader && !std::filesystem::exists(folder + "/checkpoint", code)) return nullptr;
    if (!reader) {
      failed = refuse(500, "the log cannot be read");
      return nullptr;
    }
    if (reader->origin() != fmt::format("{}/{}", host_, path)) return nullptr;
    open_.push_front({std::string(path), name, std::move(*reader), now_ms});
    if (open_.size() > kReadersMax) open_.pop_back();
    return &open_.front();
  }
  open_.splice(open_.begin(), open_, found);
  Open& open = open_.front();
  if (now_ms - open.read_ms >= kRefreshMs) {
    if (!open.reader.refresh()) {
      open_.pop_front();
      failed = refuse(500, "the log cannot be read");
      return nullptr;
    }
    open.read_ms = now_ms;
  }
  return &open;
}

Page PageBook::resource(std::string_view path, std::int64_t now_ms) {
  // The log is the first two or three parts; what follows is a C2SP path.
  std::size_t end = path.find('/');
  for (int more = path.starts_with("audit/") ? 2 : 1; more > 0 && end != std::string_view::npos; --more) {
    end = path.find('/', end + 1);
  }
  if (end == std::string_view::npos) return refuse(404, "no such page");
  Page page;
  Open* open = find(path.substr(0, end), now_ms, page);
  if (open == nullptr) return page;
  const std::string_view name = path.substr(end + 1);
  const bool is_checkpoint = name == "checkpoint", is_public = audience_ == Audience::everyone;
  auto bytes = open->reader.resource(name);
  if (!bytes) {
    return bytes.error().fault == Fault::environment ? refuse(500, "the log cannot be read")
                                                     : refuse(404, "not in this log");
  }
  page.status = 200;
  page.type = is_checkpoint ? kText : kBytes;
  page.cache = is_checkpoint ? (is_public ? kSeconds : kPrivateSeconds) : (is_public ? kForever : kPrivateForever);
  page.body = std::move(*bytes);
  return page;
}

Page PageBook::proof(std::string_view query, std::int64_t now_ms) {
  std::string_view path, index_text;
  if (!read_query(query, {{"log", &path}, {"index", &index_text}})) {
    return refuse(400, "ask for /v1/proof?log=anchor/2026&index=0");
  }
  const auto index = read_index(index_text);
  if (!index) return refuse(400, "the index must be a decimal number");
  Page page;
  Open* open = find(path, now_ms, page);
  if (open == nullptr) return page;
  const ledger::LogReader& reader = open->reader;
  if (*index >= reader.size()) return refuse(404, "not in this log");
  tlog::OfflineProof proof;
  proof.index = *index;
  proof.checkpoint = reader.checkpoint();
  std::uint64_t size = reader.size();
  const auto cosigned = CosignedStore(folder_ + "/cosigned/" + open->name).newest();
  if (cosigned && !cosigned->empty()) {
    const auto checkpoint = tlog::read_checkpoint_unchecked(*cosigned);
    if (checkpoint && *index < checkpoint->size && checkpoint->size <= reader.size()) {
      const auto root = reader.root_at(checkpoint->size);
      // What witnesses have seen and what is on the disk must be one tree.
      if (!root || *root != checkpoint->root) return refuse(500, "the log is not the one that was cosigned");
      proof.checkpoint = *cosigned;
      size = checkpoint->size;
    }
  }
  auto hashes = reader.inclusion_proof(*index, size);
  if (!hashes) return refuse(500, "the log cannot be read");
  proof.proof = std::move(*hashes);
  return {200, kText, audience_ == Audience::everyone ? kSeconds : kPrivateSeconds, proof.text()};
}

Page PageBook::cosigned(std::string_view query, std::int64_t now_ms) {
  std::string_view path;
  if (!read_query(query, {{"log", &path}})) return refuse(400, "ask for /v1/cosigned?log=anchor/2026");
  Page page;
  const Open* open = find(path, now_ms, page);
  if (open == nullptr) return page;
  auto note = CosignedStore(folder_ + "/cosigned/" + open->name).newest();
  if (!note) return refuse(500, "the cosigned checkpoint cannot be read");
  if (note->empty()) return refuse(404, "no checkpoint of this log has met the quorum yet");
  return {200, kText, audience_ == Audience::everyone ? kSeconds : kPrivateSeconds, std::move(*note)};
}

Page PageBook::route(std::string_view target, std::int64_t now_ms) {
  if (target.size() > kTargetBytesMax || !target.starts_with('/')) return refuse(400, "no such page");
  const std::size_t mark = target.find('?');
  const std::string_view path = target.substr(1, mark == std::string_view::npos ? mark : mark - 1);
  const std::string_view query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  if (path == "v1/proof") return proof(query, now_ms);
  if (path == "v1/cosigned") return cosigned(query, now_ms);
  if (mark != std::string_view::npos) return refuse(400, "this page takes no query");
  if (path == "healthz") {
    std::error_code code;
    return std::filesystem::is_directory(folder_ + "/logs", code) ? Page{200, kText, "no-store", "ok\n"}
                                                                  : refuse(500, "the ledger's folder is not there");
  }
  return resource(path, now_ms);
}

Page PageBook::answer(std::string_view method, std::string_view target, std::int64_t now_ms) {
  Page page = method == "GET" || method == "HEAD" ? route(target, now_ms) : refuse(405, "these pages are only read");
  if (page.status == 200) {
    ++counters_.pages_served;
  } else if (page.status == 404) {
    ++counters_.pages_not_found;
  } else {
    ++(page.status == 500 ? counters_.pages_failed : counters_.pages_refused);
  }
  return page;
}

}  // namespace stillwatch::audit
