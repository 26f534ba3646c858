// Manifests: found again by index and hash, after crashes and repetitions too.
#include "audit/manifest_store.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "audit/audit_fixture.h"
#include "audit/durable_file.h"
#include "base/files.h"

namespace stillwatch::audit {
namespace {

Manifest manifest(std::uint8_t salt, std::string text) {
  Manifest made;
  made.salt.fill(salt);
  made.text = std::move(text);
  return made;
}
ledger::Hash32 hash_of(const Manifest& made) { return ledger::manifest_hash(made.salt, made.text); }

class manifest_store : public ::testing::Test {
 protected:
  std::string only_file() const { return folder_ / "manifests-000000"; }
  void expect_found(std::uint64_t index, const Manifest& wanted) const {
    const auto found = find_manifest(folder_.path(), index, hash_of(wanted));
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->text, wanted.text);
    EXPECT_EQ(found->salt, wanted.salt);
  }
  ScratchFolder folder_;
};

TEST_F(manifest_store, gives_back_what_was_put_and_nothing_for_another_hash) {
  ManifestStore store(folder_.path());
  ASSERT_TRUE(store.append(0, manifest(1, "first\n")));
  ASSERT_TRUE(store.append(1, manifest(2, "second\n")));
  expect_found(0, manifest(1, "first\n"));
  expect_found(1, manifest(2, "second\n"));
  EXPECT_FALSE(find_manifest(folder_.path(), 1, hash_of(manifest(1, "first\n"))));
  EXPECT_FALSE(find_manifest(folder_.path(), 2, hash_of(manifest(2, "second\n"))));
  EXPECT_FALSE(find_manifest(folder_.path(), 100'000, hash_of(manifest(2, "second\n"))));
}

TEST_F(manifest_store, an_unchanged_manifest_costs_44_bytes_and_has_a_salt_of_its_own) {
  ManifestStore store(folder_.path());
  ASSERT_TRUE(store.append(0, manifest(1, "same\n")));
  const auto before = std::filesystem::file_size(only_file());
  ASSERT_TRUE(store.append(1, manifest(2, "same\n")));
  ASSERT_TRUE(store.append(2, manifest(3, "same\n")));
  EXPECT_EQ(std::filesystem::file_size(only_file()), before + 88);
  expect_found(2, manifest(3, "same\n"));
}

TEST_F(manifest_store, a_new_day_begins_a_file_with_a_whole_manifest) {
  ManifestStore store(folder_.path());
  ASSERT_TRUE(store.append(kManifestsAFile - 1, manifest(1, "same\n")));
  ASSERT_TRUE(store.append(kManifestsAFile, manifest(2, "same\n")));
  std::filesystem::remove(only_file());
  expect_found(kManifestsAFile, manifest(2, "same\n"));
}

TEST_F(manifest_store, goes_on_after_a_restart_wherever_the_last_write_was_cut) {
  {
    ManifestStore store(folder_.path());
    ASSERT_TRUE(store.append(0, manifest(1, "first\n")));
    ASSERT_TRUE(store.append(1, manifest(2, "second\n")));
  }
  const std::string whole = base::read_file(only_file(), 1U << 20).value();
  const std::size_t first_end = 44 + 6;
  for (std::size_t cut = first_end; cut < whole.size(); ++cut) {
    ASSERT_TRUE(write_durably(only_file(), whole.substr(0, cut)));
    ManifestStore store(folder_.path());
    ASSERT_TRUE(store.append(1, manifest(3, "first\n")));
    expect_found(0, manifest(1, "first\n"));
    expect_found(1, manifest(3, "first\n"));
    EXPECT_EQ(std::filesystem::file_size(only_file()), first_end + 44);
  }
}

TEST_F(manifest_store, a_manifest_without_its_leaf_does_no_harm) {
  ManifestStore store(folder_.path());
  ASSERT_TRUE(store.append(0, manifest(1, "never anchored\n")));
  ASSERT_TRUE(store.append(0, manifest(2, "anchored\n")));
  expect_found(0, manifest(2, "anchored\n"));
  std::vector<std::string> seen;
  ASSERT_TRUE(scan_manifests(folder_.path(), 0, [&](std::uint64_t, const Manifest& each) {
    seen.push_back(each.text);
    return seen.size() < 2;
  }));
  EXPECT_EQ(seen, (std::vector<std::string>{"never anchored\n", "anchored\n"}));
}

TEST_F(manifest_store, any_bytes_in_its_file_are_survived) {
  std::string no_text_of_its_own(44, 'x');
  no_text_of_its_own.replace(0, 4, std::string("\0\0\0\x28", 4));
  for (const std::string& bytes : {std::string(100, '\0'), std::string(100, '\xff'), no_text_of_its_own}) {
    ASSERT_TRUE(write_durably(only_file(), bytes));
    EXPECT_FALSE(find_manifest(folder_.path(), 0, hash_of(manifest(1, "x"))));
    ManifestStore store(folder_.path());
    ASSERT_TRUE(store.append(0, manifest(1, "x")));
    expect_found(0, manifest(1, "x"));
  }
}

TEST_F(manifest_store, says_what_it_cannot_write) {
  ASSERT_TRUE(base::write_file(folder_ / "file", ""));
  ManifestStore store(folder_ / "file");
  const auto status = store.append(0, manifest(1, "x"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().fault, base::Fault::environment);
}

TEST(number_path, is_read_back_and_has_one_form) {
  for (const std::uint64_t number : {0UL, 7UL, 999UL, 1'000UL, 1'234'067UL, 999'999'999UL, 1'000'000'000'000UL}) {
    std::uint64_t back = 0;
    EXPECT_TRUE(read_number_path(number_path(number), back)) << number_path(number);
    EXPECT_EQ(back, number);
  }
  EXPECT_EQ(number_path(1'234'067), "x001/x234/067");
  std::uint64_t back = 0;
  for (const char* text : {"", "1", "0000", "x001", "x000/001", "001/001", "x001/0a1", "x001/x001", "x1/001"}) {
    EXPECT_FALSE(read_number_path(text, back)) << text;
  }
}

}  // namespace
}  // namespace stillwatch::audit
