#include "cuda_microbench/harness/device.hpp"

#include "cuda_microbench/core/nccl_library.hpp"
#include "cuda_microbench/harness/cuda_call.hpp"

#include <dlfcn.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <ctime>

namespace moesim::microbench {

namespace {

/// The functions of libnvidia-ml.so.1 that are used. It comes with the driver, so it is opened at
/// run time; its header is not in every toolkit, so its signatures stand here. 0 is success.
struct Nvml {
  using DeviceHandle = void*;
  static constexpr int clock_sm = 1;
  static constexpr int clock_memory = 2;

  int (*init)() = nullptr;
  int (*driver_version)(char*, unsigned) = nullptr;
  int (*device_by_bus)(const char*, DeviceHandle*) = nullptr;
  int (*clock)(DeviceHandle, int, unsigned*) = nullptr;
  int (*clock_max)(DeviceHandle, int, unsigned*) = nullptr;
  int (*power_limit)(DeviceHandle, unsigned*) = nullptr; ///< in milliwatts
  int (*throttle_reasons)(DeviceHandle, unsigned long long*) = nullptr;
  bool works = false;

  Nvml() {
    void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (library == nullptr)
      return;
    works = find(library, "nvmlInit_v2", init) &&
            find(library, "nvmlSystemGetDriverVersion", driver_version) &&
            find(library, "nvmlDeviceGetHandleByPciBusId_v2", device_by_bus) &&
            find(library, "nvmlDeviceGetClockInfo", clock) &&
            find(library, "nvmlDeviceGetMaxClockInfo", clock_max) &&
            find(library, "nvmlDeviceGetPowerManagementLimit", power_limit) &&
            find(library, "nvmlDeviceGetCurrentClocksThrottleReasons", throttle_reasons) &&
            init() == 0;
  }

  template <class Function> static bool find(void* library, const char* name, Function& function) {
    function = reinterpret_cast<Function>(dlsym(library, name));
    return function != nullptr;
  }
};

/// Opened once; stays open to the end.
const Nvml& nvml() {
  static const Nvml library;
  return library;
}

struct ThrottleReason {
  unsigned long long bit;
  const char* name;
  bool slows; ///< the GPU cannot hold its clock, as opposed to being idle or set lower
};

/// The bits of nvmlDeviceGetCurrentClocksThrottleReasons (NVML API reference, Clocks Event
/// Reasons).
constexpr std::array<ThrottleReason, 9> throttle_reasons{{
    {0x001, "gpu_idle", false},
    {0x002, "applications_clocks", false},
    {0x004, "software_power_cap", true},
    {0x008, "hardware_slowdown", true},
    {0x010, "sync_boost", true},
    {0x020, "software_thermal", true},
    {0x040, "hardware_thermal", true},
    {0x080, "hardware_power_brake", true},
    {0x100, "display_clocks", false},
}};

std::string driver_text() {
  int version = 0;
  CUDA_CALL(cudaDriverGetVersion(&version));
  std::array<char, 96> name{};
  const bool known = nvml().works && nvml().driver_version(name.data(), name.size()) == 0;
  return fmt::format("{}for CUDA {}.{}", known ? std::string(name.data()) + " " : "",
                     version / 1000, version % 1000 / 10);
}

std::string toolkit_text() {
  int runtime = 0;
  std::array<int, 3> cublas{};
  CUDA_CALL(cudaRuntimeGetVersion(&runtime));
  CUBLAS_CALL(cublasGetProperty(MAJOR_VERSION, &cublas[0]));
  CUBLAS_CALL(cublasGetProperty(MINOR_VERSION, &cublas[1]));
  CUBLAS_CALL(cublasGetProperty(PATCH_LEVEL, &cublas[2]));
  std::string text = fmt::format("CUDA runtime {}.{}, cuBLAS {}", runtime / 1000,
                                 runtime % 1000 / 10, fmt::join(cublas, "."));
  try {
    return text + ", NCCL " + nccl().version();
  } catch (const std::runtime_error&) {
    return text + ", no NCCL";
  }
}

std::string clocks_text(int ordinal) {
  const std::optional<Clocks> clocks = read_clocks(ordinal);
  if (!clocks)
    return "unknown (no NVML)";
  return fmt::format("SM {} of {} MHz, memory {} of {} MHz, power limit {:.0f} W, held back by {}",
                     clocks->sm_mhz, clocks->sm_max_mhz, clocks->memory_mhz, clocks->memory_max_mhz,
                     clocks->power_limit_watts, clocks->throttle_names());
}

} // namespace

bool Clocks::is_throttled() const {
  bool slowed = false;
  for (const ThrottleReason& reason : microbench::throttle_reasons)
    slowed |= reason.slows && (throttle_reasons & reason.bit) != 0;
  return slowed && sm_mhz < 0.9 * sm_max_mhz;
}

std::string Clocks::throttle_names() const {
  std::string names;
  for (const ThrottleReason& reason : microbench::throttle_reasons)
    if ((throttle_reasons & reason.bit) != 0)
      names += (names.empty() ? "" : " ") + std::string(reason.name);
  return names.empty() ? "none" : names;
}

std::optional<Clocks> read_clocks(int ordinal) {
  const Nvml& library = nvml();
  std::array<char, 32> bus{};
  Nvml::DeviceHandle device = nullptr;
  if (!library.works || cudaDeviceGetPCIBusId(bus.data(), bus.size(), ordinal) != cudaSuccess ||
      library.device_by_bus(bus.data(), &device) != 0)
    return std::nullopt;
  Clocks clocks;
  unsigned milliwatts = 0;
  if (library.clock(device, Nvml::clock_sm, &clocks.sm_mhz) != 0 ||
      library.clock_max(device, Nvml::clock_sm, &clocks.sm_max_mhz) != 0 ||
      library.clock(device, Nvml::clock_memory, &clocks.memory_mhz) != 0 ||
      library.clock_max(device, Nvml::clock_memory, &clocks.memory_max_mhz) != 0 ||
      library.power_limit(device, &milliwatts) != 0 ||
      library.throttle_reasons(device, &clocks.throttle_reasons) != 0)
    return std::nullopt;
  clocks.power_limit_watts = milliwatts / 1e3;
  return clocks;
}

std::vector<std::string> provenance(const Device& device) {
  constexpr double gibibyte = 1024.0 * 1024.0 * 1024.0;
  return {
      "Source: measured by cuda_microbench " MOESIM_VERSION,
      fmt::format("GPU: {}, {} SMs, compute capability {}.{}, {:.1f} MiB L2, {:.1f} GiB memory",
                  device.name, device.multiprocessors, device.compute_major, device.compute_minor,
                  static_cast<double>(device.l2_bytes) / 1024 / 1024,
                  static_cast<double>(device.memory_bytes) / gibibyte),
      "Driver: " + driver_text(),
      "Toolkit: " + toolkit_text(),
      "Clocks: " + clocks_text(device.ordinal),
      fmt::format("Date: {:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))),
  };
}

} // namespace moesim::microbench
