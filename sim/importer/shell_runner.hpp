#pragma once

#include "sim/importer/shell_run.hpp"
#include "sim/importer/shell_words.hpp"

namespace moesim {

/// Text that a command prints, if it follows from its words: echo, printf, seq, dirname, basename,
/// realpath, readlink -f and pwd. Nothing for other commands.
std::optional<LocatedText> printed_text(const ShellValues& words, const std::string& folder);
/// The text of `printf FORMAT WORDS`.
LocatedText formatted_text(const LocatedText& format, const ShellValues& words);

/// Runs the statements of a script, as far as its text determines their effects.
///
/// More than 15 methods: one for each kind of statement, and all of them share the variables and
/// the doubt whether a statement runs.
class ShellRunner {
public:
  explicit ShellRunner(const ShellDefinitions& definitions);

  /// Runs a file; its statements may be those of a sourced one.
  void run_file(const std::string& file, const std::string& text);
  ShellOutcome take_outcome();

private:
  /// The scope that a statement leaves: `continue`, `break`, `return`, `exit 0`, and an `exit` with
  /// an error.
  enum class Leap { none, turn, loop, call, script, guard };

  /// Most files and here-documents that a script may follow.
  static constexpr int sources_max = 50;

  void run_script(const ShellNode& script);
  ShellTruth run(const std::vector<ShellNode>& statements);
  ShellTruth run_statement(const ShellNode& statement);
  ShellTruth run_node(const ShellNode& node);
  void declare(const ShellNode& node);
  void run_document(const ShellNode& document);

  void begin_doubt();
  LocatedText::Gap doubt(bool replaces) const;
  /// Goes on after a branch that ended the script because of the variables that its condition asked
  /// for.
  void pass_guard(const std::vector<std::string>& missing, std::size_t offset,
                  std::size_t commands_before);

  ShellTruth run_condition(const ShellNode& node);
  ShellTruth run_choice(const ShellNode& node);
  ShellTruth run_binary(const ShellNode& node);
  ShellTruth run_while(const ShellNode& node);
  ShellTruth run_for(const ShellNode& node);
  ShellTruth run_counted(const ShellNode& loop, const std::vector<ShellNode>& body);
  bool run_turn(const std::vector<ShellNode>& body);
  ShellTruth run_arithmetic(const ShellNode& node);
  ShellTruth run_test(const ShellNode& node);
  ShellTruth decide(const ShellValues& words);

  ShellTruth run_call(const ShellNode& node);
  ShellTruth run_declaration(const ShellNode& node);
  ShellTruth run_builtin(const ShellCommand& command);
  ShellTruth run_other(ShellCommand command);
  ShellTruth call_function(const ShellNode& body, const ShellCommand& command);
  void end_script(const ShellCommand& command);
  void follow_source(const ShellCommand& command, const LocatedText& path);
  void change_folder(const ShellCommand& command);
  LocatedText substitute(const ShellNode& node);

  void assign(const ShellNode& assignment);
  LocatedText value_of(const std::string& name, const ShellNode& value, bool appends);

  std::shared_ptr<ShellFiles> files_ = std::make_shared<ShellFiles>();
  ShellVariables variables_;
  ShellWords words_;
  std::map<std::string, ShellNode> functions_;
  std::vector<ShellCommand> commands_;
  ShellValues unset_;
  std::vector<ShellNote> notes_;
  LocatedText* output_ = nullptr; ///< text that a `$( … )` prints so far; null outside one
  std::string folder_;            ///< folder of the script, or the last that `cd` names
  LocatedText::Gap doubt_;
  TextGap reason_;
  Leap leap_ = Leap::none;
  bool exit_has_code_ = false;
  int depth_ = 0;
  int steps_ = 0;
  int sources_ = 0;
};

} // namespace moesim
