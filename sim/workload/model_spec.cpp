#include "sim/workload/model_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace moesim {

namespace {

/// Replaces the experts of MoE layers by a dense feed-forward.
void make_dense(std::vector<LayerSpec>& layers, std::int64_t width) {
  for (LayerSpec& layer : layers) {
    layer.dense_hidden = layer.moe ? width : layer.dense_hidden;
    layer.moe = false;
  }
}

/// The same model with a dense feed-forward of `routed_width` in place of the routed experts of
/// each MoE layer; shared experts stay, as part of that feed-forward.
ModelSpec without_routing(const ModelSpec& model, std::int64_t routed_width,
                          const std::string& suffix) {
  ModelSpec dense = model;
  dense.name += suffix;
  make_dense(dense.layers, routed_width + model.experts.shared_hidden);
  dense.experts = {};
  return dense;
}

/// Approximate number of parameters, as a real number, which cannot overflow.
double estimate_parameters(const ModelSpec& model) {
  const auto real = [](std::int64_t number) { return static_cast<double>(number); };
  const AttentionSpec& a = model.attention;
  const ExpertSpec& e = model.experts;
  const double attention = 8.0 * real(a.heads) * real(a.head_dim + a.value_dim);
  const double experts = 3.0 * (real(e.experts) * real(e.expert_hidden) + real(e.shared_hidden));
  double columns = 2.0 * real(model.vocabulary);
  for (const LayerSpec& layer : model.layers)
    columns += attention + experts + 3.0 * real(layer.dense_hidden);
  return columns * real(model.hidden);
}

} // namespace

bool ModelSpec::is_moe() const {
  return std::any_of(layers.begin(), layers.end(),
                     [](const LayerSpec& layer) { return layer.moe; });
}

std::string find_size_fault(const ModelSpec& model) {
  return estimate_parameters(model) > 1e16
             ? "the sizes make a model of more than 10,000 trillion parameters"
             : "";
}

ModelSpec override_model(ModelSpec model, const ModelOverrides& overrides) {
  const bool experts_asked = overrides.experts || overrides.experts_per_token ||
                             overrides.expert_hidden || overrides.shared_experts;
  if (experts_asked && !model.is_moe())
    throw std::invalid_argument(
        fmt::format("{} is dense: it has no experts to override", model.name));
  if (overrides.layers)
    model.layers.resize(static_cast<std::size_t>(*overrides.layers), model.layers.back());
  model.mtp_layers = overrides.mtp_layers.value_or(0);
  ExpertSpec& e = model.experts;
  const std::int64_t shared = e.expert_hidden > 0 ? e.shared_hidden / e.expert_hidden : 0;
  e.experts = overrides.experts.value_or(e.experts);
  e.experts_per_token = overrides.experts_per_token.value_or(e.experts_per_token);
  e.expert_hidden = overrides.expert_hidden.value_or(e.expert_hidden);
  if (overrides.shared_experts)
    e.shared_hidden = *overrides.shared_experts * e.expert_hidden;
  else if (overrides.expert_hidden)
    e.shared_hidden = shared * e.expert_hidden;
  if (model.is_moe() && e.experts_per_token > e.experts)
    throw std::invalid_argument(
        fmt::format("a token cannot go to {} of {} experts", e.experts_per_token, e.experts));
  if (e.groups > 1 && e.experts % e.groups != 0)
    throw std::invalid_argument(
        fmt::format("{} experts cannot be split into the config's {} groups", e.experts, e.groups));
  if (const std::string reason = find_size_fault(model); !reason.empty())
    throw std::invalid_argument(reason);
  // Neither biases nor clamps are priced in a dense layer.
  if (e.experts == 1 && e.shared_hidden == 0 && !e.expert_bias && !e.clamped)
    make_dense(model.layers, e.expert_hidden);
  return model;
}

ModelSpec dense_twin(const ModelSpec& model) {
  return without_routing(model, model.experts.experts * model.experts.expert_hidden, " dense twin");
}

ModelSpec active_dense_twin(const ModelSpec& model) {
  return without_routing(model, model.experts.experts_per_token * model.experts.expert_hidden,
                         " active dense twin");
}

} // namespace moesim
