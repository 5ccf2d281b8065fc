#pragma once

#include "sim/importer/located_text.hpp"

#include <string>
#include <vector>

namespace moesim {

/// A word of a shell script as written, quotes and variables included.
struct ShellWord {
  LocatedText raw;
  bool is_array = false;           ///< `NAME=( … )`: raw is `NAME=` or `NAME+=`
  std::vector<ShellWord> elements; ///< elements of the array
};

struct ShellBranch;

/// A statement of a shell script, as far as launch scripts need the shell.
struct ShellStatement {
  enum class Kind {
    command,    ///< `words`: assignments and a command with its arguments
    test,       ///< `[[ words ]]`
    arithmetic, ///< `(( words ))`, one word
    condition,  ///< if, elif, else: `branches`
    choice,     ///< `case words[0] in`: `branches` with patterns
    loop,       ///< while, until: the first branch; for: also `words`, its variable and values
    group,      ///< { … } or ( … ): the body of the first branch
    function    ///< words[0] names the body of the first branch
  };
  /// The result of the previous statement with which this one runs.
  enum class Joint { always, on_success, on_failure };

  Kind kind = Kind::command;
  Joint joint = Joint::always;
  bool negated = false; ///< `! …`; for a loop, `until`
  std::size_t offset = 0;
  std::vector<ShellWord> words;
  std::vector<ShellBranch> branches;
};

struct ShellBranch {
  std::vector<ShellStatement> condition; ///< empty for else, and for statements without a condition
  std::vector<ShellWord> patterns;       ///< patterns of a case
  std::vector<ShellStatement> body;
};

/// A script as a list of statements. Comments, redirections and here-documents are left out. Throws
/// InputError, with `file` as the name, for a quote or bracket without an end.
std::vector<ShellStatement> parse_shell(const std::string& file, const std::string& text);

/// A list of arguments without a command: words between blanks and line ends, with quotes, comments
/// and a backslash at the end of a line. Throws the same errors.
std::vector<ShellWord> parse_argument_list(const std::string& file, const std::string& text);

} // namespace moesim
