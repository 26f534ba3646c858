// Vectors that others made, in the folder STILLWATCH_DATA/vectors: RFC 6962 proofs of transparency-dev/merkle, and the
// test log of transparency-dev/tessera with its published key.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/base64.h"
#include "base/files.h"
#include "tlog/log_fixture.h"

namespace stillwatch::tlog {
namespace {

std::filesystem::path vectors() {
  const char* data = std::getenv("STILLWATCH_DATA");
  return data == nullptr ? std::filesystem::path() : std::filesystem::path(data) / "vectors";
}
#define NEEDS_VECTORS(folder)                                                            \
  if (vectors().empty() || !std::filesystem::exists(vectors() / (folder))) {             \
    GTEST_SKIP() << "set STILLWATCH_DATA to the folder that holds vectors/" << (folder); \
  }
std::string read(const std::filesystem::path& path) {
  auto bytes = base::read_file(path.string(), 1'000'000);
  EXPECT_TRUE(bytes) << bytes.error().message;
  return bytes ? *bytes : std::string();
}

// The value after "name": in a flat JSON object whose strings have no escapes.
std::string_view value_of(std::string_view json, const std::string& name) {
  const std::size_t at = json.find("\"" + name + "\":");
  EXPECT_NE(at, std::string_view::npos) << name;
  json.remove_prefix(at + name.size() + 3);
  json.remove_prefix(json.find_first_not_of(" \n"));
  if (json.front() == '"') return json.substr(1, json.find('"', 1) - 1);
  if (json.front() == '[') return json.substr(1, json.find(']') - 1);
  return json.substr(0, json.find_first_of(",\n }"));
}
std::uint64_t number_of(std::string_view json, const std::string& name) {
  return std::stoull(std::string(value_of(json, name)));
}
// Nothing when a hash has not 32 bytes: this program cannot even state such a proof.
std::optional<Proof> proof_of(std::string_view json) {
  std::string_view list = value_of(json, "proof");
  Proof proof;
  while (list.find('"') != std::string_view::npos) {
    list.remove_prefix(list.find('"') + 1);
    const auto hash = parse_hash(list.substr(0, list.find('"')));
    if (!hash) return std::nullopt;
    proof.push_back(*hash);
    list.remove_prefix(list.find('"') + 1);
  }
  return proof;
}

template <class Check>
void check_all(const char* kind, Check&& holds) {
  int files = 0, good = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(vectors() / "merkle/testdata" / kind)) {
    if (!entry.is_regular_file()) continue;
    const std::string json = read(entry.path());
    const bool want = value_of(json, "wantErr") == "false";
    EXPECT_EQ(holds(json), want) << entry.path() << "\n" << json;
    ++files;
    good += want;
  }
  EXPECT_EQ(files, 98) << kind;
  EXPECT_GE(good, 6) << kind;
}

TEST(Vectors, MerkleInclusion) {
  NEEDS_VECTORS("merkle");
  check_all("inclusion", [](const std::string& json) {
    const auto root = parse_hash(value_of(json, "root")), leaf = parse_hash(value_of(json, "leafHash"));
    const auto proof = proof_of(json);
    return root && leaf && proof &&
           verify_inclusion(number_of(json, "leafIdx"), number_of(json, "treeSize"), *leaf, *proof, *root);
  });
}

TEST(Vectors, MerkleConsistency) {
  NEEDS_VECTORS("merkle");
  // Some cases have texts of 12 bytes in place of roots that do not matter: their hashes stand for them.
  const auto root_of_text = [](std::string_view text) {
    const auto root = parse_hash(text);
    return root ? *root : leaf_hash(text);
  };
  int differences = 0;
  check_all("consistency", [&](const std::string& json) {
    const Hash old_root = root_of_text(value_of(json, "root1")), new_root = root_of_text(value_of(json, "root2"));
    const auto proof = proof_of(json);
    const std::uint64_t old_size = number_of(json, "size1"), new_size = number_of(json, "size2");
    const bool holds = proof && verify_consistency(old_size, new_size, old_root, new_root, *proof);
    // That library refuses to compare with an empty log. A witness has to, when it first sees a log.
    if (holds && old_size == 0 && new_size > 0) {
      ++differences;
      return false;
    }
    return holds;
  });
  EXPECT_EQ(differences, 1);
}

constexpr const char* kTesseraKey =
    "PRIVATE+KEY+example.com/log/testdata+33d7b496+AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg";
constexpr const char* kTesseraVerifier =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

TEST(Vectors, TesserasLogIsReproducedByteForByteFromItsEntries) {
  NEEDS_VECTORS("tessera");
  const auto folder = vectors() / "tessera/testdata/log";
  const auto signer = Ed25519NoteSigner::parse(kTesseraKey);
  ASSERT_TRUE(signer) << signer.error().message;
  EXPECT_EQ(signer->verifier_key().text(), kTesseraVerifier);
  const std::string bundle = read(folder / "tile/entries/000.p/15");
  const auto entries = read_bundle(bundle, 15, true);
  ASSERT_TRUE(entries) << entries.error().message;
  std::string bundle_so_far, tile_so_far;
  RightEdge tree;
  for (unsigned size = 0; size <= 15; ++size) {
    const std::string expected = read(folder / ("checkpoint." + std::to_string(size)));
    const auto note = sign_checkpoint({signer->verifier_key().name, size, tree.root(), ""}, *signer);
    ASSERT_TRUE(note);
    EXPECT_EQ(*note, expected) << size;
    EXPECT_EQ(open_checkpoint(expected, *VerifierKey::parse(kTesseraVerifier))->root, tree.root());
    const auto tile = tile_at(TileId::Kind::hashes, 0, 0, size), stored = tile_at(TileId::Kind::entries, 0, 0, size);
    for (const auto& [id, bytes] : {std::pair(tile, &tile_so_far), std::pair(stored, &bundle_so_far)}) {
      // The published log keeps the partial files of the sizes at which it made them.
      if (id && std::filesystem::exists(folder / tile_path(*id))) {
        EXPECT_EQ(read(folder / tile_path(*id)), *bytes);
      }
    }
    if (size == 15) break;
    ASSERT_TRUE(append_entry(bundle_so_far, (*entries)[size]));
    tree.append(leaf_hash((*entries)[size]));
    tile_so_far += hash_bytes(leaf_hash((*entries)[size]));
  }
  EXPECT_EQ(bundle_so_far, bundle);
}

TEST(Vectors, TesserasLogVerifiesAgainstAllItsCheckpoints) {
  NEEDS_VECTORS("tessera");
  const auto folder = vectors() / "tessera/testdata/log";
  FolderLog log(folder.string());
  VerifySettings settings;
  for (int i = 0; i <= 15; ++i)
    settings.older_checkpoints.push_back(read(folder / ("checkpoint." + std::to_string(i))));
  const auto report = verify_log(log, *VerifierKey::parse(kTesseraVerifier), settings);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->holds());
  EXPECT_EQ(report->entries_checked, 15U);
  EXPECT_EQ(report->older_checked, 16U);
}

}  // namespace
}  // namespace stillwatch::tlog
