#pragma once

#include "sim/workload/pipeline_order.hpp"

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

namespace moesim {

/// The results of passes, by kind: what other passes wait for.
enum class PassResult : std::uint8_t { forward, input, weight };
PassResult result_of(Pass pass);

/// A transfer between turns (Turn): it starts once its result is there and the receiver has come to
/// the turn before which it gets it, and both sides wait for its end.
struct Exchange {
  PassResult result = PassResult::forward;
  std::size_t slot = 0; ///< of the result: PipelineOrders::slot
  std::size_t receiver = 0;
  std::int64_t receiver_turn = 0;
  std::int64_t copy = 0;          ///< of the parameters: one, or DualPipe's two
  std::int64_t virtual_stage = 0; ///< the transfer is between it and the next
};

/// The passes of all stages of a pipeline, in order, and the exchanges between their turns.
struct PipelineOrders {
  std::int64_t micro_batches = 0;
  std::vector<StageOrder> stages;
  /// By stage and turn: the exchanges before it. Empty if the schedule has no turns.
  std::vector<std::vector<std::vector<Exchange>>> exchanges;

  /// The plan must be legal (find_plan_fault).
  PipelineOrders(const ParallelPlan& plan, std::int64_t micro_batches);
  /// The index of a virtual stage's results for the micro-batch of a pass.
  std::size_t slot(std::int64_t virtual_stage, const ChunkPass& pass) const {
    return static_cast<std::size_t>(virtual_stage * micro_batches + pass.micro_batch);
  }
};

/// The copy of the parameters through which a pass goes. Under DualPipe its chunk tells from which
/// end of the pipeline its micro-batch comes.
inline std::int64_t copy_of(const ParallelPlan& plan, const ChunkPass& pass) {
  return plan.holders() > 1 ? pass.chunk : 0;
}

/// The orders of the plans of a search, each made once.
class PipelineOrderTable {
public:
  const PipelineOrders& of(const ParallelPlan& plan, std::int64_t micro_batches);

private:
  /// The members of a plan that its orders depend on: schedule, pipeline degree, virtual stages,
  /// overlap of batches, micro-batches.
  using Key = std::tuple<const char*, std::int64_t, std::int64_t, bool, std::int64_t>;
  std::map<Key, PipelineOrders> orders_;
};

} // namespace moesim
