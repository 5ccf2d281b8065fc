#include "sim/schedule/segment.hpp"

#include <utility>

namespace moesim {

void Sequence::compute(const std::string& name, const std::vector<Kernel>& kernels) {
  const bool apart = segments_.empty() || segments_.back().beside_previous ||
                     segments_.back().detached || awaits_ != 0 || joins_all_;
  auto* previous = apart ? nullptr : std::get_if<ComputeWork>(&segments_.back().work);
  if (!previous) {
    compute_apart({name, kernels}, false);
    return;
  }
  previous->name = first_name_ + " to " + name.substr(name.rfind(' ') + 1);
  previous->kernels.insert(previous->kernels.end(), kernels.begin(), kernels.end());
}

void Sequence::compute_apart(const ComputeWork& work, bool beside) {
  first_name_ = work.name.substr(0, work.name.find(' '));
  push({work, beside});
}

void Sequence::compute_after_result(const ComputeWork& work) {
  first_name_ = work.name.substr(0, work.name.find(' '));
  push({.work = work, .after_result = true});
}

void Sequence::collective(const CollectiveWork& work, bool beside) {
  push({work, beside});
}

void Sequence::detached(const CollectiveWork& work, int mark) {
  push({.work = work, .detached = true, .mark = mark});
}

void Sequence::push(Segment segment) {
  segment.awaits = std::exchange(awaits_, 0);
  segment.joins_all = std::exchange(joins_all_, false);
  segments_.push_back(std::move(segment));
}

void Sequence::append(const std::vector<Segment>& segments) {
  for (std::size_t place = 0; place < segments.size(); ++place) {
    const Segment& segment = segments[place];
    // What another runs beside starts with it, not earlier.
    const bool accompanied = place + 1 < segments.size() && segments[place + 1].beside_previous;
    const auto* work = std::get_if<ComputeWork>(&segment.work);
    if (!work)
      collective(std::get<CollectiveWork>(segment.work), segment.beside_previous);
    else if (segment.beside_previous || accompanied || work->beside)
      compute_apart(*work, segment.beside_previous);
    else
      compute(work->name, work->kernels);
  }
}

} // namespace moesim
