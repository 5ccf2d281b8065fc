#include "sim/metrics/error_bar.hpp"

#include "tests/model/ideal_cluster.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace moesim;

namespace {

KernelTime time_of(double seconds, double error, CostBasis basis = CostBasis::measured) {
  return {Seconds{seconds}, basis, error};
}

const Kernel product = gemm(KernelPart::dense, Precision::bf16, 64, 64, 64);
const Kernel streaming = memory_bound(KernelPart::dense, Bytes{1000});

} // namespace

TEST_CASE("errors of one kind add up, those of different kinds in quadrature") {
  const Costs costs = ideal_costs();
  const double common = costs.compute.common_error();
  ErrorBar bar(costs.compute);
  bar.add_kernel(product, time_of(2.0, 0.1), 3.0);   // 6 s, 0.6 s
  bar.add_kernel(product, time_of(4.0, 0.05), 1.0);  // 4 s, 0.2 s
  bar.add_kernel(streaming, time_of(1.0, 0.6), 1.0); // 0.6 s, and no share in the clocks
  CHECK(bar.half_width({}).value ==
        Approx(std::sqrt(0.8 * 0.8 + 0.6 * 0.6 + 10.0 * 10.0 * common * common)));
}

TEST_CASE("a collective's error counts for the time that it is exposed") {
  const Costs costs = ideal_costs();
  ErrorBar bar(costs.compute);
  bar.add_collective(Stream::expert_parallel, Seconds{3.0}, 0.1);
  bar.add_collective(Stream::expert_parallel, Seconds{1.0}, 0.5); // together 0.8 of 4 s
  bar.add_collective(Stream::data_parallel, Seconds{5.0}, 0.2);
  CHECK(bar.half_width({{Stream::expert_parallel, Seconds{2.0}}}).value == Approx(0.4));
  CHECK(bar.half_width(
               {{Stream::expert_parallel, Seconds{2.0}}, {Stream::data_parallel, Seconds{1.5}}})
            .value == Approx(0.5));
}

TEST_CASE("the host's error counts for the time that it is waited for") {
  const Costs costs = ideal_costs();
  ErrorBar bar(costs.compute);
  bar.add_host({10, 5});
  bar.add_host({20, 10});
  CHECK(bar.half_width({}).value == 0.0);
  CHECK(bar.half_width({}, Seconds{2.0}).value ==
        Approx(2.0 * costs.compute.host().launch_error(30, 15)));
  CHECK(costs.compute.host().launch_error(30, 15) > 0.0);
}

TEST_CASE("kernels that another GPU's table stands in for are named, each once") {
  const Costs costs = ideal_costs();
  ErrorBar bar(costs.compute);
  const std::string other = "h200-sxm";
  KernelTime borrowed = time_of(1.0, 0.1, CostBasis::other_device);
  borrowed.stand_in = &other;
  bar.add_kernel(product, borrowed, 1.0);
  bar.add_kernel(product, borrowed, 2.0);
  bar.add_kernel(streaming, time_of(1.0, 0.1), 1.0);
  CHECK(bar.stand_ins() == std::set<std::string>{"matrix products: the table of h200-sxm"});
}

TEST_CASE("what was extrapolated is listed, the longest first") {
  const Costs costs = ideal_costs();
  ErrorBar bar(costs.compute);
  bar.add_kernel(product, time_of(1.0, 0.1), 2.0);
  bar.add_kernel(product, time_of(1.0, 0.1, CostBasis::beyond_table), 2.0);
  bar.add_kernel(streaming, time_of(3.0, 0.1, CostBasis::datasheet), 1.0);
  const std::vector<ExtrapolatedCost> costs_listed = bar.extrapolated();
  REQUIRE(costs_listed.size() == 2);
  CHECK(costs_listed[0].cost == "memory-bound kernels: a share of the datasheet");
  CHECK(costs_listed[0].time.value == Approx(3.0));
  CHECK(costs_listed[1].cost == "matrix products: sizes beyond the table");
  CHECK(costs_listed[1].time.value == Approx(2.0));
}
