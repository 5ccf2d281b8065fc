#pragma once

#include "sim/base/units.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace moesim {

/// A link as the replay sees it.
struct MachineLink {
  std::string name;
  BytesPerSecond capacity;
};

/// The links that a flow loads. A link that stands `times` times loads it that many times: one
/// flow of a folded replay stands for several on a link that several ranks share.
struct MachineRoute {
  struct Hop {
    std::uint32_t link = 0;
    std::uint32_t times = 1;
    bool operator==(const Hop&) const = default;
  };
  std::vector<Hop> hops;
  /// The share of a contended link relative to other flows: how many flows this one stands for.
  double weight = 1.0;
  /// What a flow never exceeds, whatever the links would carry; none: infinite.
  BytesPerSecond most{std::numeric_limits<double>::infinity()};
};

/// The simulated machine: devices that compute and links that carry flows, on SimGrid. Links are
/// shared by weighted max-min fairness. One machine a process: SimGrid's clock starts only once.
class Machine {
public:
  Machine(std::size_t devices, const std::vector<MachineLink>& links);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Before `run` only. Routes are numbered from 0.
  std::uint32_t add_route(const MachineRoute& route);

  /// Occupies a stream of a device for `duration`; `token` comes back when it is over. What runs on
  /// one device at a time does not slow each other.
  void start_delay(std::uint32_t device, Seconds duration, std::uint32_t token);
  /// Sends `bytes` over a route; a fraction of a byte is possible, as amounts are divided by their
  /// efficiency.
  void start_flow(std::uint32_t route, double bytes, std::uint32_t token);

  /// Simulates until nothing is under way. `on_start` is called once at time 0, `on_end` with the
  /// token of everything that ends; both may start more.
  void run(const std::function<void()>& on_start, const std::function<void(std::uint32_t)>& on_end);

  Seconds now() const;
  /// Delays and flows started so far.
  std::uint64_t activities() const;

private:
  struct Engine;
  std::unique_ptr<Engine> engine_;
};

} // namespace moesim
