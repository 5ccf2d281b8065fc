#include "sim/replay/host_posts.hpp"

#include "sim/cost/collective_traffic.hpp"

#include <cmath>

namespace moesim {

void add_host_posts(const CollectiveWork& work, RankId member, const HostCost& host,
                    const TrafficContext& context, TrafficPlan& plan) {
  const NodeSpec& node = context.topology.spec().node;
  const CollectiveFlows flows = flows_of_group(work, member, context);
  const std::int64_t domains = flows.members_outside();
  const double tokens = static_cast<double>(*work.host_posted_tokens) *
                        expected_parts(work.fan_out, domains) * static_cast<double>(domains - 1) /
                        static_cast<double>(domains);
  const PostingTime posting = host.posting_time({work.kind.library, work.role == Role::combine,
                                                 static_cast<std::int64_t>(flows.ranks().size()),
                                                 tokens, node.nic_interconnect, node.nic});
  if (posting.interconnect != node.nic_interconnect) {
    const std::string name = "messages of a host on " + node.nic_interconnect;
    context.notes.extrapolated.insert(name);
    context.notes.stand_ins.insert(name + ": those on " + posting.interconnect);
  }
  const Seconds transfer = time_alone(plan, context.folding);
  plan.phases.front().startup += posting.time;
  plan.error = std::hypot(transfer.value * plan.error, posting.time.value * posting.error) /
               (transfer + posting.time).value;
}

} // namespace moesim
