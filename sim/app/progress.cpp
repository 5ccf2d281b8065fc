#include "sim/app/progress.hpp"

#include "sim/app/commands.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>

namespace moesim {

namespace {

/// A duration with the precision of an estimate: "40 s", "12 min", "2 h 05 min".
std::string duration_text(double seconds) {
  const auto minutes = static_cast<long>(std::lround(seconds / 60.0));
  if (seconds < 100.0)
    return fmt::format("{:.0f} s", std::max(1.0, seconds));
  return minutes < 100 ? fmt::format("{} min", minutes)
                       : fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

} // namespace

void ProgressBar::show(const SweepProgress& progress) {
  const std::size_t finished = progress.finished;
  const std::size_t total = progress.to_run();
  if (!started_ && progress.illegal > 0)
    std::cerr << fmt::format("{} of {} points are illegal\n", progress.illegal, progress.points);
  if (!started_ && progress.before > 0)
    std::cerr << fmt::format("{} of {} points were finished before\n", progress.before,
                             progress.points - progress.illegal);
  if (!started_ && progress.damaged > 0)
    std::cerr << fmt::format("warning: {} lines of journal.txt were damaged; what they held is "
                             "simulated again\n",
                             progress.damaged);
  started_ = true;
  if (total == 0)
    return;
  const std::string left = progress.seconds_left && finished < total
                               ? ", about " + duration_text(*progress.seconds_left) + " to go"
                               : "";
  const std::size_t tenths = 10 * finished / total;
  if (isatty(STDERR_FILENO)) {
    constexpr std::size_t width = 40;
    const std::size_t filled = width * finished / total;
    // Spaces overwrite a longer line before it.
    std::cerr << fmt::format("\r[{:<{}}] {:<40}", std::string(filled, '#'), width,
                             fmt::format("{}/{} points{}", finished, total, left));
    if (finished == total)
      std::cerr << '\n';
  } else if (tenths != shown_tenths_) {
    std::cerr << fmt::format("{}/{} points{}\n", finished, total, left);
  }
  shown_tenths_ = tenths;
}

void expect_no_failure(const ReportTable& results) {
  const TableReader reader(results);
  std::size_t failed = 0;
  std::string first;
  for (std::size_t row = 0; row < reader.size(); ++row)
    if (reader.text(row, "status") == "failed" && ++failed == 1)
      first = reader.text(row, "reason");
  if (failed > 0)
    throw PointsFailed(
        fmt::format("error: {} of {} points failed, the first with: {}\nRun the same command again "
                    "to try them again; if they still fail, please report it.",
                    failed, reader.size(), first));
}

} // namespace moesim
