#include "sim/routing/load_trace.hpp"

#include "sim/base/input_error.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/input/json_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace moesim {

namespace {

/// By layer, then by expert.
using Counts = std::map<std::int64_t, std::vector<double>>;

Counts read_sglang(const std::filesystem::path& path, std::int64_t experts) {
  const CsvTable table = CsvTable::read(path);
  table.expect_columns({"layer_id", "expert_id", "count"});
  Counts trace;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::size_t column = table.column("expert_id");
    const std::int64_t expert = table.integer(row, column);
    if (expert < 0 || expert >= experts)
      throw InputError(table.where(row, column), fmt::format("the model has no expert {}", expert),
                       fmt::format("its experts are 0 to {}", experts - 1));
    const double count = table.number(row, table.column("count"));
    if (count < 0.0)
      throw InputError(table.where(row, table.column("count")), "a count is below zero");
    std::vector<double>& counts = trace[table.integer(row, table.column("layer_id"))];
    counts.resize(static_cast<std::size_t>(experts));
    counts[static_cast<std::size_t>(expert)] += count;
  }
  return trace;
}

Counts read_d2_moe(const std::filesystem::path& path, const ModelSpec& model) {
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

} // namespace

LoadTrace read_load_trace(const std::filesystem::path& path, const ModelSpec& model) {
  const std::string end = path.extension().string();
  if (end != ".csv" && end != ".json")
    throw InputError({.file = path.string(), .source_line = ""},
                     fmt::format("\"{}\" is no recording of loads that is known", end),
                     ".csv as of SGLang, .json as of D2-MoE");
  const Counts trace =
      end == ".csv" ? read_sglang(path, model.experts.experts) : read_d2_moe(path, model);
  LoadTrace found;
  for (std::size_t layer = 0; layer < model.layers.size(); ++layer) {
    if (!model.layers[layer].moe)
      continue;
    const auto number = static_cast<std::int64_t>(layer);
    const auto counts = trace.find(number);
    if (counts == trace.end() ||
        std::accumulate(counts->second.begin(), counts->second.end(), 0.0) <= 0.0)
      throw InputError({.file = path.string(), .source_line = ""},
                       fmt::format("has no tokens for layer {} of the model", number),
                       "layers are counted from 0, dense ones included");
    found.layers[number] = {counts->second};
  }
  return found;
}

} // namespace moesim
