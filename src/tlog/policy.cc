#include "tlog/policy.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "tlog/cosignature.h"
#include "tlog/lines.h"

namespace stillwatch::tlog {
namespace {

constexpr std::string_view kNone = "none";

bool is_policy_byte(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return value == '\t' || value == '\n' || (value >= 0x20 && value != 0x7F);
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

class Reader {
 public:
  base::Status read_line(std::string_view line) {
    ++line_;
    const auto words = words_of(line);
    if (words.empty() || words[0].front() == '#') return {};
    if (words[0] == "log") return read_log(words);
    if (words[0] == "witness") return read_witness(words);
    if (words[0] == "group") return read_group(words);
    if (words[0] == "quorum") return read_quorum(words);
    return fault("it begins with none of log, witness, group, quorum");
  }

  base::Result<Policy> finish() {
    if (!has_quorum_)
      return base::fail(base::Fault::input, "the policy has no quorum line: add `quorum none` or a name");
    return std::move(policy_);
  }

 private:
  base::Status fault(std::string_view what) const {
    return base::fail(base::Fault::input, fmt::format("line {} of the policy: {}", line_, what));
  }

  base::Status read_log(const std::vector<std::string_view>& words) {
    if (words.size() < 2 || words.size() > 3) return fault("it should be `log VKEY [URL]`");
    if (policy_.logs.size() == kPolicyLogsMax) return fault("there are too many logs");
    STILLWATCH_TRY(key, VerifierKey::parse(words[1]));
    if (!log_keys_.insert(key.public_key).second) return fault("another log has the same key");
    policy_.logs.push_back({std::move(key), words.size() > 2 ? std::string(words[2]) : std::string()});
    return {};
  }

  base::Status read_witness(const std::vector<std::string_view>& words) {
    if (words.size() < 3 || words.size() > 4) return fault("it should be `witness NAME VKEY [URL]`");
    if (policy_.witnesses.size() == kPolicyWitnessesMax) return fault("there are too many witnesses");
    STILLWATCH_CHECK(define(words[1]));
    STILLWATCH_TRY(key, VerifierKey::parse(words[2]));
    if (key.type != KeyType::cosignature_v1 && key.type != KeyType::ml_dsa_44) {
      return fault("the key is of a kind that makes no cosignatures");
    }
    if (!witness_keys_.insert(key.public_key).second) return fault("another witness has the same key");
    policy_.witnesses.push_back(
        {std::string(words[1]), std::move(key), words.size() > 3 ? std::string(words[3]) : std::string()});
    return {};
  }

  base::Status read_group(const std::vector<std::string_view>& words) {
    if (words.size() < 4) return fault("it should be `group NAME all|any|NUMBER NAMES...`");
    if (policy_.groups.size() == kPolicyGroupsMax) return fault("there are too many groups");
    Policy::Group group{std::string(words[1]), 0, {}};
    for (std::size_t i = 3; i < words.size(); ++i) {
      const auto known = names_.find(std::string(words[i]));
      if (known == names_.end()) return fault("a member is defined on no line above");
      if (known->second) return fault("a member is in a group already");
      known->second = true;
      group.members.emplace_back(words[i]);
    }
    const auto number = parse_decimal(words[2], group.members.size());
    if (words[2] == "all") {
      group.threshold = group.members.size();
    } else if (words[2] == "any") {
      group.threshold = 1;
    } else if (number && *number > 0) {
      group.threshold = *number;
    } else {
      return fault("after the name stands neither all, nor any, nor a number from 1 to that of the members");
    }
    STILLWATCH_CHECK(define(words[1]));
    policy_.groups.push_back(std::move(group));
    return {};
  }

  base::Status read_quorum(const std::vector<std::string_view>& words) {
    if (words.size() != 2) return fault("it should be `quorum NAME` or `quorum none`");
    if (has_quorum_) return fault("a policy has one quorum line");
    has_quorum_ = true;
    if (words[1] == kNone) return {};
    if (!names_.contains(std::string(words[1]))) return fault("the quorum is defined on no line above");
    policy_.quorum = std::string(words[1]);
    return {};
  }

  base::Status define(std::string_view name) {
    if (name == kNone) return fault("`none` is no name");
    if (!names_.emplace(name, false).second) return fault("the name is used already");
    return {};
  }

  Policy policy_;
  std::size_t line_ = 0;
  bool has_quorum_ = false;
  std::unordered_map<std::string, bool> names_;  // whether it is in a group
  std::set<std::string> log_keys_, witness_keys_;
};

}  // namespace

base::Result<Policy> Policy::parse(std::string_view text) {
  if (text.size() > kPolicyBytesMax) return base::fail(base::Fault::input, "the policy is too long");
  if (!std::ranges::all_of(text, is_policy_byte)) {
    return base::fail(base::Fault::input, "the policy has control characters other than tab and newline");
  }
  Reader reader;
  std::string_view line;
  while (take_line(text, line)) STILLWATCH_CHECK(reader.read_line(line));
  if (!text.empty()) STILLWATCH_CHECK(reader.read_line(text));
  return reader.finish();
}

std::string Policy::text() const {
  std::string text;
  const auto url_of = [](const std::string& url) { return url.empty() ? std::string() : " " + url; };
  for (const Log& log : logs) text += fmt::format("log {}{}\n", log.key.text(), url_of(log.url));
  for (const Witness& witness : witnesses) {
    text += fmt::format("witness {} {}{}\n", witness.name, witness.key.text(), url_of(witness.url));
  }
  for (const Group& group : groups) {
    text += fmt::format("group {} {}", group.name, group.threshold);
    for (const std::string& member : group.members) text += " " + member;
    text += "\n";
  }
  return text + fmt::format("quorum {}\n", quorum ? *quorum : kNone);
}

const VerifierKey* Policy::log_key(std::string_view origin) const {
  for (const Log& log : logs)
    if (log.key.name == origin) return &log.key;
  return nullptr;
}

bool Policy::is_met_by(const std::vector<bool>& cosigned) const {
  if (!quorum) return true;
  std::unordered_map<std::string_view, bool> met;
  for (std::size_t i = 0; i < witnesses.size(); ++i) met[witnesses[i].name] = i < cosigned.size() && cosigned[i];
  for (const Group& group : groups) {
    std::size_t count = 0;
    for (const std::string& member : group.members) {
      const auto known = met.find(member);
      count += known != met.end() && known->second ? 1 : 0;
    }
    met[group.name] = count >= group.threshold;
  }
  const auto known = met.find(*quorum);
  return known != met.end() && known->second;
}

base::Result<WitnessedCheckpoint> open_witnessed(const Policy& policy, std::string_view note) {
  STILLWATCH_TRY(parsed, parse_note(note));
  STILLWATCH_TRY(checkpoint, parse_checkpoint_text(parsed.text));
  std::vector<VerifierKey> keys;
  for (const Policy::Log& log : policy.logs)
    if (log.key.name == checkpoint.origin) keys.push_back(log.key);
  const std::size_t log_keys = keys.size();
  if (log_keys == 0) return base::fail(base::Fault::check, "the policy does not know the log of this checkpoint");
  for (const Policy::Witness& witness : policy.witnesses) keys.push_back(witness.key);
  STILLWATCH_TRY(opened, open_note(note, keys));

  WitnessedCheckpoint result{std::move(checkpoint), {}, false};
  bool is_signed = false;
  std::vector<bool> cosigned(policy.witnesses.size(), false);
  for (const NoteSignature& signature : opened.signatures) {
    for (std::size_t i = 0; i < log_keys; ++i) {
      is_signed = is_signed || verify_signature(keys[i], opened.text, signature);
    }
    for (std::size_t i = 0; i < policy.witnesses.size(); ++i) {
      const auto unix_s = verify_cosignature(policy.witnesses[i].key, opened.text, signature);
      if (!unix_s) continue;
      const auto seen = std::ranges::find(result.cosignatures, i, &WitnessedCheckpoint::Seen::witness);
      if (seen == result.cosignatures.end()) {
        result.cosignatures.push_back({i, *unix_s});
      } else {
        seen->unix_s = std::max(seen->unix_s, *unix_s);
      }
      cosigned[i] = true;
    }
  }
  if (!is_signed) return base::fail(base::Fault::check, "the log did not sign this checkpoint: do not trust it");
  result.quorum_met = policy.is_met_by(cosigned);
  return result;
}

}  // namespace stillwatch::tlog
