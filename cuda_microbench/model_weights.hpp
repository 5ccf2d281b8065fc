#pragma once

#include <cstdint>

/// The weights of the models in workloads/, without tensor parallelism.
namespace moesim::microbench {

/// A weight, n x k: it takes k features to n.
struct Weight {
  std::int64_t n = 0;
  std::int64_t k = 0;

  friend bool operator==(const Weight&, const Weight&) = default;
};

/// Of dense layers: the fused query, key and value projection, the attention's output, and of dense
/// MLPs gate and up as one and down. Llama 3 8B stands for smaller ones.
constexpr Weight dense_weights[] = {
    {6144, 4096},  {4096, 4096},                                // Mixtral-8x7B, Llama 3 8B
    {8192, 6144},  {6144, 6144},                                // Mixtral-8x22B
    {1536, 7168},  {24576, 1536}, {576, 7168},   {32768, 512},  // DeepSeek-V3, its latent attention
    {7168, 16384}, {36864, 7168}, {7168, 18432},                // its output and dense MLP
    {4096, 7168},  {7168, 2048},                                // its shared expert
    {5120, 2048},  {2048, 4096},                                // Qwen3-30B-A3B
    {9216, 4096},  {4096, 8192},                                // Qwen3-235B-A22B
    {10240, 8192}, {8192, 8192},  {57344, 8192}, {8192, 28672}, // Llama-2-70B
    {2304, 768},   {768, 768},                                  // Switch
    {28672, 4096}, {4096, 14336}};                              // Llama 3 8B

/// Of experts: the fused gate and up projection, and the down projection, of Mixtral 8x7B and
/// 8x22B, Qwen3-30B-A3B, Qwen3-235B-A22B and DeepSeek-V3, and up and down of Switch.
constexpr Weight expert_weights[] = {{28672, 4096}, {4096, 14336}, {32768, 6144}, {6144, 16384},
                                     {1536, 2048},  {2048, 768},   {3072, 4096},  {4096, 1536},
                                     {4096, 7168},  {7168, 2048},  {3072, 768},   {768, 3072}};

} // namespace moesim::microbench
