#include "sim/study/sweep_merge.hpp"

#include "sim/base/input_error.hpp"
#include "sim/base/output_file.hpp"
#include "sim/input/file_text.hpp"
#include "sim/study/sweep_run.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <map>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr const char* request_file = "shard.json";

SweepRequest read_request(const fs::path& folder) {
  const fs::path path = folder / request_file;
  if (std::error_code error; !fs::exists(path, error))
    throw InputError({folder.string()}, "holds no shard that has ended",
                     "run `moesim sweep … --shard I/N --out` on this folder to its end");
  try {
    const nlohmann::json read = nlohmann::json::parse(read_file(path));
    SweepRequest request{read.at("sweep"), read.at("settings"), read.at("twins"), read.at("shard"),
                         read.at("shards")};
    if (request.shards >= 1 && request.shard >= 1 && request.shard <= request.shards)
      return request;
  } catch (const nlohmann::json::exception&) { // refused below
  }
  throw InputError({path.string()}, "is not what a shard of a sweep writes",
                   "run the shard again on this folder; its results are kept");
}

/// How a shard's question differs from that of the first; "" if it does not.
std::string difference(const SweepRequest& first, const SweepRequest& other) {
  if (first.sweep != other.sweep)
    return fmt::format("its sweep file is {}, not {}", other.sweep, first.sweep);
  if (first.settings != other.settings)
    return fmt::format("its settings are \"{}\", not \"{}\"", fmt::join(other.settings, " "),
                       fmt::join(first.settings, " "));
  if (first.twins != other.twins)
    return fmt::format("it ran {} --no-twins", other.twins ? "without" : "with");
  if (first.shards != other.shards)
    return fmt::format("it is one of {} shards, not of {}", other.shards, first.shards);
  return "";
}

SweepOptions options_of(const SweepOptions& options, const fs::path& folder,
                        const SweepRequest& request) {
  SweepOptions of = options;
  of.folder = folder;
  of.shard = request.shard;
  of.shards = request.shards;
  return of;
}

using Answers = std::map<std::string, std::string>; // by task

/// Adds the answers of a shard to those of the whole.
void add_answers(const SweepPlan& plan, const SweepOptions& options, Answers& whole) {
  const std::string name = fmt::format("shard {}/{}", options.shard, options.shards);
  try {
    SweepJournal journal(options.folder, sweep_identity(plan, options),
                         SweepJournal::OnOther::refuse);
    const std::vector<std::string> left = SweepRun(plan, options, journal).unfinished();
    if (!left.empty())
      throw InputError({options.folder.string()},
                       fmt::format("{} is not finished: {} of its tasks have no answer, as {}",
                                   name, left.size(), left.front()),
                       "run this shard again on its folder; it goes on where it stopped");
    for (const auto& [task, answer] : journal.answers())
      if (whole.emplace(task, answer).first->second != answer)
        journal.refuse(task, fmt::format("another shard has another answer of {}", task));
  } catch (const InputError& error) {
    if (error.message().find("belongs to another") == std::string::npos)
      throw;
    throw InputError(error.where(), fmt::format("{} {}", name, error.message()),
                     "merge shards of the inputs, the settings and the version that are here now");
  }
}

} // namespace

void write_request(const fs::path& folder, const SweepRequest& request) {
  const nlohmann::ordered_json written = {{"sweep", request.sweep},
                                          {"settings", request.settings},
                                          {"twins", request.twins},
                                          {"shard", request.shard},
                                          {"shards", request.shards}};
  write_file(folder / request_file,
             written.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

std::vector<SweepRequest> read_shards(const std::vector<fs::path>& folders) {
  std::vector<SweepRequest> requests;
  std::vector<std::size_t> folder_of; // by shard, from 1; 0 is none
  for (const fs::path& folder : folders) {
    const SweepRequest& request = requests.emplace_back(read_request(folder));
    const std::string other = difference(requests.front(), request);
    if (!other.empty())
      throw InputError({folder.string()}, fmt::format("belongs to another sweep than {}: {}",
                                                      folders.front().string(), other));
    folder_of.resize(request.shards + 1);
    std::size_t& place = folder_of[request.shard];
    if (place != 0)
      throw InputError({folder.string()},
                       fmt::format("is shard {}/{}, as {} is", request.shard, request.shards,
                                   folders[place - 1].string()),
                       "name each shard once");
    place = requests.size();
  }
  for (std::size_t shard = 1; shard < folder_of.size(); ++shard)
    if (folder_of[shard] == 0)
      throw InputError({"moesim merge"},
                       fmt::format("shard {}/{} is missing", shard, folder_of.size() - 1),
                       "name the folders of all shards");
  return requests;
}

void merge_journals(const SweepPlan& plan, const SweepOptions& options,
                    const std::vector<fs::path>& folders,
                    const std::vector<SweepRequest>& requests) {
  Answers answers;
  for (std::size_t i = 0; i < folders.size(); ++i)
    add_answers(plan, options_of(options, folders[i], requests[i]), answers);
  SweepJournal whole(options.folder, sweep_identity(plan, options),
                     options.restart ? SweepJournal::OnOther::replace
                                     : SweepJournal::OnOther::refuse);
  for (const auto& [task, answer] : answers)
    if (!whole.find(task))
      whole.add(task, answer);
}

} // namespace moesim
