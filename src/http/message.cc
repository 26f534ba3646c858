#include "http/message.h"

#include <functional>

#include "http/bytes.h"

namespace stillwatch::http {
namespace {

constexpr std::size_t kTextKeptBytes = 4U << 10;  // an idle connection keeps no more

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

bool same_letters(std::string_view a, std::string_view b) {
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

std::optional<std::string_view> Fields::find(std::string_view name) const {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (same_name(this->name(i), name)) return value(i);
  return std::nullopt;
}

std::size_t Fields::count(std::string_view name) const {
  std::size_t found = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) found += same_name(this->name(i), name);
  return found;
}

bool Fields::add(std::string_view name, std::string_view value) {
  if (name.empty() || !all_of(name, kTokenBytes)) return false;
  value = trimmed(value);
  std::string own_name, own_value;
  if (is_inside(name)) name = own_name = name;
  if (is_inside(value)) value = own_value = value;
  Entry entry{};
  entry.name_at = static_cast<std::uint32_t>(text_.size());
  entry.name_size = static_cast<std::uint32_t>(name.size());
  text_ += name;
  entry.value_at = static_cast<std::uint32_t>(text_.size());
  entry.value_size = static_cast<std::uint32_t>(value.size());
  text_ += value;
  for (std::size_t i = entry.value_at; i < text_.size(); ++i)
    if (!kValueBytes[static_cast<unsigned char>(text_[i])]) text_[i] = ' ';
  entries_.push_back(entry);
  return true;
}

/// Whether the view points into what add() appends to, and may move.
bool Fields::is_inside(std::string_view view) const {
  const std::less_equal<const char*> before;
  return before(text_.data(), view.data()) && before(view.data(), text_.data() + text_.size());
}

void Fields::reserve(std::size_t bytes_more, std::size_t fields_more) {
  text_.reserve(text_.size() + bytes_more);
  entries_.reserve(entries_.size() + fields_more);
}

void Fields::copy_with_room(const Fields& from, std::size_t bytes_more, std::size_t fields_more) {
  text_.reserve(from.text_.size() + bytes_more);
  entries_.reserve(from.entries_.size() + fields_more);
  text_ = from.text_;
  entries_ = from.entries_;
}

bool Fields::set(std::string_view name, std::string_view value) {
  erase(name);  // keeps the text that both may point into
  return add(name, value);
}

std::size_t Fields::erase(std::string_view name) {
  return erase_if([&](std::string_view other, std::string_view) { return same_name(other, name); });
}

void Fields::clear() {
  if (text_.capacity() > kTextKeptBytes) std::string().swap(text_);
  text_.clear();
  entries_.clear();
}

std::string_view RequestHead::query() const {
  const std::size_t mark = target.find('?');
  return mark == std::string::npos ? std::string_view{} : std::string_view(target).substr(mark + 1);
}

std::string_view usual_reason(int status) {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 529: return "Overloaded";
    default: return "Unknown";
  }
}

void strip_hop_by_hop(Fields& fields) {
  // The names in `connection` first: they are views, and nothing is added while they are used.
  constexpr std::string_view kAlways[] = {"connection",        "keep-alive", "te",     "trailer",
                                          "transfer-encoding", "upgrade",    "expect", "content-length"};
  std::vector<std::string_view> named;
  for (std::size_t i = 0; i < fields.size(); ++i)
    if (same_name(fields.name(i), "connection"))
      for_each_element(fields.value(i), [&](std::string_view name) { named.push_back(name); });
  fields.erase_if([&](std::string_view name, std::string_view) {
    for (const std::string_view one : kAlways)
      if (same_name(name, one)) return true;
    for (const std::string_view one : named)
      if (same_name(name, one) && !same_name(name, "host")) return true;
    return name.size() > 6 && same_name(name.substr(0, 6), "proxy-");
  });
}

}  // namespace stillwatch::http
