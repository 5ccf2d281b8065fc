#include "sim/base/input_error.hpp"
#include "sim/calibrate/deepep_log.hpp"
#include "sim/calibrate/exchange_fit.hpp"
#include "sim/cost/network_cost.hpp"
#include "sim/platform/topology_spec.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

using namespace moesim;

namespace {

const std::filesystem::path project = MOESIM_SOURCE_DIR;

NodeSpec h800_node() {
  return read_topology(project / "topologies/hgx-h800-ndr400.toml").node;
}

const std::string inside = "[config] num_tokens=4096, hidden=7168, num_topk=8\n"
                           "[tuning] SMs 24, NVL chunk 4: 120.00 GB/s (NVL) \n"
                           "[tuning] Best dispatch (FP8): SMs 24, NVL chunk 8, 153.00 GB/s (NVL)\n"
                           "[1,0]<stdout>:[tuning] Best combine: SMs 24, NVL chunk 4: 158.00 GB/s "
                           "(NVL), t: 1967.81 us\n";
const std::string between =
    "[config] num_tokens=4096, hidden=7168, num_topk_groups=2, num_topk=8\n"
    "[tuning] Best dispatch (BF16): SMs 24, NVL chunk 32, RDMA chunk 16: 135 + 2606 us, 44.89 GB/s "
    "(RDMA), 146.59 GB/s (NVL)\n";

std::string refusal(const std::string& text, std::int64_t domains) {
  try {
    deepep_measurements(parse_deepep_log(text, "run.log"), h800_node(), domains,
                        NetworkCost::load(project / "calibration"));
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

} // namespace

TEST_CASE("DeepEP's test inside a node gives bytes of 8 of 256 experts on 8 GPUs") {
  const std::vector<Measurement> rows =
      deepep_measurements(parse_deepep_log(inside, "logs/run.log"), h800_node(), 0,
                          NetworkCost::load(project / "calibration"));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].collective == Collective::dispatch);
  CHECK(rows[0].group.ranks == 8);
  CHECK(rows[0].group.domains == 1);
  // 7,168 bytes of fp8 and 56 scales of 4 bytes a token.
  CHECK(rows[0].size == 4096.0 * 7392.0);
  // A token misses one GPU with 224 · 223 · … · 217 / (256 · 255 · … · 249) = 0.3382: it goes to
  // 8 · 0.6618 = 5.295 of 8 GPUs, 7/8 of them over NVLink.
  CHECK(rows[0].bytes.scale_up == Approx(4096.0 * 7392.0 * 5.295 * 7.0 / 8.0).epsilon(0.001));
  // Older editions print the bandwidth alone: 4096 · 7392 B · 5.295 / 153 GB/s = 1,047.8 µs.
  CHECK(rows[0].time.value * 1e6 == Approx(1047.8).epsilon(0.001));
  CHECK(rows[1].collective == Collective::combine);
  CHECK(rows[1].size == 4096.0 * 2.0 * 7168.0);
  CHECK(rows[1].time.value * 1e6 == Approx(1967.81));
  CHECK(rows[1].table == "run");
}

TEST_CASE("DeepEP's test between nodes needs their number, and checks it by the printed bytes") {
  CHECK(refusal(between, 0).find("--domains") != std::string::npos);
  // Two nodes: 6.516 ranks over 1.992 nodes are 3.27, as 146.59 / 44.89 is; four nodes have 2.01.
  CHECK(refusal(between, 2) == "no error");
  std::string four = between;
  four.replace(four.find("groups=2"), 8, "groups=4");
  CHECK(refusal(four, 4).find("NVLink carries 3.27 times the bytes of RDMA; on 4 nodes") !=
        std::string::npos);
  const std::vector<Measurement> rows =
      deepep_measurements(parse_deepep_log(between, "run.log"), h800_node(), 2,
                          NetworkCost::load(project / "calibration"));
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].group.ranks == 16);
  // The kernel that transmits, without the 135 µs of the counts.
  CHECK(rows[0].time.value * 1e6 == Approx(2606.0));
  // Half of 1.992 nodes are others.
  CHECK(rows[0].bytes.scale_out == Approx(4096.0 * 14336.0 * 0.996).epsilon(0.001));
}

TEST_CASE("a malformed output of DeepEP's tests is refused with its line") {
  CHECK(refusal("[tuning] Best combine: SMs 24, NVL chunk 4: 158.00 GB/s (NVL)\n", 0)
            .find("run.log:1:1") != std::string::npos);
  CHECK(refusal("[config] num_tokens=4096, hidden=7168\n", 0).find("num_topk") !=
        std::string::npos);
  CHECK(refusal("[config] num_tokens=4096, hidden=7168, num_topk=8\n", 0).find("no line") !=
        std::string::npos);
  CHECK(refusal("[config] num_tokens=4096, hidden=7168, num_topk=8\n"
                "[tuning] Best dispatch (FP8): SMs 24, NVL chunk 8\n",
                0)
            .find("run.log:2:1") != std::string::npos);
}

TEST_CASE("DeepEP kernels twice as slow halve the rates of their curve, and of no other") {
  const NetworkCost known = NetworkCost::load(project / "calibration");
  std::vector<Measurement> rows =
      deepep_measurements(parse_deepep_log(inside, "run.log"), h800_node(), 0, known);
  rows.resize(1);
  rows[0].time =
      2.0 * collective_time(known, rows[0].collective, rows[0].bytes, rows[0].group, rows[0].links);
  const NetworkCost changed(stretch_token_exchanges(rows, known.curves()));
  CHECK(changed.curves().size() == known.curves().size());
  for (std::size_t i = 0; i < known.curves().size(); ++i) {
    const NetworkCurve& before = known.curves()[i];
    const NetworkCurve& after = changed.curves()[i];
    const bool measured =
        before.interconnect == "nvlink4" && before.collective == Collective::dispatch;
    INFO(before.interconnect << ' ' << collective_name(before.collective));
    CHECK(after.points.back().share ==
          Approx(before.points.back().share / (measured ? 2.0 : 1.0)).epsilon(0.001));
    CHECK(after.tables == (measured ? "run" : before.tables));
  }
}
