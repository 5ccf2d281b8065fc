#include "sim/study/sweep_plan.hpp"

#include "sim/base/input_error.hpp"
#include "sim/input/file_text.hpp"

#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace moesim;

namespace {

const std::string scenario_line =
    fmt::format("scenario = \"{}/workloads/mixtral-8x7b/scenario.toml\"\n", MOESIM_SOURCE_DIR);

/// The sweep that a text below the line of the scenario describes.
SweepPlan plan_of(const std::string& text, const std::vector<std::string>& settings = {}) {
  const TemporaryFolder folder;
  return read_sweep(folder.write("s.toml", scenario_line + text), settings);
}

/// The message that refuses such a sweep, without the name of its folder.
std::string refusal(const std::string& text, const std::vector<std::string>& settings = {}) {
  const TemporaryFolder folder;
  try {
    read_sweep(folder.write("s.toml", scenario_line + text), settings);
  } catch (const InputError& error) {
    std::string message = error.what();
    const std::string path = folder.path().string() + "/";
    for (std::size_t at = message.find(path); at != std::string::npos; at = message.find(path))
      message.erase(at, path.size());
    return message;
  }
  return "";
}

using Cells = std::vector<std::string>;

} // namespace

TEST_CASE("a value of an axis may be a list") {
  const SweepPlan plan = plan_of("[set]\nmodel.layers = 4\nparallel.pipeline = 2\n"
                                 "[axes]\nparallel.layers_per_stage = [[2, 2], [1, 3]]\n");
  REQUIRE(plan.points.size() == 2);
  CHECK(plan.points[0].values == Cells{"[2, 2]"});
  CHECK(plan.points[1].values == Cells{"[1, 3]"});
  CHECK(plan.points[1].scenario->workload.plan.layers_per_stage == std::vector<std::int64_t>{1, 3});
}

TEST_CASE("a value of an axis may be a list of tables, and an empty one") {
  const SweepPlan plan = plan_of("[axes]\ncluster.fault = [[], [{rail = 1, capacity_share = 0.5}, "
                                 "{nic = \"Node[0].Nic[2]\"}]]\n");
  REQUIRE(plan.points.size() == 2);
  CHECK(plan.points[0].values == Cells{"[]"});
  CHECK(plan.points[0].scenario->topology.faults.empty());
  CHECK(plan.points[1].values ==
        Cells{"[{capacity_share = 0.5, rail = 1}, {nic = \"Node[0].Nic[2]\"}]"});
  CHECK(plan.points[1].scenario->topology.faults.at(1).name == "Node[0].Nic[2]");
}

TEST_CASE("[set] takes lists and lists of tables") {
  const SweepPlan plan = plan_of("[set]\nmodel.layers = 4\nparallel.pipeline = 2\n"
                                 "parallel.layers_per_stage = [1, 3]\n"
                                 "cluster.fault = [{rail = 1}]\n"
                                 "[axes]\nmodel.experts = [8]\n");
  CHECK(plan.points[0].scenario->workload.plan.layers_per_stage == std::vector<std::int64_t>{1, 3});
  CHECK(plan.points[0].scenario->topology.faults.at(0).rail == 1);
}

TEST_CASE("a string of an axis stays a string, whatever it looks like") {
  CHECK(refusal("[axes]\ncluster.gpus = [64, \"128\"]\n") ==
        "s.toml:3:21: error: gpus must be a whole number, not a string\n"
        "  cluster.gpus = [64, \"128\"]\n"
        "                      ^");
}

