#include "sim/report/trace_report.hpp"
#include "tests/support/trace_faults.hpp"

#include <catch2/catch.hpp>

#include <sstream>

using namespace moesim;
using nlohmann::json;

namespace {

/// Two stages with two devices each, and what a test adds to them.
struct Step {
  StepGraph graph;
  Timeline timeline;

  Step() {
    graph.devices = {{RankId(0), 0}, {RankId(1), 0}, {RankId(4), 1}, {RankId(5), 1}};
    graph.groups = {{GroupKind::tensor, {DeviceId(0), DeviceId(1)}},
                    {GroupKind::tensor, {DeviceId(2), DeviceId(3)}},
                    {GroupKind::data, {DeviceId(0), DeviceId(1)}},
                    {GroupKind::expert_data, {DeviceId(0), DeviceId(1)}}};
    graph.pairs = {{DeviceId(0), DeviceId(2)}, {DeviceId(1), DeviceId(3)}};
    Kernel first = gemm(KernelPart::dense, Precision::bf16, 4, 2, 3);
    graph.works.kernel_lists = {{first, memory_bound(KernelPart::dense, Bytes{10})}};
    graph.works.computes = {{{0}}};
    graph.works.labels = {Label::of("Attention", {LayerRef::Kind::layer, 0}),
                          Label::of("Gather", {LayerRef::Kind::layer, 1})};
    CollectiveWork gather{
        .kind = Collective::all_gather, .group = GroupKind::tensor, .bytes = Bytes{64}};
    CollectiveWork reduce{
        .kind = Collective::all_reduce, .group = GroupKind::data, .bytes = Bytes{128}};
    graph.works.collectives = {gather, reduce};
    timeline.algorithms = {Collective::all_gather, Collective::all_reduce_tree};
    graph.works.transfers = {{Bytes{32}}};
  }

  OpId add(const Op& op, double start_us, double finish_us) {
    timeline.ops.push_back({microseconds(start_us), microseconds(finish_us)});
    return graph.add_op(op);
  }

  json trace() {
    graph.seal();
    std::ostringstream out;
    write_trace(graph, timeline, out);
    return json::parse(out.str());
  }
};

Op compute_on(std::uint32_t device, std::uint32_t micro_batch = 0) {
  return {OpKind::compute, Stream::compute, 0, device, micro_batch};
}

Op gather_in(std::uint32_t group) {
  return {OpKind::collective, Stream::tensor_parallel, 0, group, 0, 1};
}

Op reduce_in(std::uint32_t group) {
  return {OpKind::collective, Stream::data_parallel, 1, group, 0};
}

Op send_by(std::uint32_t pair, std::uint32_t micro_batch = 0) {
  return {OpKind::transfer, Stream::pipeline, 0, pair, micro_batch};
}

/// The names that metadata gives, in the order of its own sort indices.
std::vector<std::string> names_in_order(const json& trace, const std::string& what) {
  std::map<std::int64_t, std::int64_t> order; // by thread, which process metadata has too
  for (const json& event : events_of(trace, "M"))
    if (event["name"] == what + "_sort_index")
      order[event["tid"]] = event["args"]["sort_index"];
  std::map<std::int64_t, std::string> names;
  for (const json& event : events_of(trace, "M"))
    if (event["name"] == what + "_name")
      names[order.at(event["tid"])] = event["args"]["name"];
  std::vector<std::string> list;
  for (const auto& [place, name] : names)
    list.push_back(name);
  return list;
}

} // namespace

TEST_CASE("a trace has a row for each stream that did anything, in the order of devices") {
  Step step;
  step.add(reduce_in(2), 9, 12);
  step.add(compute_on(2), 4, 5);
  step.add(compute_on(0), 0, 4);
  const json trace = step.trace();
  CHECK(trace_fault(trace, step.graph, step.timeline) == "");
  CHECK(trace["displayTimeUnit"] == "ms");
  // Device 3 did nothing; 1 took part in the collective only.
  CHECK(names_in_order(trace, "process") ==
        std::vector<std::string>{"Stage[0].Rank[0]", "Stage[0].Rank[1]", "Stage[1].Rank[4]"});
  CHECK(names_in_order(trace, "thread") ==
        std::vector<std::string>{"compute", "data parallel", "data parallel", "compute"});
}

