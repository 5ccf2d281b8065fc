#include "sim/schedule/works.hpp"

#include <functional>
#include <utility>

namespace moesim {

namespace {

std::size_t mixed(std::size_t hash, std::size_t value) {
  return (hash ^ value) * 0x9e3779b97f4a7c15U + (hash >> 29U);
}

std::size_t mixed(std::size_t hash, std::int64_t value) {
  return mixed(hash, static_cast<std::size_t>(value));
}

/// A hash over some of the sizes: equal kernels have equal hashes, most others do not.
std::size_t hash_of(const KernelList& kernels) {
  std::size_t hash = kernels.size();
  for (const Kernel& kernel : kernels) {
    hash = mixed(hash, static_cast<std::int64_t>(kernel.kind));
    hash = mixed(hash, kernel.m);
    hash = mixed(hash, kernel.bytes.value);
  }
  return hash;
}

std::size_t hash_of(const ComputeWork& work) {
  std::size_t hash = work.beside.value_or(~0U);
  for (const std::uint32_t list : work.kernels)
    hash = mixed(hash, std::size_t{list});
  for (const KernelLists& rank : work.by_expert_rank)
    for (const std::uint32_t list : rank)
      hash = mixed(hash, std::size_t{list});
  return mixed(hash, work.host.operators + 7 * work.host.launches);
}

std::size_t hash_of(const CollectiveWork& work) {
  std::size_t hash = mixed(static_cast<std::size_t>(work.kind.pattern), work.bytes.value);
  hash = mixed(hash, static_cast<std::size_t>(work.role));
  return mixed(hash, std::hash<const void*>{}(work.loads.get()));
}

} // namespace

WorkTable::WorkTable(Works& works, Labels labels) : works_(works), labels_(labels) {
  if (labels_ == Labels::dropped)
    works_.labels = {Label{}};
}

template <typename Work>
std::uint32_t WorkTable::intern(Work&& work, std::size_t hash,
                                std::vector<std::remove_cvref_t<Work>>& works, Known& known) {
  const auto [first, last] = known.equal_range(hash);
  for (auto same = first; same != last; ++same)
    if (works[same->second] == work)
      return same->second;
  const auto number = static_cast<std::uint32_t>(works.size());
  known.emplace(hash, number);
  works.push_back(std::forward<Work>(work));
  return number;
}

std::uint32_t WorkTable::add(KernelList kernels) {
  const std::size_t hash = hash_of(kernels);
  return intern(std::move(kernels), hash, works_.kernel_lists, kernel_lists_);
}

std::uint32_t WorkTable::add(ComputeWork work) {
  const std::size_t hash = hash_of(work);
  return intern(std::move(work), hash, works_.computes, computes_);
}

std::uint32_t WorkTable::add(const CollectiveWork& work) {
  return intern(work, hash_of(work), works_.collectives, collectives_);
}

std::uint32_t WorkTable::add(const Label& label) {
  if (labels_ == Labels::dropped)
    return 0;
  works_.labels.push_back(label);
  return static_cast<std::uint32_t>(works_.labels.size() - 1);
}

} // namespace moesim
