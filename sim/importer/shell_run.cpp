#include "sim/importer/shell_run.hpp"

#include "sim/base/input_error.hpp"

#include <fmt/format.h>

#include <fnmatch.h>

#include <algorithm>
#include <cctype>
#include <regex>
#include <set>

namespace moesim {

namespace {

using Kind = ShellStatement::Kind;
using Joint = ShellStatement::Joint;

/// Depth of calls of functions.
constexpr int calls_max = 20;

/// Most statements of a run; nested functions can multiply them.
constexpr int steps_max = 200'000;

/// The length of NAME in `NAME=value` and `NAME+=value`; 0 if it is no assignment.
std::size_t assigned_name(const LocatedText& word) {
  std::size_t end = 0;
  while (std::isalnum(static_cast<unsigned char>(word[end])) || word[end] == '_')
    ++end;
  const bool assigns = word[end] == '=' || (word[end] == '+' && word[end + 1] == '=');
  return assigns && !std::isdigit(static_cast<unsigned char>(word[0])) ? end : 0;
}

bool is_assignment(const ShellWord& word) {
  return assigned_name(word.raw) > 0;
}

/// Runs the statements of a script, as far as its text determines their effects.
///
/// More than 15 methods: one for each kind of statement, and all of them share the variables and
/// the doubt whether a statement runs.
class ShellRunner {
public:
  ShellRunner(const std::string& file, const std::string& text, const ShellDefinitions& definitions)
      : file_(file), text_(text), variables_(file, text, definitions) {}

  ShellTruth run(const std::vector<ShellStatement>& statements) {
    ShellTruth last = ShellTruth::yes;
    for (const ShellStatement& statement : statements) {
      if (ended_ != End::no)
        break;
      if (++steps_ > steps_max)
        throw InputError(locate_offset(file_, text_, statement.offset),
                         fmt::format("the script runs more than {} statements", steps_max));
      const bool failed = last == ShellTruth::no;
      if ((statement.joint == Joint::on_success && failed) ||
          (statement.joint == Joint::on_failure && !failed && last != ShellTruth::unknown))
        continue;
      const LocatedText::Gap before = doubt_;
      if (statement.joint != Joint::always && last == ShellTruth::unknown)
        begin_doubt();
      last = run_statement(statement);
      doubt_ = before;
      if (statement.negated && statement.kind != Kind::loop)
        last = last == ShellTruth::no    ? ShellTruth::yes
               : last == ShellTruth::yes ? ShellTruth::no
                                         : last;
    }
    return last;
  }

  /// Declares all names that any statement assigns, whether it runs or not.
  void declare(const std::vector<ShellStatement>& statements) {
    for (const ShellStatement& statement : statements) {
      if (statement.kind == Kind::loop && !statement.words.empty())
        variables_.declare(statement.words.front().raw.text());
      for (const ShellWord& word : statement.words)
        if (statement.kind == Kind::command && is_assignment(word))
          variables_.declare(word.raw.slice(0, assigned_name(word.raw)).text());
      for (const ShellBranch& branch : statement.branches) {
        declare(branch.condition);
        declare(branch.body);
      }
    }
  }

  ShellOutcome take_outcome() { return {std::move(commands_), std::move(unset_)}; }

private:
  enum class End { no, call, script }; ///< scope that `return` or `exit` ends

  ShellTruth run_statement(const ShellStatement& statement) {
    switch (statement.kind) {
    case Kind::command:
      return run_command(statement.words);
    case Kind::test:
      return run_test(statement.words, false);
    case Kind::arithmetic:
      return run_arithmetic(statement.words.front().raw);
    case Kind::condition:
      return run_condition(statement.branches);
    case Kind::choice:
      return run_choice(statement);
    case Kind::loop:
      return run_loop(statement);
    case Kind::group:
      return run(statement.branches.front().body);
    case Kind::function:
      functions_[statement.words.front().raw.text()] = &statement.branches.front().body;
      return ShellTruth::yes;
    }
    return ShellTruth::yes;
  }

  // --- undecided conditions ---

  void note_reason(const TextGap& reason) { reason_ = reason; }

  /// Begins statements that may or may not run.
  void begin_doubt() {
    if (!doubt_)
      doubt_ = std::make_shared<const TextGap>(
          TextGap{fmt::format("this depends on a condition: {}",
                              reason_.message.empty() ? "what a command tells" : reason_.message),
                  reason_.hint.empty() ? "decide it in a copy of the file" : reason_.hint});
  }

