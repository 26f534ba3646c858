#include "report/evidence.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/files.h"
#include "base/folder_fixture.h"
#include "report/case_page.h"
#include "report/evidence_fixture.h"
#include "report/evidence_words.h"
#include "report/example_report.h"
#include "report/tar_file.h"

namespace stillwatch::report {
namespace {

const std::string* file_of(const EvidenceBundle& bundle, std::string_view path) {
  for (const EvidenceFile& file : bundle.files) {
    if (file.path == path) return &file.bytes;
  }
  return nullptr;
}

EvidenceBundle bundle_of(const EvidenceInput& input) {
  auto bundle = make_evidence(input);
  EXPECT_TRUE(bundle) << (bundle ? "" : bundle.error().message);
  return bundle ? std::move(*bundle) : EvidenceBundle{};
}

int run(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Evidence, HasEveryFileInItsManifestAndTheSameBytesAgain) {
  const test::ExampleCase example = test::example_case();
  const EvidenceBundle bundle = bundle_of(example.input);
  EXPECT_EQ(bundle.manifest_sha256, bundle_of(example.input).manifest_sha256);
  const std::string* manifest = file_of(bundle, "manifest.json");
  ASSERT_NE(manifest, nullptr);
  EXPECT_EQ(crypto::sha256(*manifest), bundle.manifest_sha256);
  for (const EvidenceFile& file : bundle.files) {
    if (file.path == "manifest.json") continue;
    const crypto::Sha256Digest digest = crypto::sha256(file.bytes);
    EXPECT_NE(manifest->find(file.path + "\",\"bytes\":" + std::to_string(file.bytes.size()) + ",\"sha256\":\"" +
                             hexadecimal(tlog::hash_bytes(digest)) + "\"}"),
              std::string::npos)
        << file.path;
  }
  for (const char* path :
       {"VERIFY.md", "certification-902.md", "known-gaps.md", "custody.jsonl", "policy.txt", "checker/main.go",
        "entries/shard-s00-2026-11/21.bin", "proofs/shard-s00-2026-11/21.tlog-proof", "anchor/anchor-2026-2.salt",
        "anchor/anchor-2026-2.txt", "checkpoint-anchor-2026.txt", "payloads/shard-s00-2026-11/7.salt"}) {
    EXPECT_NE(file_of(bundle, path), nullptr) << path;
  }
}

TEST(Evidence, RefusesWhatAShellWouldReadAsMoreThanAName) {
  for (const char* bad : {"../escape", "a b", "$(id)", "-rf", "a/../b", ".hidden", "a\nb", "a;b", ""}) {
    test::ExampleCase example = test::example_case();
    example.input.attachments = {{bad, "x"}};
    const auto bundle = make_evidence(example.input);
    ASSERT_FALSE(bundle) << bad;
    EXPECT_EQ(bundle.error().fault, base::Fault::caller);
  }
  test::ExampleCase example = test::example_case();
  example.input.entries.push_back(example.input.entries.front());
  EXPECT_FALSE(make_evidence(example.input)) << "the same entry twice";
  example = test::example_case();
  example.input.logs.erase(example.input.logs.begin());
  EXPECT_FALSE(make_evidence(example.input)) << "entries without a checkpoint";
}

TEST(Evidence, ExportLeafNamesTheManifestAndStandsOutsideIt) {
  const test::ExampleCase example = test::example_case();
  EvidenceBundle bundle = bundle_of(example.input);
  const std::size_t before = bundle.files.size();
  ASSERT_TRUE(add_export(bundle, test::export_of(bundle)));
  EXPECT_EQ(bundle.files.size(), before + 2);
  EXPECT_EQ(file_of(bundle, "manifest.json")->find("export/"), std::string::npos);
  EXPECT_FALSE(add_export(bundle, test::export_of(bundle))) << "once only";
}

TEST(Evidence, TarIsReadByTarAndHasOneTime) {
  const EvidenceBundle bundle = bundle_of(test::example_case().input);
  const auto tar = evidence_tar(bundle, "case-7", test::kExampleTimeMs);
  ASSERT_TRUE(tar);
  EXPECT_EQ(*tar, *evidence_tar(bundle, "case-7", test::kExampleTimeMs));
  const base::test::Folder folder;
  ASSERT_TRUE(base::write_file(folder / "b.tar", *tar));
  ASSERT_EQ(run("cd " + folder.path() + " && tar -xf b.tar"), 0);
  for (const EvidenceFile& file : bundle.files) {
    const auto bytes = base::read_file(folder / "case-7/" + file.path, 1 << 24);
    ASSERT_TRUE(bytes) << file.path;
    EXPECT_EQ(*bytes, file.bytes) << file.path;
  }
  EXPECT_FALSE(evidence_tar(bundle, "a/b", 0));
}

TEST(TarFile, SplitsLongNamesAndRefusesLongerOnes) {
  const base::test::Folder folder;
  TarFile tar(0);
  const std::string part(60, 'd'), name = part + "/" + part + "/" + std::string(90, 'f');
  ASSERT_TRUE(tar.add(name, "content"));
  ASSERT_TRUE(tar.add(std::string(100, 'n'), std::string(512, 'x')));
  EXPECT_FALSE(tar.add(std::string(101, 'n'), ""));
  EXPECT_FALSE(tar.add(std::string(200, 'p') + "/n", ""));
  ASSERT_TRUE(base::write_file(folder / "b.tar", tar.finish()));
  ASSERT_EQ(run("cd " + folder.path() + " && tar -xf b.tar"), 0);
  EXPECT_EQ(*base::read_file(folder / name, 100), "content");
  EXPECT_EQ(base::read_file(folder / std::string(100, 'n'), 1000)->size(), 512);
}

TEST(Evidence, FolderIsCompleteOrAbsent) {
  const EvidenceBundle bundle = bundle_of(test::example_case().input);
  const base::test::Folder folder;
  const std::string path = folder / "bundle";
  ASSERT_TRUE(write_evidence_folder(bundle, path));
  EXPECT_FALSE(write_evidence_folder(bundle, path)) << "never over another one";
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) files += entry.is_regular_file();
  EXPECT_EQ(files, bundle.files.size());
}

TEST(Evidence, CustodyIsAChain) {
  const std::string text = custody_text(test::example_case().input);
  std::istringstream lines(text);
  std::string line, before(64, '0');
  int count = 0;
  while (std::getline(lines, line)) {
    EXPECT_TRUE(line.ends_with(",\"prev\":\"" + before + "\"}")) << line;
    before = hexadecimal(tlog::hash_bytes(crypto::sha256(line)));
    ++count;
  }
  EXPECT_EQ(count, 2);
}

TEST(Evidence, TextsKeepMarkupOutAndSayWhatIsMissing) {
  EvidenceInput input = test::example_case().input;
  const std::string statement = certification_text(input);
  EXPECT_EQ(statement.find("<script>"), std::string::npos);
  EXPECT_NE(statement.find("This is a draft."), std::string::npos);
  EXPECT_NE(known_gaps_text(input).find("Nothing of 2026-10 is here."), std::string::npos);
  EXPECT_NE(verify_text(input).find("cosigned checkpoint-anchor-2026.txt w1"), std::string::npos);
  EXPECT_NE(verify_text(input).find("There are none"), std::string::npos) << "no time stamps";
  input.manifests.clear();
  input.policy = "";
  EXPECT_NE(verify_text(input).find("They are not"), std::string::npos) << "no anchor";
  EXPECT_NE(verify_text(input).find("None has"), std::string::npos) << "no witness";
}

TEST(CasePage, ShowsTheCampaignItsPlotsAndItsProofs) {
  const test::ExampleCase example = test::example_case();
  CaseFindings findings;
  findings.view = example_view(example_campaign(12, event::Class::distiller, 30, 1'795'000'000'000'000, 40, 9), 30);
  CaseTraffic traffic;
  traffic.start_us = 1'795'000'000'000'000 / base::kHourUs * base::kHourUs - 5 * base::kHourUs;
  traffic.total.assign(60, 100);
  traffic.case_.assign(60, 7);
  const std::string page = case_page(findings, traffic, example.input);
  EXPECT_NE(page.find("c-000012"), std::string::npos);
  EXPECT_NE(page.find("6,000 entries of requests"), std::string::npos);
  EXPECT_NE(page.find("<svg"), std::string::npos);
  EXPECT_NE(page.find("w1"), std::string::npos);
  EXPECT_NE(page.find("Nothing of 2026-10 is here."), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("http://"), std::string::npos);
}

}  // namespace
}  // namespace stillwatch::report
