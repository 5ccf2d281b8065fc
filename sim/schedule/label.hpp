#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace moesim {

/// The part of the model that a label names before the block.
struct LayerRef {
  enum class Kind : std::uint8_t {
    none,  ///< work outside the layers: "Optimizer"
    own,   ///< the layer that a block is used for, not known yet
    layer, ///< "Layer[3]."
    mtp,   ///< "Mtp[0].": a layer of multi-token prediction
    head   ///< "Head."
  };
  Kind kind = Kind::none;
  std::int32_t number = 0;
};

/// The name of an operation, for people only: no code depends on it. A joined compute has the names
/// of its first and of its last block.
struct Label {
  enum class Gradient : std::uint8_t { none, all, weights };
  struct Part {
    std::string_view block; ///< a string literal: "Dispatch"
    LayerRef layer = {};
    Gradient gradient = Gradient::none;
  };
  Part first;
  Part last;

  static Label of(std::string_view block, LayerRef layer = {}) {
    return {{block, layer, {}}, {block, layer, {}}};
  }
  /// The label of the gradient, with the last block first.
  Label gradient(Gradient of) const;
  /// The label with `layer` in place of `own`.
  Label in(LayerRef layer) const;
  bool joined() const;
  /// "Layer[7].Dispatch", "Layer[4].AttentionGradient to Layer[3].UnpermuteGradient".
  std::string text() const;
};

} // namespace moesim