  ShellTruth run_condition(const std::vector<ShellBranch>& branches) {
    const LocatedText::Gap before = doubt_;
    for (const ShellBranch& branch : branches) {
      reason_ = {};
      const ShellTruth truth = branch.condition.empty() ? ShellTruth::yes : run(branch.condition);
      if (truth == ShellTruth::unknown || truth == ShellTruth::ran)
        begin_doubt();
      if (truth != ShellTruth::no)
        run(branch.body);
      if (truth == ShellTruth::yes)
        break;
    }
    doubt_ = before;
    return ShellTruth::yes;
  }

  ShellTruth run_choice(const ShellStatement& statement) {
    const LocatedText::Gap before = doubt_;
    const LocatedText subject = variables_.expand_whole(statement.words.front().raw);
    if (subject.gap()) {
      note_reason(*subject.gap());
      begin_doubt();
    }
    for (const ShellBranch& branch : statement.branches) {
      const bool fits = std::any_of(
          branch.patterns.begin(), branch.patterns.end(), [&](const ShellWord& pattern) {
            return fnmatch(variables_.expand_whole(pattern.raw).text().c_str(),
                           subject.text().c_str(), 0) == 0;
          });
      if (!subject.gap() && !fits)
        continue;
      run(branch.body);
      if (!subject.gap())
        break;
    }
    doubt_ = before;
    return ShellTruth::yes;
  }

  ShellTruth run_loop(const ShellStatement& statement) {
    const ShellBranch& branch = statement.branches.front();
    const LocatedText::Gap before = doubt_;
    reason_ = {};
    if (!branch.condition.empty()) {
      const ShellTruth truth = run(branch.condition);
      if (truth == (statement.negated ? ShellTruth::yes : ShellTruth::no))
        return ShellTruth::yes;
    }
    const std::size_t values = assign_loop_variable(statement.words);
    if (values == 0)
      return ShellTruth::yes;
    if (values > 1) {
      note_reason({"it stands in a loop", "write the one value into a copy of the file"});
      begin_doubt();
    }
    run(branch.body);
    doubt_ = before;
    return ShellTruth::yes;
  }

  /// Assigns NAME of `for NAME in VALUES`. Returns the number of values; more than 1 if it is
  /// unknown.
  std::size_t assign_loop_variable(const std::vector<ShellWord>& words) {
    if (words.size() < 2 || words[1].raw.text() != "in")
      return 2;
    std::vector<LocatedText> values;
    for (std::size_t i = 2; i < words.size(); ++i)
      for (const LocatedText& value : variables_.expand(words[i].raw))
        values.push_back(value);
    const std::string name = words[0].raw.text();
    if (values.size() == 1)
      variables_.assign(name, values);
    else if (!values.empty())
      variables_.assign(
          name, {LocatedText::at(words[0].raw.offset(), "$" + name,
                                 std::make_shared<const TextGap>(TextGap{
                                     fmt::format("{} takes one value after the other", name),
                                     fmt::format("choose one with --define {}=VALUE", name)}))});
    return values.size();
  }

  // --- tests ---

  ShellTruth run_test(const std::vector<ShellWord>& raw, bool splits) {
    std::vector<LocatedText> words;
    for (const ShellWord& word : raw)
      if (!splits)
        words.push_back(variables_.expand_whole(word.raw));
      else
        for (LocatedText& text : variables_.expand(word.raw))
          words.push_back(std::move(text));
    return tell(evaluate_test(words, variables_, unset_));
  }

  ShellTruth tell(const ShellTest& test) {
    if (test.truth == ShellTruth::unknown)
      note_reason(test.reason);
    return test.truth;
  }

  ShellTruth run_arithmetic(const LocatedText& expression) {
    const auto value = variables_.evaluate(expression);
    if (value)
      return *value != 0 ? ShellTruth::yes : ShellTruth::no;
    const LocatedText::Gap gap = variables_.expand_whole(expression).gap();
    note_reason(gap ? *gap : TextGap{"arithmetic that cannot be worked out", ""});
    return ShellTruth::unknown;
  }

  // --- commands ---