TEST_CASE("processes and rows never share a number, and none is 0") {
  Step step;
  for (std::uint32_t device = 0; device < 4; ++device)
    step.add(compute_on(device), 0, 1);
  std::set<std::int64_t> numbers;
  for (const json& event : events_of(step.trace(), "X")) {
    CHECK(numbers.insert(event["pid"].get<std::int64_t>()).second);
    CHECK(numbers.insert(event["tid"].get<std::int64_t>()).second);
  }
  CHECK(numbers.size() == 8);
  CHECK(!numbers.contains(0));
}

TEST_CASE("an event says what was done, and for which micro-batch") {
  Step step;
  step.graph.works.collectives.push_back({.kind = Collective::dispatch, .bytes = Bytes{1}});
  step.timeline.algorithms.push_back(Collective::dispatch);
  step.graph.works.computes[0].beside = 2;
  step.add(compute_on(0, 3), 0.25, 1.5);
  step.add(gather_in(1), 2, 3);
  step.add(reduce_in(2), 3, 4);
  step.add(send_by(1, 2), 4, 5);
  const std::vector<json> events = events_of(step.trace(), "X");
  // Device 0: the compute and the all-reduce; 1: the all-reduce and the transfer; 2, 3: the gather.
  REQUIRE(events.size() == 6);
  CHECK(events[0]["name"] == "Step.Stage[0].MicroBatch[3].Layer[0].Attention");
  CHECK(events[0]["cat"] == "compute");
  CHECK(events[0]["ts"] == 0.25);
  CHECK(events[0]["dur"] == 1.25);
  // The product: 2 x 4 x 2 x 3 = 48 FLOPs, and 4 x 3 + 3 x 2 + 4 x 2 = 26 values of 2 bytes.
  CHECK(events[0]["args"] == json{{"micro_batch", 3},
                                  {"kind", "compute"},
                                  {"kernels", 2},
                                  {"flops", 48.0},
                                  {"memory_bytes", 62},
                                  {"beside", "dispatch"}});
  CHECK(events[1]["cat"] == "collective");
  CHECK(events[1]["args"] == json{{"micro_batch", 0},
                                  {"kind", "all_reduce"},
                                  {"algorithm", "all_reduce_tree"},
                                  {"group", "data"},
                                  {"bytes", 128}});
  CHECK(events[3]["cat"] == "transfer");
  CHECK(events[3]["args"] == json{{"micro_batch", 2},
                                  {"kind", "point_to_point"},
                                  {"bytes", 32},
                                  {"to", "Stage[1].Rank[5]"}});
  CHECK(events[4]["args"]["algorithm"] == "all_gather");
  CHECK(events[4]["args"]["group"] == "tensor");
}

TEST_CASE("a name with quotes, a backslash and a line break comes back as it was") {
  Step step;
  step.graph.works.labels[0] = Label::of("a \"b\"\\ {c}\nd");
  step.add(compute_on(0), 0, 1);
  CHECK(events_of(step.trace(), "X")[0]["name"] == "Step.Stage[0].MicroBatch[0].a \"b\"\\ {c}\nd");
}

TEST_CASE("what a stream does at the same time stands on rows of its own") {
  Step step;
  step.add(reduce_in(2), 0, 10);
  step.add(reduce_in(3), 4, 6);
  step.add(send_by(0, 0), 1, 5);
  step.add(send_by(0, 1), 3, 7);
  step.add(send_by(0, 2), 5, 9); // from the moment on at which the first ends
  const json trace = step.trace();
  CHECK(trace_fault(trace, step.graph, step.timeline) == "");
  CHECK(names_in_order(trace, "thread") ==
        std::vector<std::string>{"pipeline", "pipeline 2", "data parallel", "data parallel 2",
                                 "data parallel", "data parallel 2"});
}

