#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>

#include "base/json_text.h"
#include "crypto/sha256.h"
#include "ledger/leaf.h"
#include "ledger/leaf_fields.h"

namespace stillwatch::ledger {
namespace {

// What append_json_string would write unchanged.
bool is_plain(std::string_view text) {
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte >= 0x7F || byte == '"' || byte == '\\') return false;
  }
  return true;
}

void append_text(std::string& out, std::string_view text) {
  if (!is_plain(text)) return base::append_json_string(out, text);
  out += '"';
  out += text;
  out += '"';
}

std::string_view cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t at = 0;
  while (at < bytes_max) {
    const std::size_t length = std::max<std::size_t>(1, base::utf8_length(text.substr(at)));
    if (at + length > bytes_max) break;
    at += length;
  }
  return text.substr(0, at);
}

// Bytes of the text once what is no UTF-8 has become U+FFFD: what the reader will count.
std::size_t clean_bytes(std::string_view text) {
  std::size_t bytes = 0;
  while (!text.empty()) {
    const std::size_t length = base::utf8_length(text);
    bytes += length == 0 ? 3 : length;
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return bytes;
}

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <std::size_t N>
  void field(std::string_view key, const std::array<std::uint8_t, N>& bytes) {
    start(key);
    append_bytes(bytes);
  }
  void field(std::string_view key, std::int64_t number) {
    start(key);
    if (number < 0) return refuse(key, "is negative");
    append_number(key, static_cast<std::uint64_t>(number));
  }
  void field(std::string_view key, std::uint64_t number) {
    start(key);
    append_number(key, number);
  }
  void field(std::string_view key, bool flag) {
    start(key);
    out_ += flag ? "true" : "false";
  }
  void field(std::string_view key, const std::string& text) {
    start(key);
    append_bounded(key, text);
  }
  void field(std::string_view key, CustomerText<const std::string> customer) {
    start(key);
    std::string_view text = cut(customer.text, kCustomerTextBytesMax);
    // Each byte that is no UTF-8 takes three: such a text is cut further.
    while (!is_plain(text) && clean_bytes(text) > kCustomerTextBytesMax) text.remove_suffix(1);
    append_text(out_, text);
  }
  template <class T>
  void field(std::string_view key, const std::optional<T>& value) {
    if (value) return field(key, *value);
    start(key);
    out_ += "null";
  }
  void field(std::string_view key, const std::vector<QueryLeaf::Score>& scores) {
    list(key, scores, [&](const QueryLeaf::Score& score) {
      out_ += '[';
      append_bounded(key, score.detector);
      out_ += ',';
      if (!std::isfinite(score.value)) refuse(key, "holds a number that is not finite");
      base::append_json_number(out_, score.value);
      out_ += ']';
    });
  }
  void field(std::string_view key, const std::vector<DecisionLeaf::Input>& inputs) {
    list(key, inputs, [&](const DecisionLeaf::Input& input) {
      out_ += "{\"log\":";
      append_bounded(key, input.log);
      out_ += ",\"from\":";
      append_number(key, input.from);
      out_ += ",\"to\":";
      append_number(key, input.to);
      out_ += '}';
      if (input.from > input.to) refuse(key, "holds a range that ends before it begins");
    });
  }
  void field(std::string_view key, const std::vector<Name12>& names) {
    list(key, names, [&](const Name12& name) { append_bytes(name); });
  }

  base::Status finish() {
    if (why_.empty() && out_.size() > kLeafBytesMax) refuse("", fmt::format("has more than {} bytes", kLeafBytesMax));
    if (why_.empty()) return {};
    out_.clear();
    return base::fail(base::Fault::caller, why_);
  }

 private:
  void start(std::string_view key) {
    out_ += ",\"";
    out_ += key;
    out_ += "\":";
  }
  void refuse(std::string_view key, std::string_view why) {
    if (!why_.empty()) return;
    why_ = key.empty() ? fmt::format("the leaf {}", why) : fmt::format("field {} of the leaf {}", key, why);
  }
  template <std::size_t N>
  void append_bytes(const std::array<std::uint8_t, N>& bytes) {
    out_ += '"';
    append_base64url(out_, {reinterpret_cast<const char*>(bytes.data()), N});
    out_ += '"';
  }
  void append_number(std::string_view key, std::uint64_t number) {
    if (number > kLeafNumberMax) refuse(key, "is above 2^53 - 1");
    char text[24];
    out_.append(text, std::to_chars(text, text + sizeof text, number).ptr);
  }
  void append_bounded(std::string_view key, std::string_view text) {
    if (text.size() > kLeafTextBytesMax || (!is_plain(text) && clean_bytes(text) > kLeafTextBytesMax))
      return refuse(key, fmt::format("has more than {} bytes", kLeafTextBytesMax));
    append_text(out_, text);
  }
  template <class T, class Append>
  void list(std::string_view key, const std::vector<T>& values, Append append) {
    start(key);
    if (values.size() > kLeafListMax) return refuse(key, fmt::format("has more than {} elements", kLeafListMax));
    out_ += '[';
    for (const T& value : values) {
      if (&value != values.data()) out_ += ',';
      append(value);
    }
    out_ += ']';
  }

  std::string& out_;
  std::string why_;
};

template <class L>
base::Status write(const L& leaf, std::string& out) {
  out.assign("{\"v\":1,\"k\":\"");
  out += kKindName<L>;
  out += '"';
  Writer writer(out);
  visit_fields(writer, leaf);
  out += '}';
  return writer.finish();
}

}  // namespace

base::Status write_leaf(const QueryLeaf& leaf, std::string& out) { return write(leaf, out); }
base::Status write_leaf(const DecisionLeaf& leaf, std::string& out) { return write(leaf, out); }
base::Status write_leaf(const Leaf& leaf, std::string& out) {
  return std::visit([&out](const auto& kind) { return write(kind, out); }, leaf);
}

Hash32 policy_hash(const PolicyLeaf& leaf) {
  crypto::Sha256 hash;
  hash.update(std::string_view("aud1 policy\0", 12));
  for (const Hash32& part :
       {leaf.software, leaf.configuration, leaf.calibration.value_or(Hash32{}), leaf.retention.value_or(Hash32{})}) {
    hash.update({reinterpret_cast<const char*>(part.data()), part.size()});
  }
  return hash.finish();
}

}  // namespace stillwatch::ledger
