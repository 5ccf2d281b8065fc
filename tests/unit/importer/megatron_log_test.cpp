#include "sim/base/input_error.hpp"
#include "sim/importer/megatron_log.hpp"
#include "tests/unit/importer/megatron_text.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace moesim;

namespace {

/// The block of arguments as Megatron prints it, each line after `prefix`.
std::string block(const std::string& prefix, const std::string& more = "") {
  const std::vector<std::pair<std::string, std::string>> arguments = {
      {"add_bias_linear", "False"},
      {"bf16", "True"},
      {"consumed_train_samples", "0"},
      {"cp_comm_type", "['p2p']"},
      {"cuda_graph_modules", "[<CudaGraphModule.attn: 1>, <CudaGraphModule.moe_router: 5>]"},
      {"cuda_graph_impl", "transformer_engine"},
      {"encoder_num_layers", "4"},
      {"expert_model_parallel_size", "8"},
      {"fp8", "None"},
      {"global_batch_size", "64"},
      {"hidden_size", "512"},
      {"is_hybrid_model", "False"},
      {"main_grads_dtype", "torch.bfloat16"},
      {"mamba_state_dim", "128"},
      {"micro_batch_size", "1"},
      {"moe_layer_freq", "[0, 1, 1, 1]"},
      {"num_attention_heads", "8"},
      {"num_experts", "8"},
      {"num_layers", "4"},
      {"optimizer", "adam"},
      {"recompute_granularity", "selective"},
      {"recompute_modules", "['moe_act', 'layernorm']"},
      {"seq_length", "1024"},
      {"swiglu", "True"},
      {"torch_fsdp2_reshard_after_forward", "True"},
      {"untie_embeddings_and_output_weights", "False"},
      {"world_size", "16"}};
  std::string text = prefix + "------------------------ arguments ------------------------\n";
  for (const auto& [name, value] : arguments)
    text += prefix + "  " + name + " " + std::string(48 - name.size(), '.') + " " + value + "\n";
  return text + more + prefix + "-------------------- end of arguments ---------------------\n" +
         prefix + " > padded vocab (size: 1000) with 24 dummy tokens (new size: 1024)\n";
}

LoggedRun read_text(const std::string& text) {
  const TemporaryFolder folder;
  return read_megatron_log(folder.write("run.log", text));
}

std::string log_message(const std::string& text) {
  const TemporaryFolder folder;
  ScenarioOptions options;
  options.topology = write_cluster(folder);
  try {
    LoggedRun run = read_megatron_log(folder.write("run.log", text));
    scenario_of(run.arguments, options);
  } catch (const InputError& error) {
    return std::string(error.what()).substr(folder.path().string().size() + 1);
  }
  return "no error";
}

std::string iteration(int number, const std::string& time, const std::string& more = "") {
  return "[default15]: [2025-04-13 23:41:00] iteration " + std::to_string(number) +
         "/ 100 | consumed samples: 64 | elapsed time per iteration (ms): " + time + " | " + more +
         "\n";
}

} // namespace

TEST_CASE("the arguments of a log make its scenario, whatever stands before each line") {
  const TemporaryFolder folder;
  ScenarioOptions options;
  options.topology = write_cluster(folder);
  for (const char* prefix : {"", "0: ", "[default0]:", "[rank0]: 2025-11-30 10:00:00,1 "}) {
    INFO(prefix);
    LoggedRun run = read_text("noise\n" + block(prefix));
    const ImportedScenario scenario = scenario_of(run.arguments, options);
    CHECK(value_of(scenario, "cluster.gpus") == "16");
    CHECK(value_of(scenario, "parallel.expert") == "8");
    CHECK(value_of(scenario, "parallel.recompute_modules") == "[\"moe_act\", \"layernorm\"]");
    CHECK(value_of(scenario, "training.gradient_precision") == "\"bf16\"");
    CHECK(value_of(scenario, "training.cuda_graph_scope") == "[\"attn\", \"moe_router\"]");
    CHECK(scenario.config.find("\"mlp_only_layers\": [0]") != std::string::npos);
    CHECK(scenario.config.find("\"attention_bias\": false") != std::string::npos);
    CHECK(scenario.config.find("\"tie_word_embeddings\": true") != std::string::npos);
    CHECK(scenario.config.find("\"vocab_size\": 1024") != std::string::npos);
    CHECK(notes_of(scenario, "parallel").empty());
    REQUIRE(scenario.remarks.size() == 1);
    CHECK(scenario.remarks[0].find("not known here: consumed_train_samples (") == 0);
    CHECK_FALSE(run.step_time_ms);
  }
}

TEST_CASE("times are the median after the warm-up, and memory the most of a rank") {
  std::string text = block("");
  // Five lines: two of warm-up, then 31, 41 and 35.
  for (const char* time : {"9000.0", "100.0", "31.0", "41.0", "35.0"})
    text += iteration(1, time, "throughput per GPU (TFLOP/s/GPU): " + std::string(time) + " |");
  text += "[Rank 0] (after 2 iterations) memory (MB) | allocated: 1.0 | max allocated: 2048.0 | "
          "reserved: 3.0\n"
          "[Rank 8] (after 2 iterations) memory (MB) | allocated: 1.0 | max allocated: 1024.0 | "
          "reserved: 3.0\n";
  const LoggedRun run = read_text(text);
  CHECK(run.iteration_lines == 5);
  CHECK(run.warm_up_lines == 2);
  CHECK(run.step_time_ms.value() == 35.0);
  CHECK(run.tflops_per_gpu.value() == 35.0);
  CHECK(run.allocated_gib.value() == 2.0); // 2,048 MiB
  CHECK(read_text(block("") + iteration(1, "7.5")).step_time_ms.value() == 7.5);
  // A tenth of 40 lines is warm-up.
  std::string many = block("");
  for (int i = 0; i < 40; ++i)
    many += iteration(i, i < 4 ? "900" : "50");
  CHECK(read_text(many).warm_up_lines == 4);
  CHECK(read_text(many).step_time_ms.value() == 50.0);
}

TEST_CASE("a run that starts again counts from its last block") {
  std::string text = block("") + iteration(1, "500") + block("") + iteration(1, "20");
  CHECK(read_text(text).step_time_ms.value() == 20.0);
  CHECK(read_text(text).iteration_lines == 1);
}

TEST_CASE("a log without a whole block, or with values that are not modelled, is refused") {
  CHECK(log_message("iteration 1/2\n").find("run.log: error: has no block of arguments") == 0);
  const std::string whole = block("");
  CHECK(log_message(whole.substr(0, whole.find("-------------------- end"))) ==
        "run.log:1:22: error: the block of arguments has no end\n"
        "  ------------------------ arguments ------------------------\n"
        "                       ^");
  CHECK(log_message(block("", "  moe_latent_size ................................. 64\n"))
            .find("run.log:29:53: error: --moe-latent-size 64 is not modelled: ") == 0);
  CHECK(log_message(block("")) == "no error");
}
