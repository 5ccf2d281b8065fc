#include "sim/app/commands.hpp"
#include "sim/app/run_options.hpp"
#include "sim/app/sweep_output.hpp"

#include "sim/base/input_error.hpp"
#include "sim/study/folder_lock.hpp"

#include <memory>

namespace moesim {

namespace {

namespace fs = std::filesystem;

struct MergeOptions {
  std::vector<std::string> folders;
  RunOptions run;
};

void merge_and_print(const MergeOptions& command, const AppContext& context) {
  const std::vector<fs::path> folders(command.folders.begin(), command.folders.end());
  SweepOptions options = sweep_options(command.run, context);
  const std::vector<SweepRequest> requests = read_shards(folders);
  SweepRequest request = requests.front();
  request.shard = request.shards = 1;
  options.twins = request.twins;
  const SweepPlan plan = read_sweep(request.sweep, request.settings);
  const FolderLock lock(options.folder);
  std::vector<std::unique_ptr<FolderLock>> locks; // of shards that may still run
  for (const fs::path& folder : folders) {
    if (fs::equivalent(folder, options.folder))
      throw InputError({"--out " + options.folder.string()}, "is the folder of a shard",
                       "choose another folder");
    locks.push_back(std::make_unique<FolderLock>(folder));
  }
  merge_journals(plan, options, folders, requests);
  run_and_print(plan, request, options, command.run, context);
}

} // namespace

void add_merge_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<MergeOptions>();
  CLI::App* command = app.add_subcommand(
      "merge",
      "Put the results of all shards of a sweep together: the bytes of a single run, report "
      "included. Run it where the shards were run, as it reads their sweep file again. Nothing is "
      "simulated but the few points whose links are shown. Shards of other inputs, settings or "
      "versions, missing ones and unfinished ones are refused.");
  command->add_option("folders", options->folders, "Folder of each shard")
      ->type_name("DIR...")
      ->required();
  add_output_options(*command, options->run, "sweep");
  command->callback([options, &context] { merge_and_print(*options, context); });
}

} // namespace moesim
