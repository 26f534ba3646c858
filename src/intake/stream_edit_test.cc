// Edits of streams. Two roads: an answer is written once with reasoning and logprobs and once as if there had been
// none; the editor must make the second of the first, however the bytes are cut.
#include "intake/stream_edit.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/random.h"
#include "intake/json_model.h"

namespace stillwatch::intake {
namespace {

struct Streams {
  std::string given, wanted;
};

/// Writes both streams.
class Writer {
 public:
  explicit Writer(std::string_view newline) : newline_(newline) {}
  void both(std::string_view name, std::string_view data) { event(true, true, name, data); }
  void only_given(std::string_view name, std::string_view data) { event(true, false, name, data); }
  void pair(std::string_view name, std::string_view given, std::string_view wanted) {
    event(true, false, name, given);
    event(false, true, name, wanted);
  }
  void raw(std::string_view bytes) {
    streams_.given += bytes;
    streams_.wanted += bytes;
  }
  Streams take() { return std::move(streams_); }

 private:
  void event(bool is_given, bool is_wanted, std::string_view name, std::string_view data) {
    std::string bytes;
    if (!name.empty()) bytes += fmt::format("event: {}{}", name, newline_);
    bytes += fmt::format("data: {}{}{}", data, newline_, newline_);
    if (is_given) streams_.given += bytes;
    if (is_wanted) streams_.wanted += bytes;
  }
  std::string newline_;
  Streams streams_;
};

Streams anthropic(base::Random& random, std::string_view newline) {
  Writer out(newline);
  out.both("message_start", R"({"type":"message_start","message":{"id":"m","content":[],"usage":{"input_tokens":3}}})");
  out.both("ping", R"({"type": "ping"})");
  unsigned given = 0, wanted = 0;
  for (std::uint64_t blocks = random.below(8); blocks > 0; --blocks) {
    const std::uint64_t kind = random.below(4);
    const bool is_dropped = kind < 2;
    const auto block = [&](std::string_view name, std::string_view rest) {
      const auto at = [&](unsigned index) {
        return fmt::format(R"({{"type":"{}","index":{},{}}})", name, index, rest);
      };
      is_dropped ? out.only_given(name, at(given)) : out.pair(name, at(given), at(wanted));
    };
    constexpr std::string_view kStarts[] = {
        R"({"type":"thinking","thinking":"","signature":""})", R"({"type":"redacted_thinking","data":"x"})",
        R"({"type":"text","text":""})", R"({"type":"tool_use","id":"t","name":"thinking","input":{}})"};
    constexpr std::string_view kDeltas[] = {R"({"type":"thinking_delta","thinking":"\"type\":\"text\""})",
                                            R"({"type":"signature_delta","signature":"s"})",
                                            R"({"type":"text_delta","text":"{\"index\":7,\"type\":\"thinking\"}"})",
                                            R"({"type":"input_json_delta","partial_json":"{\"thinking\":"})"};
    block("content_block_start", fmt::format(R"("content_block":{})", kStarts[kind]));
    for (std::uint64_t deltas = random.below(4); deltas > 0; --deltas)
      block("content_block_delta", fmt::format(R"("delta":{})", kDeltas[kind]));
    if (random.chance(0.2)) out.both("ping", R"({"type": "ping"})");
    block("content_block_stop", R"("x":1)");
    ++given;
    wanted += static_cast<unsigned>(!is_dropped);
  }
  out.both("message_delta",
           R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}})");
  out.both("message_stop", R"({"type":"message_stop"})");
  return out.take();
}

