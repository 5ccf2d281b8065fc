#include "sim/scenario/scenario.hpp"
#include "tests/unit/importer/megatron_text.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace moesim;
namespace fs = std::filesystem;

TEST_CASE("a tokenizer that is known gives the vocabulary, which is said") {
  const std::string dense = "--num-layers 4 --hidden-size 512 --num-attention-heads 8 "
                            "--seq-length 128 --micro-batch-size 2 --bf16 ";
  const ImportedScenario scenario = import_text(
      dense + "--tokenizer-model Qwen/Qwen3-30B-A3B --make-vocab-size-divisible-by 1187");
  // 151,936 = 128 x 1,187.
  CHECK(scenario.config.find("\"vocab_size\": 151936") != std::string::npos);
  CHECK(notes_of(scenario, "model")
            .find("not in the file, assumed: --vocab-size 151936 (vocab_size of the model of "
                  "--tokenizer-model, line 1)") != std::string::npos);
  // GPT-2's 50,257 up to a multiple of 128: 393 x 128 = 50,304.
  CHECK(import_text(dense + "--tokenizer-type GPT2BPETokenizer")
            .config.find("\"vocab_size\": 50304") != std::string::npos);
}

TEST_CASE("a command that only names its model takes the sizes of a published config") {
  const TemporaryFolder folder;
  ScenarioOptions options;
  options.topology = write_cluster(folder);
  options.model = fs::path(MOESIM_SOURCE_DIR) / "workloads/qwen3-30b-a3b/config.json";
  const fs::path script = folder.write(
      "swift.sh", "NPROC_PER_NODE=4 NNODES=2 megatron sft --model Qwen/Qwen3-30B-A3B \\\n"
                  "--tensor_model_parallel_size 2 --expert_model_parallel_size 4 "
                  "--expert_tensor_parallel_size 1 --sequence_parallel true \\\n"
                  "--micro_batch_size 1 --global_batch_size 16 --max_length 2048\n");
  const ImportedScenario scenario = read_megatron(script, options);
  CHECK(value_of(scenario, "cluster.gpus") == "8"); // 2 nodes of 4
  CHECK(value_of(scenario, "parallel.expert") == "4");
  CHECK(value_of(scenario, "training.sequence_length") == "2048");
  CHECK(scenario.config.empty());
  write_imported_scenario(scenario, folder.path() / "run" / "scenario.toml");
  CHECK_FALSE(fs::exists(folder.path() / "run" / "config.json"));
  const Workload workload = read_scenario(folder.path() / "run" / "scenario.toml", {}).workload;
  CHECK(count_parameters(workload.model).total == 30'532'122'624);
}

TEST_CASE("arrays alone are arguments") {
  const ImportedScenario scenario = import_text(
      "MODEL_ARGS=(" + small_model + ")\nPATHS=(a b)\nMORE=\"--context-parallel-size 2\"\n");
  CHECK(value_of(scenario, "parallel.context") == "2");
  REQUIRE(scenario.remarks.size() == 1);
  CHECK(scenario.remarks[0].find("no command: the arguments of MODEL_ARGS, MORE are taken (") == 0);
}

TEST_CASE("a file of Primus gives its overrides to the model that an option names") {
  const TemporaryFolder folder;
  ScenarioOptions options;
  options.topology = write_cluster(folder);
  options.gpus = 8;
  options.model = fs::path(MOESIM_SOURCE_DIR) / "workloads/mixtral-8x7b/config.json";
  const fs::path file = folder.write(
      "primus.yaml",
      "work_group: ${PRIMUS_TEAM:amd}\nmodules:\n  pre_trainer:\n    framework: megatron\n"
      "    model: mixtral_8x7B_v0.1.yaml\n    overrides:\n      seq_length: ${PRIMUS_SEQ:4096}\n"
      "      micro_batch_size: 2\n      expert_model_parallel_size: 8\n");
  const ImportedScenario scenario = read_megatron(file, options);
  CHECK(value_of(scenario, "parallel.expert") == "8");
  CHECK(value_of(scenario, "training.micro_batch") == "2");
}

TEST_CASE(
    "a config of Megatron-Bridge has flags of the opposite sense, and groups without a flag") {
  const ImportedScenario scenario =
      import_text("_target_: megatron.bridge.training.config.ConfigContainer\n"
                  "dataset:\n  sequence_length: 4096\n"
                  "ddp:\n  use_distributed_optimizer: true\n"
                  "mixed_precision:\n  bf16: true\n  grad_reduce_in_fp32: false\n"
                  "model:\n  activation_func:\n    _target_: torch.nn.functional.silu\n"
                  "  add_bias_linear: false\n  gated_linear_unit: true\n  hidden_size: 512\n"
                  "  num_attention_heads: 8\n  num_layers: 4\n  num_moe_experts: 16\n"
                  "  num_query_groups: 2\n  share_embeddings_and_output_weights: false\n"
                  "  mamba_state_dim: 128\n  window_size: null\n  vocab_size: 1000\n"
                  "train:\n  micro_batch_size: 1\n",
                  "", "bridge.yaml");
  CHECK(scenario.remarks.empty());
  CHECK(value_of(scenario, "training.sequence_length") == "4096");
  CHECK(value_of(scenario, "training.gradient_precision") == "\"bf16\"");
  CHECK(scenario.config.find("\"num_key_value_heads\": 2") != std::string::npos);
  CHECK(scenario.config.find("\"tie_word_embeddings\": false") != std::string::npos);
  CHECK(scenario.config.find("\"attention_bias\": false") != std::string::npos);
}

TEST_CASE("slime's defaults stand where its scripts give no argument") {
  // 2 samples of 4,096 tokens fill 4,608 x 2 tokens. 16 prompts of 8 samples in 2 steps are 64.
  const std::string slime =
      "ray job submit --address x -- python3 train.py --actor-num-nodes 1 "
      "--actor-num-gpus-per-node 8 --num-layers 4 --hidden-size 512 --num-attention-heads 8 "
      "--vocab-size 1024 --tensor-model-parallel-size 2 --context-parallel-size 2 "
      "--rollout-batch-size 16 --n-samples-per-prompt 8 --num-steps-per-rollout 2 "
      "--use-dynamic-batch-size --max-tokens-per-gpu 4608";
  const ImportedScenario scenario = import_text(slime + "\n", "", "run.sh", 0);
  CHECK(value_of(scenario, "cluster.gpus") == "8");
  CHECK(value_of(scenario, "training.sequence_length") == "4096");
  CHECK(value_of(scenario, "training.global_batch") == "64");
  CHECK(value_of(scenario, "training.micro_batch") == "2");
  CHECK(value_of(scenario, "training.precision") == "\"bf16\"");
  CHECK(value_of(scenario, "parallel.zero_stage") == "1");
  // 9,216 tokens hold 24 of 384; of the 32 samples of each of 2 replicas 16 is the next divisor.
  const ImportedScenario shorter = import_text(slime + " --seq-length 384\n", "", "run.sh", 0);
  CHECK(value_of(shorter, "training.micro_batch") == "16");
}

TEST_CASE("an array that is never set is empty, but not where a file that may set it is missing") {
  const std::string command = "a.py " + small_model + " ${MORE[@]}\n";
  const ImportedScenario scenario = import_text(command);
  REQUIRE(scenario.remarks.size() == 1);
  CHECK(scenario.remarks[0].starts_with("taken to be empty: MORE is not set in this file ("));
  CHECK_THROWS_WITH(import_text("source nowhere.sh\n" + command),
                    Catch::Contains("MORE is not set in this file, and may hold arguments"));
}

TEST_CASE("a launcher that counts the GPUs of its node takes those of the topology") {
  // The topology's node has 64.
  const std::string start = "N=$(nvidia-smi -L | wc -l)\ntorchrun --nproc-per-node $N --nnodes ";
  const std::string end = " a.py " + small_model + "\n";
  CHECK(value_of(import_text(start + "2" + end, "", "t.sh", 0), "cluster.gpus") == "128");
  CHECK_THROWS_WITH(import_text(start + "$NODES" + end, "", "t.sh", 0),
                    Catch::Contains("the number of GPUs is not in this file: NODES is not set"));
}
