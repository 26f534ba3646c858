#include "intake/response_reader.h"

#include <algorithm>
#include <cmath>

#include "intake/json_cursor.h"
#include "intake/sse.h"

namespace stillwatch::intake {
namespace {

constexpr std::size_t kStopBytesMax = 32, kModelBytesMax = 128, kErrorBytesMax = 64;
// A token is about four bytes of text; compression takes about as much away again.
constexpr std::uint64_t kBytesPerToken = 4;

bool contains(std::string_view text, std::string_view lower_case) {
  const auto is_same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; };
  return std::search(text.begin(), text.end(), lower_case.begin(), lower_case.end(), is_same) != text.end();
}

std::uint32_t saturated(double number) {
  return static_cast<std::uint32_t>(std::clamp(std::isnan(number) ? 0.0 : number, 0.0, 4294967295.0));
}

void assign_cut(std::string& out, std::string_view text, std::size_t bytes_max) {
  if (text.empty()) return;
  std::size_t size = std::min(text.size(), bytes_max);
  // Not within a character.
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  out.assign(text.substr(0, size));
}

}  // namespace

ResponseForm response_form(std::string_view content_type, std::string_view content_encoding) {
  const bool is_identity = content_encoding.size() == 8 && contains(content_encoding, "identity");
  if (!content_encoding.empty() && !is_identity) return ResponseForm::opaque;
  if (contains(content_type, "text/event-stream")) return ResponseForm::stream;
  if (contains(content_type, "json")) return ResponseForm::unary;
  return ResponseForm::opaque;
}

struct ResponseReader::State {
  State(Endpoint of, ResponseForm given, ResponseLimits bounds)
      : endpoint(of), form(given), limits(bounds), splitter(bounds.event_bytes_max) {}

  Endpoint endpoint;
  ResponseForm form;
  ResponseLimits limits;
  SseSplitter splitter;
  ResponseFacts facts;
  std::string body, joined;
  JsonText text;
  bool is_body_too_long = false, is_unreadable = false;
  // As each dialect names them; put together at the end.
  double input = 0, output = 0, reasoning = 0, cached = 0, cache_written = 0, cache_read = 0;
  std::uint64_t deltas = 0, delta_bytes = 0;
  double choice = 0;       // of the event being read
  std::string event_type;  // of the event being read, as far as it was told

  bool read_string(JsonCursor& cursor, std::string& out, std::size_t bytes_max) {
    std::string_view value;
    if (!cursor.string_or_skip(text, value)) return false;
    assign_cut(out, value, bytes_max);
    return true;
  }

  bool read_details(JsonCursor& cursor) {
    if (cursor.peek() != '{') return cursor.skip();
    return cursor.each_member([&](std::string_view key, std::size_t) {
      if (key == "cached_tokens") return cursor.number_or_skip(cached);
      if (key == "reasoning_tokens" || key == "thinking_tokens") return cursor.number_or_skip(reasoning);
      return cursor.skip();
    });
  }

  bool read_usage(JsonCursor& cursor) {
    if (cursor.peek() != '{') return cursor.skip();
    return cursor.each_member([&](std::string_view key, std::size_t) {
      if (key == "prompt_tokens" || key == "input_tokens") {
        facts.has_usage = true;
        return cursor.number_or_skip(input);
      }
      if (key == "completion_tokens" || key == "output_tokens") {
        facts.has_usage = true;
        return cursor.number_or_skip(output);
      }
      if (key == "cache_creation_input_tokens") return cursor.number_or_skip(cache_written);
      if (key == "cache_read_input_tokens") return cursor.number_or_skip(cache_read);
      return key.ends_with("_tokens_details") ? read_details(cursor) : cursor.skip();
    });
  }

  bool read_error(JsonCursor& cursor) {
    if (cursor.peek() == 'n') return cursor.skip();
    facts.has_error = true;
    if (cursor.peek() != '{') return cursor.skip();
    std::string type, code;
    const bool is_whole = cursor.each_member([&](std::string_view key, std::size_t) {
      if (key == "type") return read_string(cursor, type, kErrorBytesMax);
      if (key == "code") return read_string(cursor, code, kErrorBytesMax);
      return cursor.skip();
    });
    facts.error_type = type.empty() ? code : type;
    return is_whole;
  }

