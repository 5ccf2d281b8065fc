#include "sim/study/cost_levers.hpp"

#include "sim/cost/measured_tables.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/study/step_constants.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace moesim {

namespace {

/// How to measure the constants whose names begin so; the first that fits counts.
struct Benchmark {
  const char* prefix;
  const char* text;
};
constexpr std::array benchmarks = {
    Benchmark{"gemm_bandwidth_slowdown", "cuda_microbench --filter interference"},
    Benchmark{"sm_loss_slowdown", "cuda_microbench --filter interference"},
    Benchmark{"grouped_bias_efficiency_ratio", "a training step of your own (moesim import)"},
    Benchmark{"grouped_gemm", "cuda_microbench --filter expert_gemm"},
    Benchmark{"grouped_weight_gradient_ratio", "cuda_microbench --filter expert_gemm"},
    Benchmark{"gemm", "cuda_microbench --filter gemm"},
    Benchmark{"accumulation_bandwidth_share", "cuda_microbench --filter gemm"},
    Benchmark{"attention", "cuda_microbench --filter attention"},
    Benchmark{"memory_bandwidth_share", "cuda_microbench --filter memory_bound"},
    Benchmark{"kernel_fixed_time", "cuda_microbench --filter memory_bound"},
    Benchmark{"cast_time_ratio", "cuda_microbench --filter memory_bound"},
    Benchmark{"router_time_ratio", "cuda_microbench --filter router"},
    Benchmark{"permute_time_ratio", "cuda_microbench --filter permute"},
    Benchmark{"sustained_throughput", "cuda_microbench --filter sustained"},
    Benchmark{"unlisted_gpu_throughput_ratio", "cuda_microbench, all of it, on this GPU"},
    Benchmark{"host_", "cuda_microbench --filter launch"},
    Benchmark{"ring_sms", "nccl-tests with NCCL_DEBUG=INFO, which prints the channels"},
    Benchmark{"in_switch_sms", "nccl-tests with NCCL_DEBUG=INFO, which prints the channels"},
    Benchmark{"send_receive_sms", "nccl-tests with NCCL_DEBUG=INFO, which prints the channels"},
    Benchmark{"", "a training step of your own (moesim import megatron-log)"},
};

std::string benchmark_of(const std::string& constant) {
  return std::find_if(benchmarks.begin(), benchmarks.end(),
                      [&](const Benchmark& known) { return constant.starts_with(known.prefix); })
      ->text;
}

/// The program of nccl-tests that times a collective; DeepEP's own test for its kernels.
std::string network_benchmark(Collective collective) {
  if (is_token_exchange(collective))
    return "DeepEP's test_internode.py or test_intranode.py";
  const std::string& name = collective_name(collective);
  const std::array<std::pair<const char*, const char*>, 5> programs = {{
      {"all_to_all", "alltoall_perf"},
      {"all_gather", "all_gather_perf"},
      {"reduce_scatter", "reduce_scatter_perf"},
      {"all_reduce", "all_reduce_perf"},
      {"point_to_point", "sendrecv_perf"},
  }};
  for (const auto& [prefix, program] : programs)
    if (name.starts_with(prefix))
      return fmt::format("cuda_microbench --filter collectives, or {} of nccl-tests", program);
  return "nccl-tests";
}

/// The costs of a step, from any calibration folder.
struct StepCosts {
  std::filesystem::path calibration;
  TopologySpec topology;
  TrainingSpec training;

  Costs load() const { return from(calibration); }
  Costs from(const std::filesystem::path& folder) const {
    return load_costs(folder, topology, training);
  }
};

/// Collects the levers of a step.
class LeverList {
public:
  explicit LeverList(StepCosts costs) : costs_(std::move(costs)) {}

  /// Cells of one row, by its first cell, that change together; those that are empty or 0 do not.
  /// `most`: their largest value.
  void add_row(const std::string& name, const std::string& file, const std::string& row_name,
               const std::vector<std::string>& columns, std::optional<double> most = {}) {
    const CsvTable table = CsvTable::read(costs_.calibration / file);
    for (std::size_t row = 0; row < table.rows(); ++row)
      if (table.text(row, 0) == row_name) {
        add_cells(name, file, table, row, columns, most);
        return;
      }
  }

