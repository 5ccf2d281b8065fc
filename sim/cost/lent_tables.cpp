#include "sim/cost/lent_tables.hpp"

#include "sim/cost/product_table.hpp"

#include <array>

namespace moesim {

namespace {

std::int64_t whole_size(double size) {
  return static_cast<std::int64_t>(size);
}

/// The precision, and bf16, which readers of GEMMs need to tell casts apart.
std::array<Precision, 2> with_bf16(Precision precision) {
  return {Precision::bf16, precision};
}

} // namespace

Kernel gemm_of_shape(Precision precision, const TimeGrid::Shape& shape) {
  return gemm(KernelPart::dense, precision, whole_size(shape[0]), whole_size(shape[1]),
              whole_size(shape[2]));
}

Kernel attention_of_shape(const TimeGrid::Shape& shape) {
  return attention_forward({whole_size(shape[0]), whole_size(shape[1]), whole_size(shape[2]),
                            whole_size(shape[3]), whole_size(shape[4]), whole_size(shape[4])});
}

std::vector<Lender> lenders_of(const GpuKinds& kinds, const std::string& kind) {
  const auto row = kinds.rows.find(kind);
  std::vector<Lender> lenders;
  if (row == kinds.rows.end())
    return lenders;
  for (const std::string& name : row->second.borrows)
    if (const auto lender = kinds.rows.find(name); lender != kinds.rows.end())
      lenders.push_back({kinds.calibration / name, lender->second.peaks, row->second.peaks});
  return lenders;
}

TimeTable lent_gemms(const std::vector<Lender>& lenders, Precision precision) {
  for (const Lender& lender : lenders) {
    TimeTable table = product_tables(lender.folder, with_bf16(precision))[precision].products;
    for (auto& [shape, seconds] : table)
      seconds *= rate_ratio(gemm_of_shape(precision, shape), lender.there, lender.here);
    if (!table.empty())
      return table;
  }
  return {};
}

std::vector<ExpertTable> lent_experts(const std::vector<Lender>& lenders, Precision precision) {
  for (const Lender& lender : lenders) {
    std::vector<ExpertTable> tables =
        read_expert_tables(lender.folder, with_bf16(precision))[precision];
    for (ExpertTable& table : tables)
      for (auto& [shape, seconds] : table.times)
        seconds *=
            rate_ratio(grouped_gemm(KernelPart::expert, precision, whole_size(shape[0]),
                                    whole_size(shape[1]), whole_size(table.products.front().n),
                                    whole_size(table.products.front().k)),
                       lender.there, lender.here);
    if (!tables.empty())
      return tables;
  }
  return {};
}

TimeTable lent_attention(const std::vector<Lender>& lenders) {
  for (const Lender& lender : lenders) {
    TimeTable table = read_attention_table(lender.folder);
    for (auto& [shape, seconds] : table)
      seconds *= rate_ratio(attention_of_shape(shape), lender.there, lender.here);
    if (!table.empty())
      return table;
  }
  return {};
}

} // namespace moesim
