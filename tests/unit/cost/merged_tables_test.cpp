#include "sim/cost/merged_tables.hpp"

#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

using namespace moesim;

namespace {

namespace fs = std::filesystem;

double seconds_at_shape(const TimeTable& table, const TimeGrid::Shape& shape) {
  for (const TimeGrid::Point& point : table)
    if (point.shape == shape)
      return point.seconds;
  FAIL("the shape is missing");
  return 0.0;
}

TimeGrid::Shape weight_of(const TimeGrid::Shape& shape) {
  return {0.0, shape[1], shape[2]};
}

/// A device folder with published and measured tables.
class Device : public TemporaryFolder {
public:
  Device() { fs::create_directories(path() / measured_folder); }
  void measure(const std::string& name, const std::string& text) const {
    write(std::string(measured_folder) + "/" + name, text);
  }
};

constexpr const char* expert_columns =
    "precision,pass,distribution,groups,tokens,n,k,implementation,accumulate,time_us\n";

} // namespace

TEST_CASE("measured rows come first, published ones fill gaps at the ratio of their weight") {
  const TimeTable published = {{{64, 32, 32}, 1.0},
                               {{128, 32, 32}, 2.0},
                               {{64, 48, 32}, 10.0},
                               {{128, 48, 32}, 20.0},
                               {{64, 64, 32}, 5.0}};
  // Twice as slow for the weight 32 x 32, three times for 48 x 32; 64 x 32 was not measured.
  const TimeTable measured = {{{64, 32, 32}, 2.0}, {{64, 48, 32}, 30.0}, {{128, 48, 32}, 61.0}};
  const TimeTable merged = merge_times(measured, published, gemm_grid, weight_of);
  CHECK(merged.size() == 5);
  CHECK(seconds_at_shape(merged, {64, 32, 32}) == 2.0);
  CHECK(seconds_at_shape(merged, {128, 32, 32}) == Approx(4.0));
  CHECK(seconds_at_shape(merged, {128, 48, 32}) == 61.0);
  CHECK(seconds_at_shape(merged, {64, 64, 32}) == Approx(15.0)); // the median of 2, 3 and 3.05
}

TEST_CASE("one of two tables alone is taken as it is") {
  const TimeTable table = {{{64, 32, 32}, 1.0}};
  CHECK(merge_times({}, table, gemm_grid, weight_of).front().seconds == 1.0);
  CHECK(merge_times(table, {}, gemm_grid, weight_of).front().seconds == 1.0);
}

TEST_CASE("of two implementations of a grouped GEMM the faster counts, by pass") {
  const Device device;
  device.measure("expert_gemm.csv", std::string(expert_columns) +
                                        "bf16,forward,equal,8,512,64,32,grouped,none,9\n"
                                        "bf16,forward,equal,8,512,64,32,streams,none,7\n"
                                        "bf16,data_gradient,equal,8,512,64,32,grouped,none,11\n");
  const MeasuredExperts experts = read_measured_experts(device.path());
  const std::vector<ExpertTable>& tables = experts.tables.at(Precision::bf16);
  REQUIRE(tables.size() == 2);
  CHECK(tables[0].pass == GemmPass::forward);
  CHECK(tables[0].times.at(0).seconds == Approx(7e-6));
  CHECK(tables[1].pass == GemmPass::data_gradient);
  CHECK(tables[1].products.at(0).n == 32.0); // the GEMM of the gradient, m x 64 by 64 x 32
}

TEST_CASE("uneven rows and rows that add to a sum are compared with the plain row") {
  const Device device;
  device.measure("expert_gemm.csv", std::string(expert_columns) +
                                        "bf16,forward,equal,2,512,64,32,grouped,none,10\n"
                                        "bf16,forward,zipf,2,512,64,32,grouped,none,12\n"
                                        "bf16,forward,equal,2,512,64,32,grouped,fp32,13\n"
                                        "bf16,forward,zipf,4,512,64,32,grouped,none,99\n");
  const MeasuredExperts experts = read_measured_experts(device.path());
  REQUIRE(experts.uneven.size() == 1); // the last row has no equal one
  CHECK(experts.uneven[0].ratio == Approx(1.2));
  CHECK(experts.uneven[0].busiest == Approx(4.0 / 3.0)); // shares of 1 and 1/2: 2 / 1.5
  REQUIRE(experts.accumulated.size() == 1);
  CHECK(experts.accumulated[0].seconds == Approx(3e-6));
  CHECK(experts.accumulated[0].bytes == Approx(2 * 64 * 32 * 6.0));
}