  /// Every scalar constant of kernel times; from the GPU's own file where that has it.
  void add_constants() {
    const std::string own = (std::filesystem::path(costs_.topology.gpu.kind) / measured_folder /
                             ComputeConstants::measured_file)
                                .string();
    std::vector<std::string> measured;
    if (exists(costs_.calibration / own)) {
      const CsvTable table = CsvTable::read(costs_.calibration / own);
      for (std::size_t row = 0; row < table.rows(); ++row)
        measured.push_back(table.text(row, 0));
    }
    const std::string published = "compute_constants.csv";
    const CsvTable table = CsvTable::read(costs_.calibration / published);
    for (std::size_t row = 0; row < table.rows(); ++row) {
      const std::string name = table.text(row, 0);
      const bool is_own = std::find(measured.begin(), measured.end(), name) != measured.end();
      add_row(name, is_own ? own : published, name, {"value"});
    }
  }

  void add_curves(const NetworkCost& network) {
    const std::vector<NetworkCurve>& curves = network.curves();
    for (std::size_t number = 0; number < curves.size(); ++number) {
      const NetworkCurve& curve = curves[number];
      const double error =
          curve.p90_error_percent > 0.0 ? curve.p90_error_percent / 100.0 : unknown_error;
      levers.push_back(
          {fmt::format("rate {} on {}", collective_name(curve.collective), curve.interconnect),
           curve.provenance, error, network_benchmark(curve.collective),
           [costs = costs_, curves, number, error](double errors) {
             std::vector<NetworkCurve> changed = curves;
             const double factor = 1.0 + errors * error;
             for (NetworkCurve::Point& point : changed[number].points)
               point.share *= factor;
             changed[number].limit = changed[number].limit * factor;
             Costs loaded = costs.load();
             loaded.network = NetworkCost(std::move(changed));
             return loaded;
           }});
    }
  }

  void add_tables() {
    for (const auto& [table, name] : kernel_table_names)
      levers.push_back({fmt::format("{} table", name), "measured", std::nullopt, benchmark_of(name),
                        [costs = costs_, table = table](double errors) {
                          Costs loaded = costs.load();
                          loaded.compute.stretch(table, {.errors = errors});
                          return loaded;
                        },
                        table});
  }

  std::vector<CostLever> levers;

private:
  void add_cells(const std::string& name, const std::string& file, const CsvTable& table,
                 std::size_t row, const std::vector<std::string>& columns,
                 std::optional<double> most) {
    std::vector<StepConstant> cells;
    double largest = 0.0;
    for (const std::string& column : columns)
      if (const std::size_t number = table.column(column); !table.text(row, number).empty())
        if (const double value = table.not_negative_number(row, number); value > 0.0) {
          cells.push_back({name, file, {table.text(row, 0)}, column});
          largest = std::max(largest, value);
        }
    if (cells.empty())
      return;
    const std::size_t error_column = table.column("error_percent");
    const double error = table.text(row, error_column).empty()
                             ? unknown_error
                             : table.positive_number(row, error_column) / 100.0;
    levers.push_back({name, table.text(row, table.column("provenance")), error, benchmark_of(name),
                      [costs = costs_, cells, error, largest, most](double errors) {
                        double factor = 1.0 + errors * error;
                        if (most)
                          factor = std::min(factor, *most / largest);
                        const ChangedCalibration changed(costs.calibration, cells,
                                                         std::vector<double>(cells.size(), factor));
                        return costs.from(changed.path());
                      }});
  }

  StepCosts costs_;
};

} // namespace

std::vector<CostLever> cost_levers(const std::filesystem::path& calibration,
                                   const Scenario& scenario) {
  LeverList list({calibration, scenario.topology, scenario.workload.training});
  list.add_constants();
  const std::string& kind = scenario.topology.gpu.kind;
  const auto add_if_there = [&](const std::string& name, const std::string& file,
                                const std::string& row, const std::vector<std::string>& columns,
                                std::optional<double> most) {
    if (exists(calibration / file))
      list.add_row(name + " " + row, file, row, columns, most);
  };
  // Long runs are never faster than short ones.
  add_if_there("sustained_throughput", "sustained_throughput.csv", kind,
               {"ratio", "bf16_gemm_ratio"}, 1.0);
  add_if_there("host_time_ratio", "hosts.csv", scenario.topology.node.host, {"time_ratio"}, {});
  for (const auto& [library, name] : library_names)
    add_if_there("message_time", "host_proxies.csv", name, {"operation_us", "message_us"}, {});
  list.add_curves(NetworkCost::load(calibration));
  list.add_tables();
  return std::move(list.levers);
}

} // namespace moesim
