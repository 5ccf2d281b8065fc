#include "tests/unit/scenario/scenario_text.hpp"

using namespace moesim;
using namespace moesim::scenario_tests;

namespace {

/// One row for each rule.
const std::vector<Refusal> malformed = {
    {"a text that is no TOML",
     "gpus = 32",
     "gpus = = 32",
     {},
     false,
     "s.toml:5:8: error: not TOML: Error while parsing value: could not determine value type\n"
     "  gpus = = 32\n"
     "         ^"},
    {"a key given twice",
     "gpus = 32",
     "gpus = 32\ngpus = 64",
     {},
     false,
     "s.toml:6:8: error: not TOML: Error while parsing key-value pair: cannot redefine existing "
     "integer 'gpus'\n"
     "  gpus = 64\n"
     "         ^"},
    {"a missing table",
     "[training]\n",
     "[trainings]\n",
     {},
     false,
     "s.toml: error: the table [training] is missing"},
    {"a missing key",
     "gpus = 32\n",
     "",
     {},
     false,
     "s.toml:3:1: error: the key \"gpus\" is missing in [cluster]\n"
     "  [cluster]\n"
     "  ^"},
    {"a value where a table belongs",
     "[model]\nconfig = \"config.json\"",
     "model = \"config.json\"",
     {},
     false,
     "s.toml:1:9: error: model must be a table, not a string\n"
     "  model = \"config.json\"\n"
     "          ^"},
};

const std::vector<Refusal> unknown_keys = {
    {"in the file",
     "[simulation]\n",
     "[simulations]\n",
     {},
     false,
     "s.toml:18:2: error: unknown key \"simulations\"\n"
     "  [simulations]\n"
     "   ^\n"
     "  hint: did you mean \"simulation\"?"},
    {"in [model]",
     "[cluster]",
     "layer = 8\n[cluster]",
     {},
     false,
     "s.toml:3:1: error: unknown key \"layer\" in [model]\n"
     "  layer = 8\n"
     "  ^\n"
     "  hint: did you mean \"layers\"?"},
    {"in [cluster]",
     "gpus = 32",
     "gpus = 32\ngpu = 32",
     {},
     false,
     "s.toml:6:1: error: unknown key \"gpu\" in [cluster]\n"
     "  gpu = 32\n"
     "  ^\n"
     "  hint: did you mean \"gpus\"?"},
    {"in [training]",
     "micro_batch = 2",
     "microbatch = 2",
     {},
     false,
     "s.toml:9:1: error: unknown key \"microbatch\" in [training]\n"
     "  microbatch = 2\n"
     "  ^\n"
     "  hint: did you mean \"micro_batch\"?"},
    {"in [parallel]",
     "pipeline = 2",
     "pipelines = 2",
     {},
     false,
     "s.toml:12:1: error: unknown key \"pipelines\" in [parallel]\n"
     "  pipelines = 2\n"
     "  ^\n"
     "  hint: did you mean \"pipeline\"?"},
    {"in [routing]",
     "load = \"uniform\"",
     "capacity = 1.0",
     {},
     false,
     "s.toml:15:1: error: unknown key \"capacity\" in [routing]\n"
     "  capacity = 1.0\n"
     "  ^\n"
     "  hint: did you mean \"capacity_factor\"?"},
    {"in [communication]",
     "dispatcher =",
     "dispatch =",
     {},
     false,
     "s.toml:17:1: error: unknown key \"dispatch\" in [communication]\n"
     "  dispatch = \"alltoall\"\n"
     "  ^\n"
     "  hint: did you mean \"dispatcher\"?"},
    {"in [simulation]",
     "fidelity =",
     "fidelty =",
     {},
     false,
     "s.toml:19:1: error: unknown key \"fidelty\" in [simulation]\n"
     "  fidelty = \"folded\"\n"
     "  ^\n"
     "  hint: did you mean \"fidelity\"?"},
};

const std::vector<Refusal> wrong_types = {
    {"a number for a path",
     "\"config.json\"",
     "3",
     {},
     false,
     "s.toml:2:10: error: config must be a string, not a whole number\n"
     "  config = 3\n"
     "           ^"},
    {"a string for a number of GPUs",
     "gpus = 32",
     "gpus = \"32\"",
     {},
     false,
     "s.toml:5:8: error: gpus must be a whole number, not a string\n"
     "  gpus = \"32\"\n"
     "         ^"},
    {"a fraction for a batch",
     "global_batch = 64",
     "global_batch = 64.5",
     {},
     false,
     "s.toml:8:16: error: global_batch must be a whole number, not a real number\n"
     "  global_batch = 64.5\n"
     "                 ^"},
    {"a word for a flag",
     "tensor = 2",
     "tensor = 2\nsequence_parallel = \"yes\"",
     {},
     false,
     "s.toml:12:21: error: sequence_parallel must be true or false, not a string\n"
     "  sequence_parallel = \"yes\"\n"
     "                      ^"},
    {"a word other than auto",
     "expert = 8",
     "expert = \"all\"",
     {},
     false,
     "s.toml:13:10: error: \"all\" is neither a whole number nor \"auto\"\n"
     "  expert = \"all\"\n"
     "           ^"},
    {"a number for layers per stage",
     "expert = 8",
     "layers_per_stage = 6",
     {},
     false,
     "s.toml:13:20: error: layers_per_stage must be a list, not a whole number\n"
     "  layers_per_stage = 6\n"
     "                     ^"},
    {"a word for the capacity factor",
     "load = \"uniform\"",
     "capacity_factor = \"none\"",
     {},
     false,
     "s.toml:15:19: error: capacity_factor must be a number, not a string\n"
     "  capacity_factor = \"none\"\n"
     "                    ^"},
    {"experts that choose and are loaded unevenly",
     "load = \"uniform\"",
     "policy = \"expert-choice\"\nload = \"zipf\"\nzipf_alpha = 1",
     {},
     false,
     "s.toml:16:8: error: experts that choose their tokens are loaded evenly\n"
     "  load = \"zipf\"\n"
     "         ^\n"
     "  hint: use load = \"uniform\", or policy = \"top-k\""},
    {"a recipe of fp8 without fp8",
     "micro_batch = 2",
     "fp8_recipe = \"mxfp8\"",
     {},
     false,
     "s.toml:9:14: error: fp8_recipe: the training does not run in fp8\n"
     "  fp8_recipe = \"mxfp8\"\n"
     "               ^\n"
     "  hint: set precision = \"fp8\", or leave it out"},
    {"a precision that is not known",
     "micro_batch = 2",
     "precision = \"fp16\"",
     {},
     false,
     "s.toml:9:13: error: \"fp16\" is not one of bf16, fp8, nvfp4\n"
     "  precision = \"fp16\"\n"
     "              ^\n"
     "  hint: did you mean \"bf16\"?"},
    {"a dispatcher that is not known",
     "\"alltoall\"",
     "\"all-to-all\"",
     {},
     false,
     "s.toml:17:14: error: \"all-to-all\" is not one of alltoall, allgather, hierarchical, "
     "node-limited\n"
     "  dispatcher = \"all-to-all\"\n"
     "               ^\n"
     "  hint: did you mean \"alltoall\"?"},
    {"a fidelity that is not known",
     "\"folded\"",
     "\"fold\"",
     {},
     false,
     "s.toml:19:12: error: \"fold\" is not one of folded, ranks, flows\n"
     "  fidelity = \"fold\"\n"
     "             ^\n"
     "  hint: did you mean \"folded\"?"},
};

const std::vector<Refusal> out_of_range = {
    {"no GPUs",
     "gpus = 32",
     "gpus = 0",
     {},
     false,
     "s.toml:5:8: error: gpus must be between 1 and 1000000000, not 0\n"
     "  gpus = 0\n"
     "         ^"},
    {"a negative batch",
     "global_batch = 64",
     "global_batch = -64",
     {},
     false,
     "s.toml:8:16: error: global_batch must be between 1 and 1000000000, not -64\n"
     "  global_batch = -64\n"
     "                 ^"},
    {"a degree beyond any cluster's",
     "tensor = 2",
     "tensor = 1000000001",
     {},
     false,
     "s.toml:11:10: error: tensor must be between 1 and 1000000000, not 1000000001\n"
     "  tensor = 1000000001\n"
     "           ^"},
    {"a ZeRO stage that does not exist",
     "tensor = 2",
     "zero_stage = 4",
     {},
     false,
     "s.toml:11:14: error: zero_stage must be between 0 and 3, not 4\n"
     "  zero_stage = 4\n"
     "               ^"},
    {"a negative capacity factor",
     "load = \"uniform\"",
     "capacity_factor = -1.0",
     {},
     false,
     "s.toml:15:19: error: capacity_factor must be between 0 and 1000, not -1\n"
     "  capacity_factor = -1.0\n"
     "                    ^"},
    {"a capacity factor that is not a number",
     "load = \"uniform\"",
     "capacity_factor = nan",
     {},
     false,
     "s.toml:15:19: error: capacity_factor must be between 0 and 1000, not nan\n"
     "  capacity_factor = nan\n"
     "                    ^"},
    {"a negative seed",
     "load = \"uniform\"",
     "seed = -1",
     {},
     false,
     "s.toml:15:8: error: seed must be between 0 and 1000000000, not -1\n"
     "  seed = -1\n"
     "         ^"},
    {"a negative number of layers of a stage",
     "expert = 8",
     "layers_per_stage = [13, -1]",
     {},
     false,
     "s.toml:13:20: error: layers_per_stage must be between 0 and 1000000000, not -1\n"
     "  layers_per_stage = [13, -1]\n"
     "                     ^"},
    {"no layers",
     "[cluster]",
     "layers = 0\n[cluster]",
     {},
     false,
     "s.toml:3:10: error: layers must be between 1 and 10000, not 0\n"
     "  layers = 0\n"
     "           ^"},
    {"more layers than any model has",
     "[cluster]",
     "layers = 1000000000\n[cluster]",
     {},
     false,
     "s.toml:3:10: error: layers must be between 1 and 10000, not 1000000000\n"
     "  layers = 1000000000\n"
     "           ^"},
    {"a speed of nothing",
     "gpus = 32",
     "gpus = 32\nnic_gbit_per_s = 0",
     {},
     false,
     "s.toml:6:18: error: nic_gbit_per_s must be between 1e-09 and 1000000000, not 0\n"
     "  nic_gbit_per_s = 0\n"
     "                   ^"},
};

} // namespace

TEST_CASE("a scenario that cannot be read is refused with its place") {
  check(malformed);
}

TEST_CASE("a key that no table knows is refused with the nearest one") {
  check(unknown_keys);
}

TEST_CASE("a value of the wrong type or word is refused with what is allowed") {
  check(wrong_types);
}

TEST_CASE("a number out of range is refused with the range") {
  check(out_of_range);
}

TEST_CASE("a scenario that is not there is refused with the reason of the system") {
  CHECK_THROWS_WITH(read_scenario("no-such-folder/s.toml", {}),
                    "no-such-folder/s.toml: error: cannot be read: No such file or directory");
}
