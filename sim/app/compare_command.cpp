#include "sim/app/commands.hpp"
#include "sim/app/decision_output.hpp"

#include "sim/study/step_comparison.hpp"

#include <fmt/format.h>

#include <iostream>
#include <memory>

namespace moesim {

namespace {

struct CompareOptions {
  std::string a;
  std::string b;
  std::vector<std::string> settings;
  TableFormat format = TableFormat::table;
  std::string folder;
};

constexpr const char* compare_footer =
    "The result is a waterfall from A to B: rows part,a_ms,b_ms,difference_ms. The differences,\n"
    "b_ms - a_ms, add up to the last row, total: the difference of step_time_ms. Parts are those\n"
    "of the critical device: attention, router, permute, expert, shared_expert, dense and head\n"
    "compute; beside_communication is what communication beside them slows these; then\n"
    "ep_exposed, pp_bubble, tp_exposed, dp_exposed, optimizer and other, as the columns of\n"
    "simulate. router_ms, say, is explained by: moesim simulate --help.\n\n"
    "The inputs that differ come first (--format csv: on stderr; json: under \"inputs\", the rows\n"
    "under \"parts\"): keys of the scenario as written, of its topology file as node.nics, sizes\n"
    "of the model, and the plan as resolved, or as found with parallel.search = \"best\". Files\n"
    "are the same where their content is. An empty cell: not written, so that the default holds;\n"
    "such a key is left out if the value of the other scenario would change nothing.\n\n"
    "Two models, two clusters or two plans:\n"
    "  moesim compare workloads/mixtral-8x7b/scenario.toml workloads/llama-2-70b/scenario.toml\n"
    "  moesim compare workloads/mixtral-8x7b/{scenario,best-plan}.toml --set cluster.gpus=256";

ResultTable inputs_table(const std::vector<InputDifference>& inputs) {
  ResultTable table{{"key", "a", "b"}, {}};
  for (const InputDifference& input : inputs)
    table.rows.push_back({input.key, input.a, input.b});
  return table;
}

/// The parts, then their total, with this many decimals.
ResultTable parts_table(const StepComparison& comparison, int decimals) {
  ResultTable table{{"part", "a_ms", "b_ms", "difference_ms"}, {}};
  const auto add = [&](const PartDifference& part) {
    const auto cell = [&](double ms) { return fmt::format("{:.{}f}", ms, decimals); };
    table.rows.push_back({part.part, cell(part.a_ms), cell(part.b_ms), cell(part.difference_ms())});
  };
  for (const PartDifference& part : comparison.parts)
    add(part);
  add({"total", comparison.a.step_time_ms, comparison.b.step_time_ms});
  return table;
}

/// One step in a line: its time, the interval of that, and throughput, which also compares steps of
/// different batches.
void print_step(const char* name, const std::string& path, const StepResult& result) {
  std::cerr << fmt::format("{}: {}: {:.1f} ms a step ({:.1f} to {:.1f}), {:.0f} tokens/s\n", name,
                           path, result.step_time_ms, result.step_time_low_ms,
                           result.step_time_high_ms, result.tokens_per_s);
}

void compare_and_print(const CompareOptions& options, const AppContext& context) {
  const StepComparison comparison =
      compare_steps(options.a, options.b, options.settings, context.calibration);
  const ResultTable inputs = inputs_table(comparison.inputs);
  constexpr int decimals_for_people = 3;
  constexpr int decimals_exact = 9; // sums of these stay within 1e-6
  switch (options.format) {
  case TableFormat::table:
    std::cout << render(inputs, TableFormat::table) << '\n'
              << render(parts_table(comparison, decimals_for_people), TableFormat::table);
    break;
  case TableFormat::csv:
    std::cerr << render(inputs, TableFormat::table) << '\n';
    std::cout << render(parts_table(comparison, decimals_exact), TableFormat::csv);
    break;
  case TableFormat::json:
    std::cout << render_tables(
        {{"inputs", inputs}, {"parts", parts_table(comparison, decimals_exact)}});
    break;
  }
  print_step("a", options.a, comparison.a);
  print_step("b", options.b, comparison.b);
  std::vector<std::string> notes;
  for (const InputDifference& input : comparison.inputs)
    notes.push_back(fmt::format("{}: A {}, B {}", input.key, input.a.empty() ? "default" : input.a,
                                input.b.empty() ? "default" : input.b));
  write_decision(options.folder,
                 {parts_table(comparison, decimals_exact),
                  fmt::format("A: {}; B: {}: where the time goes", options.a, options.b),
                  {options.a, options.b},
                  notes},
                 context);
}

} // namespace

void add_compare_command(CLI::App& app, const AppContext& context) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* command = app.add_subcommand(
      "compare", "Two steps: the inputs that differ, and a waterfall from one to the other");
  command->add_option("a", options->a, "Scenario file (TOML)")->type_name("A.toml")->required();
  command->add_option("b", options->b, "Scenario file (TOML)")->type_name("B.toml")->required();
  add_settings_option(*command, options->settings);
  add_format_option(*command, options->format);
  add_decision_folder(*command, options->folder);
  command->footer(compare_footer);
  command->callback([options, &context] { compare_and_print(*options, context); });
}

} // namespace moesim
