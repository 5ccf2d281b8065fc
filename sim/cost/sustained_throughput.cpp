#include "sim/cost/sustained_throughput.hpp"

#include "sim/cost/provenance.hpp"
#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <set>

namespace moesim {

namespace {

double ratio_of(const CsvTable& table, std::size_t row, const char* column) {
  const double ratio = table.positive_number(row, table.column(column));
  if (ratio > 1.0)
    throw InputError(table.where(row, table.column(column)),
                     fmt::format("{}: long runs are never faster", column), "1 at most");
  return ratio;
}

} // namespace

double SustainedThroughput::rate_of(const Kernel& kernel) const {
  switch (kernel.kind) {
  case KernelKind::gemm:
  case KernelKind::grouped_gemm:
  case KernelKind::grouped_data_gradient:
  case KernelKind::grouped_weight_gradient:
  case KernelKind::batched_gemm:
    return is_quantised(kernel.precision) ? ratio.value : bf16_gemm;
  case KernelKind::attention_forward:
  case KernelKind::attention_backward:
    return ratio.value;
  case KernelKind::token_scan:
  case KernelKind::memory_bound:
    break;
  }
  return 1.0;
}

SustainedThroughput sustained_throughput(const std::filesystem::path& calibration,
                                         const std::string& kind, const Uncertain& otherwise) {
  SustainedThroughput found{otherwise, otherwise.value};
  const std::filesystem::path file = calibration / "sustained_throughput.csv";
  if (!std::filesystem::exists(file))
    return found;
  const CsvTable table = CsvTable::read(file);
  table.expect_columns(
      {"device", "ratio", "bf16_gemm_ratio", "error_percent", "provenance", "source"});
  std::set<std::string> devices;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    check_provenance(table, row);
    const std::string device = table.text(row, table.column("device"));
    if (!devices.insert(device).second)
      throw InputError(table.where(row, table.column("device")),
                       fmt::format("device: \"{}\" is given twice", device));
    const double ratio = ratio_of(table, row, "ratio");
    const double error = table.positive_number(row, table.column("error_percent")) / 100.0;
    const bool apart = !table.text(row, table.column("bf16_gemm_ratio")).empty();
    const double bf16_gemm = apart ? ratio_of(table, row, "bf16_gemm_ratio") : ratio;
    if (device == kind)
      found = {{ratio, error}, bf16_gemm};
  }
  return found;
}

} // namespace moesim