TEST_CASE("a published table of experts stands in at the ratio of those that were measured") {
  const Device device;
  device.write("gemm.csv", "precision,m,n,k,time_us\n"
                           "bf16,64,64,32,1\nbf16,4096,64,32,64\nbf16,64,32,64,1\n"
                           "bf16,4096,32,64,64\nbf16,64,128,64,4\nbf16,4096,128,64,256\n"
                           "bf16,64,64,128,4\nbf16,4096,64,128,256\n");
  device.write("grouped_gemm.csv",
               "precision,hidden,moe_ffn,groups,tokens_per_group,fused_time_us,products_time_us\n"
               "bf16,32,32,8,64,99,40\nbf16,64,64,8,64,99,100\n");
  const DeviceGrids before = DeviceGrids::load(device.path(), {}, {});
  const auto time = [](const DeviceGrids& grids, double n, double k, GemmPass pass) {
    const std::size_t bf16 = index(Precision::bf16);
    return expert_time(grids.experts[bf16], *grids.gemm[bf16], {8, 64, n, k, pass})->seconds;
  };
  const double small = time(before, 64, 32, GemmPass::forward);
  const double large = time(before, 128, 64, GemmPass::forward);
  device.measure("expert_gemm.csv",
                 fmt::format("{}bf16,forward,equal,8,512,64,32,grouped,none,{}\n", expert_columns,
                             2e6 * small));
  const DeviceGrids after = DeviceGrids::load(device.path(), {}, {});
  CHECK(time(after, 64, 32, GemmPass::forward) == Approx(2.0 * small));
  CHECK(time(after, 128, 64, GemmPass::forward) == Approx(2.0 * large));
  CHECK(time(after, 32, 64, GemmPass::data_gradient) == Approx(2.0 * small));
}

TEST_CASE("a measured pass of attention replaces its rule, others keep theirs") {
  const Device device;
  device.write("gemm.csv", "precision,m,n,k,time_us\nbf16,64,64,64,1\n");
  device.write("attention.csv", "batch,sequence,q_heads,kv_heads,head_dim,time_us\n"
                                "1,1024,8,8,64,10\n1,2048,8,8,64,40\n");
  device.measure("attention.csv",
                 "operation,batch,sequence,q_heads,kv_heads,head_dim,value_dim,time_us\n"
                 "backward,1,1024,8,8,64,64,100\n");
  const DeviceGrids grids = DeviceGrids::load(device.path(), {.backward = 0.5, .latent = 1.0}, {});
  REQUIRE(grids.attention.backward);
  CHECK_FALSE(grids.attention.latent_forward);
  // 100 us of 2.5 times the FLOPs: 40; by the rule, 10 us at half the rate, 20. So the longer
  // sequence, 80 by the rule, is twice that.
  CHECK(grids.attention.backward->at({1, 1024, 8, 8, 64}).seconds == Approx(40e-6));
  CHECK(grids.attention.backward->at({1, 2048, 8, 8, 64}).seconds == Approx(160e-6));
  CHECK(grids.attention.forward->at({1, 2048, 8, 8, 64}).seconds == Approx(40e-6));
}

TEST_CASE(
    "where a part of a kind was measured, another kind's table fills the gaps in proportion") {
  const Device newer;
  fs::create_directories(newer.path() / "old");
  newer.write("old/gemm.csv", "precision,m,n,k,time_us\nbf16,1024,1024,1024,40\n"
                              "bf16,2048,1024,1024,80\n");
  newer.measure("gemm.csv", "precision,m,n,k,time_us\nbf16,1024,1024,1024,30\n");
  // Twice the rates: 20 us were expected, 30 measured; so 60 for the other instead of 40.
  const PeakRates old_rates{tflops(100), tflops(100), gbyte_per_s(1000)};
  const PeakRates new_rates{tflops(200), tflops(200), gbyte_per_s(2000)};
  const DeviceGrids grids =
      DeviceGrids::load(newer.path(), {}, {{newer.path() / "old", old_rates, new_rates}});
  CHECK(grids.gemm[index(Precision::bf16)]->at({1024, 1024, 1024}).seconds == Approx(30e-6));
  CHECK(grids.gemm[index(Precision::bf16)]->at({2048, 1024, 1024}).seconds == Approx(60e-6));
}

TEST_CASE(
    "a shape of attention that was measured twice is refused, once for each direction is not") {
  const Device device;
  const std::string once = "operation,batch,sequence,q_heads,kv_heads,head_dim,value_dim,time_us\n"
                           "forward,1,1024,8,8,64,64,10\nbackward,1,1024,8,8,64,64,30\n"
                           "forward,1,1024,8,8,96,64,15\n";
  device.measure("attention.csv", once);
  CHECK(read_measured_attention(device.path()).latent_forward.size() == 1);
  device.measure("attention.csv", once + "forward,1,1024,8,8,64,64,11\n");
  CHECK_THROWS_WITH(read_measured_attention(device.path()),
                    Catch::Contains("attention.csv:5") &&
                        Catch::Contains("this shape is given twice"));
}
