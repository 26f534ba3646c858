#include "report/evidence.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/files.h"
#include "base/json_text.h"
#include "report/evidence_words.h"
#include "report/tar_file.h"

namespace stillwatch::report {
namespace {

using base::Fault;

constexpr std::string_view kManifest = "manifest.json";
constexpr std::string_view kExportFolder = "export/";
constexpr std::size_t kPathBytesMax = 100;  // a ustar name with room for the bundle's own. Longer: caller error

std::string digest_text(const crypto::Sha256Digest& digest) {
  return hexadecimal({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

/// VERIFY.md hands paths to a shell, so nothing that it reads as more than a name may be in one.
bool is_plain_path(std::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax || path.front() == '/' || path.back() == '/') return false;
  std::string_view before = "/";
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char letter = path[i];
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                          (letter >= '0' && letter <= '9') || letter == '.' || letter == '_' || letter == '-' ||
                          letter == '/';
    // No part begins with a dot or a dash: not "..", no hidden file, no option of a command.
    if (!is_plain || (before == "/" && (letter == '.' || letter == '-' || letter == '/'))) return false;
    before = path.substr(i, 1);
  }
  return true;
}

std::string json(std::string_view text) {
  std::string out;
  base::append_json_string(out, text);
  return out;
}

std::string manifest_text(const EvidenceInput& input, const std::vector<EvidenceFile>& files) {
  std::string out = fmt::format(
      "{{\n \"v\":1,\n \"case\":{},\n \"operator\":{},\n \"reason\":{},\n \"time\":{},\n"
      " \"software\":{{\"name\":\"stillwatch\",\"version\":{},\"sha256\":{}}},\n \"logs\":[",
      json(input.case_id), json(input.operator_name), json(input.reason), json(time_text(input.time_ms)),
      json(input.tool_version), json(input.tool_sha256));
  std::string_view comma = "\n";
  for (const EvidenceLog& log : input.logs) {
    out += fmt::format("{} {{\"origin\":{},\"anchored\":{}}}", comma, json(log.origin), log.is_anchored);
    comma = ",\n";
  }
  out += "\n ],\n \"files\":[";
  comma = "\n";
  for (const EvidenceFile& file : files) {
    out += fmt::format("{} {{\"path\":\"{}\",\"bytes\":{},\"sha256\":\"{}\"}}", comma, file.path, file.bytes.size(),
                       digest_text(crypto::sha256(file.bytes)));
    comma = ",\n";
  }
  return out + "\n ]\n}\n";
}

base::Status add_log_files(const EvidenceInput& input, std::vector<EvidenceFile>& files) {
  std::set<std::string> known;
  for (const EvidenceLog& log : input.logs) {
    if (!known.insert(log.name).second)
      return base::fail(Fault::caller, fmt::format("the log {} is in the evidence twice", log.name));
    files.push_back({checkpoint_path(log.name), log.checkpoint});
  }
  for (const EvidenceEntry& entry : input.entries) {
    if (!known.contains(entry.log))
      return base::fail(Fault::caller, fmt::format("no checkpoint of the log {} was given", entry.log));
    files.push_back({entry_path(entry.log, entry.index), entry.bytes});
    files.push_back({proof_path(entry.log, entry.index), entry.proof});
  }
  for (const EvidenceManifest& manifest : input.manifests) {
    files.push_back({manifest_path(manifest, ".txt"), manifest.text});
    files.push_back({manifest_path(manifest, ".salt"), manifest.salt});
  }
  return {};
}

void add_texts(const EvidenceInput& input, std::vector<EvidenceFile>& files) {
  files.push_back({"VERIFY.md", verify_text(input)});
  files.push_back({"certification-902.md", certification_text(input)});
  files.push_back({"known-gaps.md", known_gaps_text(input)});
  files.push_back({"custody.jsonl", custody_text(input)});
  files.push_back({"policy.txt", input.policy});
  if (!input.case_page.empty()) files.push_back({"case.html", input.case_page});
  if (!input.checker_source.empty()) files.push_back({"checker/main.go", input.checker_source});
}

/// VERIFY.md names witnesses to a shell as well.
base::Status check_witnesses(const EvidenceInput& input) {
  for (const EvidenceLog& log : input.logs) {
    if (!log.is_anchor) continue;
    for (const Cosigner& cosigner : cosigners_of(input, log).list) {
      if (!is_plain_path(cosigner.name))
        return base::fail(Fault::caller, "a witness of the policy has a name that no bundle can hold");
    }
  }
  return {};
}

base::Status check_files(const std::vector<EvidenceFile>& files) {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    bytes += files[i].bytes.size();
    if (!is_plain_path(files[i].path))
      return base::fail(Fault::caller, "a log, an authority or a file of the case has a name that no bundle can hold");
    if (i > 0 && files[i].path == files[i - 1].path)
      return base::fail(Fault::caller, fmt::format("{} would be in the bundle twice", files[i].path));
  }
  if (bytes > kEvidenceBytesMax)
    return base::fail(Fault::caller, "the bundle would be larger than 4 GiB; choose fewer records");
  return {};
}

void sort_by_path(std::vector<EvidenceFile>& files) {
  std::sort(files.begin(), files.end(), [](const EvidenceFile& a, const EvidenceFile& b) { return a.path < b.path; });
}

}  // namespace

base::Result<EvidenceBundle> make_evidence(const EvidenceInput& input) {
  if (input.entries.size() > kEvidenceEntriesMax) {
    return base::fail(Fault::caller, fmt::format("{} entries are more than the {} that a bundle holds; choose fewer",
                                                 input.entries.size(), kEvidenceEntriesMax));
  }
  STILLWATCH_CHECK(check_witnesses(input));
  EvidenceBundle bundle;
  std::vector<EvidenceFile>& files = bundle.files;
  STILLWATCH_CHECK(add_log_files(input, files));
  for (const EvidenceStamp& stamp : input.stamps) {
    files.push_back({"stamps/" + stamp.name + ".tsr", stamp.reply});
    files.push_back({"stamps/" + stamp.name + ".stamped.txt", stamp.stamped});
    files.push_back({"stamps/" + stamp.name + ".tlog-proof", stamp.proof});
    files.push_back({"stamps/" + stamp.name + ".pem", stamp.ca_pem});
  }
  for (const EvidencePayload& payload : input.payloads) {
    files.push_back({"payloads/" + payload.log + "/" + std::to_string(payload.index) + ".bin", payload.plaintext});
    files.push_back({"payloads/" + payload.log + "/" + std::to_string(payload.index) + ".salt", payload.salt});
  }
  files.insert(files.end(), input.attachments.begin(), input.attachments.end());
  add_texts(input, files);
  sort_by_path(files);
  STILLWATCH_CHECK(check_files(files));
  std::string manifest = manifest_text(input, files);
  bundle.manifest_sha256 = crypto::sha256(manifest);
  files.push_back({std::string(kManifest), std::move(manifest)});
  sort_by_path(files);
  return bundle;
}

base::Status add_export(EvidenceBundle& bundle, const EvidenceEntry& entry) {
  for (const EvidenceFile& file : bundle.files) {
    if (file.path.starts_with(kExportFolder))
      return base::fail(Fault::caller, "the bundle has its export leaf already");
  }
  bundle.files.push_back({"export/entry.bin", entry.bytes});
  bundle.files.push_back({"export/entry.tlog-proof", entry.proof});
  sort_by_path(bundle.files);
  return {};
}

base::Status write_evidence_folder(const EvidenceBundle& bundle, const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code code;
  if (fs::exists(path, code))
    return base::fail(Fault::caller, fmt::format("{} exists already; name a folder that does not", path));
  const std::string aside = path + ".partial";
  fs::remove_all(aside, code);
  for (const EvidenceFile& file : bundle.files) {
    const fs::path target = fs::path(aside) / file.path;
    fs::create_directories(target.parent_path(), code);
    if (code)
      return base::fail(Fault::environment, fmt::format("cannot create a folder in {}: {}", aside, code.message()));
    STILLWATCH_CHECK(base::write_file(target.string(), file.bytes));
  }
  fs::rename(aside, path, code);
  if (code) return base::fail(Fault::environment, fmt::format("cannot rename {}: {}", aside, code.message()));
  return {};
}

base::Result<std::string> evidence_tar(const EvidenceBundle& bundle, std::string_view name, std::int64_t time_ms) {
  if (!is_plain_path(name) || name.find('/') != std::string_view::npos)
    return base::fail(Fault::caller, "a bundle's name may have letters, digits, '.', '_' and '-' only");
  TarFile tar(time_ms / 1000);
  for (const EvidenceFile& file : bundle.files)
    STILLWATCH_CHECK(tar.add(std::string(name) + "/" + file.path, file.bytes));
  return tar.finish();
}

}  // namespace stillwatch::report
