#include "sim/cost/compute_constants.hpp"

#include "sim/cost/provenance.hpp"
#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

namespace moesim {

namespace {

struct Entry {
  const char* name;
  const char* unit;
  double* value;
  double* error = nullptr; ///< null for a constant without an error of its own
};

std::vector<Entry> sms_entries(ComputeConstants& constants) {
  return {
      {"ring_sms_pcie", "sms", &constants.sms_pcie.ring},
      {"send_receive_sms_pcie", "sms", &constants.sms_pcie.send_receive},
      {"ring_sms_nvlink3", "sms", &constants.sms_nvlink3.ring},
      {"send_receive_sms_nvlink3", "sms", &constants.sms_nvlink3.send_receive},
      {"ring_sms_nvlink4", "sms", &constants.sms_nvlink4.ring},
      {"in_switch_sms_nvlink4", "sms", &constants.sms_nvlink4.in_switch},
      {"send_receive_sms_nvlink4", "sms", &constants.sms_nvlink4.send_receive},
      {"ring_sms_nvlink5", "sms", &constants.sms_nvlink5.ring},
      {"in_switch_sms_nvlink5", "sms", &constants.sms_nvlink5.in_switch},
      {"send_receive_sms_nvlink5", "sms", &constants.sms_nvlink5.send_receive},
      {"expert_kernel_sms", "sms", &constants.expert_kernel_sms},
      {"hybrid_kernel_sms", "sms", &constants.hybrid_kernel_sms},
  };
}

std::vector<Entry> entries_of(ComputeConstants& constants) {
  const auto number = [](const char* name, const char* unit, Uncertain& constant) {
    return Entry{name, unit, &constant.value, &constant.error};
  };
  std::vector<Entry> entries = {
      number("memory_bandwidth_share", "ratio", constants.memory_bandwidth_share),
      number("accumulation_bandwidth_share", "ratio", constants.accumulation_bandwidth_share),
      number("kernel_fixed_time", "us", constants.kernel_fixed_time_us),
      {"router_time_ratio", "ratio", &constants.router_time_ratio},
      {"permute_time_ratio", "ratio", &constants.permute_time_ratio},
      number("gemm_roofline_efficiency", "ratio", constants.gemm_roofline_efficiency),
      number("grouped_gemm_ratio", "ratio", constants.grouped_gemm_ratio),
      number("grouped_weight_gradient_ratio", "ratio", constants.grouped_weight_gradient_ratio),
      {"grouped_gemm_imbalance_slope", "ratio", &constants.grouped_gemm_imbalance_slope},
      number("grouped_bias_efficiency_ratio", "ratio", constants.grouped_bias_efficiency_ratio),
      number("cast_time_ratio", "ratio", constants.cast_time_ratio),
      number("mx_grouped_cast_time_ratio", "ratio", constants.mx_grouped_cast_time_ratio),
      number("attention_roofline_efficiency", "ratio", constants.attention_roofline_efficiency),
      number("attention_backward_efficiency_ratio", "ratio",
             constants.attention_backward_efficiency_ratio),
      number("attention_mla_efficiency_ratio", "ratio", constants.attention_mla_efficiency_ratio),
      number("expert_kernel_beside_compute_ratio", "ratio",
             constants.expert_kernel_beside_compute_ratio),
      number("all_to_all_beside_compute_ratio", "ratio", constants.all_to_all_beside_compute_ratio),
      number("efa_all_to_all_in_training_ratio", "ratio",
             constants.efa_all_to_all_in_training_ratio),
      {"sm_loss_slowdown", "ratio", &constants.sm_loss_slowdown},
      {"gemm_bandwidth_slowdown", "ratio", &constants.gemm_bandwidth_slowdown},
      number("host_call_time", "us", constants.host_call_time_us),
      number("host_operator_time", "us", constants.host_operator_time_us),
      number("host_launch_time", "us", constants.host_launch_time_us),
      number("sustained_throughput_ratio", "ratio", constants.sustained_throughput_ratio),
      number("unlisted_gpu_throughput_ratio", "ratio", constants.unlisted_gpu_throughput_ratio),
  };
  const std::vector<Entry> sms = sms_entries(constants);
  entries.insert(entries.end(), sms.begin(), sms.end());
  return entries;
}

void read_row(const CsvTable& table, std::size_t row, std::span<const Entry> entries,
              std::vector<std::string>& missing) {
  const std::size_t name_column = table.column("constant");
  const std::string& name = table.text(row, name_column);
  const auto entry = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& known) { return name == known.name; });
  if (entry == entries.end())
    throw InputError(table.where(row, name_column),
                     fmt::format("constant: \"{}\" is not known", name),
                     suggest_name(name, missing));
  const auto open = std::find(missing.begin(), missing.end(), name);
  if (open == missing.end())
    throw InputError(table.where(row, name_column),
                     fmt::format("constant: \"{}\" is given twice", name));
  missing.erase(open);
  const std::size_t unit_column = table.column("unit");
  if (table.text(row, unit_column) != entry->unit)
    throw InputError(table.where(row, unit_column),
                     fmt::format("unit: \"{}\" is not \"{}\", the unit of {}",
                                 table.text(row, unit_column), entry->unit, name));
  check_provenance(table, row);
  const std::size_t error_column = table.column("error_percent");
  const std::size_t value_column = table.column("value");
  if (entry->error) {
    *entry->value = table.positive_number(row, value_column);
    *entry->error = table.positive_number(row, error_column) / 100.0;
  } else {
    *entry->value = table.not_negative_number(row, value_column);
    if (!table.text(row, error_column).empty())
      throw InputError(table.where(row, error_column),
                       fmt::format("error_percent: {} has none", name), "leave the cell empty");
  }
}

