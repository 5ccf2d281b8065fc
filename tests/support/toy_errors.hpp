#pragma once

#include <string>

namespace moesim {

/// A `compute_errors.csv` for tests: every table of `device` is off by 2 % inside, 10 % beyond it,
/// 20 % for other experts and 30 % for another GPU.
inline std::string toy_errors(const std::string& device) {
  std::string text = "device,table,precision,case,rows,median_percent,p90_percent\n";
  for (const std::string precision : {"bf16", "fp8", "fp8_per_tensor"})
    for (const std::string table : {"gemm", "expert", "attention"}) {
      const std::string key = "," + table + "," + precision + ",";
      text += device + key + "inside,10,1,2\n";
      text += device + key + "edge,10,5,10\n";
      text += device + key + "other-experts,10,10,20\n";
      text += "any" + key + "other-device,10,15,30\n";
    }
  return text;
}

} // namespace moesim
