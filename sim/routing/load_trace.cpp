#include "sim/routing/load_trace.hpp"

#include "sim/base/input_error.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/input/json_document.hpp"
#include "sim/routing/megatron_load_trace.hpp"
#include "sim/routing/token_trace.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <regex>
#include <string>
#include <vector>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// Counts by layer, then by expert.
using Counts = std::map<std::int64_t, std::vector<double>>;

constexpr const char* known_formats =
    "known are SGLang's .csv or a folder of its expert_distribution_rank<r>_*.csv, D2-MoE's .json, "
    "Megatron-LM's folder of rank<r>.jsonl or one .jsonl, and ESFT's folder of *layer<NN>.txt";

/// The column with one of some names. Other columns of a recording are of no concern.
std::size_t column_of(const CsvTable& table, const fs::path& path,
                      const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (table.has_column(name))
      return table.column(name);
  throw InputError({path.string(), 1, 1},
                   fmt::format("a recording needs the column {}", fmt::join(names, " or ")),
                   fmt::format("this file has {}", fmt::join(table.columns(), ", ")));
}

/// Adds the counts of one file.
void add_sglang(const fs::path& path, std::int64_t experts, Counts& trace) {
  const CsvTable table = CsvTable::read(path);
  const std::size_t layers = column_of(table, path, {"layer_id", "layer"});
  const std::size_t of_expert = column_of(table, path, {"expert_id", "expert"});
  const std::size_t tokens = column_of(table, path, {"count", "tokens"});
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::int64_t expert = table.integer(row, of_expert);
    if (expert < 0 || expert >= experts)
      throw InputError(table.where(row, of_expert),
                       fmt::format("the model has no expert {}", expert),
                       fmt::format("its experts are 0 to {}", experts - 1));
    const double count = table.number(row, tokens);
    if (count < 0.0)
      throw InputError(table.where(row, tokens), "a count is below zero");
    std::vector<double>& counts = trace[table.integer(row, layers)];
    counts.resize(static_cast<std::size_t>(experts));
    counts[static_cast<std::size_t>(expert)] += count;
  }
}

Counts read_d2_moe(const fs::path& path, const ModelSpec& model) {
  const JsonObject document = JsonObject::read(path);
  Counts trace;
  for (std::size_t layer = 0; layer < model.layers.size(); ++layer) {
    const std::string key = std::to_string(layer);
    if (!document.has(key))
      continue;
    std::vector<double> counts = document.numbers(key);
    if (static_cast<std::int64_t>(counts.size()) != model.experts.experts)
      document.fail(key, fmt::format("layer {} has {} counts, the model {} experts", key,
                                     counts.size(), model.experts.experts));
    if (std::any_of(counts.begin(), counts.end(), [](double count) { return count < 0.0; }))
      document.fail(key, fmt::format("a count of layer {} is below zero", key));
    trace[static_cast<std::int64_t>(layer)] = std::move(counts);
  }
  return trace;
}

LoadTrace whole(Counts counts) {
  LoadTrace trace;
  for (auto& [layer, loads] : counts)
    trace.layers[layer] = {std::move(loads)};
  return trace;
}

/// The files of a folder, sorted by the formats that their names tell; others are ignored.
struct Recordings {
  std::map<std::int64_t, fs::path> ranks;  ///< rank<r>.jsonl, by rank
  std::map<std::int64_t, fs::path> layers; ///< *layer<NN>.txt, by layer
  std::vector<fs::path> distributions;     ///< expert_distribution_rank<r>_*.csv
};

Recordings find_recordings(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    files.push_back(entry.path());
  if (error)
    throw InputError({folder.string()}, "cannot be read: " + error.message());
  std::sort(files.begin(), files.end());
  // Nine digits fit into a 32-bit integer.
  static const std::regex rank("rank([0-9]{1,9})\\.jsonl");
  static const std::regex layer(".*layer([0-9]{1,9})\\.txt");
  static const std::regex distribution("expert_distribution_rank[0-9]+_.*\\.csv");
  Recordings found;
  for (const fs::path& file : files) {
    const std::string name = file.filename().string();
    std::smatch match;
    const auto add = [&](std::map<std::int64_t, fs::path>& to, const std::string& what) {
      const auto [before, added] = to.emplace(std::stoll(match[1]), file);
      if (!added)
        throw InputError({file.string()},
                         fmt::format("{} is of {} {} too", before->second.filename().string(), what,
                                     before->first));
    };
    if (std::regex_match(name, match, rank))
      add(found.ranks, "rank");
    else if (std::regex_match(name, match, layer))
      add(found.layers, "layer");
    else if (std::regex_match(name, distribution))
      found.distributions.push_back(file);
  }
  return found;
}

LoadTrace read_folder(const fs::path& folder, const ModelSpec& model) {
  const Recordings found = find_recordings(folder);
  const int formats = !found.ranks.empty() + !found.layers.empty() + !found.distributions.empty();
  if (formats != 1)
    throw InputError({folder.string()},
                     formats == 0 ? "holds no recording of loads that is known"
                                  : "holds recordings of more than one format",
                     known_formats);
  if (!found.ranks.empty())
    return read_megatron_load_trace(found.ranks, model);
  if (!found.layers.empty())
    return read_token_trace(found.layers, model);
  Counts counts;
  for (const fs::path& file : found.distributions)
    add_sglang(file, model.experts.experts, counts);
  return whole(std::move(counts));
}

LoadTrace read_file_or_folder(const fs::path& path, const ModelSpec& model) {
  std::error_code error; // reading the path reports the error
  if (fs::status(path, error).type() == fs::file_type::not_found)
    throw InputError({path.string()}, "there is no such file or folder");
  if (fs::is_directory(path, error))
    return read_folder(path, model);
  const std::string end = path.extension().string();
  if (end == ".jsonl")
    return read_megatron_load_trace({{0, path}}, model);
  if (end == ".json")
    return whole(read_d2_moe(path, model));
  if (end != ".csv")
    throw InputError({path.string()},
                     fmt::format("\"{}\" is no recording of loads that is known", end),
                     known_formats);
  Counts counts;
  add_sglang(path, model.experts.experts, counts);
  return whole(std::move(counts));
}

} // namespace

LoadTrace read_load_trace(const fs::path& path, const ModelSpec& model) {
  LoadTrace found = read_file_or_folder(path, model);
  LoadTrace trace;
  trace.rows = found.rows;
  for (std::size_t layer = 0; layer < model.layers.size(); ++layer) {
    if (!model.layers[layer].moe)
      continue;
    const auto number = static_cast<std::int64_t>(layer);
    std::vector<std::vector<double>>& rows = found.layers[number];
    // Readers of several rows refuse rows without tokens themselves.
    if (rows.empty() || std::accumulate(rows[0].begin(), rows[0].end(), 0.0) <= 0.0)
      throw InputError({path.string()},
                       fmt::format("has no tokens for layer {} of the model", number),
                       "layers are counted from 0, dense ones included");
    trace.layers[number] = std::move(rows);
  }
  return trace;
}

} // namespace moesim
