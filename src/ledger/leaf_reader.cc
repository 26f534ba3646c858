#include <fmt/format.h>

#include <charconv>

#include "base/json_text.h"
#include "ledger/leaf.h"
#include "ledger/leaf_fields.h"

namespace stillwatch::ledger {
namespace {

// Reads what Writer writes and nothing else. After the first wrong byte nothing more is read.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <std::size_t N>
  void field(std::string_view key, std::array<std::uint8_t, N>& bytes) {
    if (start(key)) read_bytes(bytes);
  }
  void field(std::string_view key, std::int64_t& number) {
    if (start(key)) number = static_cast<std::int64_t>(read_number());
  }
  void field(std::string_view key, std::uint64_t& number) {
    if (start(key)) number = read_number();
  }
  void field(std::string_view key, bool& flag) {
    if (!start(key)) return;
    flag = take("true");
    if (!flag) expect("false");
  }
  void field(std::string_view key, std::string& text) {
    if (start(key)) read_text(text, kLeafTextBytesMax);
  }
  void field(std::string_view key, CustomerText<std::string> customer) {
    if (start(key)) read_text(customer.text, kCustomerTextBytesMax);
  }
  template <class T>
  void field(std::string_view key, std::optional<T>& value) {
    if (!start(key)) return;
    value.reset();
    if (take("null")) return;
    read(value.emplace());
  }
  void field(std::string_view key, std::vector<QueryLeaf::Score>& scores) {
    list(key, scores, [&](QueryLeaf::Score& score) {
      expect("[");
      read_text(score.detector, kLeafTextBytesMax);
      expect(",");
      read_score(score.value);
      expect("]");
    });
  }
  void field(std::string_view key, std::vector<DecisionLeaf::Input>& inputs) {
    list(key, inputs, [&](DecisionLeaf::Input& input) {
      expect("{\"log\":");
      read_text(input.log, kLeafTextBytesMax);
      expect(",\"from\":");
      input.from = read_number();
      expect(",\"to\":");
      input.to = read_number();
      if (input.from > input.to) return refuse("a range that ends before it begins");
      expect("}");
    });
  }
  void field(std::string_view key, std::vector<Name12>& names) {
    list(key, names, [&](Name12& name) { read_bytes(name); });
  }

