#pragma once

#include "sim/base/median.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace moesim::microbench {

/// When enough samples are taken. The figures are this project's choice.
struct SampleLimits {
  int samples_min = 10;
  int samples_max = 300;
  double standard_error_max = 0.005; ///< of the mean, relative to it
  double total_us_max = 500'000.0;   ///< all samples together
  double long_sample_us = 100'000.0; ///< longer than this: `long_samples_min` are enough
  int long_samples_min = 3;
};

/// The times of repeated runs of the same work, in microseconds.
class Samples {
public:
  void add(double time_us) { times_us_.push_back(time_us); }
  int count() const { return static_cast<int>(times_us_.size()); }
  double total_us() const { return std::accumulate(times_us_.begin(), times_us_.end(), 0.0); }
  double mean_us() const { return total_us() / count(); }

  /// At least one sample.
  double median_us() const { return median(times_us_); }

  /// The standard deviation (over n - 1) relative to the mean; 0 of one sample or of zeros.
  double noise() const {
    const double mean = mean_us();
    if (count() < 2 || mean == 0.0)
      return 0.0;
    double squares = 0.0;
    for (double time_us : times_us_)
      squares += (time_us - mean) * (time_us - mean);
    return std::sqrt(squares / (count() - 1)) / mean;
  }

  bool enough(const SampleLimits& limits) const {
    if (count() == 0)
      return false;
    const double longest_us = *std::max_element(times_us_.begin(), times_us_.end());
    const bool is_long = longest_us > limits.long_sample_us;
    if (count() < (is_long ? limits.long_samples_min : limits.samples_min))
      return false;
    return count() >= limits.samples_max || total_us() >= limits.total_us_max ||
           noise() / std::sqrt(count()) < limits.standard_error_max;
  }

private:
  std::vector<double> times_us_;
};

} // namespace moesim::microbench
