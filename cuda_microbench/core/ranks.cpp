#include "cuda_microbench/core/ranks.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <stdexcept>

namespace moesim::microbench {

namespace {

/// A number for a node's name that a double holds exactly (FNV-1a, cut to 52 bits).
double number_of(const std::string& name) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char letter : name)
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3ull;
  return static_cast<double>(hash >> 12);
}

} // namespace

Ranks::Ranks(Machine& machine, const ProcessPlace& place, const NcclId& id)
    : machine_(machine), place_(place), stream_(machine.open_stream(machine.current_device())) {
  nccl().check(nccl()->comm_init_rank(&communicator_, place.ranks, id, place.rank),
               "ncclCommInitRank");
  own_ = machine.allocate(sizeof(double));
  all_ = machine.allocate(sizeof(double) * static_cast<std::size_t>(place.ranks));
  nodes_ = count_nodes();
}

Ranks::~Ranks() {
  if (communicator_ != nullptr)
    nccl()->comm_destroy(communicator_);
  machine_.release(own_);
  machine_.release(all_);
  machine_.close_stream(stream_);
}

std::vector<double> Ranks::gather(double value) {
  std::vector<double> values(static_cast<std::size_t>(place_.ranks));
  machine_.upload(own_, &value, sizeof(value));
  nccl().check(nccl()->all_gather(own_, all_, 1, NcclType::float64, communicator_, stream_),
               "ncclAllGather");
  machine_.wait(stream_);
  machine_.download(values.data(), all_, sizeof(double) * values.size());
  return values;
}

int Ranks::count_nodes() {
  const std::vector<double> names = gather(number_of(place_.node));
  std::size_t nodes = 1;
  for (std::size_t rank = 1; rank < names.size(); ++rank)
    nodes += names[rank] != names[rank - 1] ? 1 : 0;
  const std::size_t each = names.size() / nodes;
  for (std::size_t rank = 0; rank < names.size(); ++rank)
    if (nodes * each != names.size() || names[rank] != names[rank / each * each])
      throw std::runtime_error(
          fmt::format("{} ranks are not spread evenly over their nodes, those of a node in a row: "
                      "start them with srun --distribution=block or mpirun --map-by slot",
                      names.size()));
  return static_cast<int>(nodes);
}

} // namespace moesim::microbench
