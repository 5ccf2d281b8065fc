#include "sim/study/plan_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr Range<double> any_price{0.0, 1e12};
constexpr Range<double> positive_time{1e-3, 1e5};

ClusterPrice read_price(const TomlTable& table) {
  ClusterPrice price;
  const bool rented = table.has("price_per_gpu_hour");
  if (rented && table.has("capital"))
    table.fail("capital", "the candidate has two prices",
               "give price_per_gpu_hour, or capital with years and power_price_per_kwh");
  if (!rented && !table.has("capital"))
    throw InputError(table.here(), "the candidate has no price",
                     "give price_per_gpu_hour, or capital (of the whole cluster) with years and "
                     "power_price_per_kwh");
  if (rented) {
    for (const char* key : {"years", "power_price_per_kwh"})
      if (table.has(key))
        table.fail(key, fmt::format("{} belongs to capital, and the candidate is rented", key),
                   "leave it out, or give capital in place of price_per_gpu_hour");
    price.per_gpu_hour = table.number("price_per_gpu_hour", any_price);
    return price;
  }
  price.capital = table.number("capital", any_price);
  price.years = table.number("years", positive_time);
  price.power_per_kwh = table.number("power_price_per_kwh", any_price);
  return price;
}

/// Law of the uneven loads under which each answer is timed too, where the file names none: among
/// 64 experts the busiest has 1.74 times the mean. That of a model of 1B parameters and 64 experts,
/// trained with an auxiliary loss, had 1.72 times (arXiv 2408.15664, table 2: MaxVio 0.72).
constexpr double trained_concentration = 14.0;

/// Whether the file leaves the loads of experts to the defaults, which are even.
bool has_default_loads(const TomlTable& root) {
  if (!root.has("routing"))
    return true;
  const TomlTable routing = root.table("routing");
  return !routing.has("load") && !routing.has("policy") && !routing.has("uneven_concentration");
}

constexpr std::array job_keys = {"tokens", "deadline_days"};
/// Keys of a candidate that do not describe its cluster: name, prices, and the GPUs, each number of
/// which is a point.
constexpr std::array beside_cluster_keys = {"name",    "gpus",  "price_per_gpu_hour",
                                            "capital", "years", "power_price_per_kwh"};

/// The assignments of a table but for those of some keys.
template <std::size_t n>
std::string text_without(const TomlTable& table, const std::array<const char*, n>& left_out) {
  std::string text;
  for (const std::string& key : table.keys())
    if (std::find(left_out.begin(), left_out.end(), key) == left_out.end())
      text += fmt::format("{} = {}\n", key, table.any_value(key).toml);
  return text;
}

/// One `[[candidate]]`.
struct CandidateTable {
  std::string name;
  std::string topology; ///< as it is written
  ClusterPrice price;
  std::vector<ClusterInput> clusters; ///< by number of GPUs
  std::string cluster_inputs; ///< text of the values that make the cluster, but for its GPUs
};

CandidateTable read_candidate(const TomlTable& table, const fs::path& folder) {
  CandidateTable candidate;
  candidate.topology = table.text("topology");
  candidate.name = table.text_or("name", fs::path(candidate.topology).stem().string());
  if (candidate.name.empty())
    table.fail("name", "the name of a candidate is empty");
  candidate.price = read_price(table);
  candidate.clusters = parse_clusters(table, folder);
  candidate.cluster_inputs = text_without(table, beside_cluster_keys);
  std::set<std::int64_t> counts;
  for (const ClusterInput& cluster : candidate.clusters)
    if (!counts.insert(cluster.gpus).second)
      table.fail("gpus", fmt::format("{} GPUs are listed twice", cluster.gpus));
  if (!candidate.price.per_gpu_hour && candidate.clusters.size() > 1)
    table.fail("capital", "capital is the price of one cluster, and gpus lists several",
               "give each its own [[candidate]]");
  return candidate;
}

std::vector<CandidateTable> read_candidates(const TomlTable& root, const fs::path& path) {
  std::vector<CandidateTable> candidates;
  for (const TomlTable& table : root.tables("candidate")) {
    candidates.push_back(read_candidate(table, path.parent_path()));
    const auto same =
        std::count_if(candidates.begin(), candidates.end(), [&](const CandidateTable& other) {
          return other.name == candidates.back().name;
        });
    if (same > 1)
      throw InputError(table.has("name") ? table.where("name") : table.where("topology"),
                       fmt::format("two candidates are called \"{}\"", candidates.back().name),
                       "give each a name of its own, as in name = \"flat\"");
  }
  if (candidates.empty())
    throw InputError({path.string()}, "the plan has no candidate",
                     "add [[candidate]] with topology, gpus and price_per_gpu_hour");
  return candidates;
}

/// Text of the values on which the steps of all candidates depend: tokens, the deadline and
/// failures only enter after their search.
std::string shared_inputs(const TomlTable& root) {
  constexpr std::array tables = {"training", "candidate", "failures"};
  return text_without(root, tables) + "[training]\n" +
         text_without(root.table("training"), job_keys);
}

} // namespace

PlanFile read_plan_file(const fs::path& path, const std::vector<std::string>& settings) {
  TomlDocument document = TomlDocument::read(path);
  document.set("parallel.search=best"); // a plan file always searches
  for (const std::string& setting : settings)
    document.set(setting);
  if (has_default_loads(document.root()))
    document.set(fmt::format("routing.uneven_concentration={}", trained_concentration));
  const TomlTable root = document.root();
  PlanFile file;
  const std::vector<CandidateTable> candidates = read_candidates(root, path);
  const ScenarioTables tables =
      scenario_tables(root, candidates.front().clusters.front().table, path);
  file.tokens = tables.training.number("tokens", {1.0, 1e18});
  if (tables.training.has("deadline_days"))
    file.deadline_days = tables.training.number("deadline_days", positive_time);
  file.sweep.axes = {"candidate", "cluster.gpus"};
  file.sweep.row_keys = {{"candidate", {"cluster.topology"}}};
  file.sweep.columns = {"candidate", "cluster.topology", "cluster.gpus"};
  file.sweep.settings = settings;
  file.sweep.inputs = {path};
  file.sweep.answer_inputs = AnswerInputs{shared_inputs(document.root()), {}};
  ScenarioInput input = parse_tables(root, tables, candidates.front().clusters.front(), path);
  for (const CandidateTable& candidate : candidates)
    for (const ClusterInput& cluster : candidate.clusters) {
      input.cluster = cluster;
      input.tables.cluster = cluster.table;
      add_point(input, {candidate.name, candidate.topology, std::to_string(cluster.gpus)},
                file.sweep);
      file.sweep.answer_inputs->points.push_back(
          fmt::format("gpus = {}\n{}", cluster.gpus, candidate.cluster_inputs));
      file.prices.push_back(candidate.price);
    }
  return file;
}

} // namespace moesim
