#include "sim/importer/megatron_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace moesim {

namespace {

/// Tokens of a sample where the script gives none, slime's own placeholder.
constexpr std::int64_t default_sequence = 4096;

void add_missing(MegatronArguments& arguments, const std::string& name,
                 const std::string& value = "") {
  const InputLocation where{"slime's default"};
  if (value.empty())
    arguments.add({name, where, {}});
  else if (!arguments.has(name))
    arguments.add({name, where, {{value, where, {}}}});
}

/// The samples that one micro-batch packs: as many whole ones as its tokens hold, but at least one,
/// and such that the samples of a replica are a multiple.
std::int64_t packed_samples(const MegatronArguments& arguments, std::int64_t sequence) {
  const std::int64_t context = arguments.integer_or("context-parallel-size", 1);
  const std::int64_t ranks =
      arguments.integer_or("nnodes", 1) * arguments.integer_or("nproc-per-node", 1);
  const std::int64_t replicas = std::max<std::int64_t>(
      1, ranks / (arguments.integer_or("tensor-model-parallel-size", 1) *
                  arguments.integer_or("pipeline-model-parallel-size", 1) * context));
  const std::int64_t samples =
      std::max<std::int64_t>(1, arguments.integer_or("global-batch-size", 1) / replicas);
  std::int64_t packed = std::clamp<std::int64_t>(
      arguments.integer("max-tokens-per-gpu") * context / sequence, 1, samples);
  while (samples % packed != 0)
    --packed;
  return packed;
}

} // namespace

void add_slime_defaults(MegatronArguments& arguments) {
  const char* batch = "rollout-batch-size";
  if (!arguments.has(batch))
    return;
  // slime/backends/megatron_utils/arguments.py: _set_default_megatron_args
  if (!arguments.has("fp16"))
    add_missing(arguments, "bf16");
  add_missing(arguments, "use-distributed-optimizer");
  if (arguments.has("num-steps-per-rollout"))
    add_missing(
        arguments, "global-batch-size",
        std::to_string(arguments.integer(batch) * arguments.integer_or("n-samples-per-prompt", 1) /
                       arguments.integer("num-steps-per-rollout")));
  if (!arguments.has("max-tokens-per-gpu") || arguments.has("micro-batch-size"))
    return;
  add_missing(arguments, "seq-length", std::to_string(default_sequence));
  const std::int64_t sequence = arguments.integer("seq-length");
  const std::int64_t packed = packed_samples(arguments, sequence);
  add_missing(arguments, "micro-batch-size", std::to_string(packed));
  arguments.add_remark(
      fmt::format("slime packs samples of any length up to --max-tokens-per-gpu: {} of {} tokens "
                  "are taken for a micro-batch; --with \"--seq-length N\" gives their mean length",
                  packed, sequence),
      arguments.get("max-tokens-per-gpu").where);
}

} // namespace moesim
