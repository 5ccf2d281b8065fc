#include "sim/report/link_report.hpp"

#include <fmt/format.h>

namespace moesim {

ResultTable link_table(const std::vector<LinkUtilisation>& rows) {
  ResultTable table{{"time_ms", "link_class", "mean_percent", "max_percent", "busiest_link"}, {}};
  for (const LinkUtilisation& row : rows)
    table.rows.push_back({fmt::format("{:.9g}", row.time.value * 1e3), row.link_class,
                          fmt::format("{:.9g}", row.mean_percent),
                          fmt::format("{:.9g}", row.max_percent), row.busiest_link});
  return table;
}

} // namespace moesim
