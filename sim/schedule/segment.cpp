#include "sim/schedule/segment.hpp"

#include <utility>

namespace moesim {

void Sequence::compute(Label label, KernelList kernels) {
  compute(label, KernelLists{table_.add(std::move(kernels))});
}

void Sequence::compute(Label label, KernelLists kernels) {
  if (open_ && awaits_ == 0 && !joins_all_) {
    open_->kernels.insert(open_->kernels.end(), kernels.begin(), kernels.end());
    open_->label.last = label.last;
    return;
  }
  close();
  Segment segment;
  segment.awaits = std::exchange(awaits_, 0);
  segment.joins_all = std::exchange(joins_all_, false);
  open_ = Open{segment, label, kernels};
}

void Sequence::compute_alone(Label label, KernelList kernels) {
  compute_apart(label, {table_.add(std::move(kernels))}, false);
}

void Sequence::compute_beside(Label label, KernelList kernels,
                              const CollectiveWork& communication) {
  compute_apart(label, {table_.add(std::move(kernels))}, true, table_.add(communication));
}

void Sequence::compute_apart(Label label, KernelLists kernels, bool beside,
                             std::optional<std::uint32_t> communication) {
  if (!beside && !communication) { // later computes may join it
    close();
    compute(label, kernels);
    return;
  }
  close();
  push(label, {.work = table_.add(ComputeWork{kernels, communication}), .beside_previous = beside});
}

void Sequence::compute_after_result(Label label, KernelLists kernels) {
  close();
  push(label, {.work = table_.add(ComputeWork{kernels}), .after_result = true});
}

void Sequence::collective(Label label, const CollectiveWork& work, bool beside) {
  collective(label, table_.add(work), beside);
}

void Sequence::collective(Label label, std::uint32_t work, bool beside) {
  close();
  push(label, {.kind = OpKind::collective, .work = work, .beside_previous = beside});
}

void Sequence::detached(Label label, const CollectiveWork& work, int mark) {
  close();
  push(label,
       {.kind = OpKind::collective, .work = table_.add(work), .detached = true, .mark = mark});
}

void Sequence::await(int mark) {
  awaits_ = mark;
}

void Sequence::join_all() {
  joins_all_ = true;
}

void Sequence::push(Label label, Segment segment) {
  segment.awaits = std::exchange(awaits_, 0);
  segment.joins_all = std::exchange(joins_all_, false);
  segment.label = table_.add(label);
  segments_.push_back(segment);
}

void Sequence::close() {
  if (!open_)
    return;
  open_->segment.work = table_.add(ComputeWork{std::move(open_->kernels)});
  open_->segment.label = table_.add(open_->label);
  segments_.push_back(open_->segment);
  open_.reset();
}

void Sequence::append(const std::vector<Segment>& segments, LayerRef layer) {
  for (std::size_t index = 0; index < segments.size(); ++index) {
    const Segment& segment = segments[index];
    const Label label = table_.works().labels[segment.label].in(layer);
    if (segment.kind == OpKind::collective) {
      collective(label, segment.work, segment.beside_previous);
      continue;
    }
    const ComputeWork work = table_.works().computes[segment.work];
    // A compute that another runs beside starts together with it: it must not join an earlier one.
    const bool accompanied = index + 1 < segments.size() && segments[index + 1].beside_previous;
    if (segment.beside_previous || accompanied || work.beside)
      compute_apart(label, work.kernels, segment.beside_previous, work.beside);
    else
      compute(label, work.kernels);
  }
}

std::vector<Segment> Sequence::take() {
  close();
  return std::exchange(segments_, {});
}

} // namespace moesim
