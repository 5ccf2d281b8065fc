#include "sim/study/step_constants.hpp"

#include "sim/base/output_file.hpp"
#include "sim/base/words.hpp"
#include "sim/input/csv_table.hpp"
#include "sim/report/csv_text.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

namespace moesim {

namespace {

namespace fs = std::filesystem;

constexpr const char* constants_file = "step_constants.csv";

/// The row of a table whose first cell is `name`; rows() if there is none.
std::size_t row_named(const CsvTable& table, const std::string& name) {
  std::size_t row = 0;
  while (row < table.rows() && table.text(row, 0) != name)
    ++row;
  return row;
}

/// The present value of a constant whose other members are set.
double present_value(const fs::path& calibration, const StepConstant& constant,
                     const InputLocation& where) {
  const CsvTable table = CsvTable::read(calibration / constant.file);
  if (!table.has_column(constant.column))
    throw InputError(where, fmt::format("{} has no column \"{}\"", constant.file, constant.column),
                     suggest_name(constant.column, table.columns()));
  for (const std::string& name : constant.rows)
    if (row_named(table, name) == table.rows())
      throw InputError(where, fmt::format("{} has no row \"{}\"", constant.file, name));
  return table.positive_number(row_named(table, constant.rows.front()),
                               table.column(constant.column));
}

/// The text of a table in which `value_of` gives the number of a row and column, if it changes it.
template <typename ValueOf> std::string changed_text(const CsvTable& table, ValueOf value_of) {
  std::string text = csv_line(table.columns()) + "\n";
  for (std::size_t row = 0; row < table.rows(); ++row) {
    std::vector<std::string> cells;
    for (std::size_t column = 0; column < table.columns().size(); ++column)
      cells.push_back(value_of(row, column));
    text += csv_line(cells) + "\n";
  }
  return text;
}

/// Copies a calibration folder by references to its files and folders; tables that change are
/// written anew.
struct CalibrationMirror {
  const fs::path& from;
  const fs::path& to;
  const std::vector<StepConstant>& constants;
  const std::vector<double>& factors;
  const std::map<std::string, std::vector<std::size_t>>& changes; ///< constants by file

  std::string changed(const std::string& file) const {
    const CsvTable table = CsvTable::read(from / file);
    return changed_text(table, [&](std::size_t row, std::size_t column) {
      for (const std::size_t number : changes.at(file)) {
        const StepConstant& constant = constants[number];
        const auto& rows = constant.rows;
        if (column == table.column(constant.column) &&
            std::find(rows.begin(), rows.end(), table.text(row, 0)) != rows.end())
          return fmt::format("{:.9g}", table.positive_number(row, column) * factors[number]);
      }
      return table.text(row, column);
    });
  }

  /// `folder` is relative to the calibration.
  void mirror(const fs::path& folder) const {
    for (const fs::directory_entry& entry : fs::directory_iterator(from / folder)) {
      const std::string name = (folder / entry.path().filename()).string();
      const auto next = changes.lower_bound(name);
      if (next != changes.end() && next->first == name) {
        write_file(to / name, changed(name));
      } else if (next != changes.end() && next->first.starts_with(name + "/")) {
        fs::create_directory(to / name);
        mirror(name);
      } else {
        fs::create_symlink(fs::absolute(entry.path()), to / name);
      }
    }
  }
};

} // namespace

std::vector<StepConstant> read_step_constants(const fs::path& calibration) {
  const fs::path file = calibration / constants_file;
  std::vector<StepConstant> constants;
  if (!fs::exists(file))
    return constants;
  const CsvTable table = CsvTable::read(file);
  table.expect_columns(
      {"constant", "file", "rows", "column", "prior", "prior_percent", "most", "why"});
  std::set<std::string> names;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const auto text = [&](const char* column) { return table.text(row, table.column(column)); };
    const auto number = [&](const char* column) {
      return table.positive_number(row, table.column(column));
    };
    StepConstant constant{text("constant"), text("file"), words(text("rows")), text("column")};
    const InputLocation where = table.where(row, table.column("rows"));
    if (constant.rows.empty())
      throw InputError(where, "rows must not be empty");
    if (!names.insert(constant.name).second)
      throw InputError(table.where(row, table.column("constant")),
                       fmt::format("\"{}\" is given twice", constant.name));
    constant.value = present_value(calibration, constant, where);
    constant.prior = number("prior");
    constant.prior_spread = number("prior_percent") / 100.0;
    if (!text("most").empty())
      constant.most = number("most");
    constants.push_back(std::move(constant));
  }
  return constants;
}

ChangedCalibration::ChangedCalibration(const fs::path& calibration,
                                       const std::vector<StepConstant>& constants,
                                       const std::vector<double>& factors) {
  std::map<std::string, std::vector<std::size_t>> changes; ///< constants by file
  for (std::size_t number = 0; number < constants.size(); ++number)
    if (factors[number] != 1.0)
      changes[constants[number].file].push_back(number);
  CalibrationMirror{calibration, path(), constants, factors, changes}.mirror("");
}

} // namespace moesim
