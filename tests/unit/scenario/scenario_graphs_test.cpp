#include "tests/unit/scenario/scenario_text.hpp"

using namespace moesim;
using namespace moesim::scenario_tests;

namespace {

Scenario with_scope(const std::string& value) {
  return read_text(scenario, {"training.cuda_graph_scope=" + value});
}

std::vector<std::string> choices(const std::string& value) {
  std::string text = scenario;
  for (const char* fixed : {"micro_batch = 2\n", "expert = 8\n"})
    text = with(text, fixed, "");
  Settings settings = {"parallel.search=best"};
  if (!value.empty())
    settings.push_back("training.cuda_graph_scope=" + value);
  std::vector<std::string> found;
  const Scenario read = read_text(text, settings);
  for (const CudaGraphs& graphs : read.search.value().graphs)
    found.push_back(scope_text(graphs));
  return found;
}

GraphsOrigin origin(const Settings& settings) {
  return read_text(scenario, settings).graphs_origin;
}

using Texts = std::vector<std::string>;

/// Where the key of `scenario` would stand, and the error of its value.
std::string error_of(const std::string& value, const Settings& settings = {}) {
  return message_of(
      with(scenario, "micro_batch = 2", "micro_batch = 2\ncuda_graph_scope = " + value), settings,
      false);
}

} // namespace

TEST_CASE("a fixed plan has the graphs that the scenario names, and none by default") {
  CHECK(scope_text(read_text(scenario).workload.graphs) == "\"none\"");
  CHECK(scope_text(with_scope("none").workload.graphs) == "\"none\"");
  CHECK(scope_text(with_scope("full_iteration").workload.graphs) == "[\"full_iteration\"]");
  CHECK(scope_text(with_scope("[\"moe_router\", \"attn\"]").workload.graphs) ==
        "[\"attn\",\"moe_router\"]");
}

TEST_CASE("a result can tell a scope that is given from a default and from a search") {
  CHECK(origin({}) == GraphsOrigin::default_none);
  CHECK(origin({"training.cuda_graph_scope=none"}) == GraphsOrigin::given);
  CHECK(origin({"parallel.search=best"}) == GraphsOrigin::searched);
  CHECK(origin({"parallel.search=best", "training.cuda_graph_scope=none"}) == GraphsOrigin::given);
  CHECK(origin({"parallel.search=best", "training.cuda_graph_scope=[\"none\", [\"attn\"]]"}) ==
        GraphsOrigin::searched);
}

TEST_CASE("a search takes an open scope, one scope, or a list of scopes") {
  CHECK(choices("").empty());
  CHECK(choices("none") == Texts{"\"none\""});
  CHECK(choices("[\"attn\", \"mlp\"]") == Texts{"[\"attn\",\"mlp\"]"});
  CHECK(choices("[\"none\", \"full_iteration\"]") == Texts{"\"none\"", "[\"full_iteration\"]"});
  CHECK(choices("[[\"full_iteration\"], [\"attn\", \"mlp\"], [\"mlp\", \"attn\"]]") ==
        Texts{"[\"attn\",\"mlp\"]", "[\"full_iteration\"]"});
}

TEST_CASE("a scope that is not known is refused at its key") {
  const std::string hint = "\n  hint: the scopes are full_iteration, attn, moe_router, "
                           "moe_preprocess, mlp, or cuda_graph_scope = \"none\"";
  CHECK(error_of("[\"attention\"]") == "s.toml:10:20: error: there is no scope \"attention\"\n"
                                       "  cuda_graph_scope = [\"attention\"]\n"
                                       "                     ^" +
                                           hint);
  CHECK(error_of("\"full\"") == "s.toml:10:20: error: there is no scope \"full\"\n"
                                "  cuda_graph_scope = \"full\"\n"
                                "                     ^" +
                                    hint);
  CHECK(error_of("[[\"attn\"], [\"moe\"]]", {"parallel.search=best"}) ==
        "s.toml:10:20: error: there is no scope \"moe\"\n"
        "  cuda_graph_scope = [[\"attn\"], [\"moe\"]]\n"
        "                     ^" +
            hint);
  CHECK(error_of("[\"none\", []]", {"parallel.search=best"}) ==
        "s.toml:10:20: error: an empty list is no scope\n"
        "  cuda_graph_scope = [\"none\", []]\n"
        "                     ^\n"
        "  hint: write \"none\"");
  CHECK(error_of("[[\"attn\"]]") ==
        "s.toml:10:20: error: cuda_graph_scope must hold plain values, not a list\n"
        "  cuda_graph_scope = [[\"attn\"]]\n"
        "                     ^");
  CHECK(error_of("[]") ==
        "s.toml:10:20: error: cuda_graph_scope must be a list with at least one value\n"
        "  cuda_graph_scope = []\n"
        "                     ^");
}
