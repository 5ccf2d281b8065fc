#include "sim/study/validation_cases.hpp"

#include "sim/base/words.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/metrics/step_result.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// The result columns that are numbers.
std::vector<std::string> step_quantities() {
  std::vector<std::string> names;
  for (const ResultColumn& column : result_columns())
    if (std::holds_alternative<double StepResult::*>(column.member))
      names.emplace_back(column.name);
  names.emplace_back(status_quantity);
  return names;
}

/// The columns that a table of cases may lack, `settings` apart.
constexpr std::pair<const char*, std::string ValidationCase::*> optional_texts[] = {
    {"group", &ValidationCase::group},
    {"comparison", &ValidationCase::comparison},
    {"fold", &ValidationCase::fold}};

/// Reads the scenario of `row` into `found`, whose other members are set.
void read_case_scenario(const CsvTable& table, std::size_t row, const fs::path& folder,
                        ValidationCase& found) {
  const std::size_t scenario_column = table.column("scenario");
  const fs::path path = folder / table.text(row, scenario_column);
  found.plan = table.text(row, scenario_column);
  std::vector<std::string> settings;
  if (table.has_column("settings")) {
    found.plan += " " + table.text(row, table.column("settings"));
    settings = words(table.text(row, table.column("settings")));
  }
  TomlDocument document = TomlDocument::read(path);
  for (const std::string& setting : settings)
    document.set(setting);
  const bool collective = document.root().is_table("collective");
  if (!collective && !document.root().is_table("model"))
    throw InputError(table.where(row, scenario_column),
                     "the scenario has neither [model] nor [collective]");
  const std::vector<std::string> known = collective ? collective_quantities() : step_quantities();
  if (std::find(known.begin(), known.end(), found.quantity) == known.end())
    throw InputError(table.where(row, table.column("quantity")),
                     fmt::format("\"{}\" is nothing that {} gives", found.quantity,
                                 collective ? "a collective" : "a training step"),
                     collective ? fmt::format("{}", fmt::join(known, ", "))
                                : suggest_name(found.quantity, known));
  if (!collective) {
    found.scenario = read_scenario(path, settings);
    return;
  }
  CollectiveScenario scenario = read_collective(document, path.parent_path());
  if (scenario.sizes.size() != 1)
    throw InputError(table.where(row, scenario_column),
                     fmt::format("a case has one size, not {}", scenario.sizes.size()),
                     "settings may choose it: collective.bytes=1048576");
  found.scenario = std::move(scenario);
}

void read_measured(const CsvTable& table, std::size_t row, ValidationCase& found) {
  const std::size_t column = table.column("measured");
  if (found.quantity != status_quantity) {
    found.measured = table.positive_number(row, column);
    return;
  }
  found.measured_status = table.text(row, column);
  if (found.measured_status != "ok" && found.measured_status != "out-of-memory")
    throw InputError(table.where(row, column),
                     fmt::format("measured: \"{}\" is no status", found.measured_status),
                     "ok, out-of-memory");
}

/// Reads the cells of a row, but for its name, into `found`.
void read_cells(const CsvTable& table, std::size_t row, const fs::path& folder,
                ValidationCase& found) {
  const auto text = [&](const char* column) { return table.text(row, table.column(column)); };
  found.tier = text("tier");
  found.source = text("source");
  for (const char* column : {"tier", "source"})
    if (text(column).empty())
      throw InputError(table.where(row, table.column(column)),
                       fmt::format("{} must not be empty", column));
  found.quantity = text("quantity");
  read_measured(table, row, found);
  for (const auto& [column, member] : optional_texts)
    if (table.has_column(column))
      found.*member = text(column);
  if (!found.fold.empty() && found.quantity != comparable_quantity &&
      found.quantity != step_time_quantity)
    throw InputError(table.where(row, table.column("fold")),
                     fmt::format("a case with a fold measures {} or {}, not {}",
                                 comparable_quantity, step_time_quantity, found.quantity));
  found.tolerance_percent = table.positive_number(row, table.column("tolerance_percent"));
  const InputLocation where = table.where(row, table.column("scenario"));
  try {
    read_case_scenario(table, row, folder, found);
  } catch (const IllegalScenario&) {
    throw;
  } catch (const InputError& error) {
    if (std::string(error.what()).starts_with(where.file + ":"))
      throw;
    throw InputError(where, "the scenario of this case cannot be read", error.what());
  }
}

