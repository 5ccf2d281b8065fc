#include "tests/unit/scenario/scenario_text.hpp"

using namespace moesim;
using namespace moesim::scenario_tests;

namespace {

/// A file that the scenario names: an error about all of it points at the scenario's line, one in a
/// line of it shows both.
const std::vector<Refusal> named_files = {
    {"a missing config",
     "config.json",
     "confg.json",
     {},
     false,
     "s.toml:2:10: error: confg.json: cannot be read: No such file or directory\n"
     "  config = \"confg.json\"\n"
     "           ^\n"
     "  hint: did you mean \"config.json\"?"},
    {"a missing config of a setting",
     "",
     "",
     {"model.config=none/x"},
     false,
     "--set model.config=none/x:1:14: error: none/x: cannot be read: No such file or directory\n"
     "  model.config=none/x\n"
     "               ^\n"
     "  hint: a path is relative to the folder of the file that names it"},
    {"a config that is no JSON",
     "config.json",
     "broken.json",
     {},
     false,
     "broken.json:1:26: error: not JSON: syntax error while parsing object key - unexpected '}'; "
     "expected string literal\n"
     "  {\"model_type\": \"mixtral\",}\n"
     "                           ^\n"
     "s.toml:2:10: the file is named here\n"
     "  config = \"broken.json\"\n"
     "           ^"},
    {"a config without a key",
     "config.json",
     "empty.json",
     {},
     false,
     "s.toml:2:10: error: empty.json: the key \"model_type\" is missing\n"
     "  config = \"empty.json\"\n"
     "           ^"},
    {"a folder for a config",
     "config.json",
     ".",
     {},
     false,
     "s.toml:2:10: error: .: is a folder, not a file\n"
     "  config = \".\"\n"
     "           ^\n"
     "  hint: name a file in that folder"},
    {"a missing topology",
     "hgx-h100-ndr400.toml",
     "hgx-h10-ndr400.toml",
     {},
     false,
     "s.toml:4:12: error: SOURCE/topologies/hgx-h10-ndr400.toml: cannot be read: No such file or "
     "directory\n"
     "  topology = \"SOURCE/topologies/hgx-h10-ndr400.toml\"\n"
     "             ^\n"
     "  hint: did you mean \"hgx-h100-ndr400.toml\"?"},
    {"a topology with a wrong line",
     "",
     "",
     {"cluster.topology=wrong.toml"},
     false,
     "wrong.toml:2:1: error: the key \"kind\" is missing in [gpu]\n"
     "  [gpu]\n"
     "  ^\n"
     "--set cluster.topology=wrong.toml:1:18: the file is named here\n"
     "  cluster.topology=wrong.toml\n"
     "                   ^"},
    {"an override of a topology, which is no fault of its file",
     "",
     "",
     {"cluster.oversubscription=half"},
     false,
     "--set cluster.oversubscription=half:1:26: error: oversubscription must be a number, not a "
     "string\n"
     "  cluster.oversubscription=half\n"
     "                           ^"},
    {"a missing recording of loads",
     "load = \"uniform\"",
     "load = \"trace\"\ntrace = \"loads.csv\"",
     {},
     false,
     "s.toml:16:9: error: loads.csv: there is no such file or folder\n"
     "  trace = \"loads.csv\"\n"
     "          ^\n"
     "  hint: did you mean \"load.csv\"?"},
    {"a recording of another model",
     "load = \"uniform\"",
     "load = \"trace\"\ntrace = \"load.csv\"",
     {},
     false,
     "load.csv:2:3: error: the model has no expert 99\n"
     "  0,99,5\n"
     "    ^\n"
     "  hint: its experts are 0 to 23\n"
     "s.toml:16:9: the file is named here\n"
     "  trace = \"load.csv\"\n"
     "          ^"},
};

} // namespace

TEST_CASE("an error about a file that a scenario names points at the line that names it") {
  check(named_files);
}
