#include "sim/base/check.hpp"
#include "sim/study/simulate.hpp"
#include <fmt/format.h>
#include <iostream>
using namespace moesim;
int main(int c, char** v) {
  try {
    std::vector<std::string> sets(v + 2, v + c);
    Scenario s = read_scenario(v[1], sets);
    Costs costs = load_costs("calibration", s.topology);
    auto p = simulate(s, costs);
    fmt::print("status {} {}\n", p.result.status, p.result.reason);
    for (auto& col : result_columns())
      fmt::print("{} {}\n", col.name, cell_text(p.result, col));
    for (auto& [k, t] : p.diagnostics)
      fmt::print(stderr, "{}: {}\n", k, t);
  } catch (const InputError& e) {
    std::cerr << e.what() << "\n";
    return 2;
  } catch (const InternalError& e) {
    std::cerr << e.what() << "\n";
    return 70;
  }
}
