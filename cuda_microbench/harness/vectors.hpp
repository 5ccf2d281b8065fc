#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstring>

/// 16 bytes at a time of values in bf16. Only for .cu files.
namespace moesim::microbench {

/// Values of bf16 in 16 bytes.
constexpr int vector_values = 8;

/// The values of one vector, or one result for each, in fp32.
struct Floats {
  float values[vector_values];

  __device__ float& operator[](int i) { return values[i]; }
  __device__ float operator[](int i) const { return values[i]; }
};

/// The values of a vector, exactly: a bf16 is the upper half of an fp32; the lower address has the
/// lower half of a word.
inline __device__ Floats unpack(const uint4& vector) {
  const unsigned words[] = {vector.x, vector.y, vector.z, vector.w};
  Floats floats;
#pragma unroll
  for (int i = 0; i < vector_values / 2; ++i) {
    floats[2 * i] = __uint_as_float(words[i] << 16);
    floats[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
  }
  return floats;
}

/// The vector of the values, each rounded to the nearest bf16.
inline __device__ uint4 pack(const Floats& floats) {
  unsigned words[vector_values / 2];
#pragma unroll
  for (int i = 0; i < vector_values / 2; ++i) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(floats[2 * i], floats[2 * i + 1]);
    static_assert(sizeof(pair) == sizeof(unsigned));
    memcpy(&words[i], &pair, sizeof(pair));
  }
  return {words[0], words[1], words[2], words[3]};
}

} // namespace moesim::microbench
