#include "sim/study/sweep_file.hpp"

#include "sim/metrics/step_result.hpp"
#include "sim/study/scenario_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace moesim {

namespace {

namespace fs = std::filesystem;

bool names_a_file(const std::string& key) {
  return key == "cluster.topology" || key == "model.config" || key == "routing.trace";
}

/// A path as seen from a folder; both may be relative to the working folder.
fs::path relative_to(const fs::path& path, const fs::path& folder) {
  const fs::path base = fs::absolute(folder.empty() ? "." : folder).lexically_normal();
  return fs::absolute(path).lexically_normal().lexically_proximate(base);
}

/// Reads a sweep file. Axes remember their place, for keys of one table may stand apart.
class SweepReader {
public:
  explicit SweepReader(const fs::path& path)
      : path_(path), document_(TomlDocument::read(path)), root_(document_.root()) {}

  SweepFile read() {
    const bool has_rows = root_.has("rows");
    const auto axes = root_.has("axes") ? std::optional(root_.table("axes")) : std::nullopt;
    const auto set = root_.optional_table("set");
    read_scenario_name();
    root_.finish();
    if (set)
      visit_keys(*set, "", [&](const ScenarioKey& key) {
        take(key, "[set]");
        file_.settings.push_back(setting(key, key.table.any_value(key.name)));
      });
    if (axes)
      visit_keys(*axes, "", [&](const ScenarioKey& key) { read_list(key); });
    if (has_rows)
      read_all_rows();
    if (axes_.empty())
      throw InputError({path_.string()}, "the sweep has no axis",
                       "add [axes] with a key and a list of its values, as in "
                       "cluster.gpus = [64, 128]");
    std::stable_sort(axes_.begin(), axes_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [place, axis] : axes_)
      file_.axes.push_back(std::move(axis));
    return std::move(file_);
  }

private:
  using Place = std::pair<int, int>;

  void read_scenario_name() {
    file_.scenario = (path_.parent_path() / root_.text("scenario")).lexically_normal();
    if (!fs::exists(file_.scenario))
      root_.fail("scenario", fmt::format("there is no file {}", file_.scenario.string()));
  }

  /// Each key is given once, and names its table.
  void take(const ScenarioKey& key, const std::string& where) {
    const InputLocation place = key.table.where_key(key.name);
    if (key.dotted.find('.') == std::string::npos) {
      const std::string nearest =
          where.starts_with("[[") ? suggest_name(key.dotted, {"name"}) : std::string();
      throw InputError(place, fmt::format("unknown key \"{}\" in {}", key.dotted, where),
                       nearest.empty()
                           ? "a key of the scenario has its table before it, as in cluster.gpus"
                           : nearest);
    }
    const auto [known, added] = taken_.emplace(key.dotted, std::make_pair(where, place.line));
    if (!added)
      throw InputError(place,
                       fmt::format("{} is in {} already, in line {}", key.dotted,
                                   known->second.first, known->second.second),
                       "a key is fixed in [set] or varies in one axis");
  }

  TomlSetting setting(const ScenarioKey& key, const TomlValue& value) const {
    TomlSetting setting{key.dotted, value.toml, key.table.where_key(key.name), value.where};
    if (!names_a_file(key.dotted) || !value.is_string)
      return setting;
    const fs::path own = path_.parent_path() / value.text;
    if (!fs::exists(own))
      throw InputError(value.where, fmt::format("there is no file {}", own.string()));
    if (fs::path(value.text).is_relative())
      setting.value = toml_string(relative_to(own, file_.scenario.parent_path()).string());
    return setting;
  }

  void read_list(const ScenarioKey& key) {
    take(key, "[axes]");
    if (!key.table.is_list(key.name))
      key.table.fail(key.name, fmt::format("{} must have a list of values", key.dotted),
                     "a value for all points stands in [set]");
    SweepAxis axis{key.dotted, {}, {}};
    for (const TomlValue& value : key.table.any_list(key.name))
      axis.values.push_back({{value.text}, {setting(key, value)}});
    const InputLocation where = key.table.where_key(key.name);
    axes_.emplace_back(Place{where.line, where.column}, std::move(axis));
  }

