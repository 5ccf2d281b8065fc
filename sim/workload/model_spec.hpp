#pragma once

#include "sim/base/enumeration.hpp"
#include "sim/base/units.hpp"

#include <compare>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moesim {

/// The kind of a layer's attention, or of what mixes its tokens instead.
enum class AttentionKind : std::uint8_t {
  grouped_query, ///< multi-head, grouped-query and multi-query: kv_heads ≤ heads
  latent,        ///< multi-head latent attention of DeepSeek-V2/V3 (arXiv 2405.04434, section 2.1)
  gated_delta,   ///< gated delta net of Qwen3-Next (arXiv 2412.06464)
  lightning,     ///< lightning attention of MiniMax-Text-01 (arXiv 2501.08313, section 2.2)
  mamba1,        ///< selective state space (arXiv 2312.00752)
  mamba2         ///< state space duality (arXiv 2405.21060)
};

/// Whether tokens are mixed by a recurrence rather than by scores of pairs.
constexpr bool is_recurrent(AttentionKind kind) {
  return kind != AttentionKind::grouped_query && kind != AttentionKind::latent;
}

/// The names in family files.
inline constexpr auto attention_kind_names =
    std::to_array<Named<AttentionKind>>({{AttentionKind::grouped_query, "grouped-query"},
                                         {AttentionKind::latent, "latent"},
                                         {AttentionKind::gated_delta, "gated-delta"},
                                         {AttentionKind::lightning, "lightning"},
                                         {AttentionKind::mamba1, "mamba-1"},
                                         {AttentionKind::mamba2, "mamba-2"}});
static_assert(names_each(attention_kind_names));

/// Sizes of one kind of attention of a model.
struct AttentionSpec {
  AttentionKind kind = AttentionKind::grouped_query;
  std::int64_t heads = 0; ///< of gated delta nets and of Mamba those of the values
  /// Heads of keys and values; of gated delta nets those of keys, of Mamba-2 the groups that share
  /// their state's projections.
  std::int64_t kv_heads = 0;
  /// Query/key width of a head; for latent: nope + rope; of Mamba the width of the state.
  std::int64_t head_dim = 0;
  std::int64_t value_dim = 0; ///< value width of a head; of Mamba-1 the channels, of one head
  bool qkv_bias = false;
  bool output_bias = false;
  bool sinks = false;           ///< a learned logit for each head (GPT-OSS)
  bool qk_norm = false;         ///< a norm of head_dim on queries and keys (Qwen3)
  bool wide_qk_norm = false;    ///< a norm of all heads on queries and on keys (MiniMax-M2)
  bool output_gate = false;     ///< a gate on the output, as wide as it (Qwen3-Next)
  bool tied_values = false;     ///< keys are the values too (Gemma 4)
  std::int64_t q_lora_rank = 0; ///< latent and Step-3; 0: queries are projected at full rank
  std::int64_t kv_lora_rank = 0;
  std::int64_t rope_dim = 0;    ///< latent only: the part of head_dim that carries the position
  std::int64_t index_heads = 0; ///< heads of the lightning indexer (DeepSeek-V3.2); 0: none
  std::int64_t index_dim = 0;   ///< width of a head of the indexer
  std::int64_t index_top = 0;   ///< tokens that the indexer leaves to a token
  std::int64_t convolution = 0; ///< tokens of the short convolution of gated delta nets and Mamba
  std::int64_t time_rank = 0;   ///< Mamba-1: rank of the projection of its time steps

  bool operator==(const AttentionSpec&) const = default;
};

/// One transformer layer.
struct LayerSpec {
  bool moe = false;                  ///< experts instead of a dense feed-forward
  std::int64_t attention_blocks = 1; ///< 2 in a T5 decoder layer: self- and cross-attention
  std::int64_t dense_hidden = 0;     ///< width of the dense feed-forward; 0 in an MoE layer
  std::int64_t window = 0;           ///< tokens that a token attends to at most; 0: all before it
  std::int64_t chunk = 0;            ///< tokens attend inside chunks of this length; 0: no chunks
  std::size_t attention = 0;         ///< of ModelSpec::attention_of

  bool has_feed_forward() const { return moe || dense_hidden > 0; }
  auto operator<=>(const LayerSpec&) const = default;
};

/// Sizes of the experts, the same in every MoE layer.
struct ExpertSpec {
  std::int64_t experts = 0; ///< routed experts; 0 in a dense model, 1 may make dense layers
  std::int64_t experts_per_token = 0; ///< k
  std::int64_t expert_hidden = 0;     ///< width of one routed expert
  std::int64_t shared_hidden = 0;     ///< width of all shared experts together; 0: none
  bool shared_gate = false;           ///< a hidden-wide gate on the shared expert (Qwen2-MoE)
  bool router_bias = false;           ///< a value for each expert (DeepSeek-V3, GPT-OSS)
  bool expert_bias = false;           ///< on both GEMMs of an expert (GPT-OSS)
  bool clamped = false;               ///< the inputs of the activation are clamped (GPT-OSS)
  std::int64_t groups = 1;            ///< node-limited routing: groups of experts …
  std::int64_t groups_per_token = 1;  ///< … and how many of them a token may use
};

