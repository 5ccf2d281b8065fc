#include "sim/replay/machine.hpp"

#include "sim/base/check.hpp"

#include <dlfcn.h>

namespace moesim {

namespace {

using MakeMachine = Machine* (*)(const std::vector<MachineLink>&);

/// Loads the library with SimGrid, which is next to the program, and returns its entry point.
MakeMachine load_library() {
  void* library = dlopen("libmoesim_machine.so", RTLD_LAZY | RTLD_LOCAL);
  if (!library)
    throw InternalError(dlerror());
  void* entrance = dlsym(library, "moesim_make_machine");
  INVARIANT(entrance != nullptr, "libmoesim_machine.so has no moesim_make_machine");
  return reinterpret_cast<MakeMachine>(entrance);
}

MakeMachine maker() {
  static const MakeMachine make = load_library();
  return make;
}

} // namespace

void Machine::load() {
  maker();
}

std::unique_ptr<Machine> Machine::make(const std::vector<MachineLink>& links) {
  return std::unique_ptr<Machine>(maker()(links));
}

} // namespace moesim
