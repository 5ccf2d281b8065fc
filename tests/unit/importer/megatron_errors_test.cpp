#include "sim/base/input_error.hpp"
#include "tests/unit/importer/megatron_text.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

using namespace moesim;

namespace {

struct Refusal {
  std::string rule;
  std::string name;
  std::string text;
  std::string more; ///< of --with
  std::string message;
};

/// The complete message, without the folder.
std::string message_of(const Refusal& row, std::int64_t gpus = 16) {
  try {
    import_text(row.text, row.more, row.name, gpus);
  } catch (const InputError& error) {
    const std::string message = error.what();
    const std::size_t name = message.find(row.name + ":");
    return name == std::string::npos ? message : message.substr(name);
  }
  return "no error";
}

const std::string whole_command = "torchrun pretrain_gpt.py " + small_model;

/// One row for each rule.
const std::vector<Refusal> refusals = {
    {"a script without Megatron", "t.sh", "TP=2\necho --num-layers 3\n", "",
     "t.sh: error: no command of this file has --num-layers\n"
     "  hint: give a script that calls Megatron, its arguments alone, or its YAML; what another "
     "file holds comes with --with"},
    {"two different commands", "t.sh", "run.py --num-layers 3\nrun.py --num-layers 4\n", "",
     "t.sh:2:8: error: this is one of 2 commands with --num-layers\n"
     "  run.py --num-layers 4\n"
     "         ^\n"
     "  hint: keep one of them in a copy of the file"},
    {"a variable that is not set", "t.sh",
     "ARGS=(" + small_model + "\n --hidden-size $H)\na.py ${ARGS[@]}\n", "",
     "t.sh:2:16: error: H is not set in this file\n"
     "   --hidden-size $H)\n"
     "                 ^\n"
     "  hint: set it with --define H=VALUE"},
    {"all that is missing at once", "t.sh",
     "a.py --num-layers $L --hidden-size $H \\\n--num-attention-heads $(cat heads) --lr $LR $1\n",
     "",
     "t.sh:2:45: error: 7 values are not in this file: $1, L, H, --num-attention-heads, "
     "--seq-length, --micro-batch-size, the vocabulary\n"
     "  --num-attention-heads $(cat heads) --lr $LR $1\n"
     "                                              ^\n"
     "  hint: give them with --define L=VALUE --define H=VALUE --arguments \"VALUE\" --with "
     "\"--num-attention-heads VALUE --seq-length VALUE --micro-batch-size VALUE --vocab-size "
     "VALUE\""},
    {"a model that is only named", "t.sh",
     "megatron sft --model Qwen --tensor_model_parallel_size 2 --micro_batch_size 1 "
     "--max_length 8 --sequence_parallel true\n",
     "",
     "t.sh: error: the sizes of the model are not in the file\n"
     "  hint: give its config.json with --model CONFIG.json"},
    {"an argument under a condition", "t.sh",
     "ARGS=(" + small_model + ")\nif [ $A = 1 ]; then\n  ARGS+=(--fp16)\nfi\na.py ${ARGS[@]}\n", "",
     "t.sh:3:10: error: this depends on a condition: A is not set in this file\n"
     "    ARGS+=(--fp16)\n"
     "           ^\n"
     "  hint: set it with --define A=VALUE"},
    {"other arguments under a condition", "t.sh",
     "ARGS=\"" + small_model +
         "\"\nMORE=\"--bf16\"\nif [ $A = 1 ]; then\n  MORE=\"--lr 1\"\nfi\n"
         "a.py $ARGS $MORE\n",
     "",
     "t.sh:4:9: error: this depends on a condition: A is not set in this file\n"
     "    MORE=\"--lr 1\"\n"
     "          ^\n"
     "  hint: set it with --define A=VALUE"},
    {"a variable that may hold arguments", "t.sh", "a.py " + small_model + " \\\n$EXTRA\n", "",
     "t.sh:2:1: error: EXTRA is not set in this file, and may hold arguments\n"
     "  $EXTRA\n"
     "  ^\n"
     "  hint: set it with --define EXTRA=VALUE"},
    {"the same behind a list of values", "t.sh",
     "a.py " + small_model + " \\\n--data-path a $EXTRA --bf16\n", "",
     "t.sh:2:15: error: EXTRA is not set in this file, and may hold arguments\n"
     "  --data-path a $EXTRA --bf16\n"
     "                ^\n"
     "  hint: set it with --define EXTRA=VALUE"},
    {"an argument that is not modelled", "t.txt", small_model + "\n--bf16 --moe-latent-size 64\n",
     "",
     "t.txt:2:8: error: --moe-latent-size 64 is not modelled: experts of another kind are not "
     "modelled\n"
     "  --bf16 --moe-latent-size 64\n"
     "         ^\n"
     "  hint: a plan without it can be imported from a copy of the file"},
    {"several of them", "t.txt",
     small_model + "\n--csa-dense-mode --mtp-hybrid-override-pattern M*E --optimizer adam\n", "",
     "t.txt:2:1: error: --csa-dense-mode is not modelled: this kind of sparse attention is not "
     "modelled; nor --mtp-hybrid-override-pattern\n"
     "  --csa-dense-mode --mtp-hybrid-override-pattern M*E --optimizer adam\n"
     "  ^\n"
     "  hint: a plan without it can be imported from a copy of the file"},
    {"a recipe in Python", "t.py", "recipe()\n", "",
     "t.py: error: is Python, and its plan is known when it runs\n"
     "  hint: import the log of such a run with moesim import megatron-log"},
    {"a job of torchtitan", "t.toml", "[parallelism]\n", "",
     "t.toml: error: is no Megatron command: a torchtitan job holds its plan in [parallelism] and "
     "its model in the code that `flavor` names\n"
     "  hint: copy workloads/mixtral-8x7b/scenario.toml and enter the degrees there"},
    {"a file of Hydra", "t.yaml", "defaults:\n  - _self_\n  - train: 16b_a3b\n", "",
     "t.yaml:3:12: error: the plan is in another file\n"
     "    - train: 16b_a3b\n"
     "             ^\n"
     "  hint: import train/16b_a3b.yaml"},
    {"a file that a script runs, but that is not there", "t.sh", "exec bash \"./run_moe.sh\" $@\n",
     "",
     "t.sh:1:1: error: no command has --num-layers; not followed: ./run_moe.sh: the file is not "
     "there\n"
     "  exec bash \"./run_moe.sh\" $@\n"
     "  ^\n"
     "  hint: give the script that calls Megatron, or put that file beside it"},
    {"an experiment of Primus without its model", "t.yaml",
     "modules:\n  pre_trainer:\n    model: ${M:mixtral}.yaml\n    overrides:\n      seq_length: 8\n"
     "      micro_batch_size: 1\n",
     "",
     "t.yaml: error: the sizes of the model are not in the file, but in mixtral.yaml\n"
     "  hint: give its config.json with --model CONFIG.json"},
    {"a word that is no argument", "t.sh", "a.py --num-layers 8 9\n", "",
     "t.sh:1:21: error: \"9\" is no argument and no value of one\n"
     "  a.py --num-layers 8 9\n"
     "                      ^"},
    {"an argument without its value", "t.txt", "--num-layers --bf16\n", "",
     "t.txt:1:1: error: --num-layers has no value\n"
     "  --num-layers --bf16\n"
     "  ^"},
    {"a missing size", "t.txt",
     "--num-layers 8 --num-attention-heads 4 --seq-length 8 --micro-batch-size 1 --vocab-size 9\n",
     "",
     "t.txt: error: --hidden-size is missing\n"
     "  hint: add it to the file, or give it with --with \"--hidden-size VALUE\""},
    {"a word for a number", "t.txt", small_model + "\n--num-layers many\n", "",
     "t.txt:2:14: error: --num-layers must be a whole number, not \"many\"\n"
     "  --num-layers many\n"
     "               ^"},
    {"a number out of range", "t.txt", small_model + "\n--num-layers 0\n", "",
     "t.txt:2:14: error: --num-layers must be 1 to 1000000000, not 0\n"
     "  --num-layers 0\n"
     "               ^"},
    {"a vocabulary that only the tokenizer knows", "t.txt",
     "--num-layers 8 --hidden-size 64 --num-attention-heads 4 --seq-length 8 --micro-batch-size 1 "
     "--tokenizer-model $T\n",
     "",
     "t.txt: error: the size of the vocabulary is not in the file: the tokenizer has it\n"
     "  hint: give it with --with \"--vocab-size N\""},
    {"a recipe whose value is not set", "t.yaml",
     "MODEL_ARGS:\n  --num-layers: 8\n  --hidden-size: ${H}\n  --num-attention-heads: 4\n"
     "  --seq-length: 8\n  --micro-batch-size: 1\n  --vocab-size: 9\n",
     "",
     "t.yaml:3:18: error: H is not set in this file\n"
     "    --hidden-size: ${H}\n"
     "                   ^\n"
     "  hint: set it with --define H=VALUE"},
    {"a flag with a value in YAML", "t.yaml", "ARGS:\n  num_layers: 8\n  bf16: 3\n", "",
     "t.yaml:3:9: error: bf16 must be true or false\n"
     "    bf16: 3\n"
     "          ^"},
    {"YAML that is a list", "t.yaml", "- num_layers\n", "",
     "t.yaml:1:1: error: this is no table of arguments\n"
     "  - num_layers\n"
     "  ^\n"
     "  hint: as in: MODEL_ARGS:, then --num-layers: 32"},
};

/// Arguments that Megatron also refuses, or for which there is no key.
const std::vector<Refusal> contradictions = {
    {"a layout of other layers", "t.sh", whole_command,
     "--pipeline-model-parallel-layout Et*3|tL --pipeline-model-parallel-size 2",
     "--with:1:34: error: it has 4 transformer layers, and --num-layers is 8\n"
     "  --pipeline-model-parallel-layout Et*3|tL --pipeline-model-parallel-size 2\n"
     "                                   ^"},
    {"a layout of stages that do not fit", "t.sh", whole_command,
     "--pipeline-model-parallel-size 2 --pipeline-model-parallel-layout Et*4|t|t*3L",
     "--with:1:67: error: its 3 stages cannot be laid on 2 pipeline stages\n"
     "  --pipeline-model-parallel-size 2 --pipeline-model-parallel-layout Et*4|t|t*3L\n"
     "                                                                    ^"},
    {"an uneven cut", "t.sh", whole_command, "--pipeline-model-parallel-size 3",
     "--with:1:32: error: 8 layers cannot be cut evenly over 3 stages\n"
     "  --pipeline-model-parallel-size 3\n"
     "                                 ^\n"
     "  hint: Megatron needs --pipeline-model-parallel-layout, or "
     "--decoder-first-pipeline-num-layers and -last-, for that"},
    {"a dispatcher that nobody knows", "t.sh", whole_command, "--moe-token-dispatcher-type alltoal",
     "--with:1:29: error: --moe-token-dispatcher-type: \"alltoal\" is not one of alltoall, "
     "allgather, flex, alltoall_seq\n"
     "  --moe-token-dispatcher-type alltoal\n"
     "                              ^\n"
     "  hint: did you mean \"alltoall\"?"},
    {"a module that nobody knows", "t.sh", whole_command,
     "--recompute-granularity selective --recompute-modules moe_atc",
     "--with:1:55: error: \"moe_atc\" is none of Megatron's modules core_attn, mla_up_proj, "
     "layernorm, moe_act, mlp, shared_experts, moe\n"
     "  --recompute-granularity selective --recompute-modules moe_atc\n"
     "                                                        ^\n"
     "  hint: did you mean \"moe_act\"?"},
    {"a module that is not offloaded", "t.sh", whole_command,
     "--fine-grained-activation-offloading --offload-modules moe_atc",
     "--with:1:56: error: \"moe_atc\" is none of Megatron's modules attn_norm, qkv_linear, "
     "core_attn, "
     "attn_proj, mlp_norm, expert_fc1, moe_act\n"
     "  --fine-grained-activation-offloading --offload-modules moe_atc\n"
     "                                                         ^\n"
     "  hint: did you mean \"moe_act\"?"},
    {"a list of layers that is too short", "t.sh", whole_command, "--moe-layer-freq [0]*3",
     "--with:1:18: error: --moe-layer-freq: it has 3 entries for 8 layers\n"
     "  --moe-layer-freq [0]*3\n"
     "                   ^"},
    {"heads that do not divide", "t.sh", whole_command, "--num-attention-heads 7",
     "--with:1:23: error: --hidden-size 512 is no multiple of 7 heads\n"
     "  --num-attention-heads 7\n"
     "                        ^\n"
     "  hint: give the width of a head with --kv-channels"},
};

} // namespace