TEST_CASE("an arrow leads from a transfer to the first operation that waits for it") {
  Step step;
  const OpId send = step.add(send_by(0), 1, 3);
  const OpId own = step.add(compute_on(0), 3, 4); // the sender goes on when it has sent
  const OpId late = step.add(compute_on(2), 7, 8);
  const OpId early = step.add(gather_in(1), 4, 7); // on device 3 as well
  for (const OpId waiting : {own, late, early})
    step.graph.add_dependency(send, waiting);
  const json trace = step.trace();
  CHECK(trace_fault(trace, step.graph, step.timeline) == "");
  const std::vector<json> starts = events_of(trace, "s");
  const std::vector<json> finishes = events_of(trace, "f");
  REQUIRE(starts.size() == 1);
  REQUIRE(finishes.size() == 1);
  const DrawnEvents events = drawn_events(trace);
  CHECK(covering(events, starts[0])["cat"] == "transfer");
  CHECK(covering(events, finishes[0])["name"] == "Step.Stage[1].MicroBatch[0].Layer[1].Gather");
  CHECK(finishes[0]["pid"] == 3); // device 2
}

TEST_CASE("a collective that several transfers feed ends an arrow on each device") {
  Step step;
  const OpId first = step.add(send_by(0), 0, 2);
  const OpId second = step.add(send_by(1), 0, 3);
  const OpId gather = step.add(gather_in(1), 3, 5);
  step.graph.add_dependency(first, gather);
  step.graph.add_dependency(second, gather);
  const json trace = step.trace();
  CHECK(trace_fault(trace, step.graph, step.timeline) == "");
  CHECK(events_of(trace, "s").size() == 2);
  std::set<std::int64_t> processes;
  for (const json& finish : events_of(trace, "f"))
    processes.insert(finish["pid"].get<std::int64_t>());
  CHECK(processes == std::set<std::int64_t>{3, 4});
}

TEST_CASE("an operation that takes no time is shown, but carries no arrow") {
  Step step;
  const OpId before = step.add(send_by(0), 1, 1);
  const OpId after = step.add(compute_on(2), 1, 2);
  const OpId send = step.add(send_by(1), 1, 2);
  // A fifth of a nanosecond is none, and shorter than the last digit that is written.
  const OpId nothing = step.add(compute_on(3), 2, 2.0002);
  step.graph.add_dependency(before, after);
  step.graph.add_dependency(send, nothing);
  const json trace = step.trace();
  CHECK(trace_fault(trace, step.graph, step.timeline) == "");
  CHECK(events_of(trace, "X").size() == 4);
  CHECK(events_of(trace, "s").empty());
  CHECK(events_of(trace, "f").empty());
}

TEST_CASE("an operation that never ran has no event and no arrow") {
  Step step;
  const OpId send = step.add(send_by(0), 1, 2);
  const OpId waiting = step.add(compute_on(2), 0, 0);
  step.timeline.ops[index(waiting)] = {Seconds{-1.0}, Seconds{-1.0}};
  step.graph.add_dependency(send, waiting);
  const OpId under_way = step.add(compute_on(0), 2, 0);
  step.timeline.ops[index(under_way)].finish = Seconds{-1.0};
  const json trace = step.trace();
  CHECK(trace_fault(trace, step.graph, step.timeline) == "");
  CHECK(events_of(trace, "X").size() == 1);
  CHECK(events_of(trace, "s").empty());
}

TEST_CASE("rounding to nanoseconds lets no event run into the next") {
  Step step;
  // A third of a microsecond each, one behind the other: 333 or 334 ns.
  for (std::uint32_t third = 0; third < 1000; ++third)
    step.add(compute_on(0), third / 3.0, (third + 1) / 3.0);
  const json trace = step.trace();
  CHECK(trace_fault(trace, step.graph, step.timeline) == "");
  std::int64_t total_ns = 0;
  for (const json& event : events_of(trace, "X"))
    total_ns += ns_of(event["dur"]);
  CHECK(total_ns == 333'333); // 1000 thirds of a microsecond
}

TEST_CASE("a failed write shows in the stream") {
  Step step;
  step.add(compute_on(0), 0, 1);
  step.graph.seal();
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  write_trace(step.graph, step.timeline, out);
  CHECK(!out);
}
