#include "sim/schedule/paired_passes.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <string_view>

using namespace moesim;

namespace {

/// Places the segments of a pass: names with a capital "C" are all-to-alls of experts, with a "T"
/// sums of tensor parallelism, all others computes, of which those with a "W" run beside the
/// segment before them.
std::vector<Segment> place(WorkTable& table, const std::vector<std::string_view>& names) {
  std::vector<Segment> placed;
  for (const std::string_view name : names) {
    const std::uint32_t label = table.add(Label::of(name));
    // Bytes and kernels tell the works of different names apart.
    const auto size = static_cast<std::int64_t>(label + 1);
    if (name.front() == 'C' || name.front() == 'T') {
      const bool of_experts = name.front() == 'C';
      const CollectiveWork work{.kind = of_experts ? Collective::all_to_all
                                                   : Collective::reduce_scatter,
                                .group = of_experts ? GroupKind::expert : GroupKind::tensor,
                                .role = of_experts ? Role::dispatch : Role::tensor_reduce,
                                .bytes = Bytes{size}};
      placed.push_back({.kind = OpKind::collective, .work = table.add(work), .label = label});
    } else {
      const std::uint32_t kernels =
          table.add(KernelList{memory_bound(KernelPart::dense, Bytes{size})});
      placed.push_back({.work = table.add(ComputeWork{{kernels}}),
                        .label = label,
                        .beside_previous = name.front() == 'W'});
    }
  }
  return placed;
}

/// The names in their order; "*" behind a compute that runs beside an all-to-all.
std::string merged(const std::vector<std::string_view>& forward,
                   const std::vector<std::string_view>& backward) {
  StepGraph graph;
  WorkTable table(graph.works);
  PassPairing pairing(table);
  const auto first = place(table, forward);
  const auto second = place(table, backward);
  std::string text;
  for (const auto& [segment, is_backward] : pairing.merge(first, second)) {
    const bool compute = segment.kind == OpKind::compute;
    const std::string name = graph.works.labels[segment.label].text();
    CHECK(is_backward == (name.back() == 'b'));
    text += (text.empty() ? "" : " ") + name;
    if (compute && graph.works.computes[segment.work].beside)
      text += "*";
  }
  return text;
}

} // namespace

TEST_CASE("computes of a pair alternate, and all-to-alls run beside those of the other pass") {
  CHECK(merged({"1f", "Cf", "2f", "Cf", "3f"}, {"1b", "Cb", "2b", "Cb", "3b"}) ==
        "1b Cb 1f* Cf 2b* Cb 2f* Cf 3b* 3f");
}

// Middles of turns: backward 1/8, 3/8, 5/8, 7/8; forward 2/8, 6/8.
TEST_CASE("a longer pass of a pair spreads over the other") {
  CHECK(merged({"1f", "Cf", "2f"}, {"1b", "Cb", "2b", "Cb", "3b", "Cb", "4b"}) ==
        "1b Cb 1f* Cf 2b* Cb 3b* Cb 2f* 4b");
  CHECK(merged({"1f"}, {"1b", "Cb", "2b", "Cb", "3b"}) == "1b Cb 2b Cb 1f* 3b");
}

// Figure 4 of arXiv 2412.19437.
TEST_CASE("gradients of weights run behind those of inputs, before the other pass has its turn") {
  CHECK(merged({"1f", "Cf", "2f", "Cf", "3f"}, {"1b", "Cb", "2b", "Cb", "Wb", "3b"}) ==
        "1b Cb 1f* Cf 2b* Cb Wb* 2f* Cf 3b* 3f");
  // Beside its own all-to-all alone.
  CHECK(merged({"1f"}, {"1b", "Cb", "Wb", "2b"}) == "1b Cb Wb* 1f* 2b");
}

TEST_CASE("sums of tensor parallelism slow no compute down") {
  CHECK(merged({"Tf", "1f", "Tf"}, {"1b", "Tb", "2b"}) == "Tf 1b Tb 2b 1f Tf");
}

// Middles: forward 1/4 and 3/4, backward 1/2, as no communication with experts ends its turn.
TEST_CASE("computes with no communication with experts between them are one turn") {
  CHECK(merged({"1f", "Cf", "2f"}, {"1b", "2b", "3b"}) == "1f Cf 1b* 2b* 3b* 2f");
}

// The same passes as without tensor parallelism, 1f Cf 2f and 1b Cb 2b Cb 3b, whose middles are 1/4
// and 3/4 of the forward pass, 1/6, 3/6 and 5/6 of the backward pass.
TEST_CASE("tensor parallelism splits the turns of a pair, and adds none") {
  CHECK(merged({"1f", "Cf", "2f"}, {"1b", "Cb", "2b", "Cb", "3b"}) == "1b Cb 1f* Cf 2b* Cb 2f* 3b");
  CHECK(merged({"1f", "Tf", "4f", "Tf", "5f", "Cf", "2f", "Tf", "6f"},
               {"1b", "Cb", "2b", "Tb", "4b", "Cb", "Tb", "3b"}) ==
        "1b Cb 1f* Tf 4f* Tf 5f* Cf 2b* Tb 4b* Cb Tb 2f* Tf 6f* 3b");
}

TEST_CASE("a compute beside the same communication is one work of the graph") {
  StepGraph graph;
  WorkTable table(graph.works);
  PassPairing pairing(table);
  const auto forward = place(table, {"1f", "Cf", "2f"});
  const auto backward = place(table, {"1b", "Cb", "2b"});
  const auto first = pairing.merge(forward, backward);
  const std::size_t works = graph.works.computes.size();
  CHECK(works == 4 + 2); // 1f beside the backward all-to-all, 2b beside the forward one
  const auto again = pairing.merge(forward, backward);
  CHECK(graph.works.computes.size() == works);
  CHECK(again.front().segment.work == first.front().segment.work);
}

TEST_CASE(
    "the communication of a pair knows that computes run beside it, that of a pass does not") {
  StepGraph graph;
  WorkTable table(graph.works);
  PassPairing pairing(table);
  const auto forward = place(table, {"1f", "Cf", "Tf", "2f"});
  const auto backward = place(table, {"1b", "Cb", "2b"});
  for (const auto& [segment, is_backward] : pairing.merge(forward, backward))
    if (segment.kind == OpKind::collective) {
      const CollectiveWork& work = graph.works.collectives[segment.work];
      CHECK(work.beside_compute == (work.group == GroupKind::expert));
    }
  CHECK(!graph.works.collectives[forward[1].work].beside_compute);
}
