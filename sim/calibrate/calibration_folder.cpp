#include "sim/calibrate/calibration_folder.hpp"

#include "sim/input/csv_table.hpp"

#include <algorithm>
#include <string>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr const char* own_measurements = "measured";
const std::vector<std::string> kernel_tables = {
    "gemm.csv",   "attention.csv",  "grouped_gemm.csv", "expert_gemm.csv",
    "router.csv", "permute.csv",    "memory_bound.csv", "copy.csv",
    "launch.csv", "all_to_all.csv", "interference.csv"};
/// Files of costs in a calibration, beside the folders of its devices.
constexpr const char* cost_files[] = {
    "compute_constants.csv", "compute_errors.csv", "devices.csv",
    "host_proxies.csv",      "hosts.csv",          "network.csv",
    "network_startup.csv",   "proxy_messages.csv", "sustained_throughput.csv"};

/// A given table, and its path in the calibration.
struct PlacedTable {
  fs::path from;
  fs::path to; ///< relative to the calibration
};

PlacedTable place(const fs::path& path) {
  const CsvTable table = CsvTable::read(path);
  const std::size_t time =
      table.column(path.filename() == "grouped_gemm.csv" ? "products_time_us" : "time_us");
  for (std::size_t row = 0; row < table.rows(); ++row)
    table.positive_number(row, time);
  table.expect_complete();
  fs::path folder = fs::absolute(path).lexically_normal().parent_path();
  if (folder.filename() == own_measurements)
    folder = folder.parent_path();
  fs::path to = folder.filename();
  if (table.has_column("noise_percent"))
    to /= own_measurements;
  return {path, to / path.filename()};
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
  return std::find(kernel_tables.begin(), kernel_tables.end(), path.filename()) !=
         kernel_tables.end();
}

void assemble_calibration(const fs::path& known, const std::vector<fs::path>& tables,
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
}

} // namespace moesim