  void read_all_rows() {
    if (!root_.is_table("rows"))
      root_.fail("rows", "rows must have a name", "write [[rows.NAME]]; NAME is their column");
    const TomlTable all = root_.table("rows");
    for (const std::string& name : all.keys())
      read_rows(all, name);
  }

  void read_rows(const TomlTable& all, const std::string& name) {
    const std::vector<TomlTable> rows = all.tables(name);
    if (rows.empty())
      all.fail(name, fmt::format("[[rows.{}]] has no row", name));
    check_column(all, name);
    SweepAxis axis{name, keys_of(rows, name), {}};
    const bool named = rows.front().has("name");
    for (const TomlTable& row : rows) {
      if (row.has("name") != named)
        throw InputError(row.here(), fmt::format("not every row of [[rows.{}]] has a name", name),
                         "give all of them a name, or none");
      const std::string title = named ? row.text("name") : std::to_string(axis.values.size() + 1);
      for (const AxisValue& other : axis.values)
        if (other.cells.front() == title)
          row.fail("name",
                   fmt::format("another row of [[rows.{}]] has the name \"{}\"", name, title));
      axis.values.push_back(read_row(row, title, axis.keys));
    }
    const InputLocation where = rows.front().here();
    axes_.emplace_back(Place{where.line, where.column}, std::move(axis));
  }

  /// The name of rows is a column of the results: no other may have it.
  void check_column(const TomlTable& all, const std::string& name) const {
    const auto columns = result_columns();
    const bool is_column =
        name == "status" || name == "reason" ||
        std::any_of(columns.begin(), columns.end(),
                    [&](const ResultColumn& column) { return column.name == name; });
    if (is_column || name.find('.') != std::string::npos)
      throw InputError(all.where_key(name),
                       is_column ? fmt::format("\"{}\" is a column of the results", name)
                                 : fmt::format("the name of rows \"{}\" holds a dot", name),
                       "choose another name");
  }

  /// The keys that any row sets, by their first appearance. Each counts as given once.
  std::vector<std::string> keys_of(const std::vector<TomlTable>& rows, const std::string& name) {
    std::vector<std::string> keys;
    for (const TomlTable& row : rows) {
      std::vector<std::string> own;
      visit_keys(row, "", [&](const ScenarioKey& key) {
        if (key.dotted == "name")
          return;
        if (std::find(keys.begin(), keys.end(), key.dotted) == keys.end() ||
            std::find(own.begin(), own.end(), key.dotted) != own.end()) {
          take(key, fmt::format("[[rows.{}]]", name));
          keys.push_back(key.dotted);
        }
        own.push_back(key.dotted);
      });
      if (own.empty())
        throw InputError(row.here(), fmt::format("this row of [[rows.{}]] sets no key", name));
    }
    return keys;
  }

  AxisValue read_row(const TomlTable& row, const std::string& title,
                     const std::vector<std::string>& keys) const {
    AxisValue value{std::vector<std::string>(1 + keys.size()), {}};
    value.cells.front() = title;
    visit_keys(row, "", [&](const ScenarioKey& key) {
      if (key.dotted == "name")
        return;
      const TomlValue given = key.table.any_value(key.name);
      const auto column = std::find(keys.begin(), keys.end(), key.dotted) - keys.begin();
      value.cells[static_cast<std::size_t>(column) + 1] = given.text;
      value.settings.push_back(setting(key, given));
    });
    return value;
  }

  fs::path path_;
  TomlDocument document_;
  TomlTable root_;
  SweepFile file_;
  std::vector<std::pair<Place, SweepAxis>> axes_;
  /// Keys that are given: the table and the line.
  std::map<std::string, std::pair<std::string, int>> taken_;
};

} // namespace

SweepFile read_sweep_file(const fs::path& path) {
  return SweepReader(path).read();
}

} // namespace moesim
