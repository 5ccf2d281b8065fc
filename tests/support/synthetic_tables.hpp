#pragma once

#include "sim/cost/compute_cost.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace moesim {

/// Files as cuda_microbench writes them, with the times that the shipped costs give to an H100, or
/// multiples of these.
class SyntheticTables {
public:
  /// `cost`: of the H100; it must outlive this object. The files go to `folder`/h100-sxm/measured.
  SyntheticTables(const ComputeCost& cost, const std::filesystem::path& folder)
      : cost_(cost), folder_(folder / "h100-sxm" / "measured") {
    std::filesystem::create_directories(folder_);
  }

  /// Writes all files; times of the files in `slowed` are multiplied by their factor. Returns the
  /// paths by name.
  std::map<std::string, std::filesystem::path> write(const std::map<std::string, double>& slowed) {
    slowed_ = slowed;
    gemms();
    experts();
    attention();
    routers();
    permutations();
    streams();
    launches();
    exchanges();
    interference();
    return paths_;
  }

private:
  void file(const std::string& name, const std::string& columns,
            const std::vector<std::pair<std::string, double>>& rows) {
    const auto slow = slowed_.find(name);
    const double factor = slow == slowed_.end() ? 1.0 : slow->second;
    paths_[name] = folder_ / (name + ".csv");
    std::ofstream out(paths_[name]);
    out << "# synthetic\n" << columns << ",time_us,noise_percent,samples\n";
    for (const auto& [shape, time_us] : rows)
      out << shape << ',' << time_us * factor << ",0.2,100\n";
  }
  double us(const Kernel& kernel) const { return 1e6 * cost_.benchmark_time(kernel).value; }

  void gemms() {
    std::vector<std::pair<std::string, double>> rows;
    for (const std::int64_t m : {1024, 4096, 8192})
      for (const auto& [n, k] : weights_)
        rows.emplace_back(fmt::format("bf16,{},{},{}", m, n, k),
                          us(gemm(KernelPart::dense, Precision::bf16, m, n, k)));
    file("gemm", "precision,m,n,k", rows);
  }

  void experts() {
    std::vector<std::pair<std::string, double>> rows;
    const auto add = [&](const char* pass, std::int64_t groups, std::int64_t m, std::int64_t n,
                         std::int64_t k, const Kernel& kernel) {
      rows.emplace_back(fmt::format("bf16,{},equal,{},{},{},{}", pass, groups, groups * m, n, k),
                        us(kernel));
      rows.emplace_back(fmt::format("bf16,{},zipf,{},{},{},{}", pass, groups, groups * m, n, k),
                        us(kernel));
    };
    for (const std::int64_t groups : {1, 4, 8})
      for (const std::int64_t m : {1024, 4096, 8192})
        for (const auto& [n, k] : weights_) {
          add("forward", groups, m, n, k,
              grouped_gemm(KernelPart::expert, Precision::bf16, groups, m, n, k));
          add("data_gradient", groups, m, n, k,
              grouped_data_gradient(KernelPart::expert, Precision::bf16, groups, m, k, n));
          add("weight_gradient", groups, m, n, k,
              grouped_weight_gradient(KernelPart::expert, Precision::bf16, groups, m, n, k));
        }
    file("expert_gemm", "precision,pass,distribution,groups,tokens,n,k", rows);
  }

  void attention() {
    std::vector<std::pair<std::string, double>> rows;
    for (const std::int64_t sequence : {2048, 4096, 8192})
      for (const auto& [heads, kv_heads, head_dim, value_dim] :
           {std::tuple{32, 8, 128, 128}, std::tuple{32, 4, 128, 128},
            std::tuple{128, 128, 192, 128}}) {
        const AttentionShape shape{1, sequence, heads, kv_heads, head_dim, value_dim};
        const std::string sizes =
            fmt::format("1,{},{},{},{},{}", sequence, heads, kv_heads, head_dim, value_dim);
        rows.emplace_back("forward," + sizes, us(attention_forward(shape)));
        rows.emplace_back("backward," + sizes, us(attention_backward(shape)));
      }
    file("attention", "operation,batch,sequence,q_heads,kv_heads,head_dim,value_dim", rows);
  }

