#include "sim/study/config_plan.hpp"

#include "sim/base/input_error.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// The topology file of a cluster: a path as it is, a name in the folder of the shipped ones.
fs::path topology_file(const std::string& cluster, const fs::path& topologies) {
  if (fs::exists(cluster))
    return fs::weakly_canonical(cluster);
  const fs::path shipped = topologies / (cluster + ".toml");
  if (fs::exists(shipped))
    return fs::weakly_canonical(shipped);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(topologies))
    if (entry.path().extension() == ".toml")
      names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  const std::string nearest = suggest_name(cluster, names);
  throw InputError({"--cluster " + cluster}, "no shipped cluster has this name, and no file",
                   nearest.empty() ? fmt::format("known: {}", fmt::join(names, ", ")) : nearest);
}

/// A text in quotes: JSON escapes as TOML does.
std::string quoted(const fs::path& path) {
  return nlohmann::json(path.string()).dump();
}

} // namespace

std::string config_plan_text(const ConfigPlan& plan, const fs::path& topologies) {
  const std::size_t prices = plan.prices_per_gpu_hour.size();
  if (prices != 1 && prices != plan.clusters.size())
    throw InputError({"--price-per-gpu-hour"},
                     fmt::format("{} prices for {} clusters", prices, plan.clusters.size()),
                     "give one for all, or one for each --cluster, in their order");
  std::string text = fmt::format("[model]\nconfig = {}\n\n[training]\ntokens = {:.9g}\n",
                                 quoted(fs::weakly_canonical(plan.config)), plan.tokens);
  if (plan.deadline_days)
    text += fmt::format("deadline_days = {:.9g}\n", *plan.deadline_days);
  text += fmt::format("sequence_length = {}\nglobal_batch_tokens = {}\n", plan.sequence_length,
                      plan.global_batch_tokens);
  for (std::size_t i = 0; i < plan.clusters.size(); ++i)
    text +=
        fmt::format("\n[[candidate]]\ntopology = {}\ngpus = [{}]\nprice_per_gpu_hour = {:.9g}\n",
                    quoted(topology_file(plan.clusters[i], topologies)), fmt::join(plan.gpus, ", "),
                    plan.prices_per_gpu_hour[prices == 1 ? 0 : i]);
  return text;
}

} // namespace moesim