/// Reads the rows of a file of constants; returns the names that it lacks.
std::vector<std::string> read_rows(const std::filesystem::path& path,
                                   std::span<const Entry> entries) {
  const CsvTable table = CsvTable::read(path);
  table.expect_columns({"constant", "value", "unit", "error_percent", "provenance", "source"});
  std::vector<std::string> missing;
  for (const Entry& entry : entries)
    missing.push_back(entry.name);
  for (std::size_t row = 0; row < table.rows(); ++row)
    read_row(table, row, entries, missing);
  return missing;
}

} // namespace

double ComputeConstants::time_ratio(KernelPart part) const {
  switch (part) {
  case KernelPart::router:
    return router_time_ratio;
  case KernelPart::permute:
    return permute_time_ratio;
  case KernelPart::attention:
  case KernelPart::expert:
  case KernelPart::shared_expert:
  case KernelPart::dense:
  case KernelPart::head:
  case KernelPart::optimizer:
    break;
  }
  return 1.0;
}

std::pair<std::string, const CommunicationSms&>
ComputeConstants::sms_on(const std::string& interconnect) const {
  if (interconnect == "pcie")
    return {interconnect, sms_pcie};
  if (interconnect == "nvlink3")
    return {interconnect, sms_nvlink3};
  if (interconnect == "nvlink4" || interconnect == "xgmi")
    return {"nvlink4", sms_nvlink4};
  return {"nvlink5", sms_nvlink5};
}

ComputeConstants ComputeConstants::read(const std::filesystem::path& path,
                                        const std::filesystem::path& measured) {
  ComputeConstants constants;
  const std::vector<Entry> entries = entries_of(constants);
  const std::vector<std::string> missing = read_rows(path, entries);
  if (!missing.empty())
    throw InputError({.file = path.string(), .source_line = ""},
                     fmt::format("constant \"{}\" is missing", missing.front()));
  if (!std::filesystem::exists(measured))
    return constants;
  const double published_call = constants.host_call_time_us.value;
  const std::vector<std::string> kept = read_rows(measured, entries);
  if (std::find(kept.begin(), kept.end(), "host_call_time") == kept.end())
    constants.measured_host_slowdown = {constants.host_call_time_us.value / published_call,
                                        constants.host_call_time_us.error};
  return constants;
}

} // namespace moesim
