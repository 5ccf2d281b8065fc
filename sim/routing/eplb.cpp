#include "sim/routing/eplb.hpp"

#include "sim/base/check.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace moesim {

namespace {

std::int64_t size_of(const auto& items) {
  return static_cast<std::int64_t>(items.size());
}

/// Packs groups onto nodes by the load of their experts; ids are groups.
Packs pack_groups(const EplbRequest& request, const std::vector<double>& loads) {
  const std::int64_t group_size = size_of(loads) / request.groups;
  std::vector<PackItem> groups;
  for (std::int64_t group = 0; group < request.groups; ++group) {
    const auto first = loads.begin() + group * group_size;
    groups.push_back({group, std::accumulate(first, first + group_size, 0.0)});
  }
  return pack_evenly(std::move(groups), request.nodes, 1);
}

/// Replicates the experts of a node and packs them onto its GPUs; ids are experts.
Packs balance_node(const std::vector<std::int64_t>& experts, const std::vector<double>& loads,
                   std::int64_t slots, std::int64_t gpus) {
  std::vector<double> loads_here;
  for (const std::int64_t expert : experts)
    loads_here.push_back(loads[static_cast<std::size_t>(expert)]);
  const std::int64_t slots_per_gpu = slots / gpus;
  const std::int64_t repeats_max = (slots_per_gpu + size_of(experts) - 1) / size_of(experts);
  std::vector<PackItem> replicas = replicate_experts(loads_here, slots, repeats_max * gpus);
  for (PackItem& replica : replicas)
    replica.id = experts[static_cast<std::size_t>(replica.id)];
  return pack_evenly(std::move(replicas), gpus, repeats_max);
}

} // namespace

Packs::Packs(std::int64_t count, std::int64_t capacity, std::int64_t repeats_max)
    : capacity_(static_cast<std::size_t>(capacity)), repeats_max_(repeats_max),
      packs_(static_cast<std::size_t>(count)) {
  for (Pack& pack : packs_)
    pack.items.reserve(capacity_);
}

bool Packs::accepts(std::int64_t pack, std::int64_t id) const {
  const std::vector<PackItem>& held = items(pack);
  if (held.size() == capacity_)
    return false;
  return std::count_if(held.begin(), held.end(),
                       [id](const PackItem& item) { return item.id == id; }) < repeats_max_;
}

void Packs::add(std::int64_t pack, PackItem item) {
  INVARIANT(accepts(pack, item.id), "pack {} takes no item of {}", pack, item.id);
  Pack& target = packs_[static_cast<std::size_t>(pack)];
  target.items.push_back(item);
  target.load += item.load;
}

void Packs::add_to_least_loaded(PackItem item) {
  std::int64_t best = -1;
  for (std::int64_t pack = 0; pack < count(); ++pack)
    if ((best < 0 || load(pack) < load(best)) && accepts(pack, item.id))
      best = pack;
  if (best < 0)
    add_by_exchange(item);
  else
    add(best, item);
}

void Packs::add_by_exchange(PackItem item) {
  const auto open = std::find_if(packs_.begin(), packs_.end(),
                                 [&](const Pack& pack) { return pack.items.size() < capacity_; });
  INVARIANT(open != packs_.end(), "{} packs are full", count());
  const std::int64_t target = open - packs_.begin();
  Pack* source = nullptr;
  std::size_t index = 0;
  for (Pack& pack : packs_) {
    const auto repeats = std::count_if(pack.items.begin(), pack.items.end(),
                                       [&](const PackItem& held) { return held.id == item.id; });
    if (&pack == &*open || repeats >= repeats_max_)
      continue;
    for (std::size_t i = 0; i < pack.items.size(); ++i)
      if ((source == nullptr || pack.items[i].load < source->items[index].load) &&
          accepts(target, pack.items[i].id)) {
        source = &pack;
        index = i;
      }
  }
  INVARIANT(source != nullptr, "no exchange makes room for an item of {}", item.id);
  add(target, source->items[index]);
  source->load += item.load - source->items[index].load;
  source->items[index] = item;
}

Packs pack_evenly(std::vector<PackItem> items, std::int64_t packs, std::int64_t repeats_max) {
  INVARIANT(packs > 0 && size_of(items) % packs == 0, "{} items in {} packs", items.size(), packs);
  const std::int64_t capacity = size_of(items) / packs;
  Packs packed(packs, capacity, repeats_max);
  if (capacity == 1) {
    for (std::int64_t pack = 0; pack < packs; ++pack)
      packed.add(pack, items[static_cast<std::size_t>(pack)]);
    return packed;
  }
  std::stable_sort(items.begin(), items.end(),
                   [](const PackItem& a, const PackItem& b) { return a.load > b.load; });
  for (const PackItem& item : items)
    packed.add_to_least_loaded(item);
  return packed;
}

std::vector<PackItem> replicate_experts(const std::vector<double>& loads, std::int64_t slots,
                                        std::int64_t replicas_max) {
  INVARIANT(size_of(loads) <= slots && slots <= size_of(loads) * replicas_max,
            "{} experts with up to {} replicas fill no {} slots", loads.size(), replicas_max,
            slots);
  std::vector<PackItem> replicas(loads.size());
  for (std::size_t expert = 0; expert < loads.size(); ++expert)
    replicas[expert] = {static_cast<std::int64_t>(expert), loads[expert]};
  std::vector<double> shares = loads; // load of each replica of an expert
  std::vector<std::int64_t> counts(loads.size(), 1);
  // Key of an expert that has all its replicas: below any load, as loads are not negative.
  const double none = -std::numeric_limits<double>::infinity();
  std::vector<double> race(loads.size(), none);
  if (replicas_max > 1)
    race = loads;
  while (size_of(replicas) < slots) {
    const auto busiest =
        static_cast<std::size_t>(std::max_element(race.begin(), race.end()) - race.begin());
    counts[busiest] += 1;
    shares[busiest] = loads[busiest] / static_cast<double>(counts[busiest]);
    race[busiest] = counts[busiest] < replicas_max ? shares[busiest] : none;
    replicas.push_back({static_cast<std::int64_t>(busiest), 0.0});
  }
  for (PackItem& replica : replicas)
    replica.load = shares[static_cast<std::size_t>(replica.id)];
  return replicas;
}

std::vector<std::int64_t> eplb(const EplbRequest& request, const std::vector<double>& loads) {
  if (request.groups % request.nodes != 0)
    return eplb({.slots = request.slots, .groups = 1, .nodes = 1, .gpus = request.gpus}, loads);
  INVARIANT(size_of(loads) % request.groups == 0 && request.slots % request.gpus == 0 &&
                request.gpus % request.nodes == 0,
            "{} experts in {} groups, {} slots on {} GPUs of {} nodes", loads.size(),
            request.groups, request.slots, request.gpus, request.nodes);
  const std::int64_t group_size = size_of(loads) / request.groups;
  const std::int64_t gpus = request.gpus / request.nodes;
  const Packs nodes = pack_groups(request, loads);
  std::vector<std::int64_t> expert_of_slot;
  for (std::int64_t node = 0; node < nodes.count(); ++node) {
    std::vector<std::int64_t> experts;
    for (const PackItem& group : nodes.items(node))
      for (std::int64_t i = 0; i < group_size; ++i)
        experts.push_back(group.id * group_size + i);
    const Packs packed = balance_node(experts, loads, request.slots / request.nodes, gpus);
    for (std::int64_t gpu = 0; gpu < gpus; ++gpu)
      for (const PackItem& replica : packed.items(gpu))
        expert_of_slot.push_back(replica.id);
  }
  return expert_of_slot;
}

} // namespace moesim
