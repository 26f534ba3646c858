// `stillwatch explain`: why an account or a campaign got its verdict.
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "app/commands.h"
#include "report/report.h"

namespace stillwatch::app {

void add_explain(CLI::App& app, Run& run) {
  struct Options {
    std::string out, id;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("explain",
                                         "Why an account or a campaign got its verdict, in words and numbers\n\n"
                                         "  stillwatch explain --out=out/may acct_7f3a\n"
                                         "  stillwatch explain --out=out/may c-000012 --json\n");
  command->add_option("--out", options->out, "Folder that replay wrote")->required()->type_name("DIR");
  command->add_option("id", options->id, "Account, as in the log, or campaign, such as c-000012")
      ->required()
      ->type_name("ID");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &run] {
    run = [options] {
      const auto text = report::explain(options->out, options->id, options->json);
      if (!text) return report_error(text.error());
      if (std::fwrite(text->data(), 1, text->size(), stdout) != text->size() || std::fflush(stdout) != 0) {
        return report_error({base::Fault::environment, "cannot write to standard output"});
      }
      return 0;
    };
  });
}

}  // namespace stillwatch::app