  ShellTruth run_command(const std::vector<ShellWord>& words) {
    static const std::set<std::string> declaring = {"export", "declare", "local", "readonly",
                                                    "typeset"};
    if (words.empty())
      return ShellTruth::yes;
    const std::string name = words.front().raw.text();
    const bool declares = declaring.contains(name);
    if (declares || std::all_of(words.begin(), words.end(), is_assignment)) {
      for (const ShellWord& word : words)
        if (is_assignment(word))
          assign(word);
      return ShellTruth::yes;
    }
    if (name == "[" || name == "test") {
      const bool bracket = name == "[" && words.back().raw.text() == "]";
      return run_test({words.begin() + 1, words.end() - (bracket ? 1 : 0)}, true);
    }
    if (const auto function = functions_.find(name); function != functions_.end())
      return call(*function->second);
    return run_other(words);
  }

  ShellTruth run_other(const std::vector<ShellWord>& words) {
    ShellCommand command;
    for (const ShellWord& word : words)
      for (LocatedText& text : variables_.expand(word.raw))
        command.words.push_back(std::move(text));
    if (command.words.empty())
      return ShellTruth::yes;
    const std::string name = command.words.front().text();
    if (name == "true" || name == ":")
      return ShellTruth::yes;
    if (name == "false")
      return ShellTruth::no;
    if ((name == "exit" || name == "return") && !doubt_)
      ended_ = name == "exit" ? End::script : End::call;
    if (name == "unset")
      for (const LocatedText& word : command.words)
        variables_.unset(word.text());
    commands_.push_back(std::move(command));
    return ShellTruth::ran;
  }

  ShellTruth call(const std::vector<ShellStatement>& body) {
    if (calls_ >= calls_max)
      return ShellTruth::ran;
    ++calls_;
    run(body);
    --calls_;
    if (ended_ == End::call)
      ended_ = End::no;
    return ShellTruth::ran;
  }

  void assign(const ShellWord& word) {
    const std::size_t length = assigned_name(word.raw);
    const std::string name = word.raw.slice(0, length).text();
    const bool appends = word.raw[length] == '+';
    const std::size_t begin = length + (appends ? 2 : 1);
    const auto* old = variables_.find(name);
    std::vector<LocatedText> values;
    if (appends && old)
      values = *old;
    if (word.is_array) {
      for (const ShellWord& element : word.elements)
        for (const LocatedText& value : variables_.expand(element.raw))
          values.push_back(doubt_ ? value.doubted(doubt(old && !appends)) : value);
    } else {
      const LocatedText value = value_of(name, word.raw.slice(begin, word.raw.size()), appends);
      if (values.empty())
        values.push_back(value);
      else
        values.front().append(value);
    }
    variables_.assign(name, std::move(values));
  }

  /// The value of an assignment, marked as unknown if the assignment may not run.
  LocatedText value_of(const std::string& name, const LocatedText& raw, bool appends) {
    if (!doubt_)
      return variables_.expand_whole(raw);
    const std::regex itself(R"(\$\{?)" + name + R"(\b)");
    if (appends || std::regex_search(raw.text(), itself))
      return variables_.expand_whole(raw.doubted(doubt_));
    const auto* old = variables_.find(name);
    const LocatedText value = variables_.expand_whole(raw);
    if (old && old->size() == 1 && old->front().text() == value.text() && !old->front().gap())
      return value;
    return value.doubted(doubt(old != nullptr));
  }

  /// The reason why an assignment here may not run; `replaces`: it may hide an earlier value.
  LocatedText::Gap doubt(bool replaces) const {
    TextGap gap = *doubt_;
    gap.may_hide_more = replaces;
    return std::make_shared<const TextGap>(gap);
  }

  const std::string& file_;
  const std::string& text_;

  ShellVariables variables_;
  std::map<std::string, const std::vector<ShellStatement>*> functions_;
  std::vector<ShellCommand> commands_;
  std::vector<LocatedText> unset_;
  LocatedText::Gap doubt_;
  TextGap reason_;
  End ended_ = End::no;
  int calls_ = 0;
  int steps_ = 0;
};

} // namespace

ShellOutcome run_shell(const std::string& file, const std::string& text,
                       const ShellDefinitions& definitions) {
  const std::vector<ShellStatement> statements = parse_shell(file, text);
  ShellRunner runner(file, text, definitions);
  runner.declare(statements);
  runner.run(statements);
  return runner.take_outcome();
}

} // namespace moesim