ValidationCase read_case(const CsvTable& table, std::size_t row, const fs::path& folder) {
  ValidationCase found;
  const std::size_t name_column = table.column("case");
  found.name = table.text(row, name_column);
  if (found.name.empty())
    throw InputError(table.where(row, name_column), "case must not be empty");
  try {
    read_cells(table, row, folder, found);
  } catch (const IllegalScenario& error) {
    found.failure = {"illegal", error.message()};
  } catch (const InputError& error) {
    found.scenario = std::monostate{};
    found.failure = {"unreadable", error.what()};
  }
  return found;
}

std::vector<TierTolerance> read_tiers(const fs::path& path) {
  const CsvTable table = CsvTable::read(path);
  table.expect_columns(
      {"tier", "median_tolerance_percent", "p90_tolerance_percent", "kendall_tau_min", "why"});
  std::vector<TierTolerance> tiers;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string& name = table.text(row, table.column("tier"));
    for (const TierTolerance& other : tiers)
      if (other.tier == name)
        throw InputError(table.where(row, table.column("tier")),
                         fmt::format("the tier \"{}\" appears twice", name));
    const auto limit = [&](const char* column) -> std::optional<double> {
      if (table.text(row, table.column(column)).empty())
        return std::nullopt;
      return table.positive_number(row, table.column(column));
    };
    tiers.push_back({name, limit("median_tolerance_percent"), limit("p90_tolerance_percent"),
                     limit("kendall_tau_min"), table.text(row, table.column("why"))});
  }
  return tiers;
}

void check_tier(const CsvTable& table, std::size_t row, const std::vector<TierTolerance>& tiers) {
  const std::string& tier = table.text(row, table.column("tier"));
  std::vector<std::string> names;
  for (const TierTolerance& known : tiers)
    names.push_back(known.tier);
  if (std::find(names.begin(), names.end(), tier) == names.end())
    throw InputError(table.where(row, table.column("tier")),
                     fmt::format("tiers.csv has no tier \"{}\"", tier), suggest_name(tier, names));
}

/// The properties that the steps of a comparison share.
std::string shared_traits(const Scenario& step) {
  const TrainingSpec& training = step.workload.training;
  return fmt::format("{} of {} layers on {} GPUs of {}, {} sequences of {} tokens, {}",
                     step.workload.model.name, step.workload.model.layers.size(),
                     step.workload.plan.gpus, step.topology.name, training.global_batch,
                     training.sequence_length, name_of(precision_names, training.precision));
}

/// Checks the case of `row`, the last of `cases`, against the first of its comparison.
void check_comparison(const CsvTable& table, std::size_t row,
                      const std::vector<ValidationCase>& cases) {
  const ValidationCase& last = cases.back();
  const auto* step = std::get_if<Scenario>(&last.scenario);
  if (last.comparison.empty() || !step)
    return;
  const InputLocation where = table.where(row, table.column("comparison"));
  if (last.quantity != comparable_quantity)
    throw InputError(
        where, fmt::format("a comparison is of {}, not of {}", comparable_quantity, last.quantity));
  for (const ValidationCase& first : cases)
    if (const auto* other = std::get_if<Scenario>(&first.scenario);
        other && first.comparison == last.comparison) {
      const std::string expected = shared_traits(*other);
      if (const std::string found = shared_traits(*step); found != expected)
        throw InputError(where,
                         fmt::format("the comparison \"{}\" holds {}", last.comparison, found),
                         fmt::format("{} has {}", first.name, expected));
      return;
    }
}

} // namespace

const std::vector<std::string>& collective_quantities() {
  static const std::vector<std::string> names = {"time_us", "algbw_gbyte_per_s",
                                                 "busbw_gbyte_per_s"};
  return names;
}

ValidationSet read_validation(const fs::path& cases) {
  const CsvTable table = CsvTable::read(cases);
  std::vector<std::string> columns = {
      "case", "tier", "scenario", "quantity", "measured", "tolerance_percent", "source"};
  for (const auto& [column, member] : optional_texts)
    if (table.has_column(column))
      columns.emplace_back(column);
  if (table.has_column("settings") || table.columns().size() > columns.size())
    columns.emplace_back("settings");
  table.expect_columns(columns);
  const fs::path folder = cases.parent_path();
  ValidationSet found;
  const bool has_tiers = fs::exists(folder / "tiers.csv");
  if (has_tiers)
    found.tiers = read_tiers(folder / "tiers.csv");
  std::set<std::string> names;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    if (has_tiers)
      check_tier(table, row, found.tiers);
    found.cases.push_back(read_case(table, row, folder));
    check_comparison(table, row, found.cases);
    if (!names.insert(found.cases.back().name).second)
      throw InputError(table.where(row, table.column("case")),
                       fmt::format("the case \"{}\" appears twice", found.cases.back().name));
  }
  if (found.cases.empty())
    throw InputError({cases.string()}, "has no case");
  return found;
}

} // namespace moesim
