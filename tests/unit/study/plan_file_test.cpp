#include "sim/study/plan_file.hpp"

#include "sim/base/input_error.hpp"

#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

using namespace moesim;

namespace {

const std::string job = fmt::format("[model]\nconfig = \"{}/workloads/mixtral-8x7b/config.json\"\n"
                                    "layers = 2\n[training]\ntokens = 1.5e12\n"
                                    "sequence_length = 4096\nglobal_batch_tokens = 262144\n",
                                    MOESIM_SOURCE_DIR);
const std::string cluster = fmt::format(
    "[[candidate]]\ntopology = \"{}/topologies/hgx-h100-ndr400.toml\"\n", MOESIM_SOURCE_DIR);

PlanFile read_text(const std::string& text, const std::vector<std::string>& settings = {}) {
  const TemporaryFolder folder;
  return read_plan_file(folder.write("p.toml", text), settings);
}

/// The message that refuses such a file, without the name of its folder.
std::string refusal_of(const std::string& text) {
  const TemporaryFolder folder;
  try {
    read_plan_file(folder.write("p.toml", text), {});
  } catch (const InputError& error) {
    const std::string message = error.what();
    return message.substr(message.find("p.toml"));
  }
  return "";
}

} // namespace

TEST_CASE(
    "a plan file is a scenario for each candidate and number of GPUs, whose plan is searched") {
  const PlanFile file =
      read_text(job + "deadline_days = 30\n[parallel]\ntensor = [1, 2]\npipeline = 1\n" + cluster +
                "gpus = [8, 16]\nprice_per_gpu_hour = 2.5\n" + cluster +
                "name = \"bought\"\ngpus = 16\nnic_gbit_per_s = 200\ncapital = 5e6\nyears = 4\n"
                "power_price_per_kwh = 0.1\n");
  CHECK(file.tokens == 1.5e12);
  CHECK(file.deadline_days == 30.0);
  REQUIRE(file.sweep.points.size() == 3);
  CHECK(file.sweep.points[1].values.front() == "hgx-h100-ndr400");
  CHECK(file.sweep.points[1].values.back() == "16");
  CHECK(file.sweep.points[2].values.front() == "bought");
  const Scenario& rented = file.sweep.points[1].scenario.value();
  CHECK(rented.workload.plan.gpus == 16);
  CHECK(rented.workload.training.global_batch == 64); // 262,144 tokens / 4,096
  CHECK(rented.search.value().tensor == std::vector<std::int64_t>{1, 2});
  CHECK(rented.search->pipeline == std::vector<std::int64_t>{1});
  CHECK(rented.search->expert.empty());
  CHECK(file.sweep.points[2].scenario->topology.node.nic == gbit_per_s(200.0));
  CHECK(rented.topology.node.nic == gbit_per_s(400.0));
  CHECK(file.prices[1].per_gpu_hour == 2.5);
  CHECK_FALSE(file.prices[2].per_gpu_hour);
  CHECK(file.prices[2].capital == 5e6);
}

TEST_CASE("a candidate with more GPUs than its cluster holds is a point with a reason") {
  const PlanFile file = read_text(job + cluster + "gpus = [8, 100000]\nprice_per_gpu_hour = 1\n");
  CHECK(file.sweep.points.at(0).scenario.has_value());
  CHECK(file.sweep.points.at(1).illegal_reason ==
        "100000 GPUs are more than the 16384 that hgx-h100-ndr400 holds");
}

TEST_CASE("--set changes a plan file as it does a scenario") {
  const PlanFile file = read_text(job + cluster + "gpus = 8\nprice_per_gpu_hour = 1\n",
                                  {"training.tokens=2000", "model.layers=3"});
  CHECK(file.tokens == 2000.0);
  CHECK(file.sweep.points.at(0).scenario->workload.model.layers.size() == 3);
}

