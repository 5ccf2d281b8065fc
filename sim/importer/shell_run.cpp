#include "sim/importer/shell_runner.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fnmatch.h>

#include <algorithm>

namespace moesim {

namespace {

/// Most statements of a run, turns of a `while`, and depth of nested calls, files and statements.
constexpr int steps_max = 200'000;
constexpr int turns_max = 1'000;
constexpr int run_depth_max = 100;

/// The words of a `[[ … ]]` as those of a `[ … ]`.
void flatten_test(const ShellNode& node, ShellWords& words, ShellValues& flat) {
  const std::string type = node.type();
  const auto add_operator = [&](std::size_t size) {
    const std::size_t at = node.offset("OpPos");
    flat.push_back(LocatedText::at(at, node.source(at, at + size)));
  };
  if (type == "BinaryTest") {
    flatten_test(node.child("X"), words, flat);
    const std::size_t at = node.offset("OpPos");
    add_operator(node.source(at, at + 4).find_first_of(" \t\n"));
    flatten_test(node.child("Y"), words, flat);
  } else if (type == "UnaryTest") {
    add_operator(node.source(node.offset("OpPos"), node.offset("OpPos") + 1) == "!" ? 1 : 2);
    flatten_test(node.child("X"), words, flat);
  } else if (type == "ParenTest") {
    flat.push_back(LocatedText::at(node.begin(), "("));
    flatten_test(node.child("X"), words, flat);
    flat.push_back(LocatedText::at(node.begin(), ")"));
  } else {
    flat.push_back(words.expand_whole(node));
  }
}

} // namespace

ShellRunner::ShellRunner(const ShellDefinitions& definitions)
    : variables_(definitions), words_(*files_, variables_, unset_,
                                      [this](const ShellNode& node) { return substitute(node); }) {}

ShellOutcome ShellRunner::take_outcome() {
  return {files_, std::move(commands_), std::move(unset_), std::move(notes_),
          std::move(variables_)};
}

void ShellRunner::run_file(const std::string& file, const std::string& text) {
  run_script(ShellNode::parse(text, file, files_->add(file, text)));
}

void ShellRunner::run_script(const ShellNode& script) {
  declare(script);
  run(script.children("Stmts"));
  if (leap_ == Leap::call)
    leap_ = Leap::none;
}

void ShellRunner::declare(const ShellNode& node) {
  if (!node.child("Value").empty() || !node.child("Array").empty() || node.type() == "WordIter")
    if (const std::string name = node.child("Name").text("Value"); !name.empty())
      variables_.declare(name);
  for (const ShellNode& child : node.all_children())
    declare(child);
}

ShellTruth ShellRunner::run(const std::vector<ShellNode>& statements) {
  ShellTruth last = ShellTruth::yes;
  for (const ShellNode& statement : statements) {
    if (leap_ != Leap::none)
      break;
    last = run_statement(statement);
  }
  return last;
}

ShellTruth ShellRunner::run_statement(const ShellNode& statement) {
  if (++steps_ > steps_max)
    throw InputError(files_->locate(statement.begin()),
                     fmt::format("the script runs more than {} statements", steps_max));
  if (depth_ >= run_depth_max)
    return ShellTruth::ran;
  ++depth_;
  const ShellTruth truth = run_node(statement.child("Cmd"));
  for (const ShellNode& redirection : statement.children("Redirs"))
    run_document(redirection.child("Hdoc"));
  --depth_;
  return statement.flag("Negated") ? negated(truth) : truth;
}

ShellTruth ShellRunner::run_node(const ShellNode& node) {
  static const std::map<std::string, ShellTruth (ShellRunner::*)(const ShellNode&)> kinds = {
      {"CallExpr", &ShellRunner::run_call},      {"DeclClause", &ShellRunner::run_declaration},
      {"IfClause", &ShellRunner::run_condition}, {"CaseClause", &ShellRunner::run_choice},
      {"BinaryCmd", &ShellRunner::run_binary},   {"WhileClause", &ShellRunner::run_while},
      {"ForClause", &ShellRunner::run_for},      {"ArithmCmd", &ShellRunner::run_arithmetic},
      {"TestClause", &ShellRunner::run_test}};
  const std::string type = node.type();
  if (const auto kind = kinds.find(type); kind != kinds.end())
    return (this->*kind->second)(node);
  if (type == "Block" || type == "Subshell")
    return run(node.children("Stmts"));
  if (type == "TimeClause" && !node.child("Stmt").empty())
    return run_statement(node.child("Stmt"));
  for (const ShellNode& expression : node.children("Exprs")) // of `let`
    words_.evaluate(expression);
  if (type == "FuncDecl")
    functions_.insert_or_assign(node.child("Name").text("Value"), node.child("Body"));
  return ShellTruth::ran;
}

/// Follows a here-document that trains, as a job for sbatch. Its lines keep their numbers.
void ShellRunner::run_document(const ShellNode& document) {
  const std::string text = document.empty() ? "" : words_.expand_whole(document).text();
  if (text.find("--num-layers") == std::string::npos || output_ || ++sources_ > sources_max)
    return;
  const InputLocation where = files_->locate(document.begin());
  const std::string lines = std::string(static_cast<std::size_t>(where.line - 1), '\n') + text;
  ShellNode script;
  try {
    script = ShellNode::parse(lines, where.file, files_->add(where.file, lines));
  } catch (const InputError& error) { // it is no script
    notes_.push_back({document.begin(), "not followed: a here-document: " + error.message()});
  }
  run_script(script);
}

// --- undecided conditions ---

void ShellRunner::begin_doubt() {
  if (!doubt_)
    doubt_ = std::make_shared<const TextGap>(
        TextGap{fmt::format("this depends on a condition: {}",
                            reason_.message.empty() ? "what a command tells" : reason_.message),
                reason_.define});
}

LocatedText::Gap ShellRunner::doubt(bool replaces) const {
  TextGap gap = *doubt_;
  gap.may_hide_more = replaces;
  return std::make_shared<const TextGap>(gap);
}

void ShellRunner::pass_guard(const std::vector<std::string>& missing, std::size_t offset,
                             std::size_t commands_before) {
  if (leap_ != Leap::guard)
    return;
  if (!exit_has_code_ && commands_.size() > commands_before) {
    leap_ = Leap::script; // the branch did the script's work
    return;
  }
  leap_ = Leap::none;
  std::vector<std::string> names;
  for (const std::string& name : missing)
    if (!is_one_of(name[0], "@*#?") && std::count(names.begin(), names.end(), name) == 0)
      names.push_back(name);
  if (names.empty()) {
    notes_.push_back({offset, "a condition ends the script here: taken not to be met"});
    return;
  }
  const int line = files_->locate(offset).line;
  for (const std::string& name : names)
    variables_.assign(
        name, {LocatedText::at(offset, "$" + name,
                               std::make_shared<const TextGap>(TextGap{
                                   fmt::format("{} is empty, and the guard in line {} then ends "
                                               "the script",
                                               name, line),
                                   name, false, true}))});
  notes_.push_back(
      {offset, fmt::format("a guard ends the script here where {} {} empty: passed; {}",
                           fmt::join(names, ", "), names.size() == 1 ? "is" : "are",
                           "set it with " + remedy_of(names))});
}

ShellTruth ShellRunner::run_condition(const ShellNode& node) {
  const LocatedText::Gap before = doubt_;
  for (ShellNode branch = node; !branch.empty(); branch = branch.child("Else")) {
    reason_ = {};
    words_.take_missing();
    const std::vector<ShellNode> condition = branch.children("Cond");
    const ShellTruth truth = condition.empty() ? ShellTruth::yes : run(condition);
    const std::vector<std::string> missing = words_.take_missing();
    const std::size_t commands = commands_.size();
    if (truth == ShellTruth::unknown || truth == ShellTruth::ran)
      begin_doubt();
    if (truth != ShellTruth::no)
      run(branch.children("Then"));
    pass_guard(missing, branch.begin(), commands);
    if (truth == ShellTruth::yes)
      break;
  }
  doubt_ = before;
  return ShellTruth::yes;
}

ShellTruth ShellRunner::run_choice(const ShellNode& node) {
  const LocatedText::Gap before = doubt_;
  words_.take_missing();
  const LocatedText subject = words_.expand_whole(node.child("Word"));
  const std::vector<std::string> missing = words_.take_missing();
  if (subject.gap()) {
    reason_ = *subject.gap();
    begin_doubt();
  }
  for (const ShellNode& item : node.children("Items")) {
    const std::vector<ShellNode> patterns = item.children("Patterns");
    const bool fits = std::any_of(patterns.begin(), patterns.end(), [&](const ShellNode& pattern) {
      return fnmatch(words_.expand_whole(pattern).text().c_str(), subject.text().c_str(), 0) == 0;
    });
    if (!subject.gap() && !fits)
      continue;
    const std::size_t commands = commands_.size();
    run(item.children("Stmts"));
    pass_guard(missing, node.begin(), commands);
    if (!subject.gap())
      break;
  }
  doubt_ = before;
  return ShellTruth::yes;
}

ShellTruth ShellRunner::run_binary(const ShellNode& node) {
  const std::size_t at = node.offset("OpPos");
  const std::string sign = node.source(at, at + 2);
  words_.take_missing();
  const ShellTruth first = run_statement(node.child("X"));
  const std::vector<std::string> missing = words_.take_missing();
  if (leap_ != Leap::none || (sign == "&&" && first == ShellTruth::no) ||
      (sign == "||" && (first == ShellTruth::yes || first == ShellTruth::ran)))
    return first;
  if (sign != "&&" && sign != "||") { // a pipe: what the second command reads is not followed
    const ShellTruth last = run_statement(node.child("Y"));
    if (output_)
      *output_ = output_->doubted(
          std::make_shared<const TextGap>(TextGap{"the output of a pipe is not known here", ""}));
    return last == ShellTruth::yes ? ShellTruth::ran : last;
  }
  const LocatedText::Gap before = doubt_;
  if (first == ShellTruth::unknown)
    begin_doubt();
  const std::size_t commands = commands_.size();
  const ShellTruth second = run_statement(node.child("Y"));
  pass_guard(missing, node.begin(), commands);
  doubt_ = before;
  return first == ShellTruth::unknown && second != ShellTruth::no ? first : second;
}

// --- loops ---

/// Runs a loop's body once; returns whether the loop goes on.
bool ShellRunner::run_turn(const std::vector<ShellNode>& body) {
  run(body);
  const bool ends = leap_ == Leap::loop;
  if (leap_ == Leap::turn || leap_ == Leap::loop)
    leap_ = Leap::none;
  return !ends && leap_ == Leap::none;
}

ShellTruth ShellRunner::run_while(const ShellNode& node) {
  const LocatedText::Gap before = doubt_;
  for (int turn = 0; turn < turns_max; ++turn) {
    reason_ = {};
    ShellTruth truth = run(node.children("Cond"));
    truth = node.flag("Until") ? negated(truth) : truth;
    if (truth == ShellTruth::no)
      break;
    if (truth != ShellTruth::yes)
      begin_doubt();
    if (!run_turn(node.children("Do")) || truth != ShellTruth::yes)
      break;
  }
  doubt_ = before;
  return ShellTruth::yes;
}

ShellTruth ShellRunner::run_for(const ShellNode& node) {
  const ShellNode loop = node.child("Loop");
  const std::vector<ShellNode> body = node.children("Do");
  if (loop.type() == "CStyleLoop")
    return run_counted(loop, body);
  const std::string name = loop.child("Name").text("Value");
  ShellValues values;
  for (const ShellNode& item : loop.children("Items"))
    for (LocatedText& value : words_.expand(item))
      values.push_back(std::move(value));
  if (loop.child("InPos").empty())
    values = variables_.arguments().value_or(ShellValues{});
  if (variables_.is_defined(name) && !values.empty())
    values.resize(1);
  const LocatedText::Gap before = doubt_;
  for (const LocatedText& value : values) {
    variables_.assign(name, {value.definable(name)});
    if (value.gap()) {
      reason_ = *value.definable(name).gap();
      begin_doubt();
    }
    if (!run_turn(body))
      break;
  }
  doubt_ = before;
  return ShellTruth::yes;
}

ShellTruth ShellRunner::run_counted(const ShellNode& loop, const std::vector<ShellNode>& body) {
  const LocatedText::Gap before = doubt_;
  words_.evaluate(loop.child("Init"));
  while (true) {
    const ShellNumber goes_on = words_.evaluate(loop.child("Cond"));
    if (goes_on.value && *goes_on.value == 0)
      break;
    if (!goes_on.value) {
      reason_ = goes_on.gap ? *goes_on.gap : TextGap{"a loop whose end cannot be worked out", ""};
      begin_doubt();
    }
    if (!run_turn(body) || !goes_on.value)
      break;
    words_.evaluate(loop.child("Post"));
    if (++steps_ > steps_max)
      throw InputError(files_->locate(loop.begin()),
                       fmt::format("the script runs more than {} statements", steps_max));
  }
  doubt_ = before;
  return ShellTruth::yes;
}

// --- tests ---

ShellTruth ShellRunner::decide(const ShellValues& words) {
  const ShellTest test = evaluate_test({words, variables_, unset_});
  if (test.truth == ShellTruth::unknown)
    reason_ = test.reason;
  return test.truth;
}

ShellTruth ShellRunner::run_test(const ShellNode& node) {
  ShellValues words;
  flatten_test(node.child("X"), words_, words);
  return decide(words);
}

ShellTruth ShellRunner::run_arithmetic(const ShellNode& node) {
  const ShellNumber number = words_.evaluate(node.child("X"));
  if (number.value)
    return *number.value != 0 ? ShellTruth::yes : ShellTruth::no;
  reason_ = number.gap ? *number.gap : TextGap{"arithmetic that cannot be worked out", ""};
  return ShellTruth::unknown;
}

ShellOutcome run_shell(const std::string& file, const std::string& text,
                       const ShellDefinitions& definitions) {
  ShellRunner runner(definitions);
  runner.run_file(file, text);
  return runner.take_outcome();
}

} // namespace moesim
