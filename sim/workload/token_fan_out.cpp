#include "sim/workload/token_fan_out.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace moesim {

namespace {

/// Probability by number of groups of experts that a token has found, and of parts that it has hit.
using FanOutStates = std::map<std::pair<std::int64_t, std::int64_t>, double>;

/// Number of candidates for a token's next expert that add nothing, a group, a part, or both.
struct NextExperts {
  double same = 0.0;
  double group = 0.0;
  double part = 0.0;
  double both = 0.0;
};

/// Candidates for the next expert of a token that has `taken` experts in `found` groups and `hit`
/// parts. An approximation where neither parts divide groups nor groups divide parts.
NextExperts next_experts(const TokenFanOut& fan_out, std::int64_t parts, std::int64_t found,
                         std::int64_t hit, double taken) {
  const auto groups = static_cast<double>(fan_out.groups);
  const double per_group = static_cast<double>(fan_out.experts) / groups;
  const double per_part = static_cast<double>(fan_out.experts) / static_cast<double>(parts);
  const double in_found = static_cast<double>(found) * per_group;
  const double in_hit = static_cast<double>(hit) * per_part;
  const double unfound =
      found < fan_out.groups_per_token ? (groups - static_cast<double>(found)) * per_group : 0.0;
  // Parts lie within groups here, so a new group is a new part.
  if (per_part <= per_group)
    return hit < parts ? NextExperts{in_hit - taken, 0.0, in_found - in_hit, unfound}
                       : NextExperts{in_found - taken, unfound, 0.0, 0.0};
  // A part holds several groups: a new group may lie in a part that is hit already.
  const double inside =
      hit < parts
          ? std::clamp((in_hit - in_found) / std::max(per_group, groups * per_group - in_found),
                       0.0, 1.0)
          : 1.0;
  return {in_found - taken, unfound * inside, 0.0, unfound * (1.0 - inside)};
}

/// The states after one more expert for a token that has `taken` experts.
FanOutStates draw_expert(const FanOutStates& states, const TokenFanOut& fan_out, std::int64_t parts,
                         double taken) {
  FanOutStates next;
  for (const auto& [state, probability] : states) {
    const auto [found, hit] = state;
    NextExperts experts = next_experts(fan_out, parts, found, hit, taken);
    for (double* share : {&experts.same, &experts.group, &experts.part, &experts.both})
      *share = std::max(0.0, *share);
    const double scale = probability / (experts.same + experts.group + experts.part + experts.both);
    const auto add = [&](std::int64_t more_found, std::int64_t more_hit, double share) {
      if (share > 0.0)
        next[{found + more_found, hit + more_hit}] += share * scale;
    };
    add(0, 0, experts.same);
    add(1, 0, experts.group);
    add(0, 1, experts.part);
    add(1, 1, experts.both);
  }
  return next;
}

} // namespace

double expected_parts(const TokenFanOut& fan_out, std::int64_t parts) {
  FanOutStates states = {{{0, 0}, 1.0}};
  for (std::int64_t taken = 0; taken < fan_out.experts_per_token; ++taken)
    states = draw_expert(states, fan_out, parts, static_cast<double>(taken));
  double expected = 0.0;
  for (const auto& [state, probability] : states)
    expected += probability * static_cast<double>(state.second);
  return expected;
}

} // namespace moesim
