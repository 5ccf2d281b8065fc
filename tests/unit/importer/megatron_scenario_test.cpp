#include "sim/scenario/scenario.hpp"
#include "tests/unit/importer/megatron_text.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace moesim;
namespace fs = std::filesystem;

namespace {

/// The scenario that a reader makes of what is written.
Scenario read_back(const ImportedScenario& imported) {
  const TemporaryFolder folder;
  ImportedScenario scenario = imported;
  for (ImportedTable& table : scenario.tables)
    for (ImportedValue& value : table.values)
      if (value.key == "topology")
        value.value = "\"" + write_cluster(folder).string() + "\"";
  write_imported_scenario(scenario, folder.path() / "run" / "scenario.toml");
  return read_scenario(folder.path() / "run" / "scenario.toml", {});
}

std::int64_t parameters_of(const ImportedScenario& imported) {
  return count_parameters(read_back(imported).workload.model).total;
}

const std::string run = " --seq-length 4096 --micro-batch-size 1 --global-batch-size 64 --bf16"
                        " --expert-tensor-parallel-size 1 --swiglu --disable-bias-linear"
                        " --untie-embeddings-and-output-weights";

} // namespace

TEST_CASE("published models have their published sizes when Megatron's arguments name them") {
  // The totals of the published configs; sim's own reader of those agrees with them
  // (tests/unit/workload/published_counts_test.cpp).
  CHECK(parameters_of(import_text("--num-layers 32 --hidden-size 4096 --ffn-hidden-size 14336 "
                                  "--num-attention-heads 32 --group-query-attention "
                                  "--num-query-groups 8 --num-experts 8 --moe-router-topk 2 "
                                  "--vocab-size 32000" +
                                  run)) == 46'702'792'704); // Mixtral-8x7B
  CHECK(parameters_of(import_text("--num-layers 48 --hidden-size 2048 --ffn-hidden-size 6144 "
                                  "--num-attention-heads 32 --group-query-attention "
                                  "--num-query-groups 4 --kv-channels 128 --qk-layernorm "
                                  "--num-experts 128 --moe-router-topk 8 --moe-ffn-hidden-size 768 "
                                  "--vocab-size 151936" +
                                  run)) == 30'532'122'624); // Qwen3-30B-A3B
  const ImportedScenario deepseek = import_text(
      "--num-layers 61 --hidden-size 7168 --ffn-hidden-size 18432 --num-attention-heads 128 "
      "--multi-latent-attention --q-lora-rank 1536 --kv-lora-rank 512 --qk-head-dim 128 "
      "--qk-pos-emb-head-dim 64 --v-head-dim 128 --qk-layernorm --num-experts 256 "
      "--moe-router-topk 8 --moe-ffn-hidden-size 2048 --moe-layer-freq ([0]*3+[1]*58) "
      "--moe-shared-expert-intermediate-size 2048 --moe-router-num-groups 8 "
      "--moe-router-group-topk 4 --moe-router-enable-expert-bias --vocab-size 129280" +
      run);
  CHECK(parameters_of(deepseek) == 671'026'419'200); // DeepSeek-V3
  const ModelSpec model = read_back(deepseek).workload.model;
  CHECK(model.attention.kind == AttentionKind::latent);
  CHECK(model.experts.groups == 8);
  CHECK(model.experts.groups_per_token == 4);
  CHECK_FALSE(model.layers[2].moe);
  CHECK(model.layers[3].moe);
  CHECK(parameters_of(import_text("--num-layers 80 --hidden-size 8192 --ffn-hidden-size 28672 "
                                  "--num-attention-heads 64 --group-query-attention "
                                  "--num-query-groups 8 --vocab-size 128256" +
                                  run)) == 70'553'706'496); // Llama-3-70B
}

TEST_CASE("a launch script becomes a scenario that runs") {
  const ImportedScenario imported = import_text("#!/bin/bash\n"
                                                "TP=${TP:-2}\n"
                                                "MOE=(--expert-model-parallel-size 4\n"
                                                "     --expert-tensor-parallel-size 1)\n"
                                                "torchrun --nproc_per_node 8 --nnodes 2 \\\n"
                                                "  pretrain_gpt.py --tensor-model-parallel-size "
                                                "$TP --sequence-parallel \\\n"
                                                "  --lr $LR --use-distributed-optimizer "
                                                "\"${MOE[@]}\" \\\n"
                                                "  " +
                                                    small_model + "\n",
                                                "", "train.sh", 0);
  const Workload workload = read_back(imported).workload;
  CHECK(workload.plan.gpus == 16);
  CHECK(workload.plan.tensor == 2);
  CHECK(workload.plan.expert == 4);
  CHECK(workload.plan.sequence_parallel);
  CHECK(workload.plan.zero_stage == 1);
  CHECK(workload.training.global_batch == 64);
  CHECK(workload.training.sequence_length == 2048);
  CHECK(workload.model.layers.size() == 8);
  CHECK(workload.model.feed_forward_matrices == 2); // no --swiglu
  CHECK(workload.model.experts.experts_per_token == 2);
  // 1,000 tokens, up to a multiple of 128 for each of the two tensor ranks.
  CHECK(workload.model.vocabulary == 1024);
  CHECK(imported.remarks.empty());
}

TEST_CASE("the same arguments come to the same as a script, as a list and as either YAML") {
  const std::string script = "python pretrain_gpt.py --num-layers 8 --hidden-size 512 \\\n"
                             " --num-attention-heads 8 --swiglu --vocab-size 1024 \\\n"
                             " --num-experts 16 --seq-length 128 --micro-batch-size 1 \\\n"
                             " --recompute-granularity selective --recompute-modules moe_act "
                             "layernorm --bf16\n";
  const std::string list = "# a list\n--num-layers 8 --hidden-size 512\n--num-attention-heads=8 "
                           "--swiglu --vocab-size 1024\n--num-experts 16 --seq-length 128 "
                           "--micro-batch-size 1\n--recompute-granularity selective\n"
                           "--recompute-modules moe_act layernorm\n--bf16\n";
  const std::string recipe = "ENV_VARS:\n  LAYERS: 8\nMODEL_ARGS:\n  --num-layers: ${LAYERS}\n"
                             "  --hidden-size: 512\n  --num-attention-heads: 8\n  --swiglu: true\n"
                             "  --vocab-size: 1024\n  --num-experts: 16\n  --seq-length: 128\n"
                             "  --micro-batch-size: 1\n  --sequence-parallel: false\n"
                             "  --recompute-granularity: selective\n"
                             "  --recompute-modules: [moe_act, layernorm]\n  --bf16: true\n";
  const std::string config = "language_model:\n  num_layers: 8\n  hidden_size: 512\n"
                             "  num_attention_heads: 8\n  num_moe_experts: 16\n"
                             "  gated_linear_unit: True\n  add_bias_linear: true\n  fp8: null\n"
                             "  recompute_modules: moe_act layernorm\n"
                             "  recompute_granularity: selective\nmodel_parallel:\n  bf16: True\n"
                             "vocab_size: 1024\nseq_length: 128\nmicro_batch_size: 1\n"
                             "num_query_groups: null\n";
  const ImportedScenario expected = import_text(script);
  CHECK(value_of(expected, "parallel.recompute") == "\"selective\"");
  CHECK(value_of(expected, "parallel.recompute_modules") == "[\"moe_act\", \"layernorm\"]");
  for (const auto& [name, text] :
       {std::pair("args.txt", list), {"recipe.yaml", recipe}, {"config.yml", config}}) {
    INFO(name);
    const ImportedScenario other = import_text(text, "", name);
    CHECK(other.config == expected.config);
    CHECK(other.remarks == expected.remarks);
    for (const ImportedTable& table : expected.tables)
      for (const ImportedValue& value : table.values)
        if (value.key != "topology") {
          INFO(table.name << "." << value.key);
          CHECK(value_of(other, table.name + "." + value.key) == value.value);
        }
  }
}

TEST_CASE("a command line in one text is read as the shell would pass it on") {
  const ImportedScenario eval =
      import_text("OPTIONS=\" --tensor-model-parallel-size 2 " + small_model +
                  "\"\nCMD=\"torchrun pretrain_gpt.py ${OPTIONS}\"\necho ${CMD}\neval ${CMD}\n");
  CHECK(value_of(eval, "parallel.tensor") == "2");
  const ImportedScenario bash = import_text("CMD=\"python -u pretrain_gpt.py " + small_model +
                                            "\"\nsrun -l sh -c \"${CMD}\"\n");
  CHECK(value_of(bash, "training.sequence_length") == "2048");
  // Quotes in the text are the second shell's.
  const ImportedScenario quoted =
      import_text("OPTIONS=\" --moe-layer-freq '([0]*3+[1]*5)' " + small_model +
                  "\"\nCMD=\"torchrun pretrain_gpt.py ${OPTIONS}\"\neval $CMD\n");
  CHECK(quoted.config.find("\"mlp_only_layers\": [0, 1, 2]") != std::string::npos);
}

TEST_CASE("a flag may be followed by true or false") {
  const ImportedScenario scenario =
      import_text(small_model, "--sequence_parallel true --use_distributed_optimizer false");
  CHECK(value_of(scenario, "parallel.sequence_parallel") == "true");
  CHECK(value_of(scenario, "parallel.zero_stage") == "0");
}

TEST_CASE("a variable that a script takes to be empty is named") {
  const ImportedScenario scenario =
      import_text("if [ -n \"$CP\" ]; then MORE=\"--context-parallel-size $CP\"; fi\na.py " +
                  small_model + " $MORE\n");
  CHECK(value_of(scenario, "parallel.context") == "1");
  REQUIRE(scenario.remarks.size() == 1);
  CHECK(scenario.remarks[0].find("taken to be empty: CP is not set in this file (") == 0);
  CHECK(scenario.remarks[0].find("train.sh:1)") != std::string::npos);
}

TEST_CASE("the GPUs come from the option, from torchrun or from the header of Slurm") {
  const std::string command = "pretrain_gpt.py " + small_model + "\n";
  const auto gpus = [](const std::string& text, std::int64_t given) {
    return value_of(import_text(text, "", "train.sh", given), "cluster.gpus");
  };
  CHECK(gpus("torchrun --nproc-per-node=4 --nnodes 3 " + command, 0) == "12");
  CHECK(gpus("torchrun --nproc_per_node 4 " + command, 0) == "4");
  CHECK(gpus("torchrun --nproc_per_node 4 " + command, 32) == "32");
  CHECK(gpus("python " + command.substr(0, command.size() - 1) + " --world-size 24\n", 0) == "24");
  CHECK(gpus("#SBATCH --nodes=2 # of them\n#SBATCH --ntasks-per-node=8\nsrun python " + command,
             0) == "16");
  CHECK(gpus("#SBATCH -N 3\n#SBATCH --gres=gpu:h100:4\nsrun python " + command, 0) == "12");
}

TEST_CASE("the cut of the pipeline becomes layers for each stage") {
  const auto layers = [](const std::string& more) {
    const ImportedScenario scenario =
        import_text(small_model, "--pipeline-model-parallel-size 2 " + more);
    return value_of(scenario, "parallel.layers_per_stage") + " " +
           value_of(scenario, "parallel.virtual_stages") + " " +
           value_of(scenario, "parallel.schedule");
  };
  CHECK(layers("") == "  \"1f1b\"");
  CHECK(layers("--num-layers-per-virtual-pipeline-stage 2") == " 2 \"interleaved\"");
  CHECK(layers("--num-virtual-stages-per-pipeline-rank 4") == " 4 \"interleaved\"");
}

TEST_CASE("every way to cut the pipeline unevenly") {
  const auto layers = [](const std::string& more) {
    return value_of(import_text(small_model, more), "parallel.layers_per_stage");
  };
  CHECK(layers("--pipeline-model-parallel-size 2 --pipeline-model-parallel-layout "
               "\"Et*3|tt|(t)*3|mL\"") == "[3, 2, 3, 0]");
  // The embedding and the loss stand for a layer each: ten over two stages, or over five.
  CHECK(layers("--pipeline-model-parallel-size 2 --account-for-embedding-in-pipeline-split "
               "--account-for-loss-in-pipeline-split") == "[4, 4]");
  CHECK(layers("--pipeline-model-parallel-size 5 --account-for-embedding-in-pipeline-split "
               "--account-for-loss-in-pipeline-split") == "[1, 2, 2, 2, 1]");
  CHECK(layers("--pipeline-model-parallel-size 3 --decoder-first-pipeline-num-layers 2") ==
        "[2, 3, 3]");
  CHECK(layers("--pipeline-model-parallel-size 4 --decoder-first-pipeline-num-layers 1 "
               "--decoder-last-pipeline-num-layers 1") == "[1, 3, 3, 1]");
  // Chunk after chunk: the first stage holds 1 layer of each, the second 3.
  CHECK(layers("--pipeline-model-parallel-size 2 --decoder-first-pipeline-num-layers 2 "
               "--num-virtual-stages-per-pipeline-rank 2") == "[1, 3, 1, 3]");
}

TEST_CASE("a stage of multi-token prediction alone is said to run with the last") {
  const std::string layout = "--mtp-num-layers 1 --pipeline-model-parallel-size 2 "
                             "--pipeline-model-parallel-layout ";
  CHECK(notes_of(import_text(small_model, layout + "\"Et*4|t*3|tm|L\""), "parallel")
            .find("not modelled: multi-token prediction in a stage of its own") == 0);
  CHECK(notes_of(import_text(small_model, layout + "Et*4|t*4mL"), "parallel").empty());
}

namespace {

struct Row {
  std::string arguments;
  std::string key;
  std::string value;
};
const std::vector<Row> plan_rows = {
    {"", "parallel.expert_tensor", "1"},
    {"--tensor-model-parallel-size 2", "parallel.expert_tensor", "2"},
    {"--context-parallel-size 4", "parallel.context", "4"},
    {"", "parallel.sequence_parallel", "false"},
    {"", "parallel.zero_stage", "0"},
    {"--use-megatron-fsdp --data-parallel-sharding-strategy optim_grads_params",
     "parallel.zero_stage", "3"},
    {"--recompute-granularity full --recompute-method uniform --recompute-num-layers 1",
     "parallel.recompute", "\"full\""},
    {"--recompute-activations", "parallel.recompute", "\"selective\""},
    {"--recompute-activations", "parallel.recompute_modules", "[\"core_attn\"]"},
    {"", "parallel.recompute", "\"none\""},
    {"", "training.precision", "\"bf16\""},
    {"--fp4-format e2m1", "training.precision", "\"nvfp4\""},
    {"--fp8-format hybrid", "training.precision", "\"fp8\""},
    {"--fp8-format hybrid", "training.fp8_recipe", "\"per-tensor\""},
    {"--fp8-format e4m3 --fp8-recipe tensorwise", "training.fp8_recipe", "\"per-tensor\""},
    {"--fp8-format e4m3 --fp8-recipe mxfp8", "training.fp8_recipe", "\"mxfp8\""},
    {"--grad-reduce-in-bf16", "training.gradient_precision", "\"bf16\""},
    {"", "training.gradient_precision", "\"fp32\""},
    {"--use-precision-aware-optimizer --exp-avg-dtype bf16", "training.moment_precision",
     "\"bf16\""},
    {"--use-torch-fsdp2 --torch-fsdp2-no-reshard-after-forward", "parallel.zero_stage", "2"},
    {"--moe-layer-recompute", "parallel.recompute_modules", "[\"moe\"]"},
    {"--cpu-offloading --cpu-offloading-num-layers 3", "parallel.offload_layers", "3"},
    {"--fine-grained-activation-offloading --offload-modules expert_fc1 moe_act",
     "parallel.offload_modules", "[\"expert_fc1\", \"moe_act\"]"},
    {"", "training.cuda_graph_scope", "\"none\""},
    {"--cuda-graph-impl transformer_engine --cuda-graph-scope attn moe_router",
     "training.cuda_graph_scope", "[\"attn\", \"moe_router\"]"},
    {"--cuda-graph-impl local --cuda-graph-modules attn moe_router", "training.cuda_graph_scope",
     "[\"attn\", \"moe_router\"]"},
    {"--cuda-graph-impl full_iteration", "training.cuda_graph_scope", "[\"full_iteration\"]"},
    {"--moe-expert-capacity-factor 1.25", "routing.capacity_factor", "1.25"},
    {"", "routing.capacity_factor", "0.0"},
    {"", "communication.dispatcher", "\"allgather\""},
    {"--moe-token-dispatcher-type alltoall", "communication.dispatcher", "\"alltoall\""},
    {"--moe-token-dispatcher-type flex --moe-enable-deepep", "communication.dispatcher",
     "\"node-limited\""},
    {"--moe-token-dispatcher-type flex --moe-enable-deepep", "communication.dispatch_library",
     "\"deepep\""},
    {"--moe-token-dispatcher-type flex --moe-flex-dispatcher-backend hybridep",
     "communication.dispatch_library", "\"hybridep\""},
    {"--tp-comm-overlap", "communication.overlap_tensor", "true"},
    {"--mtp-num-layers 2", "model.mtp_layers", "2"},
    {"--moe-shared-expert-overlap", "communication.overlap", "\"shared-expert\""},
    {"--overlap-moe-expert-parallel-comm", "communication.overlap", "\"batch\""},
    {"", "communication.overlap", "\"none\""},
    {"--overlap-grad-reduce", "communication.overlap_data_parallel", "true"},
    {"", "communication.overlap_data_parallel", "false"},
};

} // namespace

TEST_CASE("each argument of the plan has its key") {
  for (const Row& row : plan_rows) {
    INFO(row.arguments << " " << row.key);
    CHECK(value_of(import_text(small_model, row.arguments), row.key) == row.value);
  }
}

TEST_CASE("a dense model has no experts, no routing and no dispatch") {
  const ImportedScenario dense = import_text("--num-layers 4 --hidden-size 512 "
                                             "--num-attention-heads 8 --vocab-size 1024 "
                                             "--seq-length 128 --micro-batch-size 2 --fp16");
  CHECK(value_of(dense, "parallel.expert").empty());
  CHECK(value_of(dense, "parallel.expert_tensor").empty());
  CHECK(value_of(dense, "communication.dispatcher").empty());
  CHECK(value_of(dense, "training.global_batch") == "32"); // 16 replicas of a micro-batch of 2
  const Workload workload = read_back(dense).workload;
  CHECK_FALSE(workload.model.is_moe());
  CHECK(workload.model.layers[0].dense_hidden == 2048); // 4 x 512
  CHECK(workload.model.tied_embeddings);
  CHECK(workload.model.attention.qkv_bias);
}

TEST_CASE("what has no key is a comment where it belongs, and what is not known is a remark") {
  const ImportedScenario scenario =
      import_text(small_model + "\n--fp8-format e4m3 --fp8-param-gather\n--delay-wgrad-compute "
                                "--lr 1e-4\n--frobnicate 3 4 --seq-lenght 5\n",
                  "--mtp-num-layers 1");
  CHECK(notes_of(scenario, "training") == "not modelled: --fp8-param-gather, line 2\n");
  CHECK(notes_of(scenario, "parallel") == "not modelled: --delay-wgrad-compute, line 3\n");
  CHECK(value_of(scenario, "model.mtp_layers") == "1");
  CHECK(scenario.config.find("\"num_nextn_predict_layers\": 1") != std::string::npos);
  REQUIRE(scenario.remarks.size() == 2);
  CHECK(scenario.remarks[0].find("not used: --frobnicate 3 4 (") == 0);
  CHECK(scenario.remarks[0].find("train.sh:4): not known here") != std::string::npos);
  CHECK(scenario.remarks[1].find("did you mean \"seq-length\"?") != std::string::npos);
}

TEST_CASE("a config.json that no import wrote stays") {
  const TemporaryFolder folder;
  folder.write("config.json", "{\"model_type\": \"mixtral\"}");
  const ImportedScenario scenario = import_text(small_model);
  CHECK_THROWS_WITH(write_imported_scenario(scenario, folder.path() / "scenario.toml"),
                    Catch::Contains("is there already, and no import wrote it"));
  CHECK_FALSE(fs::exists(folder.path() / "scenario.toml"));
  write_imported_scenario(scenario, folder.path() / "mine" / "scenario.toml");
  write_imported_scenario(scenario, folder.path() / "mine" / "scenario.toml"); // its own it may
  CHECK(fs::exists(folder.path() / "mine" / "config.json"));
}
