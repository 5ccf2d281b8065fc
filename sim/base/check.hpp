#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace moesim {

/// A defect of moesim itself: an invariant that does not hold. `main` turns it into exit code 70.
class InternalError : public std::logic_error {
public:
  using std::logic_error::logic_error;
};

[[noreturn]] inline void throw_internal_error(const char* expression, const char* file, int line,
                                              const std::string& values) {
  throw InternalError(
      fmt::format("{}:{}: invariant broken: {} ({})", file, line, expression, values));
}

} // namespace moesim

/// Throws InternalError, in every build, unless `condition` holds. The arguments make the message:
/// INVARIANT(a == b, "a {} b {}", a, b).
#define INVARIANT(condition, ...)                                                                  \
  do {                                                                                             \
    if (!(condition))                                                                              \
      ::moesim::throw_internal_error(#condition, __FILE__, __LINE__, fmt::format(__VA_ARGS__));    \
  } while (false)
