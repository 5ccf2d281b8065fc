#include "sim/app/commands.hpp"
#include "sim/app/decision_output.hpp"

#include "sim/base/input_error.hpp"
#include "sim/study/break_even_contour.hpp"

#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <optional>

namespace moesim {

namespace {

struct BreakEvenOptions {
  std::string scenario;
  ContourKnob knob;
  ContourKnob and_knob; ///< without a key: one knob
  std::string until;
  std::vector<std::string> settings;
  TableFormat format = TableFormat::table;
  std::string folder;
};

constexpr const char* break_even_footer =
    "The first row is the answer: the replayed value nearest to the crossing at which the\n"
    "condition holds, and the column there. Within 1 % the condition does not hold any more; of\n"
    "whole numbers, at the next one that can run. low and high are the crossings if the step took\n"
    "the times at the ends of its 90 % interval (step_time_low_ms, step_time_high_ms); empty "
    "where\n"
    "they lie beyond the range, and for columns that do not follow from the step time. The other\n"
    "rows are the curve: every value that was replayed, with its best plan under\n"
    "parallel.search = \"best\". If the condition holds everywhere in the range, or nowhere, the\n"
    "first row has no value, stderr says which, and the exit code is 0.\n\n"
    "Columns: moesim simulate --help. OP is one of >=, <=, >, <; of texts, as ep_limited_by, == \n"
    "and !=. Values that cannot run or do not fit are skipped with a note. If the condition flips\n"
    "several times, the flip nearest to the scenario's own value is the answer.\n\n"
    "--and-knob KEY asks at up to five values of a second key: rows with `contour` in the column\n"
    "`row` are the answers, a line each; those with `point` are the steps that were replayed, and\n"
    "`holds` whether the condition holds there.\n\n"
    "How much NIC bandwidth keeps the step below 6 s? How many GPUs for a million tokens/s?\n"
    "  moesim break-even workloads/mixtral-8x7b/scenario.toml --knob cluster.nic_gbit_per_s \\\n"
    "    --until 'step_time_ms <= 6000'\n"
    "  moesim break-even workloads/mixtral-8x7b/scenario.toml --knob cluster.gpus \\\n"
    "    --until 'tokens_per_s >= 1e6' --from 64 --to 512";

std::string number_text(double value) {
  return fmt::format("{:.9g}", value);
}

std::string optional_text(const std::optional<double>& value) {
  return value ? number_text(*value) : "";
}

/// The answer, then the curve.
ResultTable break_even_table(const BreakEven& found, const KnobRange& range,
                             const ColumnCondition& condition, bool searched) {
  ResultTable table{{"knob", "value", "low", "high", "column", "at_value"}, {}};
  if (searched)
    table.columns.emplace_back("plan");
  std::vector<std::string> answer = {
      range.key, "", optional_text(found.low), optional_text(found.high), condition.column.name,
      ""};
  answer.resize(table.columns.size());
  table.rows.push_back(answer);
  for (const KnobPoint& point : found.curve) {
    std::vector<std::string> row = {
        range.key, number_text(point.value), "",
        "",        condition.column.name,    cell_text(point.result, condition.column)};
    if (searched)
      row.push_back(point.result.plan);
    if (found.value == point.value) {
      table.rows.front() = row;
      table.rows.front()[2] = answer[2];
      table.rows.front()[3] = answer[3];
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

/// The values that cannot run: one line for each cause, with the first value of it.
void note_skipped(const std::vector<KnobPoint>& skipped) {
  for (const char* status : {"illegal", "out-of-memory", "failed"}) {
    std::vector<const KnobPoint*> of_status;
    for (const KnobPoint& point : skipped)
      if (point.result.status == status)
        of_status.push_back(&point);
    if (!of_status.empty())
      std::cerr << fmt::format("skipped: {} of the values tried: {}, as {:.9g}: {}\n",
                               of_status.size(), status, of_status.front()->value,
                               of_status.front()->result.reason);
  }
}

/// The answer as a sentence.
std::string sentence(const BreakEven& found, const KnobRange& range,
                     const ColumnCondition& condition, const std::string& until) {
  const auto at = [&](const KnobPoint& point) {
    return fmt::format("{} at {:.9g}", cell_text(point.result, condition.column), point.value);
  };
  if (!found.value)
    return fmt::format("{} holds {} from {:.9g} to {:.9g} of {}: {}, {}", until,
                       condition.holds(found.curve.front().result) ? "everywhere" : "nowhere",
                       range.from, range.to, range.key, at(found.curve.front()),
                       at(found.curve.back()));
  return fmt::format("{} holds from {} = {:.9g} {}, not at {:.9g}", until, range.key, *found.value,
                     *found.value > *found.fails ? "up" : "down", *found.fails);
}

/// A note if the interval of the crossing is open; else "".
std::string missing_ends(const BreakEven& found, const ColumnCondition& condition) {
  if (!found.value || (found.low && found.high))
    return "";
  const StepResult& any = found.curve.front().result;
  if (!column_at_step_time(any, condition.column, any.step_time_ms))
    return fmt::format("{} does not follow from the step time: the crossing has no interval",
                       condition.column.name);
  return fmt::format("the 90 % interval of the step time gives no crossing {} this in the range",
                     found.low    ? "above"
                     : found.high ? "below"
                                  : "below or above");
}

/// The answers over two knobs, then every step that was replayed.
ResultTable contour_table(const std::vector<ContourPoint>& contour, const BreakEvenOptions& options,
                          const ColumnCondition& condition, bool searched) {
  ResultTable table{{"knob", "value", "low", "high", "column", "at_value", "and_knob", "and_value",
                     "row", "holds"},
                    {}};
  if (searched)
    table.columns.emplace_back("plan");
  const KnobRange range{.key = options.knob.key};
  for (const bool answers : {true, false})
    for (const ContourPoint& point : contour) {
      if (!point.skipped.empty())
        continue;
      ResultTable rows = break_even_table(point.found, range, condition, searched);
      for (std::size_t i = answers ? 0 : 1; i < (answers ? 1 : rows.rows.size()); ++i) {
        std::vector<std::string> row = rows.rows[i];
        const bool holds = !answers && condition.holds(point.found.curve[i - 1].result);
        row.insert(row.begin() + 6, {options.and_knob.key, number_text(point.and_value),
                                     answers ? "contour" : "point",
                                     answers ? ""
                                     : holds ? "yes"
                                             : "no"});
        table.rows.push_back(std::move(row));
      }
    }
  return table;
}

/// Writes the folder of --out: the rows with the condition in the column `until`.
void write_folder(const BreakEvenOptions& options, ResultTable table,
                  const ColumnCondition& condition, const AppContext& context) {
  if (!options.folder.empty() && !condition.of_numbers())
    throw InputError({"--out"},
                     fmt::format("{} is a text, which no curve can show", condition.column.name));
  table.columns.emplace_back("until");
  for (std::vector<std::string>& row : table.rows)
    row.push_back(options.until);
  write_decision(options.folder,
                 {table,
                  fmt::format("{}: from which {} on is {}?", options.scenario, options.knob.key,
                              options.until),
                  {options.scenario},
                  {}},
                 context);
}

void find_contour(const BreakEvenOptions& options, const ColumnCondition& condition, bool searched,
                  const AppContext& context) {
  const std::vector<ContourPoint> contour =
      break_even_contour(options.scenario, options.settings, options.knob, options.and_knob,
                         condition, context.calibration);
  const ResultTable table = contour_table(contour, options, condition, searched);
  std::cout << render(table, options.format);
  for (const ContourPoint& point : contour) {
    const std::string where = fmt::format("{} = {:.9g}", options.and_knob.key, point.and_value);
    if (!point.skipped.empty())
      std::cerr << fmt::format("skipped: {}: {}\n", where, point.skipped);
    else if (!point.found.value)
      std::cerr << fmt::format("{}: {} holds {} in the range\n", where, options.until,
                               condition.holds(point.found.curve.front().result) ? "everywhere"
                                                                                 : "nowhere");
  }
  write_folder(options, table, condition, context);
}

void find_and_print(const BreakEvenOptions& options, const AppContext& context) {
  const ColumnCondition condition = parse_condition(options.until);
  const bool searched = parse_scenario(options.scenario, options.settings).search.has_value();
  if (!options.and_knob.key.empty())
    return find_contour(options, condition, searched, context);
  const Knob knob(options.scenario, options.settings, options.knob.key);
  const KnobRange range = knob.range(options.knob.from, options.knob.to);
  const BreakEven found = break_even_of(knob, range, condition, context.calibration);
  const ResultTable table = break_even_table(found, range, condition, searched);
  std::cout << render(table, options.format);
  note_skipped(found.skipped);
  std::cerr << sentence(found, range, condition, options.until) << '\n';
  if (const std::string note = missing_ends(found, condition); !note.empty())
    std::cerr << note << '\n';
  if (found.flips > 1)
    std::cerr << fmt::format("it flips {} times in this range: the curve shows where; narrow it by "
                             "--from and --to\n",
                             found.flips);
  std::cerr << fmt::format("replays: {}\n", found.curve.size());
  write_folder(options, table, condition, context);
}

} // namespace

void add_break_even_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<BreakEvenOptions>();
  CLI::App* command = app.add_subcommand(
      "break-even", "Value of one key at which a condition on a result column flips");
  command->add_option("scenario", options->scenario, "Scenario file (TOML)")
      ->type_name("SCENARIO.toml")
      ->required();
  command
      ->add_option("--knob", options->knob.key,
                   "Dotted key of the scenario with a number, as cluster.nic_gbit_per_s")
      ->type_name("KEY")
      ->required();
  command->add_option("--until", options->until, "Condition, as 'savings_kept_percent >= 80'")
      ->type_name("'COLUMN OP VALUE'")
      ->required();
  command
      ->add_option("--from", options->knob.from,
                   "Smallest value (default: a quarter of the scenario's own)")
      ->type_name("A");
  command
      ->add_option("--to", options->knob.to,
                   "Largest value (default: four times the scenario's own)")
      ->type_name("B");
  CLI::Option* and_knob =
      command
          ->add_option("--and-knob", options->and_knob.key,
                       "A second key with a number: the break-even at up to five values of it")
          ->type_name("KEY");
  command->add_option("--and-from", options->and_knob.from, "Its smallest value, as --from")
      ->type_name("A")
      ->needs(and_knob);
  command->add_option("--and-to", options->and_knob.to, "Its largest value, as --to")
      ->type_name("B")
      ->needs(and_knob);
  add_settings_option(*command, options->settings);
  add_format_option(*command, options->format);
  add_decision_folder(*command, options->folder);
  command->footer(break_even_footer);
  command->callback([options, &context] { find_and_print(*options, context); });
}

} // namespace moesim
