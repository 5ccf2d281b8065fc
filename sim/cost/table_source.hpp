#pragma once

#include "sim/cost/compute_errors.hpp"
#include "sim/cost/device_grids.hpp"
#include "sim/cost/estimate.hpp"

#include <array>
#include <optional>
#include <string>

namespace moesim {

/// The table that times one kind of kernel on a GPU.
template <typename Grid> struct Source {
  Grid grid;
  std::optional<PeakRates> measured_on; ///< nothing: times are not scaled
  bool other_device = false;            ///< measured on another GPU kind, or at other peaks
  std::string stand_in;                 ///< the other GPU kind; empty for the kind's own table
  std::array<double, enumerator_count<ErrorCase>> errors{};

  double error(ErrorCase error_case) const { return errors[index(error_case)]; }
  void add_shape_error(bool inside, Estimate& estimate) const {
    if (inside)
      estimate.depends_on(CostBasis::measured, error(ErrorCase::inside));
    else
      estimate.depends_on(CostBasis::beyond_table, error(ErrorCase::edge));
  }
};

/// Casts that were timed with a GPU's GEMMs.
struct CastSource {
  CastGrid grid;
  double slowdown = 1.0; ///< memory time of this GPU over that of the table's
};

} // namespace moesim
