#pragma once

#include "sim/importer/shell_variables.hpp"

#include <string>
#include <vector>

namespace moesim {

/// A command of a script, with its variables expanded.
struct ShellCommand {
  std::vector<LocatedText> words;
};

/// The result of a test or a command.
enum class ShellTruth {
  no,
  yes,
  unknown, ///< it depends on values outside the file
  ran      ///< a command that is not run here: assumed to succeed, but not as a condition
};

/// The value of `[ words ]` or `[[ words ]]`, with the reason if it is unknown.
struct ShellTest {
  ShellTruth truth = ShellTruth::unknown;
  TextGap reason; ///< reason of an unknown value
};
/// Evaluates a test: comparisons of strings and numbers, -z, -n and -v. Tests of files and patterns
/// of letters are unknown. A variable that a test asks for with -z or -n and that the file never
/// sets counts as empty; its name is added to `unset`.
ShellTest evaluate_test(const std::vector<LocatedText>& words, const ShellVariables& variables,
                        std::vector<LocatedText>& unset);

/// The outcome of a script.
struct ShellOutcome {
  std::vector<ShellCommand> commands;
  /// Variables, as `$NAME`, that are treated as empty because a test asks whether they are.
  std::vector<LocatedText> unset;
};

/// Follows a script like a shell, without running a command: assigns its variables, decides its
/// conditions if the file determines them, and lists its commands. Values assigned under an
/// undecided condition are unknown. Throws the errors of parse_shell.
ShellOutcome run_shell(const std::string& file, const std::string& text,
                       const ShellDefinitions& definitions);

} // namespace moesim
