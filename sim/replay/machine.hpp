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
  /// The rate that a flow never exceeds, whatever the links would carry; none: infinite.
  BytesPerSecond most{std::numeric_limits<double>::infinity()};
  /// The machine moves this multiple of the flow: times of hops are per byte of that.
  double multiple = 1.0;
};

/// Links that flows share by weighted max-min fairness, on SimGrid. One machine a process: SimGrid
/// keeps one clock for the life of a process.
///
/// The machine's clock runs only while `run` does, so a caller that has nothing to share for a
/// while leaves it standing, and adds the offset between both clocks.
class Machine {
public:
  /// Loads SimGrid, which takes longer than most steps: where no flows meet it is not needed. A
  /// parent loads it before it forks processes that may each make a machine. Throws InternalError
  /// if the library is not beside the program.
  static void load();
  /// The machine of this process, with SimGrid loaded if it is not yet.
  static std::unique_ptr<Machine> make(const std::vector<MachineLink>& links);
  virtual ~Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Adds a route; before the first `run` only. Routes are numbered from 0.
  virtual std::uint32_t add_route(const MachineRoute& route) = 0;

  /// Sends `bytes` over a route; a fraction of a byte is possible, as amounts are divided by their
  /// efficiency. `token` comes back at its end.
  virtual void start_flow(std::uint32_t route, double bytes, std::uint32_t token) = 0;

  /// Calls `on_alarm` of `run` after `delay`, in place of an alarm that was set before.
  virtual void set_alarm(Seconds delay) = 0;
  virtual void cancel_alarm() = 0;

  struct Handlers {
    std::function<void(std::uint32_t)> on_end; ///< with the token of a flow that has ended
    std::function<void()> on_alarm;
  };
  /// Simulates until no flow is under way and no alarm is set. Handlers may start flows and set
  /// alarms.
  virtual void run(const Handlers& handlers) = 0;

  /// The time that all runs have simulated.
  virtual Seconds now() const = 0;
  /// Flows under way.
  virtual std::uint64_t flows() const = 0;
  /// Flows started so far.
  virtual std::uint64_t activities() const = 0;

protected:
  Machine() = default;
};

} // namespace moesim
