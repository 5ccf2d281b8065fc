#include "tests/tidy/source_files.hpp"

#include <catch2/catch.hpp>

#include <regex>

/// The recipes of ARCHITECTURE.md: for each, a thing that was added by it, and the files of the
/// program that know this thing.
namespace {

using namespace moesim::tidy;

struct Recipe {
  std::string name;                ///< in bold in ARCHITECTURE.md, before its number of files
  std::string example;             ///< a pattern of the words that stand for the thing
  std::set<std::string> files;     ///< that a new one changes or adds
  std::set<std::string> uses = {}; ///< that a new one needs no like of: they choose the example
};

/// In the order of ARCHITECTURE.md. `recipe_test.cpp` of the model tests adds a GPU and a pipeline
/// schedule.
const std::vector<Recipe> recipes = {
    {"a source of loads",
     "hot_expert|hot-expert",
     {"sim/routing/load_shares.cpp", "sim/scenario/routing_input.cpp",
      "sim/workload/routing_spec.hpp"}},
    {"a rule of placement",
     "\\bround_robin\\b",
     {"sim/routing/placement.cpp", "sim/workload/routing_spec.hpp"}},
    {"what holds a router together",
     "\\bz_loss\\b",
     {"sim/routing/router_training.cpp", "sim/workload/routing_spec.hpp"}},
    {"a key of a scenario",
     "fp32_moments",
     {"sim/scenario/scenario_input.cpp", "sim/study/dense_twin.cpp",
      "sim/workload/parallel_plan.hpp"}},
    {"a model family", "qwen3_moe", {}}, // a file of workloads/families alone
    {"a kernel", "memory_bound\\(KernelPart::router", {"sim/schedule/block_kernels.cpp"}},
    {"a cost table",
     "read_attention_table",
     {"sim/cost/compute_tables.cpp", "sim/cost/compute_tables.hpp", "sim/cost/device_grids.cpp"},
     {"sim/cost/lent_tables.cpp"}},
    {"a collective",
     "\\bhybrid_combine\\b",
     {"sim/cost/collective_table.cpp", "sim/workload/collective.hpp"}},
    {"a load model",
     "group_links|group_link_traffic|GroupLinkTraffic",
     {"sim/replay/folding.hpp", "sim/replay/group_link_traffic.cpp",
      "sim/replay/group_link_traffic.hpp", "sim/replay/traffic_model.cpp"},
     {"sim/replay/step_layout.cpp", "sim/search/lone_communications.cpp"}},
    {"a fabric",
     "dragonfly",
     {"sim/platform/cluster_graph.cpp", "sim/platform/cluster_graph.hpp",
      "sim/platform/fabric_direct.cpp", "sim/platform/fabric_spec.cpp", "sim/platform/topology.cpp",
      "sim/platform/topology_spec.hpp"}},
    {"a class of links",
     "\\bfabric_link\\b",
     {"sim/platform/link_kind.hpp"},
     {"sim/platform/explicit_graph.cpp"}},
    {"a format to import",
     "nvidia_smi_topo|nvidia-smi-topo",
     {"sim/app/import_command.cpp", "sim/importer/imported_topology.hpp",
      "sim/importer/nvidia_smi_topo.cpp"}},
    {"an argument of Megatron",
     "moe-router-topk",
     {"sim/importer/megatron_arguments.txt", "sim/importer/megatron_model.cpp"}},
    {"a pipeline schedule",
     "\\bdual_pipe\\b",
     {"sim/workload/schedule.hpp", "sim/workload/schedule_dual_pipe.cpp"}},
    {"a result column",
     "moe_tax_percent",
     {"sim/metrics/step_result.cpp", "sim/metrics/step_result.hpp", "sim/study/simulate.cpp"}},
    {"a chart",
     "the step change while the router is trained",
     {"reports/charts/9_training.vl.json"}},
    {"a command",
     "add_collective_command",
     {"sim/app/collective_command.cpp", "sim/app/commands.hpp", "sim/app/main.cpp"}},
};

/// Whether a file of the program has the pattern outside comments.
bool knows(const SourceFile& file, const std::regex& pattern) {
  return std::any_of(file.lines.begin(), file.lines.end(), [&](const std::string& line) {
    return std::regex_search(file.is_cpp() ? line.substr(0, line.find("//")) : line, pattern);
  });
}

} // namespace

TEST_CASE("a recipe's example is in the files that the recipe counts, and in no others") {
  const std::vector<SourceFile> files = read_project();
  for (const Recipe& recipe : recipes) {
    INFO(recipe.name);
    std::set<std::string> found;
    for (const SourceFile& file : files)
      if ((file.is_in("sim/") || file.is_in("reports/")) && !file.is_cmake() &&
          knows(file, std::regex(recipe.example)))
        found.insert(file.path);
    std::set<std::string> expected = recipe.files;
    expected.insert(recipe.uses.begin(), recipe.uses.end());
    CHECK(found == expected);
  }
}

TEST_CASE("ARCHITECTURE.md says how many files each recipe takes") {
  const std::string text = read(source_dir / "ARCHITECTURE.md").text;
  for (const Recipe& recipe : recipes) {
    const std::size_t files = recipe.files.size();
    INFO(recipe.name << " " << files);
    CHECK(text.find("**" + recipe.name + "** (" + std::to_string(files) +
                    (files == 1 ? " file)" : " files)")) != std::string::npos);
  }
  // No recipe is without a number, and only a GPU needs no source file.
  const std::regex counted("\\*\\*([^*]+)\\*\\* \\((\\d) files?\\)");
  const std::size_t start = text.find("## Where do I add");
  std::set<std::string> named;
  for (std::sregex_iterator
           match(text.begin() + static_cast<std::ptrdiff_t>(start), text.end(), counted),
       end;
       match != end; ++match)
    named.insert((*match)[1]);
  std::set<std::string> known = {"a GPU"};
  for (const Recipe& recipe : recipes)
    known.insert(recipe.name);
  CHECK(named == known);
}
