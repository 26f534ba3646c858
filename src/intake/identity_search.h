// Whether saved identities (Identities::save) name somebody, for who has no secret to make his token with.
//
// Invariant: false only when they surely do not. Threads: pure. Cost: a pass over the bytes.
#pragma once

#include <string_view>

#include "intake/identities.h"

namespace stillwatch::intake {

/// True also when the bytes cannot say: damaged, or some of the kind found no room.
bool may_name(std::string_view saved, IdKind kind, std::string_view raw);

}  // namespace stillwatch::intake