  bool take(std::string_view expected) {
    if (failed() || !bytes_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  void expect(std::string_view expected) {
    if (!take(expected)) refuse("not what stands there in a leaf");
  }
  std::optional<std::string_view> until_quote() {
    const std::size_t end = bytes_.find('"', at_);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view text = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return text;
  }
  bool failed() const { return !why_.empty(); }
  bool at_end() const { return at_ == bytes_.size(); }
  void refuse(std::string_view why) {
    if (!failed()) why_ = why;
  }
  base::Error error() const {
    return {base::Fault::input, key_.empty() ? fmt::format("byte {} of the leaf: {}", at_, why_)
                                             : fmt::format("byte {} of the leaf, field {}: {}", at_, key_, why_)};
  }

 private:
  bool start(std::string_view key) {
    if (failed()) return false;
    key_ = key;
    expect(",\"");
    expect(key);
    expect("\":");
    return !failed();
  }
  template <std::size_t N>
  void read(std::array<std::uint8_t, N>& bytes) {
    read_bytes(bytes);
  }
  void read(std::string& text) { read_text(text, kLeafTextBytesMax); }
  void read(std::int64_t& number) { number = static_cast<std::int64_t>(read_number()); }
  void read(std::uint64_t& number) { number = read_number(); }

  template <std::size_t N>
  void read_bytes(std::array<std::uint8_t, N>& bytes) {
    constexpr std::size_t kCharacters = (N * 8 + 5) / 6;
    expect("\"");
    if (failed()) return;
    if (!read_base64url(bytes_.substr(at_, kCharacters), bytes.data(), N)) return refuse("not canonical base64url");
    at_ += kCharacters;
    expect("\"");
  }
  std::uint64_t read_number() {
    if (failed()) return 0;
    std::uint64_t number = 0;
    const char* begin = bytes_.data() + at_;
    const auto [end, code] = std::from_chars(begin, bytes_.data() + bytes_.size(), number);
    const bool is_canonical = code == std::errc{} && (*begin != '0' || end == begin + 1);
    if (!is_canonical || number > kLeafNumberMax) {
      refuse("not a whole number from 0 to 2^53 - 1");
      return 0;
    }
    at_ += static_cast<std::size_t>(end - begin);
    return number;
  }
  void read_score(double& value) {
    if (failed()) return;
    const char* begin = bytes_.data() + at_;
    const auto [end, code] = std::from_chars(begin, bytes_.data() + bytes_.size(), value);
    std::string again;
    if (code == std::errc{}) base::append_json_number(again, value);
    if (again != std::string_view(begin, static_cast<std::size_t>(end - begin)) || again == "null")
      return refuse("not the shortest form of a number");
    at_ += again.size();
  }
  void read_text(std::string& text, std::size_t bytes_max) {
    text.clear();
    expect("\"");
    while (!failed()) {
      const std::string_view rest = bytes_.substr(at_);
      if (rest.empty()) return refuse("the text has no end");
      if (rest[0] == '"') break;
      if (rest[0] == '\\') {
        read_escape(rest, text);
        continue;
      }
      const std::size_t length = base::utf8_length(rest);
      const auto byte = static_cast<unsigned char>(rest[0]);
      if (length == 0 || byte < 0x20 || byte == 0x7F) return refuse("not UTF-8, or a control byte that is not escaped");
      text += rest.substr(0, length);
      at_ += length;
    }
    if (text.size() > bytes_max) return refuse("the text is too long");
    expect("\"");
  }
  // Only the escapes that append_json_string writes, in the form in which it writes them.
  void read_escape(std::string_view rest, std::string& text) {
    constexpr std::string_view kShort = "\"\\ntr", kMeans = "\"\\\n\t\r";
    const std::size_t which = rest.size() < 2 ? std::string_view::npos : kShort.find(rest[1]);
    if (which != std::string_view::npos) {
      text += kMeans[which];
      at_ += 2;
      return;
    }
    unsigned byte = 0x100;
    if (rest.size() >= 6 && rest.starts_with("\\u00")) {
      constexpr std::string_view kHex = "0123456789abcdef";
      const std::size_t high = kHex.find(rest[4]), low = kHex.find(rest[5]);
      if (high != std::string_view::npos && low != std::string_view::npos)
        byte = static_cast<unsigned>(high * 16 + low);
    }
    if ((byte >= 0x20 && byte != 0x7F) || byte == '\n' || byte == '\t' || byte == '\r')
      return refuse("an escape that is not written like this");
    text += static_cast<char>(byte);
    at_ += 6;
  }
  template <class T, class Read>
  void list(std::string_view key, std::vector<T>& values, Read read_one) {
    values.clear();
    if (!start(key)) return;
    expect("[");
    if (take("]")) return;
    do {
      if (values.size() == kLeafListMax) return refuse("the list is too long");
      read_one(values.emplace_back());
    } while (take(","));
    expect("]");
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::string_view key_, why_;
};

// Tries the kinds one after the other: their names come first in the bytes.
template <std::size_t I = 0>
bool read_kind(std::string_view kind, Reader& reader, Leaf& leaf) {
  if constexpr (I < std::variant_size_v<Leaf>) {
    if (kind != kKindName<std::variant_alternative_t<I, Leaf>>) return read_kind<I + 1>(kind, reader, leaf);
    visit_fields(reader, leaf.emplace<I>());
    return true;
  } else {
    return false;
  }
}

}  // namespace

base::Result<Leaf> read_leaf(std::string_view bytes) {
  Reader reader(bytes);
  if (bytes.size() > kLeafBytesMax) reader.refuse("longer than a leaf may be");
  reader.expect("{\"v\":1,\"k\":\"");
  Leaf leaf;
  if (!reader.failed()) {
    const auto kind = reader.until_quote();
    if (!kind || !read_kind(*kind, reader, leaf)) reader.refuse("an unknown kind");
  }
  reader.expect("}");
  if (!reader.failed() && !reader.at_end()) reader.refuse("bytes after the leaf");
  if (reader.failed()) return base::fail(reader.error());
  return leaf;
}

}  // namespace stillwatch::ledger
