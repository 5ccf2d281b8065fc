#pragma once

#include "sim/input/toml_document.hpp"
#include "sim/workload/failure_spec.hpp"

namespace moesim {

/// Reads `[failures]`, which may be missing. Throws InputError; an unknown fleet is found where its
/// rows are read (read_failure_rates).
FailureSpec parse_failures(const TomlTable& root);

} // namespace moesim
