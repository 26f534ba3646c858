// `stillwatch secret`: backup and rotation of the deployment secret. docs/operate/secret.md says what they cost.
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>

#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "crypto/key_set.h"

namespace stillwatch::app {
namespace {

struct Flags {
  std::string secret, to;
};

// Names the secrets by their public ids; shows nothing of them.
base::Status print_ids(const std::string& path) {
  STILLWATCH_TRY(keys, crypto::load_key_set(path));
  std::printf("%s: current secret %016llx", path.c_str(),
              static_cast<unsigned long long>(crypto::KeyedHash(keys.current).secret_id()));
  if (keys.previous) {
    std::printf(", previous secret %016llx",
                static_cast<unsigned long long>(crypto::KeyedHash(*keys.previous).secret_id()));
  }
  std::printf("\n");
  return {};
}

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

base::Status back_up(const Flags& flags) {
  STILLWATCH_CHECK(crypto::backup_secret(flags.secret, flags.to));
  return print_ids(flags.to);
}

base::Status rotate(const Flags& flags) {
  STILLWATCH_CHECK(crypto::rotate_secret(flags.secret, now_us()));
  return print_ids(flags.secret);
}

base::Status end_overlap(const Flags& flags) {
  STILLWATCH_CHECK(crypto::end_overlap(flags.secret));
  return print_ids(flags.secret);
}

}  // namespace

void add_secret(CLI::App& app, Run& run) {
  CLI::App* secret = app.add_subcommand("secret", "Backup and rotation of the deployment secret");
  secret->require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  const auto add = [&](const char* name, const char* help, base::Status (*act)(const Flags&)) {
    CLI::App* command = secret->add_subcommand(name, help);
    command->add_option("--secret", flags->secret, "File with the deployment secret")->required()->type_name("FILE");
    command->callback([flags, act, &run] {
      run = [flags, act] {
        const auto status = act(*flags);
        return status ? 0 : report_error(status.error());
      };
    });
    return command;
  };
  add("backup",
      "Copy the secret to a new file and read it back\n\n  stillwatch secret backup --secret=FILE --to=FILE\n", back_up)
      ->add_option("--to", flags->to, "New file for the copy")
      ->required()
      ->type_name("FILE");
  add("rotate",
      "Make a new secret; the one before it stays in the file for the overlap\n\n"
      "  stillwatch secret rotate --secret=FILE\n",
      rotate);
  add("end-overlap",
      "Forget the secret before the current one\n\n"
      "  stillwatch secret end-overlap --secret=FILE\n",
      end_overlap);
}

}  // namespace stillwatch::app
