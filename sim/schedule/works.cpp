#include "sim/schedule/works.hpp"

#include <functional>
#include <utility>

namespace moesim {

namespace {

constexpr std::size_t bucket_count = 256;

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
  std::size_t hash = work.beside.value_or(bucket_count);
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

WorkTable::WorkTable(Works& works)
    : works_(works), kernel_lists_(bucket_count), computes_(bucket_count),
      collectives_(bucket_count) {}

template <typename Work>
std::uint32_t WorkTable::intern(Work&& work, std::size_t hash,
                                std::vector<std::remove_cvref_t<Work>>& works, Buckets& buckets) {
  std::vector<std::uint32_t>& known = buckets[hash % buckets.size()];
  for (const std::uint32_t number : known)
    if (works[number] == work)
      return number;
  const auto number = static_cast<std::uint32_t>(works.size());
  known.push_back(number);
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
  works_.labels.push_back(label);
  return static_cast<std::uint32_t>(works_.labels.size() - 1);
}

} // namespace moesim
