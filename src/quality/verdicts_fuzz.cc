// Any bytes as a whole verdicts.ndjson against a small truth: reading and judging must end well.
#include <cstdint>
#include <string>

#include "base/files.h"
#include "base/folder_fixture.h"
#include "quality/evaluation.h"

namespace {

struct Fixture {
  stillwatch::base::test::Folder folder;
  stillwatch::quality::Truth truth;

  Fixture() {
    folder.write("truth.ndjson",
                 "{\"v\":1,\"account\":\"a\",\"hostile\":true,\"campaign\":\"k\",\"family\":"
                 "\"f\"}\n{\"v\":1,\"account\":\"b\",\"hostile\":false,\"stratum\":\"s\"}\n");
    folder.write(
        "queries_truth.ndjson",
        "{\"id\":\"1\",\"account\":\"a\",\"time\":\"2026-04-22T08:15:30Z\",\"output_tokens\":3,\"hostile\":true}\n");
    truth = stillwatch::quality::read_truth(folder.path()).value();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const Fixture fixture;
  const std::string path = fixture.folder / "verdicts.ndjson";
  (void)stillwatch::base::write_file(path, {reinterpret_cast<const char*>(bytes), size});
  const auto detector = stillwatch::quality::read_verdicts(path, fixture.truth);
  if (!detector) return 0;
  const auto evaluation = stillwatch::quality::evaluate(fixture.truth, {*detector});
  if (evaluation) {
    (void)stillwatch::quality::evaluation_table(*evaluation);
    (void)stillwatch::quality::evaluation_json(*evaluation);
  }
  return 0;
}
