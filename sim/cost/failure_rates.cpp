#include "sim/cost/failure_rates.hpp"

#include "sim/cost/named_row.hpp"
#include "sim/cost/provenance.hpp"
#include "sim/input/csv_table.hpp"

#include <fmt/format.h>

#include <limits>
#include <set>

namespace moesim {

FailureRates read_failure_rates(const std::filesystem::path& calibration, const FailureSpec& spec) {
  const std::filesystem::path file = calibration / "failures.csv";
  const CsvTable table = CsvTable::read(file);
  table.expect_columns({"fleet", "part", "mtbf_hours", "provenance", "source"});
  FailureRates rates;
  rates.mtbf.fill({std::numeric_limits<double>::infinity()});
  std::set<std::string> fleets;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    check_provenance(table, row);
    const std::string fleet = table.text(row, table.column("fleet"));
    const auto part = *value_named(
        failing_part_names, table.choice(row, table.column("part"), names_of(failing_part_names)));
    const double hours = table.positive_number(row, table.column("mtbf_hours"));
    fleets.insert(fleet);
    if (fleet != spec.fleet)
      continue;
    std::string& source = rates.sources[index(part)];
    if (!source.empty())
      throw InputError(
          table.where(row, table.column("part")),
          fmt::format("the {} of \"{}\" is given twice", name_of(failing_part_names, part), fleet));
    rates.mtbf[index(part)] = {3600.0 * hours};
    source = table.text(row, table.column("source"));
  }
  if (!fleets.contains(spec.fleet))
    fail_unknown("failures.fleet", {spec.fleet, spec.fleet_place}, {fleets.begin(), fleets.end()},
                 file);
  for (const FailingPart part : enumerators<FailingPart>)
    if (const auto& given = spec.mtbf[index(part)]) {
      rates.mtbf[index(part)] = *given;
      rates.sources[index(part)] = "given";
    }
  return rates;
}

} // namespace moesim
