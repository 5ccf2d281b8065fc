#include "sim/schedule/host_work.hpp"

#include <utility>

namespace moesim {

namespace {

bool captured(const Kernel& kernel, const CudaGraphs& graphs) {
  switch (kernel.part) {
  case KernelPart::attention:
    return graphs.attention;
  case KernelPart::router:
    return graphs.router;
  case KernelPart::permute:
    return graphs.preprocess;
  case KernelPart::dense:
    return graphs.dense;
  case KernelPart::expert:
  case KernelPart::shared_expert:
  case KernelPart::head:
  case KernelPart::optimizer:
    break;
  }
  return false;
}

std::int64_t launches_of(const Kernel& kernel) {
  switch (kernel.kind) {
  case KernelKind::gemm:
  case KernelKind::grouped_gemm:
  case KernelKind::grouped_data_gradient:
  case KernelKind::grouped_weight_gradient:
    return kernel.groups + cast_launches(kernel);
  case KernelKind::batched_gemm:
  case KernelKind::attention_forward:
  case KernelKind::attention_backward:
    return 1;
  case KernelKind::token_scan:
  case KernelKind::memory_bound:
    break;
  }
  return kernel.launches;
}

/// Whether a graph holds the segment as a collective of tensor parallelism: one before the captured
/// compute whose input it gathers, or behind the one whose results it sums. Backward the sum comes
/// first.
bool captured(const std::vector<Segment>& segments, std::size_t position, const Works& works,
              const CudaGraphs& graphs) {
  if (segments[position].kind != OpKind::collective)
    return false;
  const CollectiveWork& collective = works.collectives[segments[position].work];
  if (collective.role != Role::tensor_gather && collective.role != Role::tensor_reduce)
    return false;
  const bool comes_before =
      (collective.role == Role::tensor_gather) == (collective.direction == Direction::forward);
  const std::size_t neighbour = comes_before ? position + 1 : position - 1; // 0 - 1 is none
  if (neighbour >= segments.size() || segments[neighbour].kind != OpKind::compute)
    return false;
  const KernelLists& lists = works.computes[segments[neighbour].work].kernels;
  if (lists.empty())
    return false;
  const KernelList& kernels = works.kernel_lists[comes_before ? lists.front() : lists.back()];
  return !kernels.empty() && captured(comes_before ? kernels.front() : kernels.back(), graphs);
}

HostWork host_work_of(const std::vector<Segment>& segments, std::size_t position,
                      const Works& works, const CudaGraphs& graphs) {
  const Segment& segment = segments[position];
  if (captured(segments, position, works, graphs))
    return {};
  if (segment.kind != OpKind::compute)
    return {.operators = 1};
  HostWork work;
  for (const std::uint32_t list : works.computes[segment.work].kernels)
    for (const Kernel& kernel : works.kernel_lists[list])
      if (!captured(kernel, graphs))
        work += kernel.same_call ? HostWork{0, launches_of(kernel)}
                                 : HostWork{1, launches_of(kernel) - 1};
  return work;
}

bool host_posts(const Segment& segment, const Works& works) {
  return segment.kind == OpKind::collective && works.collectives[segment.work].host_posted_tokens;
}

/// The values that a dispatch sends; `nothing` for other segments.
enum class Sends { nothing, tokens, gradients };
Sends sends(const Segment& segment, const Works& works) {
  if (segment.kind != OpKind::collective)
    return Sends::nothing;
  const CollectiveWork& collective = works.collectives[segment.work];
  if (collective.role != Role::dispatch)
    return Sends::nothing;
  return collective.direction == Direction::forward ? Sends::tokens : Sends::gradients;
}

} // namespace

std::vector<HostPortion> host_portions(const std::vector<Segment>& segments, const Works& works,
                                       const Workload& workload) {
  if (workload.graphs.full_iteration)
    return {};
  const bool waits_for_counts = !workload.routing.pad_to_capacity;
  std::vector<HostPortion> portions;
  HostWork work;
  const auto end_portion = [&](std::size_t end, bool synchronises) {
    if (portions.empty() || portions.back().end != end)
      portions.push_back({end, {}, false});
    portions.back().work += std::exchange(work, {});
    portions.back().synchronises |= synchronises;
  };
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (const Sends sent = sends(segments[i], works); sent != Sends::nothing)
      end_portion(i, sent == Sends::tokens && waits_for_counts);
    work += host_work_of(segments, i, works, workload.graphs);
    if (host_posts(segments[i], works))
      end_portion(i + 1, true);
    const bool computes = segments[i].kind == OpKind::compute;
    const bool next_beside = i + 1 < segments.size() && segments[i + 1].beside_previous;
    if (computes && work.operators > 0 && !next_beside)
      end_portion(i + 1, false);
  }
  end_portion(segments.size(), false);
  return portions;
}

} // namespace moesim
