#include "cuda_microbench/core/csv_output.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>

namespace moesim::microbench {

namespace {

using Cells = std::vector<std::string>;

/// A number with six significant digits, the precision of all that is measured here.
std::string number(double value) {
  return fmt::format("{:.6g}", value);
}

/// `amount` per microsecond in units of `unit` per second; empty where no amount was declared.
std::string rate(double amount, double time_us, double unit) {
  return amount > 0.0 && time_us > 0.0 ? fmt::format("{:.1f}", amount / (time_us * 1e-6) / unit)
                                       : "";
}

/// In whole MHz; empty where it is not known.
std::string clock_text(double sm_clock_mhz) {
  return sm_clock_mhz > 0.0 ? fmt::format("{:.0f}", sm_clock_mhz) : "";
}

/// One line of a text that may have several.
std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

/// Why cases are missing, a line each.
Cells ending(const Results& results) {
  Cells lines;
  if (results.stopped)
    lines.push_back("stopped: the time given was over, cases are missing");
  if (!results.failure.empty())
    lines.push_back("failed: " + first_line(results.failure) + ": cases are missing");
  return lines;
}

/// The columns that every benchmark has besides its own.
Cells with(Cells cells, const Cells& more) {
  cells.insert(cells.end(), more.begin(), more.end());
  return cells;
}

} // namespace

std::string csv_text(const Results& results, const std::vector<std::string>& provenance) {
  std::string text;
  for (const std::string& line : provenance)
    text += "# " + line + "\n";
  text += "# Units: time_us in microseconds, median; noise_percent: standard deviation over mean; "
          "sm_clock_mhz: mean during the samples.\n";
  for (const Skipped& skipped : results.skipped)
    text += fmt::format("# skipped: {}: {}\n", fmt::join(skipped.shape, ","),
                        first_line(skipped.reason));
  for (const std::string& line : ending(results))
    text += "# " + line + "\n";
  for (const Row& row : results.rows)
    if (row.measurement.throttled)
      text += fmt::format("# throttled: {}: the SM clock was below 90 % of its maximum\n",
                          fmt::join(row.shape, ","));
  const Cells header =
      with(results.columns, {"time_us", "noise_percent", "samples", "sm_clock_mhz"});
  text += fmt::format("{}\n", fmt::join(header, ","));
  for (const Row& row : results.rows) {
    const Measurement& measured = row.measurement;
    text += fmt::format("{},{},{},{},{}\n", fmt::join(row.shape, ","), number(measured.time_us),
                        number(measured.noise_percent), measured.samples,
                        clock_text(measured.sm_clock_mhz));
  }
  return text;
}

std::string table_text(const Results& results) {
  std::vector<Cells> lines{with(results.columns, {"time_us", "noise_percent", "samples",
                                                  "sm_clock_mhz", "gbyte_per_s", "tflop_per_s"})};
  for (const Row& row : results.rows) {
    const Measurement& measured = row.measurement;
    lines.push_back(
        with(row.shape, {number(measured.time_us), fmt::format("{:.2f}", measured.noise_percent),
                         std::to_string(measured.samples), clock_text(measured.sm_clock_mhz),
                         rate(row.work.bytes, measured.time_us, 1e9),
                         rate(row.work.flops, measured.time_us, 1e12)}));
  }
  std::vector<std::size_t> widths(lines.front().size(), 0);
  for (const Cells& cells : lines)
    for (std::size_t column = 0; column < cells.size(); ++column)
      widths[column] = std::max(widths[column], cells[column].size());
  std::string text;
  for (const Cells& cells : lines) {
    for (std::size_t column = 0; column < cells.size(); ++column)
      text += fmt::format("{}{:>{}}", column > 0 ? "  " : "", cells[column], widths[column]);
    text += '\n';
  }
  for (const Skipped& skipped : results.skipped)
    text +=
        fmt::format("skipped: {}: {}\n", fmt::join(skipped.shape, ","), first_line(skipped.reason));
  for (const std::string& line : ending(results))
    text += line + "\n";
  return text;
}

void write_csv(const std::filesystem::path& folder, const std::string& name,
               const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::filesystem::path path = folder / (name + ".csv");
  const std::filesystem::path written = folder / (name + ".csv.part");
  std::ofstream file(written, std::ios::binary);
  file << text;
  file.close();
  if (file)
    std::filesystem::rename(written, path, error);
  if (!file || error)
    throw std::runtime_error(path.string() + " cannot be written");
}

} // namespace moesim::microbench
