#include "tests/model/ideal_cluster.hpp"

#include "sim/cost/compute_constants.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/toy_constants.hpp"

#include <cmath>

namespace moesim {

namespace {

constexpr const char* constants_file = "compute_constants.csv";
/// Bandwidth at which a whole number of bytes meets any time to 1e-15 s.
constexpr BytesPerSecond memory_bandwidth{1e15};

constexpr const char* collectives[] = {"all_to_all",      "all_gather",     "reduce_scatter",
                                       "all_reduce",      "point_to_point", "dispatch",
                                       "dispatch_forward"};

std::string full_efficiency() {
  std::string text = "medium,collective,message_bytes,efficiency\n";
  for (const std::string interconnect : {"nvlink4", "infiniband"})
    for (const std::string collective : collectives)
      text += interconnect + "," + collective + ",1,1\n";
  return text;
}

std::string no_startup() {
  std::string text = "medium,collective,base_us,per_peer_us,small_group_loss,limit_gbyte_per_s,"
                     "smallest_message_bytes,largest_message_bytes,members_min,members_max,"
                     "residual_percent,p90_error_percent,provenance,tables\n";
  for (const std::string interconnect : {"nvlink4", "infiniband"})
    for (const std::string collective : collectives)
      text += interconnect + "," + collective + ",0,0,0,0,1,1,2,2,0,0,assumption,none\n";
  return text;
}

} // namespace

Costs ideal_costs() {
  const TemporaryFolder folder;
  folder.write("network.csv", full_efficiency());
  folder.write("network_startup.csv", no_startup());
  folder.write(
      "gpus.csv",
      "device,borrows,bf16_tflops,fp8_tflops,memory_gbyte_per_s,board_power_w,driver_names,"
      "provenance,source\n"
      "ideal,none,1000,1000,1000000,1000,none,assumption,every kernel is a roofline\n");
  folder.write(
      "host_proxies.csv",
      "library,nic,gpu_gbit_per_s,operation_us,message_us,error_percent,provenance,source\n"
      "deepep,infiniband,400,100,1,10,assumption,none\n");
  folder.write("proxy_messages.csv",
               "library,ranks,dispatch_tokens,combine_tokens,provenance,source\n"
               "deepep,16,2,2,assumption,none\n");
  folder.write(constants_file, toy_constants());
  return {ComputeCost::load(folder.path(), {"ideal", tflops(1000), tflops(1000), memory_bandwidth,
                                            100, "nvlink4"}),
          NetworkCost::load(folder.path())};
}

Kernel lasting(Seconds time) {
  const TemporaryFolder folder;
  folder.write(constants_file, toy_constants());
  const ComputeConstants constants = ComputeConstants::read(folder.path() / constants_file);
  const double streamed = (time.value - constants.kernel_fixed_time_us.value * 1e-6) *
                          memory_bandwidth.value * constants.memory_bandwidth_share.value;
  return memory_bound(KernelPart::dense, Bytes{std::llround(streamed)});
}

TopologySpec ideal_cluster(FabricKind fabric, std::int64_t nodes_per_leaf) {
  TopologySpec spec;
  spec.name = "ideal";
  spec.gpus_max = 1024;
  spec.node.gpus = 8;
  spec.node.scale_up_interconnect = "nvlink4";
  spec.node.scale_up_gpus = 8;
  spec.node.scale_up_switch_gpus = 8;
  spec.node.scale_up = gbyte_per_s(450);
  spec.node.scale_up_latency = microseconds(0.25);
  spec.node.nics = 8;
  spec.node.nic_interconnect = "infiniband";
  spec.node.nic = gbyte_per_s(50);
  spec.node.nic_latency = microseconds(0.6);
  spec.node.pcie = gbyte_per_s(50);
  spec.fabric.kind = fabric;
  spec.fabric.nodes_per_leaf = nodes_per_leaf;
  spec.fabric.switch_latency = microseconds(0.5);
  return spec;
}

LoneCollective lone_collective(const ParallelPlan& plan, const CollectiveWork& work,
                               Fidelity fidelity) {
  LoneCollective lone;
  lone.layout = fidelity == Fidelity::flows
                    ? ReplayLayout{every_rank(plan), LoadModel::classes, false}
                    : ReplayLayout{one_rank_per_stage(plan), LoadModel::representative, false};
  lone.graph.devices = lone.layout.layout.devices;
  DeviceGroup group{work.group, {}};
  for (std::uint32_t device = 0; device < lone.graph.devices.size(); ++device)
    group.devices.push_back(DeviceId(device));
  lone.graph.groups = {group};
  lone.graph.works.collectives = {work};
  lone.graph.works.labels = {Label::of("Collective")};
  lone.graph.add_op({OpKind::collective, Stream::expert_parallel, 0, 0, 0});
  lone.graph.seal();
  return lone;
}

Seconds time_of(const ParallelPlan& plan, const CollectiveWork& work, Fidelity fidelity,
                const TopologySpec& cluster) {
  const Topology topology(cluster, plan.gpus);
  const Costs costs = ideal_costs();
  const LoneCollective lone = lone_collective(plan, work, fidelity);
  return replay(lone.graph, lone.layout, {plan, topology, &costs.compute, costs.network}).end;
}

} // namespace moesim