TEST_CASE("what cannot be read of a Megatron file is refused at its place") {
  for (const Refusal& row : refusals) {
    INFO(row.rule);
    CHECK(message_of(row) == row.message);
  }
}

TEST_CASE("arguments that contradict each other are refused at their place") {
  for (const Refusal& row : contradictions) {
    INFO(row.rule);
    CHECK(message_of(row) == row.message);
  }
}

TEST_CASE("the number of GPUs must be somewhere") {
  CHECK(message_of({"", "t.sh", "python a.py " + small_model, "", ""}, 0) ==
        "t.sh: error: the number of GPUs is not in the file\n"
        "  hint: give it with --gpus N");
}

TEST_CASE("what is not known of an argument that changes nothing does not matter") {
  const ImportedScenario scenario =
      import_text("ARGS=(--lr $LR --data-path $(cat list) --save $OUT/x)\n"
                  "[ $KEY = x ] && ARGS+=(--wandb-project p)\n"
                  "torchrun a.py " +
                  small_model + " ${ARGS[@]}\n");
  CHECK(scenario.remarks.empty());
}

TEST_CASE("published commands and recipes are imported, or refused at a place") {
  const char* samples = std::getenv("MOESIM_SAMPLES");
  if (!samples || !std::filesystem::exists(std::filesystem::path(samples) / "megatron")) {
    std::cout << "MOESIM_SAMPLES holds no folder megatron: no commands were read\n";
    return;
  }
  const TemporaryFolder folder;
  ScenarioOptions options;
  options.topology = write_cluster(folder);
  options.gpus = 64;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(samples) / "megatron")) {
    INFO(entry.path());
    try {
      const ImportedScenario scenario = read_megatron(entry.path(), options);
      CHECK(value_of(scenario, "training.sequence_length") != "");
    } catch (const InputError& error) { // any other exception fails
      CHECK(std::string(error.what()).find("error: ") != std::string::npos);
    }
  }
}