  /// Text that a delta brings: counts as a token at least, for streams that tell no usage.
  bool read_delta_text(JsonCursor& cursor, bool is_reply = false) {
    if (is_reply && wants_reply()) {
      JsonCursor ahead = cursor;
      std::string_view said;
      if (ahead.string_or_skip(text, said)) add_reply(said);
    }
    const auto value = cursor.span();
    if (!value) return false;
    if (*value == "null" || *value == "\"\"" || *value == "[]") return true;
    ++deltas;
    delta_bytes += value->size();
    return true;
  }

  bool wants_reply() const { return facts.reply.size() < limits.reply_bytes_max && choice == 0; }
  void add_reply(std::string_view said) {
    facts.reply.append(said.substr(0, limits.reply_bytes_max - facts.reply.size()));
  }

  bool read_delta(JsonCursor& cursor) {
    if (cursor.peek() != '{') {
      // Of the Responses dialect, whose events for reasoning and calls look alike; the type comes first.
      return read_delta_text(cursor, endpoint == Endpoint::responses && event_type == "response.output_text.delta");
    }
    return cursor.each_member([&](std::string_view key, std::size_t) {
      if (key == "stop_reason") return read_string(cursor, facts.stop, kStopBytesMax);
      const bool is_text = key == "content" || key == "text" || key == "partial_json" || key == "tool_calls" ||
                           key == "refusal" || key == "reasoning" || key == "reasoning_content" || key == "thinking";
      return is_text ? read_delta_text(cursor, key == "content" || key == "text") : cursor.skip();
    });
  }

  bool read_choices(JsonCursor& cursor) {
    if (cursor.peek() != '[') return cursor.skip();
    return cursor.each_element([&](std::size_t) {
      if (cursor.peek() != '{') return cursor.skip();
      choice = 0;
      return cursor.each_member([&](std::string_view key, std::size_t) {
        if (key == "index") return cursor.number_or_skip(choice);
        if (key == "finish_reason") return read_string(cursor, facts.stop, kStopBytesMax);
        if (key == "delta") return read_delta(cursor);
        return key == "text" ? read_delta_text(cursor, form == ResponseForm::stream) : cursor.skip();
      });
    });
  }

  void note_type(std::string_view type) {
    if (type == "message_stop" || type == "response.completed" || type == "response.incomplete" ||
        type == "response.failed")
      facts.is_complete = true;
    if (type == "error") facts.has_error = true;
  }

  /// A body, the data of an event, or the `response` or `message` within one: the dialects do not use one name for two
  /// things here.
  bool read_object(JsonCursor& cursor, bool is_inner) {
    if (cursor.peek() != '{') return cursor.skip();
    return cursor.each_member([&](std::string_view key, std::size_t) {
      if (key == "usage") return read_usage(cursor);
      if (key == "model") return read_string(cursor, facts.model, kModelBytesMax);
      if (key == "choices") return read_choices(cursor);
      if (key == "error") return read_error(cursor);
      if (key == "stop_reason") return read_string(cursor, facts.stop, kStopBytesMax);
      if (endpoint == Endpoint::responses && key == "status") return read_status(cursor);
      if (endpoint == Endpoint::responses && key == "incomplete_details") return read_incomplete(cursor);
      if (endpoint == Endpoint::count_tokens && key == "input_tokens") {
        facts.has_usage = true;
        return cursor.number_or_skip(input);
      }
      if (is_inner) return cursor.skip();
      if (key == "response" || key == "message") return read_object(cursor, true);
      if (key == "delta") return read_delta(cursor);
      if (key != "type") return cursor.skip();
      std::string_view type;
      if (!cursor.string_or_skip(text, type)) return false;
      event_type = type;
      note_type(type);
      return true;
    });
  }

