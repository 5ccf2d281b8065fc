#include "sim/base/check.hpp"
#include "sim/cost/collective_table.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <string>

namespace moesim {
namespace {

TEST_CASE("each kind of collective has one row and one name") {
  std::set<Collective> kinds;
  std::set<std::string> names;
  for (const CollectiveRow& row : collective_rows()) {
    INFO(row.name);
    CHECK(kinds.insert(row.collective).second);
    CHECK(names.insert(row.name).second);
    CHECK(collective_named(row.name) == row.collective);
    CHECK(collective_name(row.collective) == row.name);
  }
  CHECK(kinds.size() == 16);
}

TEST_CASE("rows refer to rows that exist, and stand-ins end at measured costs") {
  for (const CollectiveRow& row : collective_rows()) {
    INFO(row.name);
    CHECK(row_of(row.costs).costs == row.costs);
    CHECK(row_of(row.inside).inside == row.inside);
    for (const Collective other : row.nearest)
      CHECK(row_of(other).collective != row.collective);
    if (row.stand_in)
      CHECK_FALSE(row_of(*row.stand_in).stand_in);
  }
}

TEST_CASE("a pattern without such an algorithm has no row") {
  const Collective none{Pattern::all_gather, Algorithm::in_switch, Library::deepep};
  CHECK_THROWS_AS(row_of(none), InternalError);
  CHECK_THROWS_AS(collective_named("all_to_none"), InternalError);
}

TEST_CASE("libraries of one pattern differ in their kernels, not in their flows") {
  for (const auto& [library, name] : dispatch_library_names) {
    const Collective dispatch{Pattern::dispatch, Algorithm::node_limited, library};
    INFO(name);
    CHECK(row_of(dispatch).flows == FlowShape::fan_out);
    CHECK(is_token_exchange(dispatch));
    CHECK_FALSE(is_ring(dispatch));
  }
  CHECK(row_of(Collective::hybrid_dispatch).sms == KernelSms::hybridep);
  CHECK(row_of(Collective::uccl_dispatch).sms == KernelSms::deepep);
}

TEST_CASE("UCCL-EP takes the measured costs of DeepEP, other libraries their own") {
  CHECK(costs_library(Library::uccl_ep) == Library::deepep);
  CHECK(costs_library(Library::deepep) == Library::deepep);
  CHECK(costs_library(Library::hybridep) == Library::hybridep);
}

// nccl-tests, doc/PERFORMANCE.md.
TEST_CASE("bus factors are those of nccl-tests") {
  CHECK(bus_factor(Collective::all_to_all, 8) == 7.0 / 8.0);
  CHECK(bus_factor(Collective::reduce_scatter, 8) == 7.0 / 8.0);
  CHECK(bus_factor(Collective::all_reduce_in_switch, 8) == 14.0 / 8.0);
  CHECK(bus_factor(Collective::point_to_point, 8) == 1.0);
  CHECK(bus_factor(Collective::dispatch, 8) == 1.0);
}

TEST_CASE("costs are measured for all kinds that run kernels of their own") {
  const auto& names = measured_collective_names();
  CHECK(names.size() == 13);
  for (const std::string other : {"two_phase_all_to_all", "uccl_dispatch", "uccl_combine"})
    CHECK(std::find(names.begin(), names.end(), other) == names.end());
}

} // namespace
} // namespace moesim
