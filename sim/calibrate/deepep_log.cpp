#include "sim/calibrate/deepep_log.hpp"

#include "sim/base/input_error.hpp"
#include "sim/calibrate/nccl_log.hpp"
#include "sim/workload/token_fan_out.hpp"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <regex>
#include <sstream>

namespace moesim {

namespace {

constexpr std::int64_t default_experts = 256; ///< --num-experts of both tests
/// Distance of the ratio of NVLink to RDMA bytes from the expected one, beyond which the run was on
/// another number of nodes. Runs of 2, 4 and 8 nodes have 3.27, 2.01 and 1.87.
constexpr double ratio_tolerance = 0.04;

/// The number after `key`, as in "hidden=7168"; 0 without the key.
std::int64_t setting(const std::string& line, const std::string& key) {
  std::smatch match;
  const std::regex pattern("\\b" + key + R"(=(\d{1,9})\b)");
  return std::regex_search(line, match, pattern) ? std::stoll(match[1]) : 0;
}

/// The number before a unit, as in "43.36 GB/s (RDMA)"; 0 without the unit.
double number_before(const std::string& line, const std::string& unit) {
  std::smatch match;
  const std::regex pattern(R"((\d{1,12}(?:\.\d{1,12})?) )" + unit);
  return std::regex_search(line, match, pattern) ? std::stod(match[1]) : 0.0;
}

class DeepEpReader {
public:
  explicit DeepEpReader(const std::string& file) {
    log_.file = file;
    log_.name = std::filesystem::path(file).stem().string();
  }

  void read_line(const std::string& line) {
    ++number_;
    if (line.find("[config]") != std::string::npos)
      read_config(line);
    else if (line.find("[tuning] Best ") != std::string::npos)
      read_best(line);
  }

  DeepEpLog finish() const { return log_; }

private:
  [[noreturn]] void refuse(const std::string& line, const std::string& message,
                           const std::string& hint = "") const {
    throw InputError({log_.file, number_, 1, line}, message, hint);
  }

  void read_config(const std::string& line) {
    log_.tokens = setting(line, "num_tokens");
    log_.hidden = setting(line, "hidden");
    log_.experts_per_token = setting(line, "num_topk");
    log_.groups_per_token = std::max<std::int64_t>(1, setting(line, "num_topk_groups"));
    if (log_.tokens == 0 || log_.hidden == 0 || log_.experts_per_token == 0)
      refuse(line, "the configuration lacks num_tokens, hidden or num_topk",
             "DeepEP's tests of normal kernels print all three");
  }

  void read_best(const std::string& line) {
    if (log_.tokens == 0)
      refuse(line, "a result before the line \"[config] num_tokens=...\"",
             "give the output of the test from its start");
    static const std::regex kind(R"(Best (dispatch \((FP8|BF16)\)|combine):)");
    std::smatch match;
    if (!std::regex_search(line, match, kind))
      refuse(line, "neither the best dispatch (FP8 or BF16) nor the best combine");
    DeepEpLog::Best best;
    best.collective = match[2].matched ? Collective::dispatch : Collective::combine;
    const auto hidden = static_cast<double>(log_.hidden);
    // One fp32 scale for 128 values of fp8.
    best.token_bytes = match[2] == "FP8" ? hidden * (1.0 + 4.0 / 128.0) : hidden * 2.0;
    best.nvlink = number_before(line, R"(GB/s \(NVL\))");
    best.rdma = number_before(line, R"(GB/s \(RDMA\))");
    // The first time of "229 + 1391 us" is that of the counts, which a training step hides.
    best.time = microseconds(number_before(line, "us"));
    if (best.nvlink <= 0.0)
      refuse(line, "the result has no bandwidth on NVLink, as \"153.00 GB/s (NVL)\"");
    best.line = number_;
    log_.best.push_back(best);
  }

  int number_ = 0;
  DeepEpLog log_;
};

/// Mean numbers of ranks and nodes that a token goes to, its own included.
struct Reach {
  double ranks = 0.0;
  double nodes = 0.0;
};

Reach reach_of(const DeepEpLog& log, const RankGroup& group) {
  const TokenFanOut fan_out{default_experts, log.experts_per_token, group.domains,
                            std::min(log.groups_per_token, group.domains)};
  return {expected_parts(fan_out, group.ranks), expected_parts(fan_out, group.domains)};
}

/// Throws InputError if the printed bandwidths belong to another number of nodes.
void check_reach(const DeepEpLog& log, const DeepEpLog::Best& best, const Reach& reach,
                 const RankGroup& group) {
  const double printed = best.nvlink / best.rdma;
  const double expected = reach.ranks / reach.nodes;
  if (std::abs(printed / expected - 1.0) > ratio_tolerance)
    throw InputError({log.file, best.line, 1},
                     fmt::format("NVLink carries {:.2f} times the bytes of RDMA; on {} nodes of {} "
                                 "GPUs it would carry {:.2f} times",
                                 printed, group.domains, group.domain_ranks(), expected),
                     "say with --domains on how many nodes the test ran");
}

/// The tier whose links the costs predict to take longer.
Tier slower_tier(const Measurement& measured, const NetworkCost& costs) {
  if (measured.group.domains == 1)
    return Tier::scale_up;
  const auto time = [&](const TierBytes& bytes) {
    return collective_time(costs, measured.collective, bytes, measured.group, measured.links);
  };
  return time({measured.bytes.scale_up, 1.0}) > time({1.0, measured.bytes.scale_out})
             ? Tier::scale_up
             : Tier::scale_out;
}

} // namespace

bool is_deepep_log(const std::string& text) {
  return text.find("[tuning] Best ") != std::string::npos;
}

DeepEpLog parse_deepep_log(const std::string& text, const std::string& file) {
  DeepEpReader reader(file);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    reader.read_line(line);
  DeepEpLog log = reader.finish();
  if (log.best.empty())
    throw InputError({file, 1, 1}, "no line \"[tuning] Best dispatch\" or \"Best combine\"");
  return log;
}

std::vector<Measurement> deepep_measurements(const DeepEpLog& log, const NodeSpec& node,
                                             std::int64_t domains, const NetworkCost& costs) {
  std::vector<Measurement> measurements;
  for (const DeepEpLog::Best& best : log.best) {
    if (best.rdma > 0.0 && domains < 2)
      throw InputError({log.file, best.line, 1},
                       "the test ran between nodes, and does not say how many",
                       "say it with --domains");
    Measurement measured;
    measured.group.domains = best.rdma > 0.0 ? domains : 1;
    measured.group.ranks = measured.group.domains * node.gpus;
    const Reach reach = reach_of(log, measured.group);
    if (best.rdma > 0.0)
      check_reach(log, best, reach, measured.group);
    measured.table = measured.source = log.name;
    measured.links = links_of(node);
    measured.collective = best.collective;
    measured.size = static_cast<double>(log.tokens) * best.token_bytes;
    const auto away = [](double parts, std::int64_t all) {
      return parts * static_cast<double>(all - 1) / static_cast<double>(all);
    };
    measured.bytes = {measured.size * away(reach.ranks, measured.group.domain_ranks()),
                      measured.size * away(reach.nodes, measured.group.domains)};
    measured.time = best.time.value > 0.0
                        ? best.time
                        : Seconds{measured.size * reach.ranks / (best.nvlink * 1e9)};
    measured.fit = true;
    measured.tier = slower_tier(measured, costs);
    measurements.push_back(measured);
  }
  return measurements;
}

} // namespace moesim