TEST_CASE("prices, tokens, the deadline and other candidates are no inputs of an answer") {
  const auto inputs = [](const std::string& candidate, const std::vector<std::string>& settings) {
    const AnswerInputs all =
        read_text(job + cluster + candidate, settings).sweep.answer_inputs.value();
    return std::pair(all.shared, all.points.at(0));
  };
  const auto rented = inputs("gpus = 8\nprice_per_gpu_hour = 1\n", {});
  CHECK(inputs("price_per_gpu_hour = 2 # new\ngpus = 8\n",
               {"training.tokens=5", "training.deadline_days=3"}) == rented);
  CHECK(inputs("gpus = 8\ncapital = 1\nyears = 2\npower_price_per_kwh = 3\n", {}) == rented);
  CHECK(inputs("gpus = [8, 16]\nprice_per_gpu_hour = 1\nname = \"new\"\n", {}) == rented);
  CHECK(inputs("gpus = 16\nprice_per_gpu_hour = 1\n", {}).first == rented.first);
  CHECK(inputs("gpus = 16\nprice_per_gpu_hour = 1\n", {}).second != rented.second);
  CHECK(inputs("gpus = 8\nprice_per_gpu_hour = 1\nnics = 4\n", {}).first == rented.first);
  CHECK(inputs("gpus = 8\nprice_per_gpu_hour = 1\nnics = 4\n", {}).second != rented.second);
  CHECK(inputs("gpus = 8\nprice_per_gpu_hour = 1\n", {"training.moment_precision=bf16"}) != rented);
  CHECK(inputs("gpus = 8\nprice_per_gpu_hour = 1\n", {"parallel.tensor=2"}) != rented);
}

TEST_CASE("a wrong plan file is refused with its place and a hint") {
  const std::string priced = "gpus = 8\nprice_per_gpu_hour = 1\n";
  CHECK(refusal_of(job + cluster + priced + "price_per_gpu_hours = 2\n") ==
        "p.toml:12:1: error: unknown key \"price_per_gpu_hours\" in [candidate[0]]\n"
        "  price_per_gpu_hours = 2\n"
        "  ^\n"
        "  hint: did you mean \"price_per_gpu_hour\"?");
  CHECK(refusal_of(job + "token = 3\n" + cluster + priced) ==
        "p.toml:8:1: error: unknown key \"token\" in [training]\n"
        "  token = 3\n"
        "  ^\n"
        "  hint: did you mean \"tokens\"?");
  CHECK(refusal_of(job + cluster + "gpus = 8\n") ==
        "p.toml:8:1: error: the candidate has no price\n"
        "  [[candidate]]\n"
        "  ^\n"
        "  hint: give price_per_gpu_hour, or capital (of the whole cluster) with years and "
        "power_price_per_kwh");
  CHECK(refusal_of(job + cluster + priced + "capital = 7\n") ==
        "p.toml:12:11: error: the candidate has two prices\n"
        "  capital = 7\n"
        "            ^\n"
        "  hint: give price_per_gpu_hour, or capital with years and power_price_per_kwh");
  CHECK(refusal_of(job + cluster + priced + "years = 4\n") ==
        "p.toml:12:9: error: years belongs to capital, and the candidate is rented\n"
        "  years = 4\n"
        "          ^\n"
        "  hint: leave it out, or give capital in place of price_per_gpu_hour");
  CHECK(refusal_of(job + cluster + "name = \"\"\n" + priced)
            .find("p.toml:10:8: error: the name of a candidate is empty") == 0);
  CHECK(refusal_of(job + cluster + "gpus = [8, 16, 8]\nprice_per_gpu_hour = 1\n")
            .find("p.toml:10:8: error: 8 GPUs are listed twice") == 0);
  CHECK(refusal_of(job + cluster + priced + cluster + priced)
            .find("error: two candidates are called \"hgx-h100-ndr400\"") != std::string::npos);
  CHECK(refusal_of(job + cluster +
                   "gpus = [8, 16]\ncapital = 7\nyears = 1\npower_price_per_kwh = 1\n")
            .find("error: capital is the price of one cluster, and gpus lists several") !=
        std::string::npos);
  CHECK(refusal_of(job).find("error: the plan has no candidate") != std::string::npos);
  CHECK(refusal_of(job + "global_batch = 64\n" + cluster + priced) ==
        "p.toml:7:23: error: the global batch is given twice\n"
        "  global_batch_tokens = 262144\n"
        "                        ^\n"
        "  hint: leave out global_batch, which counts sequences, or global_batch_tokens");
}

TEST_CASE("a global batch in tokens is a whole number of sequences") {
  const std::string odd = fmt::format(
      "[model]\nconfig = \"{}/workloads/mixtral-8x7b/config.json\"\n[training]\ntokens = 1\n"
      "sequence_length = 4096\nglobal_batch_tokens = 10000\n",
      MOESIM_SOURCE_DIR);
  // 2 x 4,096 = 8,192 is 1,808 away, 3 x 4,096 = 12,288 is 2,288 away.
  CHECK(refusal_of(odd + cluster + "gpus = 8\nprice_per_gpu_hour = 1\n") ==
        "p.toml:6:23: error: 10000 tokens are no whole number of sequences of 4096\n"
        "  global_batch_tokens = 10000\n"
        "                        ^\n"
        "  hint: the nearest that is: 8192");
}
