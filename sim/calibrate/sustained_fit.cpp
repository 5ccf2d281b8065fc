#include "sim/calibrate/sustained_fit.hpp"

#include "sim/base/median.hpp"
#include "sim/base/output_file.hpp"
#include "sim/cost/compute_constants.hpp"
#include "sim/cost/measured_tables.hpp"
#include "sim/cost/table_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <tuple>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// Times of a GEMM before and after seconds of load.
struct States {
  double cold = 0.0;
  double hot = 0.0;
  std::size_t row = 0;
};

/// Cold over hot time of every shape, of bf16 and of fp8.
struct Ratios {
  std::vector<double> bf16;
  std::vector<double> fp8;
};

Ratios read_ratios_of_states(const CsvTable& table) {
  std::map<std::tuple<std::string, double, double, double>, States> shapes;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto size = [&](const char* column) {
      return table.positive_number(row, table.column(column));
    };
    States& states = shapes[{
        table.choice(row, table.column("precision"), {"bf16", "fp8", "fp8_per_tensor", "mxfp8"}),
        size("m"), size("n"), size("k")}];
    states.row = row;
    const std::string state = table.choice(row, table.column("state"), {"cold", "hot"});
    (state == "cold" ? states.cold : states.hot) = size("time_us");
  }
  Ratios ratios;
  for (const auto& [shape, states] : shapes) {
    if (states.cold <= 0.0 || states.hot <= 0.0)
      throw InputError(table.where(states.row, table.column("state")),
                       "this shape was measured in one state alone");
    (std::get<0>(shape) == "bf16" ? ratios.bf16 : ratios.fp8)
        .push_back(std::min(1.0, states.cold / states.hot));
  }
  return ratios;
}

std::string cell(const std::vector<double>& ratios, const std::string& known) {
  return ratios.empty() ? known : fmt::format("{:.3f}", median(ratios));
}

/// The row of a device with its measured ratios in place of those of `known`, its row so far.
std::string measured_row(const std::string& device, const Ratios& ratios,
                         const std::array<std::string, 2>& known) {
  return fmt::format("{},{},{},8,measured,\"measured/sustained.csv: cold over hot time of {} "
                     "products; what was not measured is as it was\"",
                     device, cell(ratios.fp8, known[0]), cell(ratios.bf16, known[1]),
                     ratios.bf16.size() + ratios.fp8.size());
}

} // namespace

void fit_sustained(const fs::path& calibration, const std::string& device) {
  const auto table = read_table(calibration / device / measured_folder / "sustained.csv",
                                {"precision", "m", "n", "k", "state", "time_us"});
  if (!table)
    return;
  const Ratios ratios = read_ratios_of_states(*table);
  const fs::path path = calibration / "sustained_throughput.csv";
  const CsvTable rows = CsvTable::read(path);
  // A device without a row takes the constant of all.
  std::array<std::string, 2> known = {
      fmt::format("{}", ComputeConstants::read(calibration / "compute_constants.csv")
                            .sustained_throughput_ratio.value),
      ""};
  for (std::size_t row = 0; row < rows.rows(); ++row)
    if (rows.view(row, rows.column("device")) == device)
      known = {rows.text(row, rows.column("ratio")),
               rows.text(row, rows.column("bf16_gemm_ratio"))};
  std::ifstream file(path);
  std::string text;
  bool replaced = false;
  for (std::string line; std::getline(file, line);) {
    const bool own = line.starts_with(device + ",");
    replaced = replaced || own;
    text += (own ? measured_row(device, ratios, known) : line) + "\n";
  }
  if (!replaced)
    text += measured_row(device, ratios, known) + "\n";
  write_file(path, text);
}

} // namespace moesim