TEST_CASE("rows set several keys at once and show their name") {
  const SweepPlan plan = plan_of("[axes]\nmodel.experts = [8, 16]\n"
                                 "[[rows.machine]]\nname = \"small\"\ncluster.gpus = 64\n"
                                 "cluster.nic_gbit_per_s = 100\n"
                                 "[[rows.machine]]\nname = \"large\"\ncluster.gpus = 128\n"
                                 "parallel.recompute = \"full\"\n");
  CHECK(plan.axes == Cells{"model.experts", "machine"});
  CHECK(plan.columns == Cells{"model.experts", "machine", "cluster.gpus", "cluster.nic_gbit_per_s",
                              "parallel.recompute"});
  CHECK(plan.row_keys.at("machine") ==
        Cells{"cluster.gpus", "cluster.nic_gbit_per_s", "parallel.recompute"});
  REQUIRE(plan.points.size() == 4);
  // A key that a row leaves out is the scenario's own: its cell is empty.
  CHECK(plan.points[0].values == Cells{"8", "small", "64", "100", ""});
  CHECK(plan.points[1].values == Cells{"8", "large", "128", "", "full"});
  CHECK(plan.points[2].values == Cells{"16", "small", "64", "100", ""});
  CHECK(plan.points[0].scenario->topology.node.nic == gbit_per_s(100));
  CHECK(plan.points[1].scenario->topology.node.nic == gbit_per_s(400));
  CHECK(plan.points[1].scenario->workload.plan.recompute == Recompute::full);
}

TEST_CASE("rows without names are numbered, and stand where the file has them") {
  const SweepPlan plan = plan_of("[[rows.split]]\nparallel.tensor = 2\n"
                                 "[[rows.split]]\nparallel.tensor = 4\n"
                                 "[axes]\ncluster.gpus = [64, 128]\n");
  CHECK(plan.axes == Cells{"split", "cluster.gpus"});
  REQUIRE(plan.points.size() == 4);
  CHECK(plan.points[1].values == Cells{"1", "2", "128"});
  CHECK(plan.points[2].values == Cells{"2", "4", "64"});
}

TEST_CASE("paths in [set] and in rows are relative to the sweep file") {
  const TemporaryFolder folder;
  std::filesystem::copy_file(std::string(MOESIM_SOURCE_DIR) + "/topologies/nvlink-only.toml",
                             folder.path() / "mine.toml");
  for (const char* text :
       {"[set]\ncluster.topology = \"mine.toml\"\n[axes]\ncluster.gpus = [128]\n",
        "[[rows.machine]]\ncluster.topology = \"mine.toml\"\n"}) {
    const SweepPlan plan = read_sweep(folder.write("s.toml", scenario_line + text), {});
    CHECK(plan.points[0].scenario->topology.name == "mine");
  }
}

TEST_CASE("the example of SWEEP.md is a sweep of twelve legal points") {
  const std::filesystem::path shipped = MOESIM_SOURCE_DIR;
  const TemporaryFolder folder;
  std::filesystem::create_directory_symlink(shipped / "topologies", folder.path() / "topologies");
  std::filesystem::create_directories(folder.path() / "workloads/mine");
  for (const char* file : {"scenario.toml", "config.json"})
    std::filesystem::copy_file(shipped / "workloads/mixtral-8x7b" / file,
                               folder.path() / "workloads/mine" / file);
  const std::string page = read_file(shipped / "workloads/SWEEP.md");
  const std::size_t begin = page.find("```toml\n") + 8;
  const auto path = folder.write("workloads/mine/sweep.toml",
                                 page.substr(begin, page.find("```", begin) - begin));
  const SweepPlan plan = read_sweep(path, {});
  CHECK(plan.points.size() == 12); // 3 x 2 x 2
  for (const SweepPoint& point : plan.points)
    CHECK(point.illegal_reason.empty());
}

