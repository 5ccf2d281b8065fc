#include "sim/importer/shell_runner.hpp"

#include "sim/input/file_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace moesim {

namespace {

namespace fs = std::filesystem;

/// Most values of a seq.
constexpr std::int64_t values_max = 10'000;

LocatedText unknown_text(const LocatedText& where, const std::string& message) {
  return LocatedText::at(where.offset(), "?",
                         std::make_shared<const TextGap>(TextGap{message, ""}));
}

/// The words after a command's name and its options.
ShellValues operands_of(const ShellValues& words) {
  ShellValues operands;
  for (std::size_t i = 1; i < words.size(); ++i)
    if (!operands.empty() || words[i][0] != '-')
      operands.push_back(words[i]);
  return operands;
}

/// The numbers of `seq FIRST STEP LAST`, a line each.
std::optional<LocatedText> sequence_text(const ShellValues& words) {
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 1; i < words.size(); ++i)
    if (const auto number = shell_integer(words[i].text()); number && !words[i].gap())
      numbers.push_back(*number);
  if (numbers.size() + 1 != words.size() || numbers.empty() || numbers.size() > 3)
    return std::nullopt;
  const std::int64_t first = numbers.size() > 1 ? numbers.front() : 1;
  const std::int64_t step = numbers.size() > 2 ? numbers[1] : 1;
  const std::int64_t last = numbers.back();
  const auto span = apply_arithmetic("-", last, first);
  if (step == 0 || !span || *span / step > values_max)
    return std::nullopt;
  std::string text;
  for (std::int64_t i = 0; i <= *span / step && *span / step >= 0; ++i)
    text += std::to_string(first + i * step) + "\n";
  return LocatedText::at(words[0].offset(), text);
}

/// A path as one of the commands dirname, basename and realpath makes it.
std::optional<LocatedText> path_text(const std::string& name, const ShellValues& words) {
  const ShellValues operands = operands_of(words);
  if (operands.size() != 1)
    return std::nullopt;
  if (operands[0].gap())
    return operands[0];
  const fs::path path = operands[0].text();
  const std::string folder = path.parent_path().string();
  const std::string text = name == "dirname"    ? folder.empty() ? "." : folder
                           : name == "basename" ? path.filename().string()
                                                : path.string();
  return LocatedText::at(operands[0].offset(), text);
}

} // namespace

LocatedText formatted_text(const LocatedText& format, const ShellValues& words) {
  LocatedText text;
  std::size_t next = 0;
  do {
    for (std::size_t i = 0; i < format.size(); ++i)
      if (format[i] == '%' && format[i + 1] == '%') {
        text.append(format, ++i);
      } else if (format[i] == '%' && is_one_of(format[i + 1], "sdiqb")) {
        ++i;
        if (next < words.size())
          text.append(words[next]);
        ++next;
      } else if (format[i] == '%') {
        return unknown_text(format, "a format of printf that is not understood here");
      } else if (format[i] == '\\' && is_one_of(format[i + 1], "nt\\")) {
        ++i;
        text.append(LocatedText::at(format.offset(i), format[i] == 'n'   ? "\n"
                                                      : format[i] == 't' ? "\t"
                                                                         : "\\"));
      } else {
        text.append(format, i);
      }
  } while (next > 0 && next < words.size());
  return text;
}

std::optional<LocatedText> printed_text(const ShellValues& words, const std::string& folder) {
  const std::string name = words.front().text();
  if (name == "pwd")
    return LocatedText::at(words.front().offset(), folder);
  if (name == "seq")
    return sequence_text(words);
  if (name == "dirname" || name == "basename" || name == "realpath" || name == "readlink")
    return path_text(name, words);
  if (name != "echo" && name != "printf")
    return std::nullopt;
  const ShellValues rest(words.begin() + 1, words.end());
  if (name == "printf")
    return rest.empty() ? std::nullopt
                        : std::optional(formatted_text(rest[0], {rest.begin() + 1, rest.end()}));
  LocatedText text;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (i == 0 && (rest[i].text() == "-n" || rest[i].text() == "-e"))
      continue;
    if (!text.empty())
      text.append(LocatedText::at(rest[i].offset(), " "));
    text.append(rest[i]);
  }
  return text;
}

// --- assignments ---

