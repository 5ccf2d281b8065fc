#include "tests/property/random_case.hpp"

#include "tests/property/case_count.hpp"

#include "sim/study/cost_library.hpp"
#include "tests/property/random_cluster.hpp"
#include "tests/support/calibration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>

namespace moesim {

namespace {

using Numbers = std::vector<std::int64_t>;

void draw_cluster(Draw& draw, RandomCase& drawn, std::int64_t gpus) {
  const auto set = [&](const std::string& key, const auto& value) {
    drawn.settings.push_back(fmt::format("cluster.{}={}", key, value));
  };
  const std::string topology = draw.one_of<std::string>(
      {"hgx-h100-ndr400", "hgx-a100-hdr200", "ethernet-100g", "nvlink-only"});
  set("topology", fmt::format("\"../../topologies/{}.toml\"", topology));
  set("gpus", gpus);
  if (topology == "nvlink-only")
    return;
  set("nodes_per_leaf", draw.one_of<std::int64_t>({1, 2, 3, 4, 8, 32}));
  set("oversubscription", draw.one_of<double>({1.0, 1.5, 2.0, 4.0}));
  if (draw.one_in(3))
    set("nics", draw.one_of<std::int64_t>({1, 2, 4, 8}));
  if (draw.one_in(4))
    set("scale_up_gpus", draw.one_of<std::int64_t>({4, 8, 16, 32}));
}

struct Split {
  std::int64_t pipeline = 1;
  std::int64_t tensor = 1;
  std::int64_t context = 1;
  std::int64_t expert = 1;
  std::int64_t expert_tensor = 1;
  std::int64_t layers = 1;
  std::int64_t micro_batches = 1;
};

Split draw_split(Draw& draw, const std::string& workload) {
  Split split;
  split.pipeline = draw.one_of<std::int64_t>({1, 1, 2, 4});
  split.tensor = draw.one_of<std::int64_t>({1, 1, 2, 4});
  split.context = draw.one_of<std::int64_t>({1, 1, 1, 2, 4});
  if (workload != "llama-2-70b") {
    split.expert = draw.one_of<std::int64_t>({1, 2, 3, 4, 6, 8, 8, 12, 16, 24, 32});
    split.expert_tensor = draw.one_of<std::int64_t>({1, 1, 1, 2});
  }
  split.micro_batches = draw.one_of<std::int64_t>({1, 2, 3, 4});
  // DeepSeek's first three layers are dense.
  split.layers = workload == "deepseek-v3" ? 4 : draw.one_of<std::int64_t>({2, 3, 4});
  return split;
}

/// Appends settings to a case.
class Settings {
public:
  explicit Settings(RandomCase& drawn) : drawn_(drawn) {}
  template <typename T> void operator()(const std::string& key, const T& value) {
    drawn_.settings.push_back(fmt::format("{}={}", key, value));
  }

private:
  RandomCase& drawn_;
};

void draw_recompute(Draw& draw, Settings& set) {
  const std::string recompute = draw.one_of<std::string>({"\"none\"", "\"selective\"", "\"full\""});
  set("parallel.recompute", recompute);
  if (recompute == "\"selective\"" && draw.one_in(2)) {
    const std::vector<std::string> names = names_of(recompute_module_names);
    set("parallel.recompute_modules",
        fmt::format("[\"{}\", \"{}\"]", draw.one_of(names), draw.one_of(names)));
  }
}

void draw_communication(Draw& draw, Settings& set) {
  set("communication.overlap", draw.one_of<std::string>({"\"none\"", "\"shared-expert\""}));
  set("communication.dispatch_precision", draw.one_of<std::string>({"\"bf16\"", "\"fp8\""}));
  set("communication.overlap_data_parallel", draw.one_in(2));
  set("communication.overlap_tensor", draw.one_in(2));
}

/// Last, so that it may overrule the batch and the overlap that are drawn before.
void draw_schedule(Draw& draw, Settings& set, const Split& split, std::int64_t sequences) {
  const auto overlap_some_batches = [&] {
    if (split.expert > 1 && draw.one_in(2))
      set("communication.overlap", "\"batch\"");
  };
  if (split.pipeline == 1)
    return overlap_some_batches();
  const bool can_interleave =
      split.layers >= 2 * split.pipeline && split.micro_batches % split.pipeline == 0;
  if (can_interleave && draw.one_in(2)) {
    set("parallel.schedule", "\"interleaved\"");
    set("parallel.virtual_stages", 2);
    overlap_some_batches();
  } else if (draw.one_in(2)) {
    set("parallel.schedule", "\"zero-bubble\"");
    set("parallel.virtual_stages", split.layers >= 2 * split.pipeline && draw.one_in(2) ? 2 : 1);
  } else if (split.pipeline == 2 && draw.one_in(2)) {
    set("parallel.schedule", "\"dualpipe\"");
    set("training.global_batch", sequences * 4); // the fewest micro-batches that it can run
    overlap_some_batches();
  }
}

void draw_plan(Draw& draw, RandomCase& drawn, const Split& split, std::int64_t gpus) {
  Settings set(drawn);
  set("model.layers", split.layers);
  if (draw.one_in(4))
    set("model.mtp_layers", 1);
  // Whole groups of DeepSeek's eight.
  if (drawn.workload != "llama-2-70b")
    set("model.experts", std::lcm(split.expert, 8) * draw.one_of<std::int64_t>({1, 2}));
  set("parallel.pipeline", split.pipeline);
  set("parallel.tensor", split.tensor);
  set("parallel.context", split.context);
  set("parallel.expert", split.expert);
  set("parallel.expert_tensor", split.expert_tensor);
  set("parallel.zero_stage", draw.one_of<std::int64_t>({0, 1, 2, 3}));
  draw_recompute(draw, set);
  set("training.sequence_length", draw.one_of<std::int64_t>({512, 1024, 4096}));
  const std::int64_t data = gpus / (split.tensor * split.context * split.pipeline);
  const std::int64_t micro_batch = draw.one_of<std::int64_t>({1, 1, 2});
  set("training.micro_batch", micro_batch);
  set("training.global_batch", std::max<std::int64_t>(1, data * split.micro_batches * micro_batch));
  if (draw.one_in(4))
    set("training.cuda_graph_scope", "\"none\"");
  draw_communication(draw, set);
  draw_schedule(draw, set, split, data * micro_batch);
}

std::optional<RandomCase> draw_case(std::uint64_t seed, const CaseLimits& limits) {
  Draw draw(seed);
  const std::int64_t gpus = draw.one_of(limits.gpus);
  RandomCase drawn{
      seed,
      draw.one_of<std::string>({"mixtral-8x7b", "deepseek-v3", "qwen3-30b-a3b", "llama-2-70b"}),
      {}};
  draw_cluster(draw, drawn, gpus);
  const Split split = draw_split(draw, drawn.workload);
  draw_plan(draw, drawn, split, gpus);
  if (gpus * split.expert * split.layers * split.micro_batches > limits.pair_messages_max)
    return std::nullopt;
  try {
    scenario_of(drawn);
  } catch (const InputError&) {
    return std::nullopt; // a split that does not divide
  }
  return drawn;
}

} // namespace

std::string RandomCase::text() const {
  return fmt::format("seed {}: {} {}", seed, workload, fmt::join(settings, " "));
}

std::vector<RandomCase> random_cases(std::uint64_t seed, std::size_t count,
                                     const CaseLimits& limits) {
  std::vector<RandomCase> found;
  for (; found.size() < cases(count); ++seed)
    if (auto drawn = draw_case(seed, limits))
      found.push_back(std::move(*drawn));
  return found;
}

ScenarioInput input_of(const RandomCase& drawn) {
  const std::filesystem::path workloads = std::filesystem::path(MOESIM_SOURCE_DIR) / "workloads";
  return parse_scenario(workloads / drawn.workload / "scenario.toml", drawn.settings);
}

Scenario scenario_of(const RandomCase& drawn) {
  return resolve_scenario(input_of(drawn));
}

const Costs& costs_of(const Scenario& scenario) {
  static CostLibrary library(calibration_folder);
  return library.of(scenario.topology, scenario.workload.training);
}

} // namespace moesim
