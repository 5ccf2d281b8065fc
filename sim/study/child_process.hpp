#pragma once

#include <functional>
#include <string>

namespace moesim {

/// Runs `work` in a forked process and returns the text that it returns. An exception in the child
/// comes back as InternalError with its message, as does a child that dies.
std::string run_in_child(const std::function<std::string()>& work);

} // namespace moesim
