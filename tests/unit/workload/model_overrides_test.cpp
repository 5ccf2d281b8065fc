#include "sim/workload/model_spec.hpp"

#include "tests/unit/workload/small_configs.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

template <typename Change> ModelSpec overridden(const ModelSpec& model, Change change) {
  ModelOverrides overrides;
  change(overrides);
  return override_model(model, overrides);
}

} // namespace

TEST_CASE("overrides replace sizes, and shared experts follow the width") {
  const ModelSpec model = read_model(config_of("override", deepseek));
  const ModelSpec wider = overridden(model, [](ModelOverrides& o) {
    o.layers = 6;
    o.experts = 32;
    o.experts_per_token = 8;
    o.expert_hidden = 64;
  });
  CHECK(wider.layers.size() == 6);
  CHECK(wider.layers.back().moe);
  CHECK(wider.experts.experts == 32);
  CHECK(wider.experts.experts_per_token == 8);
  CHECK(wider.experts.expert_hidden == 64);
  CHECK(wider.experts.shared_hidden == 2 * 64);
  CHECK(overridden(model, [](ModelOverrides& o) { o.layers = 1; }).layers.size() == 1);
  CHECK(overridden(model, [](ModelOverrides& o) { o.shared_experts = 0; }).experts.shared_hidden ==
        0);
}

TEST_CASE(
    "one expert alone makes a layer dense, of its width; a shared expert keeps it an MoE layer") {
  const ModelSpec model = read_model(config_of("one", qwen));
  const auto with = [&](std::int64_t experts, std::int64_t shared) {
    return overridden(model, [&](ModelOverrides& overrides) {
      overrides.experts = experts;
      overrides.experts_per_token = 1;
      overrides.shared_experts = shared;
    });
  };
  const ModelSpec one = with(1, 0);
  CHECK_FALSE(one.is_moe());
  CHECK(one.layers.at(1).dense_hidden == 32);
  CHECK(one.layers.front().dense_hidden == 256);
  CHECK(with(1, 1).is_moe());
  CHECK(with(8, 0).is_moe());
}

TEST_CASE("overrides that make no sense are refused with the reason") {
  const ModelSpec moe = read_model(config_of("nonsense", deepseek));
  CHECK_THROWS_WITH(overridden(moe, [](ModelOverrides& o) { o.experts_per_token = 17; }),
                    "a token cannot go to 17 of 16 experts");
  CHECK_THROWS_WITH(overridden(moe, [](ModelOverrides& o) { o.experts = 18; }),
                    "18 experts cannot be split into the config's 4 groups");
  CHECK_THROWS_WITH(overridden(dense_twin(moe), [](ModelOverrides& o) { o.experts = 8; }),
                    "moesim_model_config_nonsense dense twin is dense: it has no experts to "
                    "override");
}

TEST_CASE(
    "the dense twin keeps the parameters of the experts, the active twin those of one token") {
  const ModelSpec moe = read_model(config_of("twins", mixtral));
  const ParameterCount count = count_parameters(moe);
  const std::int64_t routers = 3 * count.router;
  const ModelSpec dense = dense_twin(moe);
  CHECK_FALSE(dense.is_moe());
  CHECK(dense.layers[0].dense_hidden == 4 * 96);
  CHECK(count_parameters(dense).total == count.total - routers);
  const ModelSpec active = active_dense_twin(moe);
  CHECK(active.layers[0].dense_hidden == 2 * 96);
  CHECK(count_parameters(active).total == count.active - routers);
}

TEST_CASE("twins keep dense layers as they are and shared experts as a part of their width") {
  const ModelSpec dense = dense_twin(read_model(config_of("shared_twins", deepseek)));
  CHECK(dense.layers[0].dense_hidden == 256);
  CHECK(dense.layers[1].dense_hidden == 16 * 32 + 64);
}
