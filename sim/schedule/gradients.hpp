#pragma once

#include "sim/schedule/blocks.hpp"
#include "sim/schedule/kernel_gradients.hpp"

#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace moesim {

/// The backward work of each forward work, made once.
class GradientTable {
public:
  /// The workload and the table must outlive this object.
  GradientTable(const Workload& workload, WorkTable& table) : workload_(workload), table_(table) {}

  /// The kernels of the gradients of a compute, last kernel first; empty if it has none.
  KernelLists kernels(std::uint32_t compute, Gradients gradients);
  /// The collective that carries the gradients of a forward collective back.
  std::uint32_t collective(std::uint32_t forward);

private:
  const Workload& workload_;
  WorkTable& table_;
  /// Gradients by list of kernels; nothing for lists without gradients.
  std::map<std::pair<std::uint32_t, Gradients>, std::optional<std::uint32_t>> lists_;
  std::map<std::uint32_t, std::uint32_t> collectives_;
};

/// Adds the backward pass of forward segments to `out`: the same segments from the last to the
/// first. Every GEMM has two gradient GEMMs, every all-to-all an all-to-all of the same size.
void add_mirror(Sequence& out, const std::vector<Segment>& forward, LayerRef layer,
                Gradients gradients, const WorkTable& table, GradientTable& of);
/// The same with delayed gradients of weights: they run beside the communication that follows the
/// gradients of their inputs. `weights` holds those that have no communication yet.
void add_delayed_mirror(Sequence& out, Sequence& weights, const std::vector<Segment>& forward,
                        LayerRef layer, const WorkTable& table, GradientTable& of);

} // namespace moesim
