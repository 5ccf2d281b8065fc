#include "sim/base/input_error.hpp"
#include "sim/importer/shell_run.hpp"
#include "tests/support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace moesim;

namespace {

/// The words of the last command that `run` begins, each in brackets, with a `?` behind one that is
/// not known.
std::string words_of(const std::string& script, const ShellDefinitions& definitions = {}) {
  std::string text;
  for (const ShellCommand& command : run_shell("t.sh", script, definitions).commands)
    if (command.words.front().text() == "run") {
      text.clear();
      for (std::size_t i = 1; i < command.words.size(); ++i)
        text += "[" + command.words[i].text() + "]" + (command.words[i].gap() ? "?" : "");
    }
  return text;
}

/// Why the first word that is not known is not.
std::string gap_of(const std::string& script) {
  for (const ShellCommand& command : run_shell("t.sh", script, {}).commands)
    for (const LocatedText& word : command.words)
      if (word.gap())
        return word.gap()->message + " | " + word.gap()->hint();
  return "all is known";
}

std::string shell_message(const std::string& script) {
  try {
    run_shell("t.sh", script, {});
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

struct Case {
  std::string rule;
  std::string script;
  std::string words;
};

/// Words and their expansion in bash.
const std::vector<Case> expansions = {
    {"a variable", "A=2\nrun $A ${A}x", "[2][2x]"},
    {"split at blanks without quotes", "A='x  y'\nrun $A \"$A\" '$A'", "[x][y][x  y][$A]"},
    {"nothing from an empty value without quotes", "A=\nrun a $A \"$A\"", "[a][]"},
    {"a default", "run ${A:-3} ${B-4} ${C:=5} $C ${C:-6}", "[3][4][5][5][5]"},
    {"a default for an empty value", "A=\nrun ${A:-3} x${A-4}", "[3][x]"},
    {"another word for a set value", "A=1\nrun ${A:+yes} ${B:+no}", "[yes]"},
    {"defaults in defaults", "B=7\nrun ${A:-${B:-1}}", "[7]"},
    {"an array", "A=(--x 1 \"y z\")\nrun \"${A[@]}\" ${A[1]} ${#A[@]}", "[--x][1][y z][1][3]"},
    {"an array that grows", "A=(a)\nA+=(b c)\nrun ${A[@]}", "[a][b][c]"},
    {"an array without its index", "A=(a b)\nrun $A", "[a]"},
    {"text that grows", "A=\"-a\"\nA+=\" -b\"\nA=\"$A -c\"\nrun $A", "[-a][-b][-c]"},
    {"arithmetic", "A=3\nrun $((A * (2 + $A) - 1)) $((7 / 2)) $((7 % 4))", "[14][3][3]"},
    {"lines that are joined", "run a \\\n  b", "[a][b]"},
    {"comments", "run a # b\n# run c", "[a]"},
    {"a comment in an array", "A=(\n  a # one\n  # b\n  c\n)\nrun ${A[@]}", "[a][c]"},
    {"redirections", "run a 2>&1 >out b | tee log", "[a][b]"},
    {"a here-document", "cat <<EOF\nrun no\nEOF\nrun yes", "[yes]"},
    {"export and local", "export A=1 B=2\nrun $A $B", "[1][2]"},
    {"the script's own arguments, of which there are none", "run a \"$@\" b $* $#", "[a][b][0]"},
    {"a list without values between quotes", "A=()\nrun a \"${A[@]}\" b", "[a][b]"},
    {"an environment for one command", "A=1 run x", "[x]"},
    {"a word in two kinds of quotes", "run \"a\"'b'c\\ d", "[abc d]"},
    {"a backslash between quotes", "run \"a\\n\\$\"", "[a\\n$]"},
    {"what echo and printf print",
     "A=(1 2)\nB=$(IFS=,; echo \"${A[*]}\")\n"
     "printf -v C '[%s]' \"$B\"\nrun $C $(printf '%s:' a b)",
     "[[1,2]][a:b:]"},
    {"parts of a path", "run $(dirname a/b/c.sh) $(basename a/b/c.sh)", "[a/b][c.sh]"},
    {"a value without its ends", "A=a.b.c\nrun ${A%.*} ${A%%.*} ${A#*.} ${A##*.}",
     "[a.b][a][b.c][c]"},
    {"a part of a value", "A=abcd\nB=(w x y z)\nrun ${A:1:2} \"${B[@]:2}\" ${A/b/-}",
     "[bc][y][z][a-cd]"},
    {"an array by names", "declare -A M=([a]=1 [b]=2)\nM[c]=3\nK=b\nrun ${M[$K]} ${M[c]}",
     "[2][3]"},
    {"a value and a count that grow", "(( A = 2, 1 ))\nlet A+=3\nrun $A $((A++)) $A", "[5][5][6]"},
};

/// Which way a script goes.
const std::vector<Case> conditions = {
    {"a number", "A=4\nif [ $A -gt 1 ]; then B=x; else B=y; fi\nrun $B", "[x]"},
    {"a text",
     "A=b\nif [[ $A == \"a\" ]]; then B=1\nelif [[ $A = b ]]; then B=2\nelse B=3\nfi\n"
     "run $B",
     "[2]"},
    {"a pattern", "A=deepseek\n[[ $A == deep* ]] && B=1\nrun $B", "[1]"},
    {"an empty text", "A=\nif [ -z \"$A\" ] && ! [ -n \"$A\" ]; then B=1; fi\nrun $B", "[1]"},
    {"and, or inside", "A=1\nif [[ $A -eq 2 || ( $A -ge 1 && $A != 3 ) ]]; then B=1; fi\nrun $B",
     "[1]"},
    {"arithmetic", "A=3\nif (( A > 2 )); then B=1; else B=2; fi\nrun $B", "[1]"},
    {"or", "A=1\n[ $A = 2 ] || B=5\nrun $B", "[5]"},
    {"a case", "A=h100\ncase $A in\n  a100) B=1;;\n  h100|h200) B=2 ;;\n  *) B=3\nesac\nrun $B",
     "[2]"},
    {"a loop that never begins", "A=1\nwhile [[ $# -gt 0 ]]; do A=2; shift; done\nrun $A", "[1]"},
    {"a loop over no value", "B=1\nfor A in $*; do B=2; done\nrun $B", "[1]"},
    {"a variable that another way would set", "if [ 1 = 2 ]; then A=1; fi\nrun $A b", "[b]"},
    {"a choice in arithmetic", "A=3\nrun $(( (A > 2) ? A + 1 : 0 )) $(( A > 4 ? 1 : 2 ))",
     "[4][2]"},
    {"a loop over one value", "for A in 8; do B=$A; done\nrun $B", "[8]"},
    {"a loop over values", "for A in 1 2; do B+=$A; done\nrun $B", "[12]"},
    {"a loop over a sequence", "for i in $(seq 2 3 8); do B+=($i); done\nrun ${B[@]}", "[2][5][8]"},
    {"a loop that counts",
     "for ((i=0; i<4; i++)); do (( i < 1 )) && B+=(0) || B+=(1); done\n"
     "run ${B[@]}",
     "[0][1][1][1]"},
    {"a loop that is left",
     "for i in 1 2 3; do [ $i = 2 ] && continue; B+=$i; [ $i = 3 ] && "
     "break; done\nrun $B",
     "[13]"},
    {"arguments of a function", "f() { A=$2; shift; B=$1; C=$#; }\nf x y z\nrun $A $B $C",
     "[y][y][2]"},
    {"a regular expression", "A=fp8-e4m3\n[[ $A =~ ^fp8 ]] && B=1\nrun $B", "[1]"},
    {"a function", "f() { A=2; return; A=3; }\nA=1\nf\nrun $A", "[2]"},
    {"a function that nobody calls", "function f { A=2; }\nA=1\nrun $A", "[1]"},
    {"the end", "A=1\nif [ $A = 1 ]; then run a; exit 0; fi\nrun b", "[a]"},
};

/// Values that the file does not determine.
const std::vector<Case> doubts = {
    {"a variable that is not set", "run $A b", "[$A]?[b]"},
    {"what a command prints", "A=$(date \"+%Y %m\")\nrun $A b", "[$(date\"+%Y%m\")]?[b]"},
    {"a condition on it", "if [ $A = 1 ]; then B=1; fi\nrun $B c", "[1]?[c]"},
    {"an array under it: what was there stays known",
     "B=(a)\nif [ $A = 1 ]; then B+=(b); fi\nrun ${B[@]}", "[a][b]?"},
    {"text under it likewise", "B=a\nif [ $A = 1 ]; then B=\"$B b\"; fi\nrun $B", "[a][b]?"},
    {"the same value both ways", "B=1\nif [ $A = 1 ]; then B=1; fi\nrun $B", "[1]"},
    {"every case", "B=0\ncase $A in x) B=1;; esac\nrun $B", "[1]?"},
    {"a file that may be there", "[ -f x ] && B=1\nrun $B", "[1]?"},
    {"a command as a condition", "if grep -q x y; then B=1; fi\nrun $B", "[1]?"},
    {"a loop over it", "for A in $C; do B=$A; done\nrun $B", "[$C]?"},
    {"arithmetic on it", "run $((A * 2))", "[$((A*2))]?"},
};

} // namespace

TEST_CASE("words of a script become what the shell makes of them") {
  for (const Case& row : expansions) {
    INFO(row.rule);
    CHECK(words_of(row.script) == row.words);
  }
}

TEST_CASE("a script goes the way that its conditions tell") {
  for (const Case& row : conditions) {
    INFO(row.rule);
    CHECK(words_of(row.script) == row.words);
  }
}

TEST_CASE("what a script does not tell stays a gap, and nothing else does") {
  for (const Case& row : doubts) {
    INFO(row.rule);
    CHECK(words_of(row.script) == row.words);
  }
}

TEST_CASE("a definition stands above what the script assigns") {
  CHECK(words_of("A=1\nrun $A ${A:-2}", {{{"A", "8"}}, {}}) == "[8][8]");
  CHECK(words_of("if [ $A = 1 ]; then B=2; fi\nrun $B", {{{"A", "1"}}, {}}) == "[2]");
  CHECK(words_of("run $1 ${2:-x}", {{{"1", "y"}}, {}}) == "[y][x]");
  CHECK(words_of("for A in 1 2; do run $A; done", {{{"A", "2"}}, {}}) == "[2]");
}

TEST_CASE("a script sees the arguments that the user gives it") {
  const ShellDefinitions given = {{}, std::vector<std::string>{"dsw", "7B"}};
  CHECK(words_of("run $1 ${2} $# \"$@\" ${3:-x}", given) == "[dsw][7B][2][dsw][7B][x]");
  CHECK(words_of("while [ $# -gt 0 ]; do A+=$1,; shift; done\nrun $A", given) == "[dsw,7B,]");
  CHECK(words_of("if [ $1 = dsw ]; then A=1; else A=2; fi\nrun $A", given) == "[1]");
}

TEST_CASE("a gap says why and what to do") {
  CHECK(gap_of("run $A") == "A is not set in this file | set it with --define A=VALUE");
  CHECK(gap_of("run $1") == "$1 is an argument of the script | set it with --arguments \"VALUE\"");
  CHECK(gap_of("run `date`") ==
        "what a command prints is not known here | write the value into a copy of the file");
  CHECK(gap_of("A=$(date)\nrun $A") ==
        "what a command prints is not known here | set it with --define A=VALUE");
  CHECK(gap_of("B=1\nif [ $A = 1 ]; then B=2; fi\nrun $B") ==
        "this depends on a condition: A is not set in this file | set it with --define A=VALUE");
  CHECK(gap_of("run ${!A}") == "${!A} is more of the shell than is understood here | write the "
                               "value into a copy of the file");
}

TEST_CASE("a variable that a script asks for and nobody sets is empty, and is named") {
  const ShellOutcome outcome = run_shell(
      "t.sh", "if [ -z ${VP} ]; then A=no; else A=yes; fi\n[ -n \"$1\" ] && A=arg\nrun $A", {});
  REQUIRE(outcome.unset.size() == 2);
  CHECK(outcome.unset[0].text() == "${VP}");
  CHECK(outcome.unset[0].gap()->message == "VP is not set in this file");
  CHECK(outcome.unset[1].text() == "$1");
  REQUIRE(outcome.commands.size() == 1);
  CHECK(outcome.commands[0].words[1].text() == "no");
  CHECK_FALSE(outcome.commands[0].words[1].gap());
  CHECK(run_shell("t.sh", "[ -z $VP ]\n", {{{"VP", "2"}}, {}}).unset.empty());
}

TEST_CASE("every word knows its place, through variables too") {
  const std::string script = "A=abc\nB=\"x $A\"\nrun $B\n";
  const std::vector<ShellCommand> commands = run_shell("t.sh", script, {}).commands;
  REQUIRE(commands.size() == 1);
  REQUIRE(commands[0].words.size() == 3);
  CHECK(commands[0].words[1].offset() == script.find('x'));
  CHECK(commands[0].words[2].offset() == script.find("abc"));
}

TEST_CASE("a script that the shell would refuse is refused at its place") {
  CHECK(shell_message("run 'a\nb") == "t.sh:1:5: error: reached EOF without closing quote '\n"
                                      "  run 'a\n"
                                      "      ^");
  CHECK(shell_message("A=(a\nb") == "t.sh:1:3: error: reached EOF without matching ( with )\n"
                                    "  A=(a\n"
                                    "    ^");
  CHECK(shell_message("run ${A") == "t.sh:1:5: error: reached EOF without matching ${ with }\n"
                                    "  run ${A\n"
                                    "      ^");
}

TEST_CASE("a guard is passed, and says so") {
  const ShellOutcome outcome = run_shell(
      "t.sh", "A=${A:-}\nB=1\nif [ -z \"$A\" ]; then echo set A; exit 1; fi\nrun $A $B", {});
  REQUIRE(outcome.notes.size() == 1);
  CHECK(outcome.notes[0].text == "a guard ends the script here where A is empty: passed; set it "
                                 "with --define A=VALUE");
  CHECK(outcome.files->locate(outcome.notes[0].offset).line == 3);
  const ShellCommand& run = outcome.commands.back();
  CHECK(run.words[1].gap()->message == "A is empty, and the guard in line 3 then ends the script");
  CHECK(run.words[1].gap()->define == "A");
  CHECK_FALSE(run.words[2].gap());
  // Through a function, and by `||`.
  CHECK(words_of("die() { echo $1; exit 1; }\n[ -n \"$A\" ] || die no\nrun b") == "[b]");
  CHECK(words_of("case $# in 0) exit 2;; esac\nrun b") == "[b]");
  CHECK(words_of("run a\nif [ -z \"$A\" ]; then run b; exit 0; fi\nrun c") == "[b]");
}

TEST_CASE("a here-document that trains is followed, with its lines") {
  const ShellOutcome outcome = run_shell(
      "t.sh", "N=4\nsbatch <<EOF\n#!/bin/bash\nrun --num-layers $N \\$M\nEOF\ncat <<E\nrun no\nE\n",
      {});
  REQUIRE(outcome.commands.size() == 3); // sbatch, run and cat
  const ShellCommand& run = outcome.commands[1];
  CHECK(run.words[2].text() == "4");
  CHECK(run.words[3].gap()->define == "M");
  CHECK(outcome.files->locate(run.words[2].offset()).line == 4);
}

TEST_CASE("a sourced file is followed where it is there, and named where it is not") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path() / "models");
  folder.write("models/small.sh", "ARGS=(--num-layers $LAYERS)\nSIZE=7\nreturn\nSIZE=8\n");
  const std::string script = folder.write("train.sh", "").string();
  const ShellOutcome outcome = run_shell(
      script,
      "LAYERS=3\nDIR=\"$(cd -- \"$(dirname -- \"${BASH_SOURCE[0]}\")\" && pwd)\"\n"
      "source \"$DIR/models/small.sh\"\n. models/small.sh\n. absent.sh\nrun \"${ARGS[@]}\" $SIZE\n",
      {});
  const ShellCommand& run = outcome.commands.back();
  REQUIRE(run.words.size() == 4);
  CHECK(run.words[2].text() == "3");
  CHECK(run.words[3].text() == "7");
  CHECK(outcome.files->locate(run.words[1].offset()).file == folder.path() / "models/small.sh");
  REQUIRE(outcome.notes.size() == 1);
  CHECK(outcome.notes[0].text == "not followed: absent.sh: the file is not there");
  CHECK(outcome.files->locate(outcome.notes[0].offset).line == 5);
}