  void routers() {
    std::vector<std::pair<std::string, double>> rows;
    for (const std::int64_t tokens : {4096, 16384})
      for (const std::int64_t experts : {8, 128, 256})
        rows.emplace_back(fmt::format("{},4096,{},8,softmax,0,0", tokens, experts),
                          us(gemm(KernelPart::router, Precision::bf16, tokens, experts, 4096)) +
                              us(memory_bound(KernelPart::router, Bytes{16 * tokens * experts})));
    file("router", "tokens,hidden,experts,top_k,scoring,limited_groups,bias", rows);
  }

  void permutations() {
    std::vector<std::pair<std::string, double>> rows;
    for (const std::int64_t tokens : {4096, 16384})
      for (const char* operation : {"permute", "unpermute"})
        rows.emplace_back(fmt::format("{},bf16,{},4096,8,2", operation, tokens),
                          us(memory_bound(KernelPart::permute, Bytes{3 * tokens * 4096 * 2})));
    file("permute", "operation,precision,tokens,hidden,experts,top_k", rows);
  }

  void streams() {
    std::vector<std::pair<std::string, double>> rows;
    std::vector<std::pair<std::string, double>> copies;
    for (const std::int64_t tokens : {1024, 4096, 16384, 65536}) {
      const std::int64_t bytes = 4 * tokens * 4096;
      const double time = us(memory_bound(KernelPart::dense, Bytes{bytes}));
      rows.emplace_back(fmt::format("rms_norm,{},4096,{}", tokens, bytes), time);
      copies.emplace_back(fmt::format("device_to_device,{}", 4 * bytes),
                          us(memory_bound(KernelPart::dense, Bytes{8 * bytes})));
    }
    file("memory_bound", "operation,tokens,hidden,bytes", rows);
    file("copy", "kind,bytes", copies);
  }

  void launches() { file("launch", "quantity", {{"empty_kernel", 1.5}, {"host_launch", 2.4}}); }

  void exchanges() {
    std::vector<std::pair<std::string, double>> rows;
    for (std::int64_t bytes = 1 << 14; bytes <= std::int64_t{1} << 30; bytes *= 4)
      rows.emplace_back(fmt::format("nccl_all_to_all,8,equal,{}", bytes), exchange_us(bytes));
    file("all_to_all", "operation,gpus,distribution,bytes", rows);
  }
  /// Near the shipped curve of NVLink 4.
  static double exchange_us(std::int64_t bytes) {
    return 30.0 + static_cast<double>(bytes) * 0.875 / (0.75 * 450e9) * 1e6;
  }

  void interference() {
    std::vector<std::pair<std::string, double>> rows;
    const double alone = us(gemm(KernelPart::dense, Precision::bf16, 4096, 4096, 4096));
    for (const int sms : {0, 8, 16, 32})
      rows.emplace_back(fmt::format("hold_sms,{},0,4096,4096,4096", sms),
                        alone * 132.0 / (132.0 - sms));
    file("interference", "operation,held_sms,held_bandwidth_percent,m,n,k", rows);
  }

  const ComputeCost& cost_;
  std::filesystem::path folder_;
  std::map<std::string, double> slowed_;
  std::map<std::string, std::filesystem::path> paths_;
  /// Of Mixtral-8x7B, DeepSeek-V3 and Qwen3-30B-A3B.
  std::vector<std::pair<std::int64_t, std::int64_t>> weights_ = {
      {28672, 4096}, {4096, 14336}, {6144, 4096},  {4096, 4096}, {4096, 7168},
      {7168, 2048},  {24576, 1536}, {7168, 16384}, {1536, 2048}, {2048, 768}};
};

} // namespace moesim
