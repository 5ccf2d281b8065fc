#pragma once

#include "sim/base/units.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

namespace moesim {

/// A link of the replay.
struct MachineLink {
  std::string name;
  BytesPerSecond capacity;
};

/// The links that a flow loads. A hop loads its link `times` times: one flow of a folded replay
/// represents several flows on a link that several ranks share.
struct MachineRoute {
  struct Hop {
    std::uint32_t link = 0;
    std::uint32_t times = 1;
    bool operator==(const Hop&) const = default;
  };
  std::vector<Hop> hops;
  /// Weight of the flow in the sharing of a link: the number of flows that it represents.
  double weight = 1.0;
  /// Upper limit of the flow's rate; infinite without a limit.
  BytesPerSecond most{std::numeric_limits<double>::infinity()};
  /// The machine moves this multiple of the flow: times of hops are per byte of that.
  double multiple = 1.0;
};

/// Links that flows share by weighted max-min fairness, on SimGrid. One machine a process: SimGrid
/// keeps one clock for the life of a process.
///
/// The machine's clock runs only during `run`. A caller adds the offset between both clocks after a
/// time without shared flows.
class Machine {
public:
  /// Loads SimGrid. This takes longer than most steps, and steps whose flows never meet do not need
  /// it. A parent loads it before it forks processes that may each make a machine. Throws
  /// InternalError if the library is not beside the program.
  static void load();
  /// Makes the machine of this process; loads SimGrid if needed.
  static std::unique_ptr<Machine> make(const std::vector<MachineLink>& links);
  virtual ~Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Adds a route; before the first `run` only. Routes are numbered from 0.
  virtual std::uint32_t add_route(const MachineRoute& route) = 0;

  /// Starts a flow of `bytes` over a route; the value may be fractional, as amounts are bytes
  /// divided by an efficiency. `on_end` gets `token` at its end.
  virtual void start_flow(std::uint32_t route, double bytes, std::uint32_t token) = 0;

  /// Makes `run` call `on_alarm` after `delay`; replaces an earlier alarm.
  virtual void set_alarm(Seconds delay) = 0;
  virtual void cancel_alarm() = 0;

  struct Handlers {
    std::function<void(std::uint32_t)> on_end; ///< called with the token of a flow that has ended
    std::function<void()> on_alarm;
  };
  /// Simulates until no flow is active and no alarm is set. Handlers may start flows and set
  /// alarms.
  virtual void run(const Handlers& handlers) = 0;

  /// Simulated time of all runs together.
  virtual Seconds now() const = 0;
  /// Number of active flows.
  virtual std::uint64_t flows() const = 0;
  /// Number of flows started so far.
  virtual std::uint64_t activities() const = 0;

protected:
  Machine() = default;
};

} // namespace moesim
