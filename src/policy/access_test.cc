#include "policy/access.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/random.h"

namespace stillwatch::policy {
namespace {

using event::Verification;

std::string code_of(const AccessRule& rule, const RequestFacts& facts) {
  const auto refusal = check_access(rule, facts);
  return refusal ? std::string(refusal->code) : "";
}

RequestFacts facts_of(std::string_view model = "small-1") {
  RequestFacts facts;
  facts.model = model;
  return facts;
}

TEST(Access, AnUnsetRuleAllows) {
  RequestFacts facts = facts_of();
  facts.n = 128;
  facts.logprobs = facts.batch = true;
  facts.output_tokens_max = 1U << 30;
  EXPECT_EQ(code_of({}, facts), "");
  EXPECT_EQ(code_of({}, {}), "");
}

TEST(Access, EachRuleRefusesWithItsCode) {
  const auto rule_with = [](const std::function<void(AccessRule&)>& set) {
    AccessRule rule;
    set(rule);
    return rule;
  };
  const auto facts_with = [](const std::function<void(RequestFacts&)>& set) {
    RequestFacts facts = facts_of();
    set(facts);
    return facts;
  };
  const AccessRule networks = rule_with([](AccessRule& rule) { rule.networks = {*parse_network("10.0.0.0/8")}; });
  EXPECT_EQ(code_of(networks, facts_of()), "network_not_allowed");  // unknown address
  EXPECT_EQ(code_of(networks, facts_with([](RequestFacts& facts) { facts.address = parse_address("11.0.0.1"); })),
            "network_not_allowed");
  EXPECT_EQ(code_of(networks, facts_with([](RequestFacts& facts) { facts.address = parse_address("10.9.0.1"); })), "");
  EXPECT_EQ(code_of(networks, facts_with([](RequestFacts& f) { f.address = parse_address("::ffff:10.9.0.1"); })), "");

  const AccessRule mutual = rule_with([](AccessRule& rule) { rule.mutual_tls = true; });
  EXPECT_EQ(code_of(mutual, facts_of()), "mutual_tls_required");
  EXPECT_EQ(code_of(mutual, facts_with([](RequestFacts& facts) { facts.mutual_tls = true; })), "");

  const AccessRule models = rule_with([](AccessRule& rule) { rule.models = {"large-*", "small-1"}; });
  EXPECT_EQ(code_of(models, facts_of("large-2")), "");
  EXPECT_EQ(code_of(models, facts_of("small-12")), "model_not_allowed");
  EXPECT_EQ(code_of(models, {}), "");  // names no model: a listing

  const AccessRule narrow = rule_with([](AccessRule& rule) {
    rule.n_max = 2;
    rule.logprobs = rule.batch = false;
    rule.output_tokens_max = 100;
    rule.output_tokens_required = true;
  });
  const auto good = [](RequestFacts& facts) { facts.output_tokens_max = 100; };
  EXPECT_EQ(code_of(narrow, facts_with(good)), "");
  EXPECT_EQ(code_of(narrow, facts_of()), "output_tokens_missing");
  EXPECT_EQ(code_of(narrow, facts_with([](RequestFacts& facts) { facts.output_tokens_max = 101; })),
            "output_tokens_too_many");
  const auto also = [&](const std::function<void(RequestFacts&)>& set) {
    RequestFacts facts = facts_with(good);
    set(facts);
    return code_of(narrow, facts);
  };
  EXPECT_EQ(also([](RequestFacts& facts) { facts.n = 3; }), "n_too_large");
  EXPECT_EQ(also([](RequestFacts& facts) { facts.logprobs = true; }), "logprobs_not_allowed");
  EXPECT_EQ(also([](RequestFacts& facts) { facts.batch = true; }), "batch_not_allowed");

  const AccessRule regions = rule_with([](AccessRule& rule) { rule.regions = {"eu-west"}; });
  EXPECT_EQ(code_of(regions, facts_of()), "region_not_allowed");
  EXPECT_EQ(code_of(regions, facts_with([](RequestFacts& facts) { facts.region = "eu-west"; })), "");

  const AccessRule verified = rule_with([](AccessRule& rule) { rule.verification = Verification::card; });
  EXPECT_EQ(code_of(verified, facts_of()), "verification_required");
  EXPECT_EQ(code_of(verified, facts_with([](RequestFacts& facts) { facts.verification = Verification::id; })), "");
}

TEST(Access, EveryRuleMustAllow) {
  AccessRule tier, key;
  tier.n_max = 8;
  key.n_max = 2;
  key.mutual_tls = true;
  const AccessRule* rules[] = {&tier, &key};
  RequestFacts facts = facts_of();
  facts.n = 9;
  EXPECT_EQ(check_access(rules, facts)->code, "mutual_tls_required");  // who it is comes before what it wants
  facts.mutual_tls = true;
  EXPECT_EQ(check_access(rules, facts)->message, "n may be at most 8 with this API key.");
  facts.n = 3;
  EXPECT_EQ(check_access(rules, facts)->message, "n may be at most 2 with this API key.");
  EXPECT_EQ(check_access(rules, facts)->param, "n");
  facts.n = 2;
  EXPECT_FALSE(check_access(rules, facts));
}

TEST(Access, VerificationSaysWhatIsMissingAndWhere) {
  AccessRule rule;
  rule.verification = Verification::id;
  rule.verify_address = "https://example.org/verify";
  RequestFacts facts;
  facts.verification = Verification::email;
  EXPECT_EQ(check_access(rule, facts)->message,
            "This access needs an account verified by id; yours is verified by email. Verify it at "
            "https://example.org/verify.");
}

bool slow_glob(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return slow_glob(pattern.substr(1), text) || (!text.empty() && slow_glob(pattern, text.substr(1)));
  }
  return !text.empty() && pattern[0] == text[0] && slow_glob(pattern.substr(1), text.substr(1));
}

TEST(Glob, MatchesAsTheRecursiveDefinition) {
  base::Random random(17);
  int matched = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string pattern(random.below(7), 'a'), text(random.below(8), 'a');
    for (char& byte : pattern) byte = "ab*"[random.below(3)];
    for (char& byte : text) byte = "ab"[random.below(2)];
    const bool expected = slow_glob(pattern, text);
    ASSERT_EQ(glob_matches(pattern, text), expected) << pattern << " " << text;
    matched += expected ? 1 : 0;
  }
  EXPECT_GT(matched, 5'000);
  EXPECT_TRUE(check_glob("large-*"));
  EXPECT_FALSE(check_glob(""));
  EXPECT_FALSE(check_glob("*a*a*a*a*a*a*a*a*"));
  EXPECT_FALSE(check_glob(std::string(300, 'a')));
}

// The C library reads the same addresses, but for what is refused on purpose.
std::optional<Address> by_libc(const std::string& text) {
  Address address;
  if (inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) return address;
  if (inet_pton(AF_INET6, text.c_str(), address.bytes.data()) != 1) return std::nullopt;
  const std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (std::equal(mapped.begin(), mapped.end(), address.bytes.begin())) {
    Address v4;
    std::copy(address.bytes.begin() + 12, address.bytes.end(), v4.bytes.begin());
    return v4;
  }
  address.is_v6 = true;
  return address;
}

TEST(Address, AgreesWithTheCLibrary) {
  base::Random random(23);
  constexpr std::string_view kBytes = "0123456789abcdefF:::...1200";
  int good = 0;
  const auto compare = [&](const std::string& text) {
    const auto expected = by_libc(text);
    ASSERT_EQ(parse_address(text), expected) << text;
    good += expected ? 1 : 0;
  };
  for (const char* text : {"::",
                           "::1",
                           "1::",
                           "1:2:3:4:5:6:7:8",
                           "1:2:3:4:5:6:7::",
                           "::2:3:4:5:6:7:8",
                           "1::8",
                           ":::",
                           "1:2:3:4:5:6:1.2.3.4",
                           "::1.2.3.4",
                           "::ffff:1.2.3.4",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "1::2::3",
                           "1.2.3",
                           "1.2.3.4.5",
                           "256.1.1.1",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "fe80::1%eth0",
                           ":1",
                           "1:",
                           "12345::",
                           "0.0.0.0",
                           "255.255.255.255",
                           "1.2.3.",
                           ".1.2.3",
                           "::1:",
                           "1.2.3.4::",
                           "",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "g::"}) {
    compare(text);
  }
  for (int i = 0; i < 200'000 && !HasFatalFailure(); ++i) {
    std::string text(random.below(20), '0');
    for (char& byte : text) byte = kBytes[random.below(kBytes.size())];
    compare(text);
    Address any;
    for (std::uint8_t& byte : any.bytes) byte = static_cast<std::uint8_t>(random.chance(0.5) ? 0 : random.next());
    char written[INET6_ADDRSTRLEN];
    ASSERT_NE(inet_ntop(AF_INET6, any.bytes.data(), written, sizeof written), nullptr);
    compare(written);
  }
  EXPECT_GT(good, 100'000);
  EXPECT_FALSE(parse_address("01.2.3.4"));  // octal to some
}

TEST(Network, ContainsExactlyItsPrefix) {
  base::Random random(29);
  for (int i = 0; i < 20'000; ++i) {
    Address a, b;
    a.is_v6 = b.is_v6 = random.chance(0.5);
    const unsigned bits_all = a.is_v6 ? 128 : 32;
    for (unsigned at = 0; at < bits_all / 8; ++at) a.bytes[at] = b.bytes[at] = static_cast<std::uint8_t>(random.next());
    const auto flipped = static_cast<unsigned>(random.below(bits_all));
    b.bytes[flipped / 8] ^= static_cast<std::uint8_t>(0x80U >> flipped % 8);
    const auto bits = static_cast<std::uint8_t>(random.below(bits_all + 1));
    const Network network{a, bits};
    ASSERT_TRUE(network.contains(a));
    ASSERT_EQ(network.contains(b), flipped >= bits);
    Address other = b;
    other.is_v6 = !b.is_v6;
    ASSERT_FALSE(network.contains(other));
  }
}

TEST(Network, IsReadStrictly) {
  EXPECT_EQ(parse_network("192.0.2.7")->prefix_bits, 32);
  EXPECT_EQ(parse_network("2001:db8::/32")->prefix_bits, 32);
  EXPECT_TRUE(parse_network("0.0.0.0/0")->contains(*parse_address("203.0.113.9")));
  EXPECT_FALSE(parse_network("0.0.0.0/0")->contains(*parse_address("2001:db8::1")));
  for (const char* text : {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/8 ", "/8",
                           "2001:db8::1/64", "2001:db8::/129", "::ffff:10.0.0.0/104", "10.0.0.0/8/8", ""}) {
    EXPECT_FALSE(parse_network(text)) << text;
  }
  EXPECT_EQ(parse_network("10.0.0.1/8").error().message,
            "\"10.0.0.1/8\" is no network: bits behind the prefix are set; give the first address of it");
}

}  // namespace
}  // namespace stillwatch::policy
