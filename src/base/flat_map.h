// An open-addressing hash map: the container of the hot tables.
//
// Invariant: nothing that reaches an output may depend on its order of iteration. Threads: as std::unordered_map.
// Cost: one cache line a look-up, 1 / 0.875 of the entries' size. Library: Boost.Unordered 1.81.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

namespace stillwatch::base {

template <class Key, class Value, class Hash = boost::hash<Key>>
using FlatMap = boost::unordered_flat_map<Key, Value, Hash>;

}  // namespace stillwatch::base
