// The yardstick of query_parser.h: what parsing alone costs.
#include <simdjson.h>

#include <algorithm>

#include "base/limits.h"
#include "intake/json_scan.h"
#include "intake/query_parser.h"

namespace stillwatch::intake {

namespace od = simdjson::ondemand;

struct FieldCounter::State {
  od::parser parser;

  static std::uint64_t count(od::value value) {
    od::json_type type;
    if (value.type().get(type)) return 0;
    std::uint64_t sum = 0;
    if (type == od::json_type::string) {
      std::string_view text;
      return value.get_string().get(text) ? 0 : text.size();
    }
    if (type == od::json_type::number) {
      double number = 0;
      return value.get_double().get(number) || !(number >= 0) ? 0 : static_cast<std::uint64_t>(std::min(number, 1e15));
    }
    if (type == od::json_type::array) {
      od::array array;
      if (value.get_array().get(array)) return 0;
      for (auto element : array) {
        od::value inner;
        if (std::move(element).get(inner)) break;
        sum += count(inner);
      }
    } else if (type == od::json_type::object) {
      od::object object;
      if (value.get_object().get(object)) return 0;
      for (auto result : object) {
        od::field field;
        if (std::move(result).get(field)) break;
        sum += count(field.value());
      }
    }
    return sum;
  }
};

FieldCounter::FieldCounter() : state_(std::make_unique<State>()) {}
FieldCounter::~FieldCounter() = default;

std::uint64_t FieldCounter::count_fields_only(std::string_view line) {
  if (nests_deeper(line, base::limits::kJsonDepthMax)) return 0;
  od::document document;
  od::value record;
  if (state_->parser.iterate(simdjson::padded_string_view(line.data(), line.size(), line.size() + kJsonPadding))
          .get(document) ||
      document.get_value().get(record)) {
    return 0;
  }
  return State::count(record);
}

}  // namespace stillwatch::intake
