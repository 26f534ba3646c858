// Heads of requests and responses: method, target, status and the ordered list of fields.
//
// Invariant: no stored name or value holds CR, LF, NUL or another control byte, whoever put it there, so nothing that
// is written out can start a second message (RFC 9112 section 11). Framing (content-length, transfer-encoding,
// connection) is written from the struct's members; fields of those names are never copied out.
// Threads: plain values. Cost: a head is two allocations; find() is linear in the number of fields (<= 100).
// Specification: RFC 9110 section 5, RFC 9112.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillwatch::http {

bool same_letters(std::string_view a, std::string_view b);  // of equal length
/// True when the two names are equal but for ASCII case.
inline bool same_name(std::string_view a, std::string_view b) { return a.size() == b.size() && same_letters(a, b); }

/// Fields in order, case of names kept. Views that it hands out live until the next change.
class Fields {
 public:
  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  std::string_view name(std::size_t i) const { return view(entries_[i].name_at, entries_[i].name_size); }
  std::string_view value(std::size_t i) const { return view(entries_[i].value_at, entries_[i].value_size); }

  /// Value of the first field of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  /// Appends. Control bytes in the value become spaces; a name that is no token is not added (false).
  bool add(std::string_view name, std::string_view value);
  /// The only field of that name from now on.
  bool set(std::string_view name, std::string_view value);
  /// How many were removed.
  std::size_t erase(std::string_view name);
  /// Removes every field for which the function (name, value) says true.
  template <class F>
  std::size_t erase_if(F&& f) {
    return std::erase_if(
        entries_, [&](const Entry& e) { return f(view(e.name_at, e.name_size), view(e.value_at, e.value_size)); });
  }
  void clear();
  /// Room for what will be added, so that it is one allocation.
  void reserve(std::size_t bytes_more, std::size_t fields_more);
  /// Becomes a copy with such room.
  void copy_with_room(const Fields& from, std::size_t bytes_more, std::size_t fields_more);

 private:
  friend class HeadScan;
  struct Entry {
    std::uint32_t name_at, name_size, value_at, value_size;
  };
  bool is_inside(std::string_view view) const;
  std::string_view view(std::size_t at, std::size_t size) const { return std::string_view(text_).substr(at, size); }

  std::string text_;  // a parsed head is kept whole here, what is added later follows
  std::vector<Entry> entries_;
};

// The heads have constructors of their own, so that `f({})` in a co_await is safe: g++ 12 copies the bytes of an
// aggregate's temporary into the coroutine's frame, and short strings break.
struct RequestHead {
  RequestHead() {}
  std::string method;
  std::string target;  // origin-form: path and query; "*" for OPTIONS. Absolute form is reduced to it
  Fields fields;
  int version_minor = 1;
  bool keep_alive = true;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool expects_continue = false;

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  /// What follows the '?', without it.
  std::string_view query() const;
};

struct ResponseHead {
  ResponseHead() {}
  explicit ResponseHead(int its_status) : status(its_status) {}
  int status = 200;
  std::string reason;  // empty: the usual phrase of the status
  Fields fields;
  int version_minor = 1;
  bool keep_alive = true;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
};

/// "Not Found" for 404; "Unknown" when the status has no phrase.
std::string_view usual_reason(int status);

/// Removes what concerns one connection only, before a message is forwarded (RFC 9110 section 7.6.1): `connection`
/// and every field it names, keep-alive, proxy-*, te, trailer, transfer-encoding, upgrade, and `expect`.
/// Content-length stays a member of the head, and is no longer a field.
void strip_hop_by_hop(Fields& fields);

}  // namespace stillwatch::http
