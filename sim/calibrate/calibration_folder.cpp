#include "sim/calibrate/calibration_folder.hpp"

#include "sim/cost/measured_tables.hpp"
#include "sim/cost/table_rows.hpp"

#include <algorithm>
#include <string>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// Tables that are published, or measured if they have `noise_percent`.
const std::vector<std::string> published_tables = {"gemm.csv", "attention.csv", "grouped_gemm.csv"};
/// Tables that only cuda_microbench writes.
const std::vector<std::string> measured_tables = {
    "expert_gemm.csv", "router.csv",     "permute.csv",     "memory_bound.csv", "copy.csv",
    "launch.csv",      "all_to_all.csv", "collectives.csv", "interference.csv", "sustained.csv"};
/// Files of costs in a calibration, beside the folders of its devices.
constexpr const char* cost_files[] = {
    "compute_constants.csv", "compute_errors.csv", "gpus.csv",
    "host_proxies.csv",      "hosts.csv",          "network.csv",
    "network_startup.csv",   "proxy_messages.csv", "sustained_throughput.csv"};

bool has_name(const std::vector<std::string>& names, const fs::path& path) {
  return std::find(names.begin(), names.end(), path.filename()) != names.end();
}

PlacedTable place(const fs::path& path) {
  const CsvTable table = CsvTable::read(path);
  const std::size_t time =
      table.column(path.filename() == "grouped_gemm.csv" ? "products_time_us" : "time_us");
  for (std::size_t row = 0; row < table.rows(); ++row)
    table.positive_number(row, time);
  table.expect_complete();
  fs::path folder = fs::absolute(path).lexically_normal().parent_path();
  if (folder.filename() == measured_folder)
    folder = folder.parent_path();
  fs::path to = folder.filename();
  if (has_name(measured_tables, path) || table.has_column(measuring_columns[0]))
    to /= measured_folder;
  return {path, to.begin()->string(), to / path.filename()};
}

void place_copy(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (fs::equivalent(from, to, error))
    return;
  fs::create_directories(to.parent_path(), error);
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error)
    throw InputError({to.string()}, "cannot be written: " + error.message());
}

} // namespace

bool is_kernel_table(const fs::path& path) {
  return has_name(published_tables, path) || has_name(measured_tables, path);
}

std::vector<PlacedTable> assemble_calibration(const fs::path& known,
                                              const std::vector<fs::path>& tables,
                                              const fs::path& out) {
  std::vector<PlacedTable> placed;
  for (const fs::path& table : tables)
    placed.push_back(place(table));
  for (const char* name : cost_files)
    if (fs::exists(known / name))
      place_copy(known / name, out / name);
  std::vector<fs::path> known_tables; // list all before any is written: `out` may be inside
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(known))
    if (is_kernel_table(entry.path()))
      known_tables.push_back(entry.path());
  for (const fs::path& table : known_tables)
    place_copy(table, out / fs::relative(table, known));
  for (const PlacedTable& table : placed)
    place_copy(table.from, out / table.to);
  return placed;
}

void copy_calibration(const fs::path& from, const fs::path& to) {
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from))
    if (entry.is_regular_file())
      place_copy(entry.path(), to / fs::relative(entry.path(), from));
}

} // namespace moesim
