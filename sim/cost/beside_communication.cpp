#include "sim/cost/beside_communication.hpp"

#include "sim/base/check.hpp"
#include "sim/cost/collective_table.hpp"

#include <algorithm>

namespace moesim {

namespace {

/// SMs that the kernels of a communication hold.
double held_sms(const ComputeConstants& constants, const std::string& interconnect,
                Collective communication) {
  const CommunicationSms& sms = constants.sms_on(interconnect).second;
  switch (row_of(communication).sms) {
  case KernelSms::ring:
    return sms.ring;
  case KernelSms::send_receive:
    return sms.send_receive;
  case KernelSms::in_switch:
    return sms.in_switch;
  case KernelSms::deepep:
    return constants.expert_kernel_sms;
  case KernelSms::hybridep:
    return constants.hybrid_kernel_sms;
  }
  INVARIANT(false, "SMs of {}", collective_name(communication));
}

} // namespace

double slowdown_of_sms(const ComputeConstants& constants, const DevicePeaks& peaks,
                       Collective communication) {
  const double held = held_sms(constants, peaks.scale_up_interconnect, communication);
  const auto all = static_cast<double>(peaks.sms);
  INVARIANT(held < all, "{} of {} SMs held", held, all);
  return 1.0 + constants.sm_loss_slowdown * (all / (all - held) - 1.0);
}

double slowdown_of_bandwidth(const ComputeConstants& constants, const DevicePeaks& peaks,
                             BytesPerSecond taken, double streaming) {
  const double share = std::min(0.5, taken / peaks.memory_bandwidth);
  return 1.0 + streaming * (1.0 / (1.0 - share) - 1.0) +
         (1.0 - streaming) * constants.gemm_bandwidth_slowdown * share;
}

} // namespace moesim