void ShellRunner::assign(const ShellNode& assignment) {
  const std::string plain = assignment.child("Name").text("Value");
  const ShellNode index = assignment.child("Index");
  const bool by_text = variables_.is_map(plain);
  const std::string name =
      by_text && !index.empty() ? plain + "[" + words_.expand_whole(index).text() + "]" : plain;
  const bool appends = assignment.flag("Append");
  const auto old = variables_.find(name, assignment.begin());
  ShellValues values;
  if ((appends || (!index.empty() && !by_text)) && old)
    values = *old;
  const ShellNode array = assignment.child("Array");
  for (const ShellNode& element : array.children("Elems")) {
    if (by_text)
      variables_.assign(plain + "[" + words_.expand_whole(element.child("Index")).text() + "]",
                        {words_.expand_whole(element.child("Value"))});
    else
      for (const LocatedText& value : words_.expand(element.child("Value")))
        values.push_back(doubt_ ? value.doubted(doubt(old && !appends)) : value.definable(name));
  }
  if (array.empty()) {
    const LocatedText value = value_of(name, assignment.child("Value"), appends);
    const auto at = index.empty() || by_text ? 0 : words_.evaluate(index).value.value_or(-1);
    if (at < 0 || at > values_max)
      return;
    values.resize(std::max(values.size(), static_cast<std::size_t>(at) + 1));
    LocatedText& element = values[static_cast<std::size_t>(at)];
    if (!appends)
      element = {};
    element.append(value.definable(name));
  }
  variables_.assign(name, std::move(values));
}

/// The value of an assignment, marked as unknown if the assignment may not run.
LocatedText ShellRunner::value_of(const std::string& name, const ShellNode& value, bool appends) {
  if (value.empty())
    return {};
  if (!doubt_)
    return words_.expand_whole(value);
  const std::string source = value.source(value.begin(), value.end());
  if (appends || source.find("$" + name) != std::string::npos ||
      source.find("${" + name) != std::string::npos) {
    words_.doubt_literals(doubt_);
    const LocatedText text = words_.expand_whole(value);
    words_.doubt_literals(nullptr);
    return text;
  }
  const auto old = variables_.find(name, value.begin());
  const LocatedText text = words_.expand_whole(value);
  if (old && old->size() == 1 && old->front().text() == text.text() && !old->front().gap())
    return text;
  return text.doubted(doubt(old.has_value()));
}

ShellTruth ShellRunner::run_declaration(const ShellNode& node) {
  const std::vector<ShellNode> assignments = node.children("Args");
  const bool maps = std::any_of(assignments.begin(), assignments.end(), [](const ShellNode& one) {
    const std::string option = one.source(one.begin(), one.end());
    return option[0] == '-' && option.find('A') != std::string::npos;
  });
  for (const ShellNode& assignment : assignments) {
    if (maps)
      variables_.make_map(assignment.child("Name").text("Value"));
    if (!assignment.flag("Naked"))
      assign(assignment);
  }
  return ShellTruth::yes;
}

// --- commands ---

ShellTruth ShellRunner::run_call(const ShellNode& node) {
  const std::vector<ShellNode> assignments = node.children("Assigns");
  const std::vector<ShellNode> words = node.children("Args");
  if (words.empty()) {
    for (const ShellNode& assignment : assignments)
      assign(assignment);
    return ShellTruth::yes;
  }
  ShellCommand command;
  for (const ShellNode& assignment : assignments)
    if (!assignment.child("Value").empty())
      command.environment[assignment.child("Name").text("Value")] =
          words_.expand_whole(assignment.child("Value"));
  for (const ShellNode& word : words)
    for (LocatedText& text : words_.expand(word))
      command.words.push_back(std::move(text));
  if (command.words.empty())
    return ShellTruth::yes;
  if (const auto found = functions_.find(command.words.front().text()); found != functions_.end())
    return call_function(ShellNode(found->second), command);
  return run_builtin(command);
}

ShellTruth ShellRunner::run_builtin(const ShellCommand& command) {
  const ShellValues& words = command.words;
  const std::string name = words.front().text();
  if (name == "[" || name == "test")
    return decide(
        {words.begin() + 1, words.end() - (name == "[" && words.back().text() == "]" ? 1 : 0)});
  if (name == "true" || name == ":" || name == "false")
    return name == "false" ? ShellTruth::no : ShellTruth::yes;
  if (name == "exit" || name == "return" || name == "break" || name == "continue") {
    if (!doubt_ && name == "exit")
      end_script(command);
    else if (!doubt_)
      leap_ = name == "return" ? Leap::call : name == "break" ? Leap::loop : Leap::turn;
  } else if (name == "unset") {
    for (const LocatedText& word : words)
      variables_.unset(word.text());
  } else if (name == "shift") {
    ShellValues arguments = variables_.arguments().value_or(ShellValues{});
    const auto count = words.size() > 1 ? shell_integer(words[1].text()).value_or(1) : 1;
    const auto shifted =
        std::clamp<std::int64_t>(count, 0, static_cast<std::int64_t>(arguments.size()));
    arguments.erase(arguments.begin(), arguments.begin() + shifted);
    if (variables_.arguments())
      variables_.set_arguments(std::move(arguments));
  } else if (name == "printf" && words.size() > 3 && words[1].text() == "-v") {
    const LocatedText text = formatted_text(words[3], {words.begin() + 4, words.end()});
    variables_.assign(words[2].text(), {doubt_ ? text.doubted(doubt_) : text});
  } else if (name == "source" || name == ".") {
    follow_source(command, words.size() > 1 ? words[1] : LocatedText());
  } else if (name == "cd") {
    change_folder(command);
  } else {
    return run_other(command);
  }
  return ShellTruth::yes;
}

