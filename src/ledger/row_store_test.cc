// Rows against an ordered map: whatever the order inside the store's batch, the last word on a key counts.
#include "ledger/row_store.h"

#include <map>

#include <gtest/gtest.h>

#include "base/random.h"
#include "ledger/vault_fixture.h"

namespace stillwatch::ledger {
namespace {

using Rows = std::map<std::string, std::string>;

Rows all_of(const RowStore& store) {
  Rows out;
  const auto walked = store.each("", [&](std::string_view key, std::string_view value) {
    out.emplace(key, value);
    return true;
  });
  EXPECT_TRUE(walked.has_value());
  return out;
}

TEST(RowStore, KeepsWhatAMapKeepsWhateverTheBatches) {
  const test::Folder folder;
  auto store = RowStore::open(folder / "rows", false).value();
  base::Random random(7, 0);
  Rows expected;
  for (int step = 0; step < 5'000; ++step) {
    // Few keys, so that one is put again, removed and put within one batch.
    const std::string key = {static_cast<char>('a' + random.below(4)), static_cast<char>('a' + random.below(5))};
    const auto what = random.below(20);
    if (what == 0) {
      store->remove_prefix(key.substr(0, 1));
      expected.erase(expected.lower_bound(key.substr(0, 1)),
                     expected.lower_bound(std::string(1, static_cast<char>(key[0] + 1))));
    } else if (what < 4) {
      store->remove(key);
      expected.erase(key);
    } else {
      const std::string value = what == 4 ? "" : std::to_string(step);
      store->put(key, value);
      expected[key] = value;
    }
    if (random.below(40) != 0) continue;
    ASSERT_TRUE(store->has_batch());
    ASSERT_TRUE(store->write(false).has_value());
    ASSERT_FALSE(store->has_batch());
    ASSERT_EQ(all_of(*store), expected) << "after step " << step;
  }
  ASSERT_TRUE(store->write(true).has_value());
  store.reset();
  EXPECT_EQ(all_of(*RowStore::open(folder / "rows", true).value()), expected);
}

TEST(RowStore, ABatchIsNotThereBeforeItIsWritten) {
  const test::Folder folder;
  const auto store = RowStore::open(folder / "rows", false).value();
  store->put("key", "value");
  EXPECT_EQ(store->get("key").value(), std::nullopt);
  ASSERT_TRUE(store->write(false).has_value());
  EXPECT_EQ(store->get("key").value(), "value");
}

}  // namespace
}  // namespace stillwatch::ledger