Streams chat(base::Random& random, std::string_view newline) {
  Writer out(newline);
  const auto chunk = [](std::string_view delta, std::string_view rest = R"("finish_reason":null)") {
    return fmt::format(R"({{"id":"c","choices":[{{"index":0,"delta":{},{}}}],"usage":null}})", delta, rest);
  };
  const bool names_role = random.chance(0.7);
  if (names_role) {
    out.pair("", chunk(R"({"role":"assistant","content":null,"reasoning_content":""})"),
             chunk(R"({"role":"assistant","content":null})"));
  }
  for (std::uint64_t deltas = random.below(10); deltas > 0; --deltas) {
    switch (random.below(6)) {
      case 0: out.only_given("", chunk(R"({"reasoning_content":"let me"})")); break;
      case 1:
        out.only_given("", chunk(R"({"content":null,"reasoning":"see","reasoning_details":[{"text":"see"}]})"));
        break;
      case 2: out.both("", chunk(R"({"content":"\"reasoning\": 1"})")); break;
      case 3:
        out.pair("", chunk(R"({"content":"a"})", R"("logprobs":{"content":[{"token":"a"}]},"finish_reason":null)"),
                 chunk(R"({"content":"a"})", R"("logprobs":null,"finish_reason":null)"));
        break;
      case 4: out.pair("", chunk(R"({"reasoning":"r","content":"b"})"), chunk(R"({"content":"b"})")); break;
      default: out.raw(fmt::format(": comment{}{}", newline, newline)); break;
    }
  }
  out.pair("", chunk(R"({"reasoning":"r"})", R"("finish_reason":"stop")"), chunk("{}", R"("finish_reason":"stop")"));
  if (random.chance(0.5)) out.both("", R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}})");
  out.both("", "[DONE]");
  return out.take();
}

