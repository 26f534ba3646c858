// The raw fields of one record of a log, kept so that it can be written again as a native line.
//
// Invariant: filled only when a parser was asked to (LineParser::keep_raw); its text never leaves by any way but a
// query log that the provider keeps. Threads: one user. Cost: a copy of a few short texts a line.
#pragma once

#include <cstdint>
#include <string>

#include "event/query.h"

namespace stillwatch::intake {

struct RawRecord {
  std::string id, account, key, end_user, address, user_agent, ja4, model;
  std::string headers;  // lower-case names, each followed by a comma

  void clear() {
    for (std::string* text : {&id, &account, &key, &end_user, &address, &user_agent, &ja4, &model, &headers})
      text->clear();
  }
};

}  // namespace stillwatch::intake
