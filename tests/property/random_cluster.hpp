#pragma once

#include "sim/platform/topology_spec.hpp"
#include "sim/schedule/step_graph.hpp"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace moesim {

/// A cluster and a collective over all of its GPUs that a seed stands for.
struct RandomCollective {
  std::uint64_t seed = 0;
  TopologySpec cluster;
  std::int64_t gpus = 0;
  CollectiveWork work;

  std::string text() const;
};

/// Draws from a seed; the same for every standard library.
class Draw {
public:
  explicit Draw(std::uint64_t seed) : engine_(seed) {}

  template <typename T> const T& one_of(const std::vector<T>& choices) {
    return choices[engine_() % choices.size()];
  }
  bool one_in(std::uint64_t chances) { return engine_() % chances == 0; }
  /// From 0 to 1.
  double share() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }

private:
  std::mt19937_64 engine_;
};

/// Any fabric and any collective, over one of `sizes` GPUs, all pairs loaded alike.
RandomCollective random_collective(std::uint64_t seed, const std::vector<std::int64_t>& sizes);

struct Skew {
  double noise = 0.0; ///< how far a load may be off by chance: by this share more, nothing, or less
  /// Popularities an octave apart and noise of the source, not of the pair: many flows end
  /// together, which keeps a reference of 16,000 flows to seconds.
  bool octaves = false;
};

/// An all-to-all or dispatch whose ranks receive as experts of uneven popularity do: of Zipf's law
/// with an exponent up to 1.5, in random order, and off by noise.
void skew_loads(RandomCollective& drawn, const Skew& skew);

} // namespace moesim