Streams responses(base::Random& random, std::string_view newline) {
  Writer out(newline);
  const std::string reasoning = R"({"id":"rs","type":"reasoning","summary":[{"type":"summary_text","text":"t"}],)"
                                R"("encrypted_content":"g"})";
  const std::string shell = R"({"id":"rs","type":"reasoning","summary":[]})";
  const auto named = [](std::string_view type, std::string_view rest) {
    return fmt::format(R"({{"type":"{}",{}}})", type, rest);
  };
  const auto both = [&](std::string_view type, std::string_view rest) { out.both(type, named(type, rest)); };
  both("response.created", R"("response":{"status":"in_progress","output":[],"reasoning":{"effort":"high"}})");
  if (random.chance(0.8)) {
    const auto item = [&](std::string_view type) {
      out.pair(type, named(type, R"("output_index":0,"item":)" + reasoning),
               named(type, R"("output_index":0,"item":)" + shell));
    };
    item("response.output_item.added");
    for (std::uint64_t deltas = random.below(4); deltas > 0; --deltas) {
      for (const std::string_view type : {"response.reasoning_summary_part.added",
                                          "response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
        out.only_given(type, named(type, R"("item_id":"rs","delta":"t")"));
    }
    item("response.output_item.done");
  }
  for (std::uint64_t deltas = random.below(4); deltas > 0; --deltas) {
    const std::string_view type = "response.output_text.delta";
    out.pair(type, named(type, R"("delta":"a","logprobs":[{"token":"a"}])"),
             named(type, R"("delta":"a","logprobs":[])"));
    both(type, R"("delta":"b","logprobs":[])");
  }
  const auto last = [&](const std::string& item) {
    return named("response.completed", R"("response":{"status":"completed","output":[)" + item + "]}");
  };
  out.pair("response.completed", last(reasoning), last(shell));
  return out.take();
}

std::string edited(Endpoint endpoint, std::string_view bytes, base::Random* cuts, StreamEditOptions options = {}) {
  StreamEditor editor(endpoint, options);
  std::string out;
  while (!bytes.empty()) {
    const std::size_t size = cuts == nullptr ? bytes.size() : 1 + cuts->below(std::min<std::size_t>(bytes.size(), 40));
    editor.feed(bytes.substr(0, size), out);
    bytes.remove_prefix(size);
  }
  editor.finish(out);
  return out;
}

TEST(StreamEdit, MakesTheStreamThatHadNoReasoning) {
  base::Random random(3);
  for (int round = 0; round < 3'000; ++round) {
    constexpr std::string_view kNewlines[] = {"\n", "\r\n", "\r"};
    const std::string_view newline = kNewlines[random.below(3)];
    const auto check = [&](Endpoint endpoint, const Streams& streams) {
      ASSERT_EQ(edited(endpoint, streams.given, nullptr), streams.wanted);
      ASSERT_EQ(edited(endpoint, streams.given, &random), streams.wanted);
      ASSERT_EQ(edited(endpoint, streams.wanted, &random), streams.wanted) << "twice is not once";
    };
    check(Endpoint::messages, anthropic(random, newline));
    check(Endpoint::chat_completions, chat(random, newline));
    check(Endpoint::responses, responses(random, newline));
    if (HasFatalFailure()) return;
  }
}

TEST(StreamEdit, AnEventGoesOutAsSoonAsItIsWhole) {
  base::Random random(4);
  const Streams streams = anthropic(random, "\n");
  StreamEditor editor(Endpoint::messages, {});
  std::string out;
  std::size_t expected = 0;
  for (const char byte : streams.given) {
    editor.feed(std::string_view(&byte, 1), out);
    // What is out is whole events, and the first one is out with its last byte.
    if (!out.empty()) {
      ASSERT_TRUE(out.ends_with("\n\n"));
    }
    expected = std::max(expected, out.size());
  }
  ASSERT_EQ(out, streams.wanted);
}

TEST(StreamEdit, WhatCannotBeReadIsPassedOrLeftOutAndCounted) {
  const std::string good = "data: {\"choices\":[]}\n\n", bad = "data: {\"choices\":[{\"delta\":{\"reasoning\":\n\n";
  const std::string longer = "data: {\"choices\":[],\"x\":\"" + std::string(5'000, 'a') + "\"}\r\n\r\n";
  base::Random random(5);
  for (int round = 0; round < 200; ++round) {
    StreamEditOptions options;
    options.event_bytes_max = 1'000;
    ASSERT_EQ(edited(Endpoint::chat_completions, good + bad + longer + good, &random, options), good + good);
    options.drop_unreadable = false;
    ASSERT_EQ(edited(Endpoint::chat_completions, good + bad + longer + good, &random, options),
              good + bad + longer + good);
  }
  StreamEditOptions options;
  options.event_bytes_max = 1'000;
  StreamEditor editor(Endpoint::chat_completions, options);
  std::string out;
  for (const char byte : good + bad + longer + good) editor.feed(std::string_view(&byte, 1), out);
  EXPECT_EQ(editor.counters().events, 4U);
  EXPECT_EQ(editor.counters().events_unreadable, 1U);
  EXPECT_EQ(editor.counters().events_too_long, 1U);
}

TEST(StreamEdit, DataOverSeveralLinesIsOneText) {
  EXPECT_EQ(edited(Endpoint::chat_completions,
                   "id: 1\ndata: {\"choices\":[{\"delta\":{\ndata: \"reasoning\":\"x\",\ndata: "
                   "\"content\":\"y\"}}]}\nretry: 5\n\n",
                   nullptr),
            "id: 1\ndata: {\"choices\":[{\"delta\":{\ndata: \"content\":\"y\"}}]}\nretry: 5\n\n");
  // A byte order mark, no space behind the colon, and no blank line at the end.
  EXPECT_EQ(edited(Endpoint::chat_completions,
                   "\xEF\xBB\xBF"
                   "data:{\"choices\":[{\"logprobs\":1}]}",
                   nullptr),
            "\xEF\xBB\xBF"
            "data:{\"choices\":[{\"logprobs\":null}]}");
}

TEST(StreamEdit, AnyBytesInAnyPiecesGiveTheSame) {
  base::Random random(9);
  constexpr std::string_view kParts[] = {
      "\n",
      "\r",
      "\r\n",
      "data: ",
      "data",
      ":",
      "{\"choices\":[]}",
      "event: x",
      "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\"}}",
      "{\"type\":\"content_block_stop\",\"index\":2}",
      "\n\n",
      "[DONE]",
      "{"};
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (std::uint64_t left = random.below(14); left > 0; --left) bytes += kParts[random.below(std::size(kParts))];
    StreamEditOptions options;
    options.event_bytes_max = 90;
    for (const bool drops : {true, false}) {
      options.drop_unreadable = drops;
      for (const Endpoint endpoint : {Endpoint::messages, Endpoint::chat_completions, Endpoint::other}) {
        const std::string whole = edited(endpoint, bytes, nullptr, options);
        ASSERT_EQ(edited(endpoint, bytes, &random, options), whole) << bytes;
        if (endpoint == Endpoint::chat_completions && !drops) {
          ASSERT_EQ(whole, bytes);
        }
      }
    }
  }
}

}  // namespace
}  // namespace stillwatch::intake
