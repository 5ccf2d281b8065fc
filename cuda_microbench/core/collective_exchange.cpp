#include "cuda_microbench/core/collective_exchange.hpp"

#include <algorithm>
#include <stdexcept>

namespace moesim::microbench::collectives {

namespace {

/// Element `index` of what a rank sends: a whole number below 61, which is prime, so that no size
/// of a block repeats it.
constexpr std::size_t pattern_period = 61;
float sent_element(int rank, std::size_t index) {
  return static_cast<float>((7 * static_cast<std::size_t>(rank) + index) % pattern_period);
}

/// The sum of an element over all ranks.
float summed_element(int ranks, std::size_t index) {
  float sum = 0.0f;
  for (int rank = 0; rank < ranks; ++rank)
    sum += sent_element(rank, index);
  return sum;
}

Distribution shares_as(ExchangeDistribution distribution) {
  return distribution == ExchangeDistribution::zipf ? Distribution::zipf : Distribution::equal;
}

} // namespace

const char* name_of(CollectiveKind collective) {
  constexpr const char* names[] = {"all_to_all", "all_reduce", "all_gather", "reduce_scatter",
                                   "point_to_point"};
  return names[static_cast<int>(collective)];
}

const char* name_of(ExchangeDistribution distribution) {
  constexpr const char* names[] = {"equal", "zipf", "rails"};
  return names[static_cast<int>(distribution)];
}

int receiver_of(int rank, int ranks, int gpus_a_node, ExchangeDistribution distribution) {
  if (gpus_a_node == ranks)
    return (rank + 1) % ranks;
  const int next_node = (rank / gpus_a_node + 1) % (ranks / gpus_a_node);
  const int step = distribution == ExchangeDistribution::rails ? 1 : 0;
  return next_node * gpus_a_node + (rank + step) % gpus_a_node;
}

Exchange::Exchange(Machine& machine, const Ranks& ranks, const ExchangeCase& c)
    : machine_(machine), ranks_(ranks), case_(c),
      shares_(ranks.ranks(), shares_as(c.distribution), c.bytes) {
  const std::size_t elements = c.bytes / sizeof(float);
  const auto each = elements / static_cast<std::size_t>(ranks.ranks());
  switch (c.collective) {
  case CollectiveKind::all_to_all:
    sent_ = shares_.sent(ranks.rank());
    received_ = shares_.received(ranks.rank());
    break;
  case CollectiveKind::all_reduce:
  case CollectiveKind::point_to_point:
    sent_ = received_ = elements;
    break;
  case CollectiveKind::all_gather:
    sent_ = each;
    received_ = each * static_cast<std::size_t>(ranks.ranks());
    break;
  case CollectiveKind::reduce_scatter:
    sent_ = each * static_cast<std::size_t>(ranks.ranks());
    received_ = each;
    break;
  }
  send_ = machine.allocate(sent_ * sizeof(float));
  try {
    receive_ = machine.allocate(received_ * sizeof(float));
  } catch (...) {
    machine.release(send_);
    throw;
  }
}

Exchange::~Exchange() {
  machine_.release(send_);
  machine_.release(receive_);
}

void Exchange::fill() {
  std::vector<float> values(std::max(sent_, received_), -1.0f);
  machine_.upload(receive_, values.data(), received_ * sizeof(float));
  for (std::size_t i = 0; i < sent_; ++i)
    values[i] = sent_element(ranks_.rank(), i);
  machine_.upload(send_, values.data(), sent_ * sizeof(float));
}

int Exchange::sender() const {
  int rank = 0;
  while (receiver_of(rank, ranks_.ranks(), ranks_.gpus_a_node(), case_.distribution) !=
         ranks_.rank())
    ++rank;
  return rank;
}

void Exchange::send_receive(Stream stream) {
  const NcclLibrary& library = nccl();
  const NcclComm communicator = ranks_.communicator();
  auto* sent = static_cast<float*>(send_);
  auto* received = static_cast<float*>(receive_);
  const int own = ranks_.rank();
  int failure = 0;
  const auto transfer = [&](int to, std::size_t send_at, std::size_t send_count, int from,
                            std::size_t receive_at, std::size_t receive_count) {
    const int status =
        library->send(sent + send_at, send_count, NcclType::float32, to, communicator, stream);
    const int other = library->receive(received + receive_at, receive_count, NcclType::float32,
                                       from, communicator, stream);
    failure = failure != 0 ? failure : status != 0 ? status : other;
  };
  library.check(library->group_start(), "ncclGroupStart");
  if (case_.collective == CollectiveKind::all_to_all) {
    for (int peer = 0; peer < ranks_.ranks(); ++peer)
      transfer(peer, shares_.send_offset(own, peer), shares_.words(own, peer), peer,
               shares_.receive_offset(own, peer), shares_.words(peer, own));
  } else {
    transfer(receiver_of(own, ranks_.ranks(), ranks_.gpus_a_node(), case_.distribution), 0, sent_,
             sender(), 0, received_);
  }
  const int ended = library->group_end(); // in any case, or all later calls belong to this group
  library.check(failure, "ncclSend or ncclRecv");
  library.check(ended, "ncclGroupEnd");
}

void Exchange::enqueue(Stream stream) {
  const NcclLibrary& library = nccl();
  const NcclComm communicator = ranks_.communicator();
  switch (case_.collective) {
  case CollectiveKind::all_to_all:
  case CollectiveKind::point_to_point:
    return send_receive(stream);
  case CollectiveKind::all_reduce:
    return library.check(library->all_reduce(send_, receive_, sent_, NcclType::float32, nccl_sum,
                                             communicator, stream),
                         "ncclAllReduce");
  case CollectiveKind::all_gather:
    return library.check(
        library->all_gather(send_, receive_, sent_, NcclType::float32, communicator, stream),
        "ncclAllGather");
  case CollectiveKind::reduce_scatter:
    return library.check(library->reduce_scatter(send_, receive_, received_, NcclType::float32,
                                                 nccl_sum, communicator, stream),
                         "ncclReduceScatter");
  }
  throw std::logic_error("no such collective");
}

Exchange::Expected Exchange::expected_of_all_to_all() const {
  std::vector<float> values;
  const int own = ranks_.rank();
  for (int sender = 0; sender < ranks_.ranks(); ++sender)
    for (std::size_t word = 0; word < shares_.words(sender, own); ++word)
      values.push_back(sent_element(sender, shares_.send_offset(sender, own) + word));
  return [values = std::move(values)](std::size_t index) { return values[index]; };
}

Exchange::Expected Exchange::expected() const {
  const int own = ranks_.rank();
  const int ranks = ranks_.ranks();
  std::vector<float> sums;
  for (std::size_t index = 0; index < pattern_period; ++index)
    sums.push_back(summed_element(ranks, index));
  switch (case_.collective) {
  case CollectiveKind::all_to_all:
    return expected_of_all_to_all();
  case CollectiveKind::all_reduce:
    return [sums](std::size_t index) { return sums[index % pattern_period]; };
  case CollectiveKind::all_gather:
    return [each = sent_](std::size_t index) {
      return sent_element(static_cast<int>(index / each), index % each);
    };
  case CollectiveKind::reduce_scatter:
    return [sums, first = static_cast<std::size_t>(own) * received_](std::size_t index) {
      return sums[(first + index) % pattern_period];
    };
  case CollectiveKind::point_to_point:
    return [from = sender()](std::size_t index) { return sent_element(from, index); };
  }
  throw std::logic_error("no such collective");
}

double Exchange::wrong_share() const {
  std::vector<float> values(received_);
  machine_.download(values.data(), receive_, received_ * sizeof(float));
  const Expected right = expected();
  std::size_t wrong = 0;
  for (std::size_t index = 0; index < values.size(); ++index)
    wrong += values[index] != right(index) ? 1 : 0;
  return static_cast<double>(wrong) / static_cast<double>(std::max<std::size_t>(received_, 1));
}

} // namespace moesim::microbench::collectives
