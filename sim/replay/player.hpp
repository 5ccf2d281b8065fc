#pragma once

#include "sim/replay/flows_under_way.hpp"

#include <cstdint>
#include <memory>
#include <queue>
#include <vector>

namespace moesim {

/// Whether flows that meet on a link may go to the machine, of which a process has one.
enum class Sharing { allowed, refused };

/// The end of a replay.
enum class PlayEnd {
  all_ran,   ///< every operation has run
  flows_met, ///< flows met, and sharing was refused
  late       ///< the step takes longer than the limit
};

/// Plays a step graph in time, event by event.
///
/// A compute, or a run, ends at a known time as soon as all that it waits for has ended. So does a
/// phase of a communication whose links no other operation uses meanwhile: its flows have the rates
/// of `lone_flows`. Where flows of two operations meet on a link, both go on in the machine, which
/// shares the link between them, until they end.
class Player {
public:
  /// `durations`: seconds by OpId, of the computes; not read of others. `runs`: times by index of
  /// StepGraph::runs. `links`: those of the replay, at full capacity. The others must live as long.
  Player(const StepGraph& graph, const StepTraffic& traffic, const std::vector<double>& durations,
         const std::vector<RunTimes>& runs, std::vector<MachineLink> links);

  /// Fills `ops`, `flows`, `end` and `activities` of the timeline; it is unfinished unless all
  /// operations ran. A step is late as soon as an operation ends so that all that has to follow it,
  /// each communication alone on its links, ends after `limit`.
  PlayEnd play(Sharing sharing, Seconds limit, Timeline& timeline);

private:
  /// The time when the flows of a phase begin or, alone on their links, end.
  struct Event {
    double time = 0.0;
    std::uint32_t op = 0;
    std::uint32_t generation = 0; ///< of the operation; an outdated end has an earlier one
    bool begins = false;

    /// Orders events by time; ends come before beginnings, so that links are free again.
    bool operator>(const Event& other) const {
      if (time != other.time)
        return time > other.time;
      return begins != other.begins ? begins : op > other.op;
    }
  };
  /// The state of an operation.
  struct Progress {
    std::uint32_t waits_for = 0; ///< number of predecessors that have not ended
    double earliest = 0.0;       ///< latest end of the ended predecessors
    std::uint32_t phase = 0;
    std::uint32_t first_span = 0; ///< index in Timeline::flows of the phase's first flow
    std::uint32_t unfinished = 0; ///< flows of the phase in the machine
    std::uint32_t generation = 0;
    bool shared = false; ///< whether its flows are in the machine
  };

  void start_ready();
  void start(OpId op);
  void begin_phase(OpId op, double time);
  void begin_flows(OpId op);
  void finish_phase(OpId op);
  void finish(OpId op, double time);
  const StepPhase& phase_of(OpId op) const;
  void share(OpId op);
  void start_machine();
  void handle(const Event& event);
  void handle_until_now();
  void run_machine();
  void end_flow(std::uint32_t span);
  void set_alarm();

  const StepGraph& graph_;
  const StepTraffic& traffic_;
  const std::vector<double>& durations_;
  const std::vector<RunTimes>& runs_;
  std::vector<MachineLink> links_;
  std::vector<MachineRoute> routes_; ///< reduced routes of all flows of the traffic
  Sharing sharing_ = Sharing::allowed;
  double limit_ = 0.0;
  std::vector<double> times_after_; ///< by OpId; empty without a limit
  PlayEnd end_ = PlayEnd::all_ran;
  Timeline* timeline_ = nullptr;
  std::vector<Progress> progress_; ///< by OpId
  std::vector<OpId> ready_;        ///< operations whose predecessors have ended
  FlowsUnderWay under_way_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  double now_ = 0.0;
  std::unique_ptr<Machine> machine_;
  double machine_offset_ = 0.0; ///< the replay's time minus the machine's
  std::size_t finished_ = 0;
};

} // namespace moesim