TEST_CASE("a sweep file with a wrong key is refused at the key") {
  CHECK(refusal("[axis]\ncluster.gpus = [64]\n") == "s.toml:2:2: error: unknown key \"axis\"\n"
                                                    "  [axis]\n"
                                                    "   ^\n"
                                                    "  hint: did you mean \"axes\"?");
  CHECK(refusal("[axes]\ncluster.gpsu = [64]\n") ==
        "s.toml:3:9: error: unknown key \"gpsu\" in [cluster]\n"
        "  cluster.gpsu = [64]\n"
        "          ^\n"
        "  hint: did you mean \"gpus\"?");
  CHECK(refusal("[set]\nclaster.gpus = 64\n[axes]\nmodel.layers = [4]\n") ==
        "s.toml:3:1: error: unknown key \"claster\"\n"
        "  claster.gpus = 64\n"
        "  ^\n"
        "  hint: did you mean \"cluster\"?");
  CHECK(refusal("[axes]\ngpus = [64]\n") ==
        "s.toml:3:1: error: unknown key \"gpus\" in [axes]\n"
        "  gpus = [64]\n"
        "  ^\n"
        "  hint: a key of the scenario has its table before it, as in cluster.gpus");
  CHECK(refusal("[[rows.machine]]\nnam = \"small\"\ncluster.gpus = 8\n") ==
        "s.toml:3:1: error: unknown key \"nam\" in [[rows.machine]]\n"
        "  nam = \"small\"\n"
        "  ^\n"
        "  hint: did you mean \"name\"?");
}

TEST_CASE("a key that is given twice is refused") {
  const std::string hint = "\n  hint: a key is fixed in [set] or varies in one axis";
  CHECK(refusal("[axes]\ncluster.gpus = [64]\n\"cluster.gpus\" = [8]\n") ==
        "s.toml:4:1: error: cluster.gpus is in [axes] already, in line 3\n"
        "  \"cluster.gpus\" = [8]\n"
        "  ^" +
            hint);
  CHECK(refusal("[set]\ncluster.gpus = 64\n[axes]\ncluster.gpus = [8]\n") ==
        "s.toml:5:9: error: cluster.gpus is in [set] already, in line 3\n"
        "  cluster.gpus = [8]\n"
        "          ^" +
            hint);
  CHECK(refusal("[[rows.a]]\ncluster.gpus = 8\n[[rows.b]]\ncluster.gpus = 16\n") ==
        "s.toml:5:9: error: cluster.gpus is in [[rows.a]] already, in line 3\n"
        "  cluster.gpus = 16\n"
        "          ^" +
            hint);
  CHECK(refusal("[[rows.a]]\ncluster.gpus = 8\n\"cluster.gpus\" = 16\n") ==
        "s.toml:4:1: error: cluster.gpus is in [[rows.a]] already, in line 3\n"
        "  \"cluster.gpus\" = 16\n"
        "  ^" +
            hint);
  CHECK(refusal("[axes]\ncluster.gpus = [64]\n", {"cluster.gpus=8"}) ==
        "--set cluster.gpus=8:1:1: error: cluster.gpus varies in this sweep\n"
        "  cluster.gpus=8\n"
        "  ^\n"
        "  hint: change its values in s.toml");
}

TEST_CASE("a value of a wrong type is refused at its place in the sweep file") {
  CHECK(refusal("[axes]\ncluster.gpus = [\n  64,\n  true,\n]\n") ==
        "s.toml:5:3: error: gpus must be a whole number, not true or false\n"
        "    true,\n"
        "    ^");
  CHECK(refusal("[set]\ncluster.gpus = \"all\"\n[axes]\nmodel.layers = [4]\n") ==
        "s.toml:3:16: error: gpus must be a whole number, not a string\n"
        "  cluster.gpus = \"all\"\n"
        "                 ^");
  CHECK(refusal("[[rows.a]]\nparallel.schedule = \"1f1\"\n") ==
        "s.toml:3:21: error: \"1f1\" is not one of 1f1b, interleaved, zero-bubble, dualpipe\n"
        "  parallel.schedule = \"1f1\"\n"
        "                      ^\n"
        "  hint: did you mean \"1f1b\"?");
  CHECK(refusal("[axes]\nparallel.layers_per_stage = [8, 8]\n") ==
        "s.toml:3:30: error: layers_per_stage must be a list, not a whole number\n"
        "  parallel.layers_per_stage = [8, 8]\n"
        "                               ^");
}