TEST_CASE("no script makes the reader grow or run without end") {
  std::string doubling = "A=xxxxxxxxxx\n";
  for (int i = 0; i < 60; ++i)
    doubling += "A=$A$A\n";
  CHECK(shell_message(doubling).find("the word grows beyond 200000 bytes") != std::string::npos);
  std::string calling = "f0() { :; }\n";
  for (int i = 1; i < 19; ++i)
    calling += "f" + std::to_string(i) + "() { f" + std::to_string(i - 1) + "; f" +
               std::to_string(i - 1) + "; f" + std::to_string(i - 1) + "; }\n";
  CHECK(shell_message(calling + "f18\n").find("the script runs more than 200000 statements") !=
        std::string::npos);
  CHECK(shell_message("f() { f; }\nf\n") == "no error");
  std::string deep;
  for (int i = 0; i < 200; ++i)
    deep += "if true; then\n";
  for (int i = 0; i < 200; ++i)
    deep += "fi\n";
  CHECK(shell_message(deep).find("statements are nested too deep") != std::string::npos);
  CHECK(shell_message("run " + std::string(100'000, '(')) != "no error");
  std::string groups;
  for (int i = 0; i < 100'000; ++i)
    groups += "( ";
  CHECK(shell_message(groups) != "no error");
  std::string many = "A=" + std::string(100'000, 'x') + "\n";
  for (int i = 0; i < 100; ++i)
    many += "B" + std::to_string(i) + "=$A\n";
  CHECK(shell_message(many).find("the script makes more than 5000000 bytes") != std::string::npos);
  CHECK(shell_message(std::string(400'000, '#')).find("a script of more than 300000 bytes") !=
        std::string::npos);
  std::string defaults = "run ";
  for (int i = 0; i < 60; ++i)
    defaults += "${A:-";
  CHECK(shell_message(defaults + "x" + std::string(60, '}')).find("nested too deep") !=
        std::string::npos);
}
