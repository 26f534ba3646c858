#include "gateway/tail_format.h"

#include <memory>

#include "intake/log_reader.h"
#include "intake/map_format.h"

namespace stillwatch::gateway {

base::Result<ObserverOptions::MakeParser> tail_parser(const std::string& format) {
  intake::LogReaderOptions options;
  STILLWATCH_CHECK(intake::parse_format(format, options));
  switch (options.format) {
    case intake::LogFormat::native: break;
    case intake::LogFormat::litellm: return ObserverOptions::MakeParser(intake::make_litellm_parser);
    case intake::LogFormat::otlp: return ObserverOptions::MakeParser(intake::make_otlp_parser);
    case intake::LogFormat::envoy: return ObserverOptions::MakeParser(intake::make_envoy_parser);
    case intake::LogFormat::map: {
      STILLWATCH_TRY(read, intake::MapFormat::load(options.map_file));
      auto map = std::make_shared<const intake::MapFormat>(std::move(read));
      return ObserverOptions::MakeParser(
          [map](const crypto::KeyedHash& keyed_hash, const intake::Identities* identities) {
            return intake::make_map_parser(*map, keyed_hash, identities);
          });
    }
  }
  return ObserverOptions::MakeParser(intake::make_query_parser);
}

}  // namespace stillwatch::gateway
