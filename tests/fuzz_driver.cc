// Runs a fuzzer's entry point without libFuzzer: over every file of the corpus folder given as the
// argument, and over fixed-seed mutations of each, so that `make test` exercises the parser on any
// compiler. A crash or a sanitizer report is the failure.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace {

constexpr int kMutationsPerFile = 400;

std::vector<std::uint8_t> mutate(std::vector<std::uint8_t> bytes, std::mt19937_64& random) {
  const auto edits = 1 + random() % 8;
  for (std::uint64_t edit = 0; edit < edits; ++edit) {
    if (bytes.empty()) {
      bytes.push_back(static_cast<std::uint8_t>(random()));
      continue;
    }
    const auto at = random() % bytes.size();
    switch (random() % 5) {
      case 0: bytes[at] = static_cast<std::uint8_t>(random()); break;
      case 1: bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1U << (random() % 8))); break;
      case 2: bytes.resize(at); break;
      case 3: bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), 1 + random() % 16, bytes[at]); break;
      default: {
        const auto end = at + random() % (bytes.size() - at + 1);
        bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + static_cast<std::ptrdiff_t>(end));
      }
    }
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  // In order of names: a folder's own order differs between file systems, and with it the mutations would.
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::mt19937_64 random(20260422);
  int files = 0;
  for (const std::filesystem::path& path : paths) {
    std::ifstream in(path, std::ios::binary);
    const std::vector<std::uint8_t> bytes{std::istreambuf_iterator<char>(in), {}};
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    for (int i = 0; i < kMutationsPerFile; ++i) {
      const auto mutated = mutate(bytes, random);
      LLVMFuzzerTestOneInput(mutated.data(), mutated.size());
    }
    ++files;
  }
  std::printf("%d corpus files, %d mutations each\n", files, kMutationsPerFile);
  return files > 0 ? 0 : 1;
}