TEST_CASE("an axis has a list of values") {
  CHECK(refusal("[axes]\ncluster.gpus = 64\n") ==
        "s.toml:3:16: error: cluster.gpus must have a list of values\n"
        "  cluster.gpus = 64\n"
        "                 ^\n"
        "  hint: a value for all points stands in [set]");
  CHECK(refusal("[axes]\ncluster.gpus = []\n") ==
        "s.toml:3:16: error: gpus must be a list with at least one value\n"
        "  cluster.gpus = []\n"
        "                 ^");
  CHECK(refusal("[set]\nmodel.layers = 4\n") ==
        "s.toml: error: the sweep has no axis\n"
        "  hint: add [axes] with a key and a list of its values, as in cluster.gpus = [64, 128]");
}

TEST_CASE("rows have a name of their own, and each a name or none of them") {
  CHECK(refusal("[[rows]]\ncluster.gpus = 8\n") ==
        "s.toml:2:1: error: rows must have a name\n"
        "  [[rows]]\n"
        "  ^\n"
        "  hint: write [[rows.NAME]]; NAME is their column");
  CHECK(refusal("[rows]\nmachine = 3\n") ==
        "s.toml:3:11: error: machine must be an array of tables, not a whole number\n"
        "  machine = 3\n"
        "            ^\n"
        "  hint: write [[rows.machine]]");
  CHECK(refusal("[[rows.status]]\ncluster.gpus = 8\n") ==
        "s.toml:2:8: error: \"status\" is a column of the results\n"
        "  [[rows.status]]\n"
        "         ^\n"
        "  hint: choose another name");
  CHECK(refusal("[[rows.\"a.b\"]]\ncluster.gpus = 8\n") ==
        "s.toml:2:8: error: the name of rows \"a.b\" holds a dot\n"
        "  [[rows.\"a.b\"]]\n"
        "         ^\n"
        "  hint: choose another name");
  CHECK(refusal("[[rows.a]]\nname = \"x\"\ncluster.gpus = 8\n[[rows.a]]\ncluster.gpus = 16\n") ==
        "s.toml:5:1: error: not every row of [[rows.a]] has a name\n"
        "  [[rows.a]]\n"
        "  ^\n"
        "  hint: give all of them a name, or none");
  CHECK(refusal("[[rows.a]]\nname = \"x\"\ncluster.gpus = 8\n"
                "[[rows.a]]\nname = \"x\"\ncluster.gpus = 16\n") ==
        "s.toml:6:8: error: another row of [[rows.a]] has the name \"x\"\n"
        "  name = \"x\"\n"
        "         ^");
  CHECK(refusal("[[rows.a]]\nname = \"x\"\n") ==
        "s.toml:2:1: error: this row of [[rows.a]] sets no key\n"
        "  [[rows.a]]\n"
        "  ^");
  CHECK(refusal("[[rows.a]]\nname = 3\ncluster.gpus = 8\n") ==
        "s.toml:3:8: error: name must be a string, not a whole number\n"
        "  name = 3\n"
        "         ^");
}

TEST_CASE("a file that is not there is refused where the sweep names it") {
  CHECK(refusal("[axes]\ncluster.topology = [\"none.toml\"]\n") ==
        "s.toml:3:21: error: there is no file none.toml\n"
        "  cluster.topology = [\"none.toml\"]\n"
        "                      ^");
  const TemporaryFolder folder;
  const auto path = folder.write("s.toml", "scenario = \"none.toml\"\n");
  CHECK_THROWS_WITH(read_sweep(path, {}),
                    fmt::format("{0}/s.toml:1:12: error: there is no file {0}/none.toml\n"
                                "  scenario = \"none.toml\"\n"
                                "             ^",
                                folder.path().string()));
}

TEST_CASE("a sweep without a scenario is refused") {
  const TemporaryFolder folder;
  const auto path = folder.write("s.toml", "[axes]\ncluster.gpus = [8]\n");
  CHECK_THROWS_WITH(read_sweep(path, {}),
                    Catch::Contains("error: the key \"scenario\" is missing"));
}
