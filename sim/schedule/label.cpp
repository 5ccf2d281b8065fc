#include "sim/schedule/label.hpp"

#include <fmt/format.h>

namespace moesim {

namespace {

std::string text_of(const LayerRef& layer) {
  switch (layer.kind) {
  case LayerRef::Kind::none:
    return "";
  case LayerRef::Kind::own:
    return "Layer.";
  case LayerRef::Kind::layer:
    return fmt::format("Layer[{}].", layer.number);
  case LayerRef::Kind::mtp:
    return fmt::format("Mtp[{}].", layer.number);
  case LayerRef::Kind::head:
    break;
  }
  return "Head.";
}

std::string text_of(const Label::Part& part) {
  const char* gradient = part.gradient == Label::Gradient::none  ? ""
                         : part.gradient == Label::Gradient::all ? "Gradient"
                                                                 : "WeightGradient";
  return fmt::format("{}{}{}", text_of(part.layer), part.block, gradient);
}

bool same(const Label::Part& a, const Label::Part& b) {
  return a.block == b.block && a.layer.kind == b.layer.kind && a.layer.number == b.layer.number &&
         a.gradient == b.gradient;
}

} // namespace

Label Label::gradient(Gradient of) const {
  Label label{last, first};
  label.first.gradient = of;
  label.last.gradient = of;
  return label;
}

Label Label::in(LayerRef layer) const {
  Label label = *this;
  for (Part* part : {&label.first, &label.last})
    if (part->layer.kind == LayerRef::Kind::own)
      part->layer = layer;
  return label;
}

bool Label::joined() const {
  return !same(first, last);
}

std::string Label::text() const {
  return joined() ? text_of(first) + " to " + text_of(last) : text_of(first);
}

} // namespace moesim
