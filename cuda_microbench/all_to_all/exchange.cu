#include "cuda_microbench/all_to_all/exchange.hpp"

#include <numeric>

namespace moesim::microbench {

namespace {

using Word = std::uint32_t;
constexpr std::size_t unit_bytes = 16;

/// What `sender` fills in at a place of what it sends.
__host__ __device__ Word pattern(int sender, std::size_t place) {
  return static_cast<Word>(hash_counter(1000 + static_cast<std::uint64_t>(sender), place));
}

__global__ void fill_pattern(Word* words, std::size_t count, int sender) {
  const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride)
    words[i] = pattern(sender, i);
}

/// Makes a device the current one, and device 0 again.
class OnDevice {
public:
  explicit OnDevice(int device) { CUDA_CALL(cudaSetDevice(device)); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;
  ~OnDevice() { cudaSetDevice(0); }
};

} // namespace

const char* name_of(Transport transport) {
  return transport == Transport::nccl ? "nccl_all_to_all" : "peer_all_to_all";
}

const char* name_of(Spread spread) {
  return spread == Spread::equal ? "equal" : "zipf";
}

std::string lacks_transport(Transport transport, int gpus) {
  if (transport == Transport::nccl) {
#ifdef MOESIM_HAS_NCCL
    return "";
#else
    return "built without NCCL";
#endif
  }
  for (int own = 0; own < gpus; ++own)
    for (int other = 0; other < gpus; ++other) {
      int reachable = 1;
      if (own != other)
        CUDA_CALL(cudaDeviceCanAccessPeer(&reachable, own, other));
      if (reachable == 0)
        return "GPU " + std::to_string(own) + " does not reach GPU " + std::to_string(other);
    }
  return "";
}

std::vector<std::size_t> shares_of(int sender, int gpus, Spread spread, std::size_t bytes) {
  std::vector<double> weights(gpus, 1.0);
  for (int rank = 0; rank < gpus && spread == Spread::zipf; ++rank)
    weights[(sender + rank) % gpus] = 1.0 / (rank + 1);
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  const std::size_t units = bytes / unit_bytes;
  std::vector<std::size_t> shares;
  double below = 0.0; // of the weights, rounded as a sum: nothing is lost
  std::size_t given = 0;
  for (const double weight : weights) {
    below += weight;
    const auto end = static_cast<std::size_t>(static_cast<double>(units) * below / sum + 0.5);
    shares.push_back((end - given) * unit_bytes);
    given = end;
  }
  return shares;
}

struct Exchange::Member {
  int device;
  cudaStream_t stream = nullptr;
  cudaEvent_t done = nullptr;
  DeviceBuffer<Word> sent;
  DeviceBuffer<Word> received;
#ifdef MOESIM_HAS_NCCL
  ncclComm_t communicator = nullptr;
#endif

