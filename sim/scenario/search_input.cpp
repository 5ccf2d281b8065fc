#include "sim/scenario/search_input.hpp"

#include "sim/scenario/graphs_input.hpp"

#include <algorithm>
#include <vector>

namespace moesim {

namespace {

constexpr Range<std::int64_t> degree{1, 1'000'000'000};

/// The numbers of a key: none if it is left out, one, or those of a list, each once.
std::vector<std::int64_t> numbers(const TomlTable& table, const std::string& key,
                                  Range<std::int64_t> range) {
  if (!table.has(key))
    return {};
  std::vector<std::int64_t> found = table.is_list(key)
                                        ? table.integers(key, range)
                                        : std::vector<std::int64_t>{table.integer(key, range)};
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

/// The words of a key, likewise, in the order of `words`; any other word is an error.
std::vector<std::size_t> choices(const TomlTable& table, const std::string& key,
                                 const std::vector<std::string>& words) {
  std::vector<std::size_t> found;
  if (!table.has(key))
    return found;
  std::vector<std::string> written;
  if (table.is_list(key))
    for (const TomlValue& value : table.list(key))
      written.push_back(value.text);
  else
    written.push_back(table.choice(key, words));
  for (const std::string& word : written)
    if (std::find(words.begin(), words.end(), word) == words.end())
      table.fail(key, fmt::format("there is no {} \"{}\"", key, word),
                 fmt::format("the choices are {}", fmt::join(words, ", ")));
  for (std::size_t number = 0; number < words.size(); ++number)
    if (std::find(written.begin(), written.end(), words[number]) != written.end())
      found.push_back(number);
  return found;
}

template <typename Enumeration, std::size_t n>
std::vector<Enumeration> named_choices(const TomlTable& table, const std::string& key,
                                       const std::array<Named<Enumeration>, n>& names) {
  std::vector<Enumeration> found;
  for (const std::size_t number : choices(table, key, names_of(names)))
    found.push_back(names[number].value);
  return found;
}

void read_parallel(const TomlTable& table, PlanChoices& choice) {
  for (const auto& [key, values] :
       {std::pair{"tensor", &choice.tensor}, std::pair{"context", &choice.context},
        std::pair{"pipeline", &choice.pipeline},
        std::pair{"virtual_stages", &choice.virtual_stages},
        std::pair{"expert_tensor", &choice.expert_tensor}})
    *values = numbers(table, key, degree);
  if (table.has("expert") && table.is_text("expert"))
    table.fail("expert", "a search chooses the expert degree itself",
               "leave it out, or give a number or a list of numbers");
  choice.expert = numbers(table, "expert", degree);
  choice.zero_stage = numbers(table, "zero_stage", {0, 3});
  for (const std::size_t number : choices(table, "schedule", schedule_names()))
    choice.schedule.push_back(schedules[number]);
  choice.recompute = named_choices(table, "recompute", recompute_names);
  if (table.has("recompute_modules"))
    choice.recompute_modules =
        parse_modules(table, "recompute_modules", "recompute", recompute_module_names);
  if (table.has("layers_per_stage"))
    table.fail("layers_per_stage", "a search spreads the layers of each plan evenly",
               "leave it out, or give a fixed plan without parallel.search");
}

} // namespace

std::optional<PlanChoices> parse_search(const ScenarioTables& tables) {
  const TomlTable& table = tables.parallel;
  if (!table.has("search"))
    return std::nullopt;
  table.choice("search", {"best"});
  PlanChoices choice;
  read_parallel(table, choice);
  choice.micro_batch = numbers(tables.training, "micro_batch", degree);
  if (tables.training.has("cuda_graph_scope"))
    choice.graphs = parse_scopes(tables.training, "cuda_graph_scope");
  choice.dispatcher = named_choices(tables.communication, "dispatcher", dispatcher_names);
  choice.library = named_choices(tables.communication, "dispatch_library", dispatch_library_names);
  choice.overlap = named_choices(tables.communication, "overlap", overlap_names);
  return choice;
}

} // namespace moesim
