#pragma once

#include "sim/importer/shell_variables.hpp"

#include <string>
#include <vector>

namespace moesim {

/// A command that a script would run, with its variables put in.
struct ShellCommand {
  std::vector<LocatedText> words;
};

/// What a test or a command tells.
enum class ShellTruth {
  no,
  yes,
  unknown, ///< it depends on what is not in the file
  ran      ///< a command that is not run here: taken to succeed, but not as a condition
};

/// The value of `[ words ]` or `[[ words ]]`, and why it is not known.
struct ShellTest {
  ShellTruth truth = ShellTruth::unknown;
  TextGap reason; ///< of an unknown one
};
/// Strings and numbers compared, -z, -n and -v; files and patterns of letters are unknown. A
/// variable that the file asks for with -z or -n and never sets is empty; its name comes into
/// `unset`.
ShellTest evaluate_test(const std::vector<LocatedText>& words, const ShellVariables& variables,
                        std::vector<LocatedText>& unset);

/// What a script comes to.
struct ShellOutcome {
  std::vector<ShellCommand> commands;
  /// Variables that it takes to be empty where it asks whether they are, as `$NAME`.
  std::vector<LocatedText> unset;
};

/// Goes through a script as a shell would, without running a command: assigns its variables,
/// decides its conditions where the file tells, and lists its commands. What stands under a
/// condition that cannot be decided is a gap in the values that it touches. Throws InputError for
/// what parse_shell refuses.
ShellOutcome run_shell(const std::string& file, const std::string& text,
                       const ShellDefinitions& definitions);

} // namespace moesim
