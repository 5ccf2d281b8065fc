#include "sim/importer/megatron_arguments.hpp"

#include <algorithm>
#include <sstream>

namespace moesim {

namespace {

/// Names with blanks between them. The lists below are tables, one subject a line.
using Names = const char*;

constexpr Names modelled_flags =
    "group-query-attention multi-latent-attention untie-embeddings-and-output-weights swiglu "
    "quick-geglu qk-layernorm add-qkv-bias disable-bias-linear moe-router-enable-expert-bias "
    "moe-shared-expert-gate moe-pad-expert-input-to-capacity moe-enable-deepep "
    "moe-shared-expert-overlap "
    "overlap-moe-expert-parallel-comm sequence-parallel use-distributed-optimizer "
    "use-megatron-fsdp use-custom-fsdp use-torch-fsdp2 recompute-activations bf16 fp16 "
    "account-for-embedding-in-pipeline-split account-for-loss-in-pipeline-split "
    "overlap-grad-reduce overlap-param-gather tp-comm-overlap grad-reduce-in-bf16 "
    "enable-cuda-graph external-cuda-graph cpu-offloading fine-grained-activation-offloading";

constexpr Names modelled_values =
    "num-layers hidden-size ffn-hidden-size num-attention-heads num-query-groups kv-channels "
    "q-lora-rank kv-lora-rank qk-head-dim qk-pos-emb-head-dim v-head-dim "
    "vocab-size padded-vocab-size make-vocab-size-divisible-by tokenizer-type "
    "num-experts moe-router-topk moe-ffn-hidden-size moe-shared-expert-intermediate-size "
    "moe-layer-freq moe-router-num-groups moe-router-group-topk moe-expert-capacity-factor "
    "moe-token-dispatcher-type moe-flex-dispatcher-backend mtp-num-layers "
    "position-embedding-type optimizer "
    "tensor-model-parallel-size pipeline-model-parallel-size context-parallel-size "
    "expert-model-parallel-size expert-tensor-parallel-size "
    "num-layers-per-virtual-pipeline-stage num-virtual-stages-per-pipeline-rank "
    "pipeline-model-parallel-layout decoder-first-pipeline-num-layers "
    "decoder-last-pipeline-num-layers data-parallel-sharding-strategy "
    "seq-length global-batch-size micro-batch-size "
    "recompute-granularity recompute-method recompute-num-layers fp8-format fp8-recipe fp4-format "
    "main-grads-dtype exp-avg-dtype cpu-offloading-num-layers cuda-graph-impl "
    "nnodes nproc-per-node world-size";

constexpr Names modelled_lists =
    "recompute-modules offload-modules cuda-graph-scope cuda-graph-modules";

constexpr Names ignored_flags =
    // checkpoints
    "no-save-optim no-save-rng no-load-optim no-load-rng finetune use-checkpoint-args "
    "use-mp-args-from-checkpoint-args no-use-tokenizer-model-from-checkpoint-args "
    "exit-on-missing-checkpoint use-checkpoint-opt-param-scheduler override-opt-param-scheduler "
    "async-save use-dist-ckpt use-persistent-ckpt-worker auto-detect-ckpt-format "
    "ckpt-fully-parallel-save ckpt-fully-parallel-load no-ckpt-fully-parallel-save "
    "ckpt-assume-constant-structure no-strict-fsdp-dtensor-load "
    // logging
    "log-params-norm log-num-zeros-in-grad log-throughput log-progress log-energy log-straggler "
    "log-timers-to-tensorboard log-batch-size-to-tensorboard log-learning-rate-to-tensorboard "
    "no-log-learning-rate-to-tensorboard no-log-learnig-rate-to-tensorboard "
    "log-loss-scale-to-tensorboard no-log-loss-scale-to-tensorboard "
    "log-validation-ppl-to-tensorboard log-memory-to-tensorboard log-world-size-to-tensorboard "
    "log-max-attention-logit no-barrier-with-level-1-timing barrier-with-L1-time "
    "moe-per-layer-logging enable-one-logger no-one-logger one-logger-async "
    "profile use-pytorch-profiler record-memory-history nvtx-ranges "
    // data and loss
    "mock-data no-mmap-bin-files no-create-attention-mask-in-dataloader "
    "create-attention-mask-in-dataloader reset-position-ids reset-attention-mask eod-mask-loss "
    "full-validation multiple-validation-sets calculate-per-token-loss "
    "bert-binary-head bert-no-binary-head skip-train sft no-shared-storage "
    // kernels that every run is assumed to fuse, and the initialisation of the model
    "use-mcore-models use-legacy-models use-flash-attn no-masked-softmax-fusion "
    "masked-softmax-fusion no-bias-gelu-fusion no-bias-swiglu-fusion bias-swiglu-fusion "
    "no-bias-dropout-fusion bias-dropout-fusion bias-activation-fusion no-rope-fusion "
    "apply-rope-fusion no-gradient-accumulation-fusion gradient-accumulation-fusion "
    "cross-entropy-loss-fusion moe-permute-fusion moe-router-fusion moe-grouped-gemm "
    "moe-use-legacy-grouped-gemm no-persist-layer-norm persist-layer-norm "
    "memory-efficient-layer-norm use-fused-weighted-squared-relu mla-down-proj-fusion "
    "use-cpu-initialization perform-initialization no-initialization init-method-xavier-uniform "
    "enable-mup "
    // arithmetic of small parts
    "use-rotary-position-embeddings no-position-embedding add-position-embedding use-rope-scaling "
    "rotary-interleaved apply-layernorm-1p layernorm-zero-centered-gamma "
    "apply-residual-connection-post-layernorm attention-softmax-in-fp32 "
    "apply-query-key-layer-scaling no-query-key-layer-scaling fp16-lm-cross-entropy "
    "accumulate-allreduce-grads-in-fp32 qk-clip moe-router-pre-softmax "
    "moe-router-padding-for-fp8 moe-router-padding-for-quantization moe-use-upcycling "
    "clone-scatter-output-in-embedding fp8-wgrad no-fp8-wgrad "
    "use-transformer-engine-op-fuser "
    // even routing, as modelled
    "moe-router-force-load-balancing "
    // watching a run
    "no-check-for-nan-in-loss-and-grad check-for-nan-in-loss-and-grad check-for-spiky-loss "
    "check-for-large-grads manual-gc no-manual-gc-eval manual-gc-eval te-rng-tracker "
    "inference-rng-tracker enable-experimental deterministic-mode adlr-autoresume "
    "exit-signal-handler exit-signal-handler-dataloader data-parallel-random-init "
    "disable-straggler-on-startup enable-ft-package enable-msc disable-msc "
    // the start of messages
    "use-ring-exchange-p2p batch-p2p-comm batch-p2p-sync deallocate-pipeline-outputs "
    "variable-seq-lengths scatter-gather-tensors-in-pipeline "
    "no-scatter-gather-tensors-in-pipeline async-tensor-model-parallel-allreduce "
    "no-async-tensor-model-parallel-allreduce align-param-gather no-align-param-gather "
    "align-grad-reduce no-align-grad-reduce ddp-average-in-collective delay-grad-reduce "
    "no-delay-grad-reduce delay-param-gather ddp-pad-buckets-for-high-nccl-busbw "
    "disable-tp-comm-overlap-ag disable-tp-comm-overlap-rs disable-tp-comm-bulk-dgrad "
    "disable-tp-comm-bulk-wgrad tp-comm-overlap-rs-dgrad tp-comm-split-ag tp-comm-split-rs "
    "tp-comm-atomic-ag tp-comm-atomic-rs tp-comm-bulk-dgrad tp-comm-bulk-wgrad "
    "cpu-offloading-weights cpu-offloading-activations "
    // launcher
    "standalone no-python";

constexpr Names ignored_values =
    // optimizer's numbers
    "lr min-lr lr-decay-style lr-decay-iters lr-decay-samples lr-warmup-iters lr-warmup-samples "
    "lr-warmup-fraction lr-warmup-init lr-wsd-decay-style lr-wsd-decay-iters "
    "lr-wsd-decay-samples decoupled-lr decoupled-min-lr weight-decay start-weight-decay "
    "end-weight-decay weight-decay-incr-style clip-grad adam-beta1 adam-beta2 adam-eps "
    "sgd-momentum loss-scale initial-loss-scale min-loss-scale loss-scale-window hysteresis "
    "init-method-std embedding-init-method-std init-method output-layer-init-method seed "
    "attention-dropout hidden-dropout "
    // length of the run
    "train-iters train-samples eval-iters eval-interval exit-interval exit-duration-in-mins "
    "train-sync-interval sample-rate mask-prob short-seq-prob "
    // checkpoints
    "save load save-interval save-retain-interval non-persistent-save-interval "
    "non-persistent-ckpt-type non-persistent-global-ckpt-dir non-persistent-local-ckpt-dir "
    "non-persistent-local-ckpt-algo pretrained-checkpoint ckpt-step ckpt-format dist-ckpt-format "
    "ckpt-fully-parallel-load-exchange-algo dist-ckpt-strictness ckpt-convert-format "
    "ckpt-convert-save ckpt-convert-update-legacy-dist-opt-format dist-ckpt-workers "
    // logging
    "log-interval tensorboard-dir tensorboard-log-interval tensorboard-queue-size wandb-project "
    "wandb-exp-name wandb-save-dir wandb-entity logging-level timing-log-level timing-log-option "
    "one-logger-project one-logger-run-name one-logger-entity app-tag-run-name "
    "app-tag-run-version profile-step-start profile-step-end memory-snapshot-path "
    "save-tokens-per-expert-interval straggler-minmax-count straggler-ctrlr-port config-logger-dir "
    // data
    "data-cache-path split vocab-file merge-file vocab-extra-ids tokenizer-model "
    "tiktoken-pattern tiktoken-num-special-tokens num-workers dataloader-type data-args-path "
    "per-split-data-args-path num-dataset-builder-threads object-storage-cache-path "
    "decoder-seq-length retriever-seq-length "
    // arithmetic of small parts
    "max-position-embeddings rotary-base rotary-percent rotary-seq-len-interpolation-factor "
    "rotary-scaling-factor rope-scaling-factor mscale mscale-all-dim normalization norm-epsilon "
    "layernorm-epsilon attention-backend transformer-impl cross-entropy-fusion-impl "
    "rope-type beta-fast beta-slow mtp-loss-scaling-factor moe-z-loss-coeff moe-input-jitter-eps "
    "moe-router-score-function moe-router-topk-scaling-factor moe-router-bias-update-rate "
    "moe-router-dtype moe-token-drop-policy moe-upcycling-granularity fp8-margin fp8-interval "
    "fp8-amax-history-len fp8-amax-compute-algo activation-func activation-func-clamp-value "
    "qk-clip-threshold qk-clip-alpha qk-clip-balancing "
    "cuda-graph-warmup-steps moe-hybridep-num-sms "
    // watching a run, and the cluster's own set-up
    "manual-gc-interval distributed-timeout-minutes distributed-backend local-rank rank "
    "node-rank master-addr master-port rdzv-backend rdzv-endpoint rdzv-id rdzv-conf max-restarts "
    "log-dir redirects tee role start-method monitor-interval local-addr "
    "nccl-communicator-config-path error-injection-rate error-injection-type rerun-mode "
    "result-rejected-tracker-filename empty-unused-memory-level lazy-mpu-init "
    "adlr-autoresume-interval ddp-bucket-size ddp-num-buckets params-dtype pipeline-dtype";

constexpr Names ignored_lists =
    "data-path train-data-path valid-data-path test-data-path special-tokens profile-ranks "
    "moe-router-load-balancing-type moe-aux-loss-coeff high-priority-stream-groups "
    "tokenizer-special-tokens";

void add(std::map<std::string, ArgumentRule>& rules, Names names, ArgumentShape shape,
         ArgumentUse use) {
  std::istringstream stream(names);
  for (std::string name; stream >> name;)
    rules[name] = {shape, use, "", ""};
}

void add_noted(std::map<std::string, ArgumentRule>& rules, const std::string& table, Names names,
               ArgumentShape shape, const std::string& note) {
  std::istringstream stream(names);
  for (std::string name; stream >> name;)
    rules[name] = {shape, ArgumentUse::noted, table, note};
}

void add_noted_plan(std::map<std::string, ArgumentRule>& rules) {
  const auto flag = ArgumentShape::flag;
  const auto value = ArgumentShape::value;
  const auto list = ArgumentShape::list;
  add_noted(rules, "parallel", "overlap-param-gather-with-optimizer-step", flag, "");
  add_noted(rules, "parallel", "tp-comm-overlap-cfg tp-comm-bootstrap-backend", value, "");
  add_noted(rules, "parallel", "delay-wgrad-compute defer-embedding-wgrad-compute", flag, "");
  add_noted(rules, "parallel", "wgrad-deferral-limit", value, "");
  add_noted(rules, "parallel",
            "no-overlap-p2p-communication overlap-p2p-comm "
            "overlap-p2p-communication-warmup-flush standalone-embedding-stage "
            "use-tp-pp-dp-mapping",
            flag, "");
  add_noted(rules, "parallel",
            "microbatch-group-size-per-virtual-pipeline-stage "
            "num-distributed-optimizer-instances "
            "pipeline-model-parallel-split-rank schedule-method",
            value, "");
  add_noted(rules, "parallel", "cp-comm-type hierarchical-context-parallel-sizes", list, "");
  add_noted(rules, "parallel",
            "distribute-saved-activations moe-layer-recompute optimizer-cpu-offload "
            "overlap-cpu-optimizer-d2h-h2d offload-optimizer-states "
            "use-precision-aware-optimizer moe-extended-tp",
            flag, "");
  add_noted(rules, "parallel", "optimizer-offload-fraction main-params-dtype exp-avg-sq-dtype",
            value, "");
  add_noted(rules, "communication", "use-sharp nccl-ub use-nccl-ub", flag, "");
  add_noted(rules, "communication", "sharp-enabled-group moe-deepep-num-sms", value, "");
}

void add_noted_training(std::map<std::string, ArgumentRule>& rules) {
  const auto flag = ArgumentShape::flag;
  const auto value = ArgumentShape::value;
  const auto list = ArgumentShape::list;
  add_noted(rules, "training", "rampup-batch-size", list, "the batch after the ramp is taken");
  add_noted(rules, "training",
            "fp4-recipe num-layers-at-start-in-bf16 "
            "num-layers-at-end-in-bf16",
            value, "");
  add_noted(rules, "training",
            "fp8-param-gather fp8-param reuse-grad-buf-for-mxfp8-param-ag "
            "first-last-layers-bf16 keep-fp8-transpose-cache "
            "fp32-residual-connection ",
            flag, "");
  add_noted(rules, "routing", "moe-router-topk-limited-devices moe-expert-rank-capacity-factor",
            value, "");
  add_noted(rules, "model",
            "is-hybrid-model attention-output-gate squared-relu openai-gelu "
            "moe-apply-probs-on-input",
            flag, "");
  add_noted(rules, "model",
            "hybrid-override-pattern "
            "experimental-attention-variant window-attn-skip-freq softmax-type "
            "encoder-num-layers decoder-num-layers moe-latent-size "
            "heterogeneous-layers-config-path yaml-cfg",
            value, "");
  add_noted(rules, "model", "window-size spec", list, "");
}

const std::map<std::string, ArgumentRule>& rules() {
  static const std::map<std::string, ArgumentRule> known = [] {
    std::map<std::string, ArgumentRule> all;
    add(all, ignored_flags, ArgumentShape::flag, ArgumentUse::ignored);
    add(all, ignored_values, ArgumentShape::value, ArgumentUse::ignored);
    add(all, ignored_lists, ArgumentShape::list, ArgumentUse::ignored);
    add(all, modelled_flags, ArgumentShape::flag, ArgumentUse::modelled);
    add(all, modelled_values, ArgumentShape::value, ArgumentUse::modelled);
    add(all, modelled_lists, ArgumentShape::list, ArgumentUse::modelled);
    add_noted_plan(all);
    add_noted_training(all);
    return all;
  }();
  return known;
}

} // namespace

const ArgumentRule* find_argument_rule(const std::string& name) {
  const auto found = rules().find(name);
  return found == rules().end() ? nullptr : &found->second;
}

std::string argument_name(std::string written) {
  static const std::map<std::string, std::string> others = {
      {"num-moe-experts", "num-experts"},
      {"fp8", "fp8-format"},
      {"fp4", "fp4-format"},
      {"gated-linear-unit", "swiglu"},
      {"encoder-seq-length", "seq-length"},
      {"qk-nope-head-dim", "qk-head-dim"},
      {"qk-rope-head-dim", "qk-pos-emb-head-dim"},
      {"virtual-pipeline-model-parallel-size", "num-virtual-stages-per-pipeline-rank"},
      {"num-layers-in-first-pipeline-stage", "decoder-first-pipeline-num-layers"},
      {"num-layers-in-last-pipeline-stage", "decoder-last-pipeline-num-layers"}};
  written.erase(0, std::min(written.find_first_not_of('-'), written.size()));
  std::replace(written.begin(), written.end(), '_', '-');
  const auto other = others.find(written);
  return other == others.end() ? written : other->second;
}

std::vector<std::string> argument_names() {
  std::vector<std::string> names;
  for (const auto& [name, rule] : rules())
    names.push_back(name);
  return names;
}

} // namespace moesim