/// A model as its published config.json describes it.
struct ModelSpec {
  std::string name;   ///< folder or file name, for reports
  std::string family; ///< the name in a family file by which the config was read
  std::int64_t hidden = 0;
  std::int64_t vocabulary = 0;
  bool tied_embeddings = false;
  std::int64_t feed_forward_matrices = 3; ///< 3: gate, up, down; 2: up, down (T5, Switch)
  /// Published counts of active parameters leave out the input embedding, a look-up, or the head
  /// too.
  bool embedding_is_active = true;
  bool head_is_active = true;
  AttentionSpec attention;                   ///< of layers whose `attention` is 0
  std::vector<AttentionSpec> more_attention; ///< of layers whose `attention` is 1, 2, …
  ExpertSpec experts;
  std::vector<LayerSpec> layers;
  /// Multi-token prediction (DeepSeek-V3, arXiv 2412.19437, section 2.2): number of layers that
  /// follow the last one and equal it. Each adds a projection of 2 hidden to hidden and uses the
  /// shared head. Published counts of parameters leave them out.
  std::int64_t mtp_layers = 0;

  bool is_moe() const;
  const AttentionSpec& attention_of(const LayerSpec& layer) const {
    return layer.attention == 0 ? attention : more_attention[layer.attention - 1];
  }
};

/// Most layers of a model; no model of today has more.
constexpr std::int64_t layers_max = 10'000;

/// The reason why the sizes exceed those of any model, so that its counts would not be exact; "" if
/// they do not.
std::string find_size_fault(const ModelSpec& model);

/// The optional keys of a scenario's `[model]` that replace sizes of the config.
struct ModelOverrides {
  std::optional<std::int64_t> layers; ///< cuts or repeats the last layer
  std::optional<std::int64_t> experts;
  std::optional<std::int64_t> experts_per_token;
  std::optional<std::int64_t> expert_hidden;
  std::optional<std::int64_t> shared_experts; ///< in units of expert_hidden
  std::optional<std::int64_t> mtp_layers;     ///< nothing: 0
};

/// Reads a Hugging Face `config.json` of a family of `workloads/families/`, or the language model
/// that it nests. `family` stands for the config's own `model_type`; empty: the config's. Unknown
/// keys are ignored; a missing size, a family without a file, a key of an architecture that is not
/// known and sizes that contradict each other throw InputError.
ModelSpec read_model(const std::filesystem::path& config, const std::string& family = "");

/// The family file by which a model was read, from the root of the project; "" of one not read.
std::string family_file(const std::string& family);

/// Applies overrides. A layer whose only expert takes every token becomes the dense layer of its
/// width, as DeepSpeed (Megatron-DeepSpeed: megatron/model/transformer.py@1e3fc81d5, num_experts <=
/// 1) builds it: it has neither a router nor a permutation. Throws std::invalid_argument, with a
/// reason, if the result is impossible: experts_per_token > experts, experts of a dense model.
ModelSpec override_model(ModelSpec model, const ModelOverrides& overrides);

/// The dense twin: every expert active for every token, as one feed-forward of their joint width.
ModelSpec dense_twin(const ModelSpec& model);
/// A dense model of the same active parameters: a feed-forward of k experts' width.
ModelSpec active_dense_twin(const ModelSpec& model);

/// Parameters of each kind of block: `attention`, `router`, `expert`, `shared` and `norm` count one
/// block.
struct ParameterCount {
  std::int64_t embedding = 0; ///< input embedding
  std::int64_t head = 0;      ///< output head; 0 if tied
  std::int64_t attention = 0; ///< one attention block with its norm
  std::int64_t router = 0;    ///< one router
  std::int64_t expert = 0;    ///< one routed expert
  std::int64_t shared = 0;    ///< the shared experts of one layer, gate included
  std::int64_t norm = 0; ///< the norm before a feed-forward; the final norm is counted in total
  std::int64_t total = 0;
  /// Parameters that one token uses. Families differ in whether the input embedding and the head
  /// count, as their published counts do.
  std::int64_t active = 0;
};
ParameterCount count_parameters(const ModelSpec& model);
/// The same for the blocks alone, without the sums.
ParameterCount count_blocks(const ModelSpec& model);
/// Parameters of one layer, routed experts apart.
struct LayerParameters {
  std::int64_t shared_by_tokens =
      0;                           ///< attention, norms, router, shared experts, dense feed-forward
  std::int64_t routed_experts = 0; ///< all routed experts of the layer
};
LayerParameters layer_parameters(const ModelSpec& model, const LayerSpec& layer);
/// Parameters of one layer of multi-token prediction, its projection and norms included.
LayerParameters mtp_layer_parameters(const ModelSpec& model);

/// Forward FLOPs of one token, a multiply-add counted as two, causal attention counted half, and of
/// windows, chunks and indexers the pairs that they leave.
struct TokenFlops {
  Flops attention; ///< projections and scores
  Flops router;
  Flops expert; ///< routed experts
  Flops shared; ///< shared experts
  Flops dense;  ///< dense feed-forwards
  Flops head;   ///< with that of multi-token prediction and its projections
  Flops total() const;
};
/// Forward FLOPs of one token in a sequence of `sequence` tokens; attention scores grow with the
/// length.
TokenFlops flops_per_token_forward(const ModelSpec& model, std::int64_t sequence);

} // namespace moesim
