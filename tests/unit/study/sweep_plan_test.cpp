#include "sim/study/sweep_plan.hpp"

#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <fstream>

using namespace moesim;

namespace {

/// A sweep over the shipped Mixtral scenario, in a folder of its own.
std::filesystem::path write_sweep(const TemporaryFolder& folder, const std::string& text) {
  const std::filesystem::path path = folder.path() / "sweep.toml";
  std::ofstream(path) << fmt::format("scenario = \"{}/workloads/mixtral-8x7b/scenario.toml\"\n{}",
                                     MOESIM_SOURCE_DIR, text);
  return path;
}

} // namespace

TEST_CASE("axes keep the order of the file and the first changes slowest") {
  const TemporaryFolder folder;
  const SweepPlan plan = read_sweep(write_sweep(folder, "[axes]\n"
                                                        "cluster.gpus = [64, 128]\n"
                                                        "\"model.experts\" = [8, 16]\n"
                                                        "cluster.nic_gbit_per_s = [200]\n"),
                                    {});
  CHECK(plan.axes ==
        std::vector<std::string>{"cluster.gpus", "model.experts", "cluster.nic_gbit_per_s"});
  REQUIRE(plan.points.size() == 4);
  CHECK(plan.points[0].values == std::vector<std::string>{"64", "8", "200"});
  CHECK(plan.points[1].values == std::vector<std::string>{"64", "16", "200"});
  CHECK(plan.points[3].values == std::vector<std::string>{"128", "16", "200"});
  CHECK(plan.points[3].scenario->workload.plan.gpus == 128);
  CHECK(plan.points[3].scenario->workload.model.experts.experts == 16);
}

TEST_CASE("[set] holds for every point and the command line wins over it") {
  const TemporaryFolder folder;
  const auto path = write_sweep(folder, "[set]\nmodel.layers = 4\ntraining.micro_batch = 2\n"
                                        "[axes]\ncluster.gpus = [64]\n");
  const SweepPlan plan = read_sweep(path, {"training.micro_batch=4"});
  CHECK(plan.points[0].scenario->workload.model.layers.size() == 4);
  CHECK(plan.points[0].scenario->workload.training.micro_batch == 4);
}

TEST_CASE("an impossible plan is a point with its reason") {
  const TemporaryFolder folder;
  const SweepPlan plan = read_sweep(write_sweep(folder, "[axes]\ncluster.gpus = [64, 65]\n"), {});
  CHECK(plan.points[0].scenario.has_value());
  CHECK_FALSE(plan.points[1].scenario.has_value());
  CHECK(plan.points[1].illegal_reason == "65 GPUs cannot be split into tensor 1 x pipeline 4");
}

// Either router would be trained for days.
TEST_CASE("points are checked without training their routers") {
  const TemporaryFolder folder;
  const auto path = write_sweep(folder, "[set]\nrouting.load = \"trained\"\n"
                                        "routing.step = 1_000_000_000\n"
                                        "[axes]\nrouting.balancing = [\"none\", \"bias\"]\n");
  const SweepPlan plan = read_sweep(path, {});
  REQUIRE(plan.points.size() == 2);
  CHECK(plan.points[0].scenario->workload.routing.router.balancing == Balancing::none);
  CHECK(plan.points[1].scenario->workload.routing.router.balancing == Balancing::bias);
}

TEST_CASE("a path on an axis is relative to the sweep file") {
  const TemporaryFolder folder;
  std::filesystem::copy_file(std::string(MOESIM_SOURCE_DIR) + "/topologies/nvlink-only.toml",
                             folder.path() / "mine.toml");
  const SweepPlan plan =
      read_sweep(write_sweep(folder, "[axes]\ncluster.topology = [\"mine.toml\"]\n"), {});
  CHECK(plan.points[0].values == std::vector<std::string>{"mine.toml"});
  CHECK(plan.points[0].scenario->topology.name == "mine");
}

TEST_CASE("a recording of loads may be a folder, and its files are what the sweep was read from") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "recording");
  for (int rank = 0; rank < 2; ++rank) {
    std::ofstream file(folder.path() / fmt::format("recording/rank{}.jsonl", rank));
    for (int layer = 0; layer < 4; ++layer)
      file << fmt::format("{{\"iter\": 1, \"block\": \"decoder\", \"layer\": {}, "
                          "\"tpe\": [[1, 2, 3, 4]]}}\n",
                          layer);
  }
  const SweepPlan plan = read_sweep(write_sweep(folder, "[set]\nmodel.layers = 4\n"
                                                        "routing.load = \"trace\"\n"
                                                        "[axes]\n"
                                                        "routing.trace = [\"recording\"]\n"),
                                    {});
  CHECK(plan.points.at(0).scenario->workload.routing.trace->layers.at(3) ==
        std::vector<std::vector<double>>{{1, 2, 3, 4, 1, 2, 3, 4}});
  std::vector<std::string> names;
  for (const std::filesystem::path& input : plan.inputs) {
    CHECK(std::filesystem::is_regular_file(input));
    if (input.extension() == ".jsonl")
      names.push_back(input.filename().string());
  }
  CHECK(names == std::vector<std::string>{"rank0.jsonl", "rank1.jsonl"});
}

TEST_CASE("an axis that no scenario understands stops the sweep before it starts") {
  const TemporaryFolder folder;
  const auto path = write_sweep(folder, "[axes]\ncluster.gpsu = [64]\n");
  CHECK_THROWS_WITH(read_sweep(path, {}), Catch::Contains("unknown key \"gpsu\" in [cluster]") &&
                                              Catch::Contains("did you mean \"gpus\"?"));
}