  bool read_status(JsonCursor& cursor) {
    // What it ended with in particular (incomplete_details) is kept, in whatever order they come.
    std::string status;
    if (!read_string(cursor, status, kStopBytesMax)) return false;
    if (!has_stop_detail) facts.stop = status;
    return true;
  }
  bool read_incomplete(JsonCursor& cursor) {
    if (cursor.peek() != '{') return cursor.skip();
    return cursor.each_member([&](std::string_view key, std::size_t) {
      if (key != "reason") return cursor.skip();
      has_stop_detail = true;
      return read_string(cursor, facts.stop, kStopBytesMax);
    });
  }
  bool has_stop_detail = false;

  void on_event(std::string_view event) {
    const auto data = data_of(event, joined);
    if (!data || data->empty()) return;
    ++facts.events;
    if (*data == "[DONE]") {
      facts.is_complete = true;
      return;
    }
    JsonCursor cursor(*data);
    event_type.clear();
    choice = 0;
    if (!read_object(cursor, false) || !cursor.at_end()) ++facts.events_unreadable;
    if (joined.capacity() > 4'096) joined = {};
  }

  void feed(std::string_view bytes) {
    facts.bytes += bytes.size();
    switch (form) {
      case ResponseForm::opaque: return;
      case ResponseForm::stream:
        splitter.feed(
            bytes, [&](std::string_view event) { on_event(event); },
            [&](std::string_view, bool is_first) { facts.events_skipped += static_cast<std::uint64_t>(is_first); });
        return;
      case ResponseForm::unary:
        if (is_body_too_long) return;
        if (body.size() + bytes.size() > limits.unary_bytes_max) {
          is_body_too_long = true;
          body = {};
          return;
        }
        body.append(bytes);
        return;
    }
  }

  void finish_unary() {
    if (!is_body_too_long) {
      JsonCursor cursor(body);
      is_unreadable = !read_object(cursor, false) || !cursor.at_end();
      facts.is_complete = !is_unreadable;
      if (!is_unreadable && !facts.has_error && body.size() <= limits.reply_bytes_max) facts.reply = std::move(body);
      body = {};
    }
    if (facts.has_usage || facts.has_error || !dialect_of_endpoint(endpoint)) return;
    const std::uint64_t tokens = facts.bytes / kBytesPerToken;
    output = static_cast<double>(tokens);
    facts.is_estimated = true;
  }

  ResponseFacts finish() {
    if (form == ResponseForm::stream) {
      splitter.finish(
          [&](std::string_view event) { on_event(event); },
          [&](std::string_view, bool is_first) { facts.events_skipped += static_cast<std::uint64_t>(is_first); });
      // Some servers of the OpenAI dialect end without [DONE].
      if (endpoint == Endpoint::chat_completions || endpoint == Endpoint::completions)
        facts.is_complete |= !facts.stop.empty();
      estimate_stream();
    } else if (form == ResponseForm::unary) {
      finish_unary();
    } else if (dialect_of_endpoint(endpoint)) {
      output = static_cast<double>(facts.bytes);
      facts.is_estimated = facts.bytes > 0;
    }
    facts.input_tokens = saturated(input + cache_written + cache_read);
    facts.output_tokens = saturated(output);
    facts.reasoning_tokens = saturated(reasoning);
    facts.cached_tokens = saturated(cached + cache_read);
    return std::move(facts);
  }

  void estimate_stream() {
    if (!dialect_of_endpoint(endpoint)) return;
    const auto counted = static_cast<double>(std::max(deltas, delta_bytes / kBytesPerToken));
    // A stream that broke off has told its input, or the few tokens of its beginning (Anthropic), and no more.
    if (facts.has_usage && (facts.is_complete || counted <= output)) return;
    output = std::max(output, counted);
    facts.is_estimated = deltas > 0;
  }
};

ResponseReader::ResponseReader(Endpoint endpoint, ResponseForm form, ResponseLimits limits)
    : state_(std::make_unique<State>(endpoint, form, limits)) {}
ResponseReader::~ResponseReader() = default;
ResponseReader::ResponseReader(ResponseReader&&) noexcept = default;
ResponseReader& ResponseReader::operator=(ResponseReader&&) noexcept = default;

void ResponseReader::feed(std::string_view bytes) { state_->feed(bytes); }
ResponseFacts ResponseReader::finish() { return state_->finish(); }

}  // namespace stillwatch::intake
