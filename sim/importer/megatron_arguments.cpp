#include "sim/importer/megatron_arguments.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace moesim {

namespace {

/// Upper bound of sizes, above any model's or cluster's.
constexpr std::int64_t integer_max = 1'000'000'000;

[[noreturn]] void refuse_gap(const ArgumentValue& value) {
  throw InputError(value.where, value.gap->message, value.gap->hint());
}

bool is_blank(char value) {
  return value == ' ' || value == '\t' || value == '\n' || value == '\r';
}

} // namespace

void MegatronArguments::add(MegatronArgument argument) {
  arguments_[argument.name] = std::move(argument);
}

void MegatronArguments::add_unknown(const MegatronArgument& argument) {
  unknown_.push_back(argument);
}

void MegatronArguments::add_remark(const std::string& remark, const InputLocation& where) {
  const std::string text = fmt::format("{} ({}:{})", remark, where.file, where.line);
  if (std::find(remarks_.begin(), remarks_.end(), text) == remarks_.end())
    remarks_.push_back(text);
}

const MegatronArgument& MegatronArguments::get(const std::string& name) const {
  const auto found = arguments_.find(name);
  if (found != arguments_.end())
    return found->second;
  throw InputError({file}, fmt::format("--{} is missing", name),
                   fmt::format("add it to the file, or give it with --with \"--{} VALUE\"", name));
}

const ArgumentValue& MegatronArguments::only_value(const std::string& name) const {
  const MegatronArgument& argument = get(name);
  if (argument.values.size() != 1)
    throw InputError(argument.where,
                     fmt::format("--{} takes one value, not {}", name, argument.values.size()));
  if (argument.values.front().gap)
    refuse_gap(argument.values.front());
  return argument.values.front();
}

std::int64_t MegatronArguments::integer(const std::string& name, std::int64_t least) const {
  const ArgumentValue& value = only_value(name);
  std::int64_t number = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [stop, error] = std::from_chars(value.text.data(), end, number);
  if (error != std::errc() || stop != end)
    throw InputError(value.where,
                     fmt::format("--{} must be a whole number, not \"{}\"", name, value.text));
  if (number < least || number > integer_max)
    throw InputError(value.where, fmt::format("--{} must be {} to {}, not {}", name, least,
                                              integer_max, number));
  return number;
}

std::int64_t MegatronArguments::integer_or(const std::string& name, std::int64_t otherwise,
                                           std::int64_t least) const {
  return has(name) ? integer(name, least) : otherwise;
}

double MegatronArguments::number(const std::string& name) const {
  const ArgumentValue& value = only_value(name);
  double number = 0.0;
  const char* end = value.text.data() + value.text.size();
  const auto [stop, error] = std::from_chars(value.text.data(), end, number);
  if (error != std::errc() || stop != end || !std::isfinite(number))
    throw InputError(value.where,
                     fmt::format("--{} must be a number, not \"{}\"", name, value.text));
  return number;
}

std::string MegatronArguments::text(const std::string& name) const {
  if (get(name).values.size() < 2)
    return only_value(name).text;
  return fmt::format("[{}]", fmt::join(list(name), ","));
}

std::string MegatronArguments::choice(const std::string& name,
                                      const std::vector<std::string>& choices) const {
  const ArgumentValue& value = only_value(name);
  if (std::find(choices.begin(), choices.end(), value.text) == choices.end())
    throw InputError(
        value.where,
        fmt::format("--{}: \"{}\" is not one of {}", name, value.text, fmt::join(choices, ", ")),
        suggest_name(value.text, choices));
  return value.text;
}

std::vector<std::string> MegatronArguments::list(const std::string& name) const {
  std::vector<std::string> items;
  for (const ArgumentValue& value : get(name).values) {
    if (value.gap)
      refuse_gap(value);
    std::string item;
    for (const char character : value.text + " ") {
      if (!is_blank(character)) {
        item += character;
      } else if (!item.empty()) {
        items.push_back(item);
        item.clear();
      }
    }
  }
  return items;
}

void MegatronArguments::fail(const std::string& name, const std::string& message,
                             const std::string& hint) const {
  const MegatronArgument& argument = get(name);
  throw InputError(argument.values.empty() ? argument.where : argument.values.front().where,
                   message, hint);
}

std::string MegatronArguments::source_of(const std::string& name) const {
  return fmt::format("--{}, {}", name, position_of(get(name)));
}

std::string MegatronArguments::position_of(const MegatronArgument& argument) const {
  if (argument.where.file == file)
    return fmt::format("line {}", argument.where.line);
  if (argument.where.line == 0)
    return argument.where.file;
  return argument.where.file.starts_with("--")
             ? "given beside the file"
             : fmt::format("{}:{}", argument.where.file, argument.where.line);
}

std::string MegatronArguments::written(const MegatronArgument& argument) {
  std::string text = "--" + argument.name;
  for (const ArgumentValue& value : argument.values)
    text += " " + value.text;
  std::replace_if(text.begin(), text.end(), is_blank, ' ');
  return text;
}

std::vector<const MegatronArgument*> MegatronArguments::all_of(ArgumentUse use) const {
  std::vector<const MegatronArgument*> found;
  for (const auto& [name, argument] : arguments_)
    if (find_argument_rule(name)->use == use)
      found.push_back(&argument);
  return found;
}

} // namespace moesim