ShellTruth ShellRunner::run_other(ShellCommand command) {
  const std::string name = command.words.front().text();
  if (output_) {
    const auto printed = printed_text(command.words, folder_);
    output_->append(printed
                        ? *printed
                        : unknown_text(command.words.front(),
                                       fmt::format("the output of {} is not known here", name)));
    return ShellTruth::ran;
  }
  if (name == "bash" || name == "sh" || name == "exec")
    if (const auto script =
            std::find_if(command.words.begin(), command.words.end(),
                         [](const LocatedText& word) { return word.text().ends_with(".sh"); });
        script != command.words.end() && script - command.words.begin() <= 2) {
      for (const auto& [variable, value] : command.environment)
        variables_.assign(variable, {value});
      auto before = variables_.set_arguments(ShellValues(script + 1, command.words.end()));
      follow_source(command, *script);
      variables_.set_arguments(std::move(before));
      return ShellTruth::ran;
    }
  if (name == "read" || name == "mapfile" || name == "readarray")
    for (const LocatedText& variable : operands_of(command.words))
      variables_.assign(variable.text(),
                        {unknown_text(variable, variable.text() + " is read when "
                                                                  "the script runs")
                             .definable(variable.text())});
  commands_.push_back(std::move(command));
  return ShellTruth::ran;
}

void ShellRunner::end_script(const ShellCommand& command) {
  exit_has_code_ = command.words.size() > 1;
  leap_ = exit_has_code_ && command.words[1].text() == "0" ? Leap::script : Leap::guard;
}

ShellTruth ShellRunner::call_function(const ShellNode& body, const ShellCommand& command) {
  auto before =
      variables_.set_arguments(ShellValues(command.words.begin() + 1, command.words.end()));
  run_statement(body);
  variables_.set_arguments(std::move(before));
  if (leap_ == Leap::call)
    leap_ = Leap::none;
  return ShellTruth::ran;
}

void ShellRunner::change_folder(const ShellCommand& command) {
  const ShellValues operands = operands_of(command.words);
  if (operands.size() == 1 && !operands[0].gap())
    folder_ = (fs::path(folder_) / operands[0].text()).string();
}

/// Follows a file that the script sources or runs, if it is there: by its own path, from the folder
/// of the script, or from one of the folders around it.
void ShellRunner::follow_source(const ShellCommand& command, const LocatedText& path) {
  const std::size_t offset = command.words.front().offset();
  const auto skip = [&](const std::string& reason) {
    words_.expect_arrays();
    notes_.push_back({offset, fmt::format("not followed: {}: {}", path.text(), reason)});
  };
  if (path.gap())
    return skip(path.gap()->message);
  if (++sources_ > sources_max)
    return skip(fmt::format("the script sources more than {} files", sources_max));
  std::vector<fs::path> places = {path.text(), fs::path(folder_) / path.text()};
  for (fs::path folder = fs::absolute(files_->name_at(0)).parent_path();
       folder.has_relative_path() && places.size() < 8; folder = folder.parent_path())
    places.push_back(folder / path.text());
  std::error_code absent;
  const auto found = std::find_if(places.begin(), places.end(), [&](const fs::path& place) {
    return fs::is_regular_file(place, absent);
  });
  if (found == places.end())
    return skip("the file is not there");
  run_file(found->string(), read_file(*found));
}

/// The text that a `$( … )` prints.
LocatedText ShellRunner::substitute(const ShellNode& node) {
  LocatedText printed;
  LocatedText* const outer = std::exchange(output_, &printed);
  const ShellVariables variables = variables_;
  const std::string folder = folder_;
  const LocatedText::Gap doubt = std::exchange(doubt_, nullptr);
  steps_ += static_cast<int>(variables_.all().size() / 20);
  run(node.children("Stmts"));
  leap_ = Leap::none;
  output_ = outer;
  variables_ = variables;
  folder_ = folder;
  doubt_ = doubt;
  std::size_t size = printed.size();
  while (size > 0 && printed[size - 1] == '\n')
    --size;
  LocatedText text = printed.slice(0, size);
  if (!text.gap())
    return text;
  const std::string source = node.source(node.begin(), node.end());
  std::string word;
  for (const char value : source)
    if (!is_one_of(value, " \t\r\n"))
      word += value;
  const TextGap gap{text.gap()->define.empty() ? "what a command prints is not known here"
                                               : text.gap()->message,
                    text.gap()->define, false, text.gap()->unset};
  return LocatedText::at(node.begin(), word, std::make_shared<const TextGap>(gap));
}

} // namespace moesim
