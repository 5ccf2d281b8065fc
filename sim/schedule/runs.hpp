#pragma once

#include "sim/schedule/placed_stage.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace moesim {

/// The operations that may use the links of a communication while it is under way.
enum class Contention : std::uint8_t {
  none,
  detached, ///< only detached ones of its own devices
  others    ///< transfers, or operations of other devices
};

/// A distinct communication of a step.
struct Communication {
  Op op;                 ///< the first with this work at this place
  bool detached = false; ///< whether it runs beside passes anywhere
};

/// Tells the contention of each communication of a step. The graph has works and places, and no
/// operations yet.
using FindContention =
    std::function<std::vector<Contention>(const StepGraph&, const std::vector<Communication>&)>;

/// Collects the distinct communications of a step, in the order of their first use.
class CommunicationList {
public:
  /// The graph must live as long.
  explicit CommunicationList(const StepGraph& graph) : graph_(graph) {}

  void add(const PlacedStage& stage, const Segment& segment);
  void add(const PlacedStage& stage, const std::vector<Segment>& segments);
  void add_transfer(std::uint32_t pair);
  const std::vector<Communication>& found() const { return found_; }

private:
  void add(const Op& op, bool detached);

  const StepGraph& graph_;
  std::vector<Communication> found_;
  std::map<std::tuple<OpKind, std::uint32_t, std::uint32_t>, std::size_t> known_;
};

/// A part of a pass: a segment, or several that became runs.
struct PassPiece {
  std::size_t segment = 0;   ///< the first of its segments
  std::vector<Op> runs = {}; ///< of each group of devices; empty for a segment alone
};

/// Joins segments that follow each other into runs, whose times are known before the step is
/// played: nothing uses the links of their communications meanwhile. The devices of a run are the
/// group of its communications. Its first keeps them in step.
class RunTable {
public:
  /// No runs. The graph gets the runs, and must live as long.
  explicit RunTable(StepGraph& graph) : graph_(graph) {}
  /// Runs of the communications that meet nobody. `contention`: of each of `communications`.
  void allow(const std::vector<Communication>& communications,
             const std::vector<Contention>& contention);

  /// The pieces of a pass, which must live as long as this object. `quiet`: no detached operation
  /// is under way when it starts.
  const std::vector<PassPiece>& pieces(const PlacedStage& stage,
                                       const std::vector<Segment>& segments, bool quiet);

private:
  std::vector<PassPiece> split(const PlacedStage& stage, const std::vector<Segment>& segments,
                               bool quiet);
  /// Whether a segment may follow in a run of groups of `kind`; begin one, where that is nothing.
  bool joins(const PlacedStage& stage, const Segment& segment, bool quiet,
             std::optional<GroupKind> kind) const;
  std::vector<Op> add_runs(const PlacedStage& stage, std::span<const Segment> segments,
                           GroupKind kind);

  StepGraph& graph_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Contention> contention_; ///< by work and group
  std::map<std::pair<const std::vector<Segment>*, bool>, std::vector<PassPiece>> pieces_;
};

} // namespace moesim
