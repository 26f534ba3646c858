// What a vault does when its files are changed, its disk fails, or its process is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/random_bytes.h"
#include "ledger/vault.h"
#include "ledger/vault_fixture.h"

namespace stillwatch::ledger {
namespace {

using test::kDay;
using test::kNow;
using testing::IsEmpty;

struct Rig {
  test::Bookcase shelf;
  std::unique_ptr<KeyBook> book = shelf.open();
  std::string folder = shelf.folder / "vault";

  base::Result<std::unique_ptr<Vault>> try_open() { return Vault::open(folder, *book, {}); }
  static base::Result<RecordName> put(Vault& vault, int number) {
    SealRequest request;
    request.id = crypto::random_array<16>();
    request.tenant = number % 2 == 0 ? "acme" : "umbrella";
    request.time_us = kNow;
    const std::string prompt = text_of(number);
    request.prompt = prompt;
    STILLWATCH_TRY(sealed, vault.seal(request));
    return RecordName{request.id, sealed.fate.id};
  }
  static std::string text_of(int number) { return "prompt " + std::to_string(number) + std::string(300, 'x'); }
  static base::Result<Opened> get(Vault& vault, const RecordName& name) {
    return vault.open_record({name, kNow, "test", "test", {}, {}, {}});
  }
};

TEST(VaultFaults, ChangedBitsOfAnyFileNeverGiveOtherContent) {
  Rig rig;
  std::vector<RecordName> names;
  {
    auto vault = rig.try_open().value();
    for (int i = 0; i < 30; ++i) names.push_back(Rig::put(*vault, i).value());
    ASSERT_TRUE(vault->commit().has_value());
  }
  std::filesystem::copy(rig.folder, rig.folder + "-good", std::filesystem::copy_options::recursive);
  std::size_t found = 0, tried = 0;
  for (const std::string& path : test::files_under(rig.folder + "-good")) {
    const std::string relative = path.substr(rig.folder.size() + 5);
    if (relative.find("LOG") != std::string::npos || relative.find("LOCK") != std::string::npos ||
        relative.find("OPTIONS") != std::string::npos || relative.find("IDENTITY") != std::string::npos) {
      continue;  // notes of the library that no record is read from
    }
    const std::string good = test::bytes_of_file(path);
    if (good.empty()) continue;
    for (int place = 0; place < 12; ++place) {
      std::filesystem::remove_all(rig.folder);
      std::filesystem::copy(rig.folder + "-good", rig.folder, std::filesystem::copy_options::recursive);
      std::string bad = good;
      const std::size_t at = place * (good.size() - 1) / 11;
      bad[at] = static_cast<char>(bad[at] ^ (1 << (place % 8)));
      test::put_file(rig.folder + relative, bad);
      ++tried;
      const auto vault = rig.try_open();
      if (!vault) {
        ++found;
        continue;
      }
      const auto damages = (*vault)->check();
      ASSERT_TRUE(damages.has_value());
      found += damages->empty() ? 0 : 1;
      for (int i = 0; i < 30; ++i) {
        const auto opened = Rig::get(**vault, names[i]);
        if (!opened || opened->found == Found::absent) continue;
        ASSERT_EQ(opened->payload.prompt, Rig::text_of(i)) << relative << " byte " << at;
      }
    }
    if (relative.ends_with(".pack")) {
      EXPECT_EQ(found, tried) << "every byte of a pack is of a ciphertext";
    }
  }
  EXPECT_GT(found, tried / 2);
}

TEST(VaultFaults, AMissingPackIsDamageOfItsRecordsOnly) {
  Rig rig;
  auto vault = rig.try_open().value();
  const auto name = Rig::put(*vault, 1).value();
  ASSERT_TRUE(vault->commit().has_value());
  std::filesystem::remove(rig.folder + "/packs/content-2026-11-22-0001.pack");
  const auto opened = Rig::get(*vault, name);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().fault, base::Fault::environment);
  EXPECT_EQ(vault->check()->size(), 1U);
}

TEST(VaultFaults, AFullDiskLosesNothingThatWaits) {
  for (int at = 0; at < 20; ++at) {
    Rig rig;
    auto vault = rig.try_open().value();
    std::vector<RecordName> names;
    bool claimed = false;
    {
      const test::DiskFault fault(test::DiskFault::Kind::fails, at);
      for (int i = 0; i < 10; ++i) {
        const auto name = Rig::put(*vault, i);
        if (name) names.push_back(*name);
      }
      claimed = vault->commit().has_value();
    }
    ASSERT_TRUE(vault->commit().has_value()) << at;
    vault.reset();
    vault = rig.try_open().value();
    EXPECT_TRUE(!claimed || !names.empty());
    for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(Rig::get(*vault, names[i])->found, Found::opened) << at;
    EXPECT_THAT(*vault->check(), IsEmpty());
  }
}

TEST(DISABLED_VaultInNewProcess, IsKilled) {
  Rig rig{{test::folder_of_parent()}};
  auto vault = rig.try_open().value();
  const test::DiskFault fault(test::DiskFault::Kind::kills, test::step_of_parent());
  std::string names;
  for (int i = 0; i < 3; ++i) {
    const auto name = Rig::put(*vault, i).value();
    names += std::string(name.id.begin(), name.id.end()) + std::string(name.key.begin(), name.key.end());
    if (vault->commit()) test::put_file(rig.shelf.folder / "names", names);  // what the caller was told
  }
}

TEST(VaultFaults, AKillAtAnyStepKeepsWhatWasCommitted) {
  bool reached_end = false;
  for (int at = 0; !reached_end; ++at) {
    ASSERT_LT(at, 60);
    Rig rig;
    rig.book.reset();
    reached_end = !test::ends_in_new_process("DISABLED_VaultInNewProcess.IsKilled", rig.shelf.folder, at);
    rig.book = rig.shelf.open();
    ASSERT_NE(rig.book, nullptr);
    auto vault = rig.try_open().value();
    EXPECT_THAT(*vault->check(), IsEmpty()) << at;
    const std::string names_path = rig.shelf.folder / "names";
    const std::string names = exists(names_path) ? test::bytes_of_file(names_path) : "";
    EXPECT_TRUE(!reached_end || names.size() == 3 * 28U);
    for (std::size_t i = 0; i * 28 < names.size(); ++i) {
      RecordName name;
      std::copy_n(names.begin() + i * 28, 16, name.id.begin());
      std::copy_n(names.begin() + i * 28 + 16, 12, name.key.begin());
      const auto opened = Rig::get(*vault, name);
      ASSERT_TRUE(opened.has_value()) << at << opened.error().message;
      EXPECT_EQ(opened->payload.prompt, Rig::text_of(static_cast<int>(i))) << at;
    }
    // And it goes on.
    const auto name = Rig::put(*vault, 9).value();
    EXPECT_EQ(Rig::get(*vault, name)->found, Found::opened);
  }
}

TEST(VaultFaults, AKeyBookWithoutTheKeyIsNamedAsDamage) {
  Rig rig;
  auto vault = rig.try_open().value();
  const auto name = Rig::put(*vault, 1).value();
  ASSERT_TRUE(vault->commit().has_value());
  vault.reset();
  rig.book.reset();
  std::filesystem::remove_all(rig.shelf.folder / "keys");
  rig.book = rig.shelf.open();
  vault = rig.try_open().value();
  const auto opened = Rig::get(*vault, name);
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, testing::HasSubstr("key book does not have its key"));
}

}  // namespace
}  // namespace stillwatch::ledger
