#include "tests/unit/scenario/scenario_text.hpp"

using namespace moesim;
using namespace moesim::scenario_tests;

namespace {

/// One row for each rule.
const std::vector<Refusal> no_such_load = {
    {"a hot expert that every token would have to choose twice",
     "\"uniform\"",
     "\"hot-expert\"\nhot_load = 13.0",
     {},
     false,
     "s.toml:16:12: error: no expert can have 13 times the mean load\n"
     "  hot_load = 13.0\n"
     "             ^\n"
     "  hint: at most 12: 2 of 24 experts for a token"},
    {"uniform loads that are drawn",
     "\"uniform\"",
     "\"uniform\"\nsampled = true",
     {},
     false,
     "s.toml:16:11: error: uniform loads are even, not drawn\n"
     "  sampled = true\n"
     "            ^\n"
     "  hint: use load = \"random\""},
    {"random loads that are not",
     "\"uniform\"",
     "\"random\"\nsampled = false",
     {},
     false,
     "s.toml:16:11: error: random loads are always drawn\n"
     "  sampled = false\n"
     "            ^\n"
     "  hint: leave it out"},
    {"more experts added than leave a choice",
     "\"uniform\"",
     "\"trained\"\nbalancing = \"bias\"\nexperts_added = 22\nexperts_added_at = 9",
     {},
     false,
     "s.toml:15:8: error: a router that always takes every expert has nothing to learn\n"
     "  load = \"trained\"\n"
     "         ^\n"
     "  hint: use load = \"uniform\""},
    {"copies of experts that do not spread over the ranks",
     "\"uniform\"",
     "\"uniform\"\nredundant_experts = 12",
     {},
     false,
     "s.toml:16:21: error: 24 experts and 12 redundant slots do not spread evenly over 8 ranks; "
     "the "
     "nearest number of redundant slots that does is 8\n"
     "  redundant_experts = 12\n"
     "                      ^"},
    {"experts that choose their tokens, yet unevenly",
     "load = \"uniform\"",
     "policy = \"expert-choice\"\nload = \"zipf\"\nzipf_alpha = 1.0",
     {},
     false,
     "s.toml:16:8: error: experts that choose their tokens are loaded evenly\n"
     "  load = \"zipf\"\n"
     "         ^\n"
     "  hint: use load = \"uniform\", or policy = \"top-k\""},
};

const std::vector<Refusal> cannot_run = {
    {"virtual stages without a schedule for them",
     "tensor = 2",
     "virtual_stages = 2",
     {},
     true,
     "s.toml:11:18: error: only the interleaved and the zero-bubble schedule have virtual stages\n"
     "  virtual_stages = 2\n"
     "                   ^\n"
     "  hint: use schedule = \"interleaved\""},
    {"overlap of micro-batches without pairs of them",
     "dispatcher = \"alltoall\"",
     "overlap = \"batch\"",
     {},
     true,
     "s.toml:17:11: error: under a pipeline, micro-batches overlap only where the schedule pairs a "
     "forward pass with a backward pass\n"
     "  overlap = \"batch\"\n"
     "            ^\n"
     "  hint: use schedule = \"dualpipe\", or \"interleaved\" with 2 or more virtual_stages"},
    {"three virtual stages of a V",
     "tensor = 2",
     "virtual_stages = 3\nschedule = \"zero-bubble\"",
     {},
     true,
     "s.toml:11:18: error: the zero-bubble schedule has 1 virtual stage or 2, not 3\n"
     "  virtual_stages = 3\n"
     "                   ^\n"
     "  hint: use 1 (ZB-H1) or 2 (ZB-V)"},
    {"DualPipe over an odd number of stages",
     "gpus = 32",
     "gpus = 48",
     {"parallel.schedule=dualpipe", "parallel.pipeline=3"},
     true,
     "--set parallel.pipeline=3:1:19: error: pipeline 3 is odd: DualPipe folds the stages onto "
     "each "
     "other\n"
     "  parallel.pipeline=3\n"
     "                    ^\n"
     "  hint: use 2 or 4"},
    {"too few micro-batches for DualPipe",
     "global_batch = 64",
     "global_batch = 32",
     {"parallel.schedule=dualpipe"},
     true,
     "s.toml:8:16: error: 2 micro-batches are not an even number of at least 2 x pipeline 2, which "
     "DualPipe needs\n"
     "  global_batch = 32\n"
     "                 ^\n"
     "  hint: the nearest global_batch that is one is 64"},
    {"an odd number of micro-batches for DualPipe",
     "global_batch = 64",
     "global_batch = 80",
     {"parallel.schedule=dualpipe"},
     true,
     "s.toml:8:16: error: 5 micro-batches are not an even number of at least 2 x pipeline 2, which "
     "DualPipe needs\n"
     "  global_batch = 80\n"
     "                 ^\n"
     "  hint: the nearest global_batch that is one is 96"},
    {"overlap of micro-batches without expert parallelism",
     "dispatcher = \"alltoall\"",
     "overlap = \"batch\"",
     {"parallel.pipeline=1", "parallel.expert=1"},
     true,
     "s.toml:17:11: error: without expert parallelism there is no communication of experts to "
     "hide\n"
     "  overlap = \"batch\"\n"
     "            ^\n"
     "  hint: use \"none\", or spread the experts of an MoE model"},
    {"one virtual stage to interleave",
     "tensor = 2",
     "schedule = \"interleaved\"",
     {},
     true,
     "s.toml:11:12: error: there is nothing to interleave with pipeline 2 and virtual_stages 1\n"
     "  schedule = \"interleaved\"\n"
     "             ^\n"
     "  hint: use 2 or more of both, or schedule = \"1f1b\""},
    {"GPUs that do not divide",
     "gpus = 32",
     "gpus = 30",
     {},
     true,
     "s.toml:5:8: error: 30 GPUs cannot be split into tensor 2 x pipeline 2\n"
     "  gpus = 30\n"
     "         ^\n"
     "  hint: the nearest number that can is 32; so can 30 with tensor 1 or pipeline 1"},
    {"more GPUs than the topology holds",
     "gpus = 32",
     "gpus = 16388",
     {},
     true,
     "s.toml:5:8: error: 16388 GPUs are more than the 16384 that hgx-h100-ndr400 holds\n"
     "  gpus = 16388\n"
     "         ^"},
    {"experts that do not divide",
     "expert = 8",
     "expert = 16",
     {},
     true,
     "s.toml:13:10: error: 24 experts cannot be split over expert 16\n"
     "  expert = 16\n"
     "           ^\n"
     "  hint: the largest legal degree is 8"},
    {"ranks that do not divide into expert groups",
     "expert = 8",
     "expert = 3",
     {},
     true,
     "s.toml:13:10: error: the 16 ranks of a pipeline stage cannot be split into groups of expert "
     "3\n"
     "  expert = 3\n"
     "           ^\n"
     "  hint: the largest legal degree is 8"},
    {"heads that do not divide",
     "gpus = 32",
     "gpus = 36",
     {"parallel.tensor=3"},
     true,
     "--set parallel.tensor=3:1:17: error: 16 attention heads cannot be split over tensor 3\n"
     "  parallel.tensor=3\n"
     "                  ^\n"
     "  hint: the nearest degree that can is 2"},
    {"more stages than ranks",
     "pipeline = 2",
     "pipeline = 1000000000",
     {"parallel.tensor=1"},
     true,
     "s.toml:5:8: error: 32 GPUs cannot be split into tensor 1 x pipeline 1000000000\n"
     "  gpus = 32\n"
     "         ^\n"
     "  hint: the nearest number that can is 1000000000; so can 32 with pipeline 8"},
    {"more stages than layers",
     "pipeline = 2",
     "pipeline = 16",
     {},
     true,
     "s.toml:12:12: error: 16 pipeline stages are more than the 12 layers\n"
     "  pipeline = 16\n"
     "             ^"},
    {"layers per stage that do not add up",
     "expert = 8",
     "layers_per_stage = [6, 5]",
     {},
     true,
     "s.toml:13:20: error: 2 entries with 11 layers in all do not split 12 layers over 2 stages\n"
     "  layers_per_stage = [6, 5]\n"
     "                     ^"},
    {"a stage without work",
     "pipeline = 2",
     "pipeline = 4",
     {"parallel.layers_per_stage=[6, 0, 6, 0]"},
     true,
     "--set parallel.layers_per_stage=[6, 0, 6, 0]:1:27: error: stage 2 of 4 has no layer, and no "
     "other work\n"
     "  parallel.layers_per_stage=[6, 0, 6, 0]\n"
     "                            ^\n"
     "  hint: only the first and the last may be 0"},
    {"micro-batches that do not divide",
     "global_batch = 64",
     "global_batch = 60",
     {},
     true,
     "s.toml:8:16: error: 60 sequences cannot be split into micro-batches of 2 on data 8\n"
     "  global_batch = 60\n"
     "                 ^\n"
     "  hint: the nearest number that can is 64"},
    {"tokens that do not divide",
     "sequence_length = 128",
     "sequence_length = 127",
     {},
     true,
     "s.toml:7:19: error: 127 tokens cannot be split over tensor 2\n"
     "  sequence_length = 127\n"
     "                    ^"},
    {"experts without sequence parallelism",
     "expert = 8",
     "sequence_parallel = false",
     {},
     true,
     "s.toml:13:21: error: an MoE layer under tensor parallelism needs sequence parallelism\n"
     "  sequence_parallel = false\n"
     "                      ^\n"
     "  hint: set it to true"},
    {"more experts a token than there are",
     "[cluster]",
     "experts_per_token = 25\n[cluster]",
     {},
     true,
     "s.toml:3:21: error: a token cannot go to 25 of 24 experts\n"
     "  experts_per_token = 25\n"
     "                      ^"},
    {"sizes whose product is beyond any model's",
     "[cluster]",
     "experts = 1000000000\nexpert_hidden = 1000000000\n[cluster]",
     {},
     true,
     "s.toml:3:11: error: the sizes make a model of more than 10,000 trillion parameters\n"
     "  experts = 1000000000\n"
     "            ^"},
    {"experts of a dense model",
     "config.json\"",
     "dense.json\"\nexperts = 8",
     {},
     true,
     "s.toml:3:11: error: dense is dense: it has no experts to override\n"
     "  experts = 8\n"
     "            ^"},
    {"expert parallelism of a dense model",
     "config.json",
     "dense.json",
     {},
     true,
     "s.toml:13:10: error: a dense model has no experts to spread\n"
     "  expert = 8\n"
     "           ^\n"
     "  hint: use 1"},
};

const std::vector<Refusal> wrong_settings = {
    {"without a value",
     "",
     "",
     {"parallel.expert"},
     false,
     "--set parallel.expert: error: expected KEY=VALUE"},
    {"without a key", "", "", {"=8"}, false, "--set =8: error: expected KEY=VALUE"},
    {"of an unknown key",
     "",
     "",
     {"parallel.experts=8"},
     false,
     "--set parallel.experts=8:1:18: error: unknown key \"experts\" in [parallel]\n"
     "  parallel.experts=8\n"
     "                   ^\n"
     "  hint: did you mean \"expert\"?"},
    {"of an unknown table",
     "",
     "",
     {"paralel.expert=8"},
     false,
     "--set paralel.expert=8:1:1: error: unknown key \"paralel\"\n"
     "  paralel.expert=8\n"
     "  ^\n"
     "  hint: did you mean \"parallel\"?"},
    {"of the wrong type",
     "",
     "",
     {"parallel.expert=many"},
     false,
     "--set parallel.expert=many:1:17: error: \"many\" is neither a whole number nor \"auto\"\n"
     "  parallel.expert=many\n"
     "                  ^"},
    {"out of range",
     "",
     "",
     {"cluster.gpus=0"},
     false,
     "--set cluster.gpus=0:1:14: error: gpus must be between 1 and 1000000000, not 0\n"
     "  cluster.gpus=0\n"
     "               ^"},
    {"inside a value",
     "",
     "",
     {"cluster.gpus.x=0"},
     false,
     "--set cluster.gpus.x=0:1:9: error: \"gpus\" is not a table\n"
     "  cluster.gpus.x=0\n"
     "          ^"},
    {"of a plan that does not divide",
     "",
     "",
     {"training.global_batch=72", "parallel.expert=16"},
     true,
     "--set parallel.expert=16:1:17: error: 24 experts cannot be split over expert 16\n"
     "  parallel.expert=16\n"
     "                  ^\n"
     "  hint: the largest legal degree is 8"},
    {"in a table that the file leaves out",
     "[routing]\nload = \"uniform\"\n",
     "",
     {"routing.seeds=2"},
     false,
     "--set routing.seeds=2:1:15: error: unknown key \"seeds\" in [routing]\n"
     "  routing.seeds=2\n"
     "                ^\n"
     "  hint: did you mean \"seed\"?"},
};

} // namespace

TEST_CASE("loads that no router gives are refused") {
  check(no_such_load);
}

TEST_CASE("a plan that cannot run is illegal, with the rule and the nearest legal value") {
  check(cannot_run);
}

TEST_CASE("a wrong assignment is refused with its place in the assignment") {
  check(wrong_settings);
}

TEST_CASE("NVFP4 needs a GPU with its arithmetic, and tokens that travel in bf16") {
  const std::string nvfp4 = with(scenario, "micro_batch = 2", "precision = \"nvfp4\"");
  CHECK(message_of(nvfp4, {}, true).find("precision: hgx-h100-ndr400 gives no fp4_tflops") !=
        std::string::npos);
  const std::string blackwell = with(nvfp4, "hgx-h100-ndr400", "hgx-b200-ndr400");
  CHECK(message_of(blackwell, {}, true) == "no error");
  CHECK(message_of(blackwell, {"communication.dispatch_precision=\"fp8\""}, true)
            .find("not cast to NVFP4") != std::string::npos);
}