  Member(int device, std::size_t sent_bytes, std::size_t received_bytes)
      : device(device), sent(sent_bytes / sizeof(Word)), received(received_bytes / sizeof(Word)) {
    CUDA_CALL(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    CUDA_CALL(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  ~Member() {
    const OnDevice on(device);
    cudaStreamSynchronize(stream);
#ifdef MOESIM_HAS_NCCL
    if (communicator != nullptr)
      ncclCommDestroy(communicator);
#endif
    cudaEventDestroy(done);
    cudaStreamDestroy(stream);
  }
};

Exchange::Exchange(Transport transport, int gpus, Spread spread, std::size_t bytes)
    : transport_(transport), gpus_(gpus), bytes_(bytes) {
  for (int sender = 0; sender < gpus; ++sender)
    shares_.push_back(shares_of(sender, gpus, spread, bytes));
  CUDA_CALL(cudaEventCreateWithFlags(&start_, cudaEventDisableTiming));
  for (int device = 0; device < gpus; ++device) {
    const OnDevice on(device);
    members_.push_back(std::make_unique<Member>(device, bytes, received_offset(gpus, device)));
    for (int other = 0; transport == Transport::peer && other < gpus; ++other) {
      const cudaError_t status =
          other == device ? cudaSuccess : cudaDeviceEnablePeerAccess(other, 0);
      if (status == cudaErrorPeerAccessAlreadyEnabled)
        cudaGetLastError(); // clears it
      else
        CUDA_CALL(status);
    }
  }
#ifdef MOESIM_HAS_NCCL
  if (transport == Transport::nccl) {
    std::vector<ncclComm_t> communicators(gpus);
    NCCL_CALL(ncclCommInitAll(communicators.data(), gpus, nullptr));
    for (int device = 0; device < gpus; ++device)
      members_[device]->communicator = communicators[device];
  }
#endif
}

Exchange::~Exchange() {
  members_.clear();
  cudaEventDestroy(start_);
}

std::size_t Exchange::sent_offset(int sender, int receiver) const {
  const auto& shares = shares_[sender];
  return std::accumulate(shares.begin(), shares.begin() + receiver, std::size_t{0});
}

std::size_t Exchange::received_offset(int sender, int receiver) const {
  std::size_t offset = 0;
  for (int before = 0; before < sender; ++before)
    offset += shares_[before][receiver];
  return offset;
}

void Exchange::fill() {
  for (const auto& member : members_) {
    const OnDevice on(member->device);
    fill_pattern<<<grid_for(member->sent.size(), 256), 256>>>(member->sent.data(),
                                                              member->sent.size(), member->device);
    CUDA_CALL(cudaGetLastError());
    member->received.clear();
    CUDA_CALL(cudaDeviceSynchronize());
  }
}

Launch Exchange::launch() {
  return [this](cudaStream_t stream) {
    CUDA_CALL(cudaEventRecord(start_, stream));
    for (const auto& member : members_) {
      const OnDevice on(member->device);
      CUDA_CALL(cudaStreamWaitEvent(member->stream, start_, 0));
    }
    if (transport_ == Transport::nccl)
      exchange_by_nccl();
    else
      exchange_by_copies();
    for (const auto& member : members_) {
      const OnDevice on(member->device);
      CUDA_CALL(cudaEventRecord(member->done, member->stream));
    }
    for (const auto& member : members_)
      CUDA_CALL(cudaStreamWaitEvent(stream, member->done, 0));
  };
}

void Exchange::exchange_by_nccl() {
#ifdef MOESIM_HAS_NCCL
  NCCL_CALL(ncclGroupStart());
  for (const auto& member : members_)
    for (int peer = 0; peer < gpus_; ++peer) {
      const int own = member->device;
      // Nothing is sent where nothing is to be sent, on both sides alike.
      if (const std::size_t bytes = shares_[own][peer]; bytes > 0)
        NCCL_CALL(ncclSend(member->sent.data() + sent_offset(own, peer) / sizeof(Word), bytes,
                           ncclChar, peer, member->communicator, member->stream));
      if (const std::size_t bytes = shares_[peer][own]; bytes > 0)
        NCCL_CALL(ncclRecv(member->received.data() + received_offset(peer, own) / sizeof(Word),
                           bytes, ncclChar, peer, member->communicator, member->stream));
    }
  NCCL_CALL(ncclGroupEnd());
#endif
}

void Exchange::exchange_by_copies() {
  for (const auto& member : members_) {
    const OnDevice on(member->device);
    for (int step = 0; step < gpus_; ++step) {
      const int own = member->device;
      const int peer = (own + step) % gpus_; // each step another pair: no device is sent to by all
      if (const std::size_t bytes = shares_[own][peer]; bytes > 0)
        CUDA_CALL(cudaMemcpyPeerAsync(
            members_[peer]->received.data() + received_offset(own, peer) / sizeof(Word), peer,
            member->sent.data() + sent_offset(own, peer) / sizeof(Word), own, bytes,
            member->stream));
    }
  }
}

double Exchange::wrong_share() const {
  std::size_t wrong = 0;
  std::size_t count = 0;
  for (int receiver = 0; receiver < gpus_; ++receiver) {
    const OnDevice on(receiver);
    const std::vector<Word> words = members_[receiver]->received.download();
    count += words.size();
    for (int sender = 0; sender < gpus_; ++sender) {
      const std::size_t from = sent_offset(sender, receiver) / sizeof(Word);
      const std::size_t to = received_offset(sender, receiver) / sizeof(Word);
      for (std::size_t i = 0; i < shares_[sender][receiver] / sizeof(Word); ++i)
        wrong += words[to + i] != pattern(sender, from + i) ? 1 : 0;
    }
  }
  return static_cast<double>(wrong) / static_cast<double>(count);
}

} // namespace moesim::microbench
