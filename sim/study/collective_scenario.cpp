#include "sim/study/collective_scenario.hpp"

#include "sim/cost/collective_table.hpp"
#include "sim/schedule/layer_segments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace moesim {

namespace {

constexpr Range<std::int64_t> count{1, 1'000'000'000};
constexpr Range<std::int64_t> size_range{1, std::int64_t{1} << 50};

const std::map<std::string, Collective> kinds = {
    {"all-to-all", Collective::all_to_all}, {"all-reduce", Collective::all_reduce},
    {"all-gather", Collective::all_gather}, {"reduce-scatter", Collective::reduce_scatter},
    {"dispatch", Collective::dispatch},     {"combine", Collective::combine}};

void read_algorithm(const TomlTable& table, CollectiveWork& work) {
  std::vector<std::string> choices = {"fastest"};
  if (work.kind == Collective::all_reduce)
    choices = {"fastest", "ring", "tree", "in-switch"};
  if (is_token_exchange(work.kind))
    choices = {"deepep", "hybridep"};
  if (work.kind == Collective::all_to_all)
    choices = {"flat", "hierarchical"};
  const std::string algorithm = table.choice_or("algorithm", choices, choices.front());
  work.any_algorithm = algorithm == "fastest";
  if (algorithm == "hierarchical")
    work.kind = Collective::two_phase_all_to_all;
  if (algorithm == "hybridep")
    work.kind.library = Library::hybridep;
  if (algorithm == "tree")
    work.kind = Collective::all_reduce_tree;
  if (algorithm == "in-switch")
    work.kind = Collective::all_reduce_in_switch;
}

std::vector<Bytes> read_sizes(const TomlTable& table) {
  if (!table.has("bytes"))
    table.fail("bytes", "no size is given", "as in --bytes 1M,16M,256M");
  if (!table.is_list("bytes"))
    return {Bytes{table.integer("bytes", size_range)}};
  std::vector<Bytes> sizes;
  for (const std::int64_t bytes : table.integers("bytes", size_range))
    sizes.push_back(Bytes{bytes});
  return sizes;
}

/// The bytes and the fan-out of a dispatch or combine, from the parameters of DeepEP's tests.
Bytes read_tokens(const TomlTable& table, const std::string& name, CollectiveWork& work) {
  if (table.has("bytes"))
    table.fail("bytes", fmt::format("a {} takes its bytes from its tokens", name),
               "leave it out, and set collective.tokens and collective.hidden");
  for (const char* key : {"tokens", "hidden", "experts", "experts_per_token"})
    if (!table.has(key))
      table.fail(key, fmt::format("a {} needs collective.{}", name, key),
                 "as in --set collective.tokens=4096 --set collective.hidden=7168 --set "
                 "collective.experts=256 --set collective.experts_per_token=8");
  TokenFanOut& fan_out = work.fan_out;
  fan_out.experts = table.integer("experts", count);
  fan_out.experts_per_token = table.integer("experts_per_token", {1, fan_out.experts});
  fan_out.groups = table.integer_or("groups", {1, fan_out.experts}, 1);
  fan_out.groups_per_token =
      table.integer_or("groups_per_token", {1, fan_out.groups}, fan_out.groups);
  if (fan_out.experts % fan_out.groups != 0)
    table.fail("groups", fmt::format("{} experts do not make {} equal groups", fan_out.experts,
                                     fan_out.groups));
  const std::int64_t eligible = fan_out.experts / fan_out.groups * fan_out.groups_per_token;
  if (fan_out.experts_per_token > eligible)
    table.fail("experts_per_token",
               fmt::format("{} experts a token are more than the {} of its groups",
                           fan_out.experts_per_token, eligible));
  const std::string precision = table.choice_or("precision", {"bf16", "fp8"}, "bf16");
  const std::int64_t bytes = token_bytes(table.integer("hidden", count),
                                         precision == "fp8" ? Precision::fp8 : Precision::bf16);
  return Bytes{table.integer("tokens", count) * fan_out.experts_per_token * bytes};
}

} // namespace

const std::vector<std::string>& lone_collective_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const auto& [name, kind] : kinds)
      all.push_back(name);
    return all;
  }();
  return names;
}

CollectiveScenario read_collective(const TomlDocument& document,
                                   const std::filesystem::path& folder) {
  const TomlTable root = document.root();
  const TomlTable table = root.table("collective");
  CollectiveScenario scenario;
  const std::string name = table.choice("name", lone_collective_names());
  scenario.work.kind = kinds.at(name);
  scenario.work.role = scenario.work.kind == Collective::combine ? Role::combine : Role::dispatch;
  scenario.work.group = GroupKind::expert;
  const bool fans_out = is_token_exchange(scenario.work.kind);
  if (fans_out)
    scenario.sizes = {read_tokens(table, name, scenario.work)};
  else
    scenario.sizes = read_sizes(table);
  read_algorithm(table, scenario.work);
  table.finish();
  const TomlTable cluster_table = root.table("cluster");
  const ClusterInput cluster = parse_cluster(cluster_table, folder);
  scenario.topology = resolve_cluster(cluster);
  if (cluster.gpus < 2)
    cluster_table.fail("gpus", "a collective takes 2 GPUs or more");
  if (fans_out && scenario.work.fan_out.experts % cluster.gpus != 0)
    cluster_table.fail("gpus", fmt::format("{} experts cannot be split over {} GPUs",
                                           scenario.work.fan_out.experts, cluster.gpus));
  scenario.plan.gpus = cluster.gpus;
  scenario.plan.expert = cluster.gpus;
  scenario.fidelity = parse_fidelity(root);
  root.finish();
  return scenario;
}

} // namespace moesim
