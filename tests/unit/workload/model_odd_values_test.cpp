#include "sim/workload/model_spec.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace moesim;

namespace {

const std::string odd_sizes = R"("hidden_size": 64, "intermediate_size": 96, "vocab_size": 100,
 "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 2, )";
const std::string odd_experts = R"("moe_intermediate_size": 32, "num_experts_per_tok": 2, )";
const std::string odd_qwen3 =
    R"({"model_type": "qwen3_moe", "num_experts": 4, )" + odd_sizes + odd_experts;
const std::string odd_glm4 =
    R"({"model_type": "glm4_moe", "n_routed_experts": 4, "n_shared_experts": 1,
 "n_group": 1, "topk_group": 1, )" +
    odd_sizes + odd_experts;
const std::string odd_next = R"({"model_type": "qwen3_next", "num_experts": 4, "head_dim": 8,
 "linear_conv_kernel_dim": 4, "linear_key_head_dim": 8, "linear_num_key_heads": 2,
 "linear_num_value_heads": 4, "linear_value_head_dim": 8,
 "shared_expert_intermediate_size": 32, )" +
                             odd_sizes + odd_experts;
const std::string odd_llama = R"({"model_type": "llama", )" + odd_sizes;

/// The place and the message of the refusal of a config with these last keys; "read": none.
std::string refusal_of_config(const std::string& config, const std::string& last_keys) {
  const TemporaryFolder folder;
  try {
    read_model(folder.write("config.json", config + "\n" + last_keys + "}"));
  } catch (const InputError& error) {
    const std::string text = error.what();
    const std::size_t begin = text.find("config.json:") + std::string("config.json:").size();
    return text.substr(begin, text.find('\n') - begin);
  }
  return "read";
}

} // namespace

TEST_CASE("numbers of layers must be a list of layers that the model has") {
  CHECK(refusal_of_config(odd_qwen3, R"("mlp_only_layers": "10")") ==
        "3:1: error: mlp_only_layers must be a list of whole numbers, not \"10\"");
  CHECK(refusal_of_config(odd_qwen3, R"("mlp_only_layers": 3)") ==
        "3:1: error: mlp_only_layers must be a list of whole numbers, not 3");
  CHECK(refusal_of_config(odd_qwen3, R"("mlp_only_layers": [1.5])") ==
        "3:1: error: mlp_only_layers must hold whole numbers, not 1.5");
  CHECK(refusal_of_config(odd_qwen3, R"("mlp_only_layers": [999])") ==
        "3:1: error: mlp_only_layers names layer 999, and the model has the layers 0 to 3");
  CHECK(refusal_of_config(odd_qwen3, R"("mlp_only_layers": [3])") == "read");
  CHECK(refusal_of_config(odd_glm4, R"("first_k_dense_replace": 5)") ==
        "4:1: error: first_k_dense_replace must be at most 4, not 5");
  CHECK(refusal_of_config(odd_glm4, R"("first_k_dense_replace": 4)") == "read"); // all are dense
}

TEST_CASE("a list of layers' kinds must reach to the last layer, whatever the family") {
  const std::string three =
      R"("layer_types": ["full_attention", "full_attention", "full_attention"])";
  for (const std::string& config : {odd_llama, odd_qwen3, odd_glm4, odd_next})
    CHECK(
        refusal_of_config(config, three).ends_with("error: layer_types has 3 items for 4 layers"));
  CHECK(refusal_of_config(odd_next, R"("layer_types": ["linear_attention"])")
            .ends_with("error: layer_types has 1 items for 4 layers"));
}

TEST_CASE("a step between layers of another kind is at least one") {
  CHECK(refusal_of_config(odd_next, R"("full_attention_interval": 0)") ==
        "6:1: error: full_attention_interval must be at least 1, not 0");
  CHECK(refusal_of_config(odd_qwen3, R"("decoder_sparse_step": 0)") ==
        "3:1: error: decoder_sparse_step must be at least 1, not 0");
}

TEST_CASE("keys of another architecture are refused by name") {
  CHECK(refusal_of_config(odd_llama, R"("altup_num_inputs": 4)") ==
        "3:1: error: altup_num_inputs stands for several residual streams, which llama.toml does "
        "not have");
  CHECK(refusal_of_config(odd_llama, R"("laurel_rank": 64)") ==
        "3:1: error: laurel_rank stands for low-rank residuals beside each layer, which llama.toml "
        "does not have");
}

TEST_CASE("text in the place of a number or a list is said to be text") {
  CHECK(refusal_of_config(R"({"model_type": "llama", "num_hidden_layers": 2, "vocab_size": 100,
 "num_attention_heads": 8, "intermediate_size": 96, )",
                          R"("hidden_size": "4096")") ==
        "3:1: error: hidden_size must be a whole number, not \"4096\"");
  CHECK(refusal_of_config(odd_llama, R"("architectures": "LlamaForCausalLM")") ==
        "3:1: error: architectures must be a list of names");
}
