#pragma once

#include "sim/importer/shell_variables.hpp"

#include <memory>

namespace moesim {

/// A command of a script, with its variables expanded.
struct ShellCommand {
  ShellValues words;
  std::map<std::string, LocatedText> environment; ///< of `NAME=value command`
};

/// The result of a test or a command.
enum class ShellTruth {
  no,
  yes,
  unknown, ///< it depends on values outside the file
  ran      ///< a command that is not run here: assumed to succeed, but not as a condition
};

/// The opposite of `yes` and `no`; the others stay.
ShellTruth negated(ShellTruth truth);

/// The value of `[ words ]` or `[[ words ]]`, with the reason if it is unknown.
struct ShellTest {
  ShellTruth truth = ShellTruth::unknown;
  TextGap reason; ///< reason of an unknown value
};
struct ShellTestInput {
  const ShellValues& words;
  const ShellVariables& variables;
  ShellValues& unset;
};
/// Evaluates a test: comparisons of strings and numbers, patterns, -z, -n and -v. Tests of files
/// are unknown. A variable that a test asks for with -z or -n and that the file never sets counts
/// as empty; its name is added to `unset`.
ShellTest evaluate_test(const ShellTestInput& input);

/// A remark on a place of a script.
struct ShellNote {
  std::size_t offset;
  std::string text;
};

/// The outcome of a script.
struct ShellOutcome {
  std::shared_ptr<ShellFiles> files; ///< the script and those that it sources
  std::vector<ShellCommand> commands;
  /// Variables, as `$NAME`, that are treated as empty because a test asks whether they are.
  ShellValues unset;
  /// Guards that were passed, and files that could not be sourced.
  std::vector<ShellNote> notes;
  /// Every variable's values at the end of the script.
  ShellVariables variables;
};

/// Follows a script like bash, without running a command: assigns its variables, decides its
/// conditions if the file determines them, follows the files that it sources, and lists its
/// commands. Values assigned under an undecided condition are unknown. A guard, which ends the
/// script with an error because a variable is empty, is passed, and the variable then is unknown.
/// Throws the errors of ShellNode::parse.
ShellOutcome run_shell(const std::string& file, const std::string& text,
                       const ShellDefinitions& definitions);

} // namespace moesim
