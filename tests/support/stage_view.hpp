#pragma once

#include "sim/schedule/placed_stage.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace moesim {

/// A compute in full, as tests look at it.
struct SeenCompute {
  std::string name;
  std::vector<Kernel> kernels;
  std::optional<CollectiveWork> beside;
};

/// A collective with its label.
struct SeenCollective : CollectiveWork {
  std::string name;
};

/// A segment with its work in full.
struct SeenSegment {
  std::variant<SeenCompute, SeenCollective> work;
  bool beside_previous = false;
  bool detached = false;
  int mark = 0;
  int awaits = 0;
  bool joins_all = false;
  bool after_result = false;
};

inline std::vector<Kernel> kernels_of_work(const Works& works, const KernelLists& lists) {
  std::vector<Kernel> kernels;
  for (const std::uint32_t list : lists)
    kernels.insert(kernels.end(), works.kernel_lists[list].begin(), works.kernel_lists[list].end());
  return kernels;
}

inline std::vector<SeenSegment> seen(const std::vector<Segment>& segments, const Works& works) {
  std::vector<SeenSegment> found;
  for (const Segment& segment : segments) {
    SeenSegment one{{},
                    segment.beside_previous,
                    segment.detached,
                    segment.mark,
                    segment.awaits,
                    segment.joins_all,
                    segment.after_result};
    const std::string name = works.labels[segment.label].text();
    if (segment.kind == OpKind::compute) {
      const ComputeWork& work = works.computes[segment.work];
      SeenCompute compute{name, kernels_of_work(works, work.kernels), std::nullopt};
      if (work.beside)
        compute.beside = works.collectives[*work.beside];
      one.work = std::move(compute);
    } else {
      one.work = SeenCollective{works.collectives[segment.work], name};
    }
    found.push_back(std::move(one));
  }
  return found;
}

/// The passes of a virtual stage for one micro-batch on one rank. Those beside which data-parallel
/// communication runs are empty where it hides behind nothing.
struct StageView {
  std::vector<SeenSegment> forward, backward, backward_input, backward_weight, backward_delayed;
  std::vector<SeenSegment> first_forward, last_backward, last_backward_weight;
};

inline StageView stage_work(const Workload& workload, std::int64_t virtual_stage,
                            LoadChoice choice = {}) {
  const ExpertLoads own_loads(workload);
  if (!choice.loads)
    choice.loads = &own_loads;
  Works works;
  StepTables tables(workload, works);
  ChunkPasses passes(workload, virtual_stage, choice, tables.works, tables.blocks,
                     tables.gradients);
  const auto backward = [&](Gradients gradients, PassPosition place, bool delayed = false) {
    return seen(passes.backward(gradients, place, delayed), works);
  };
  StageView view;
  view.forward = seen(passes.forward(PassPosition::regular), works);
  view.backward = backward(Gradients::all, PassPosition::regular);
  view.backward_input = backward(Gradients::inputs, PassPosition::regular);
  view.backward_weight = backward(Gradients::weights, PassPosition::regular);
  view.backward_delayed = backward(Gradients::all, PassPosition::regular, true);
  if (!data_parallel_rule(workload).overlaps)
    return view;
  view.first_forward = seen(passes.forward(PassPosition::edge), works);
  view.last_backward = backward(Gradients::all, PassPosition::edge);
  view.last_backward_weight = backward(Gradients::weights, PassPosition::edge);
  return view;
}

inline std::vector<SeenSegment> step_start_work(const Workload& workload, std::int64_t stage) {
  Works works;
  WorkTable table(works);
  return seen(step_start_work(workload, stage, table), works);
}

inline std::vector<SeenSegment> step_end_work(const Workload& workload, std::int64_t stage) {
  Works works;
  WorkTable table(works);
  return seen(step_end_work(workload, stage, ExpertLoads(workload), table), works);
}

} // namespace moesim
