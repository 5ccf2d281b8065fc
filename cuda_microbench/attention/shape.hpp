#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace moesim::microbench::attention {

/// Causal attention, queries and keys of the same sequences.
struct Shape {
  std::int64_t batch = 1;
  std::int64_t sequence = 0; ///< tokens
  std::int64_t q_heads = 0;
  std::int64_t kv_heads = 0;  ///< a divisor of q_heads
  std::int64_t head_dim = 0;  ///< of queries and keys
  std::int64_t value_dim = 0; ///< of values

  std::size_t q_elements() const { return count(q_heads, head_dim); }
  std::size_t k_elements() const { return count(kv_heads, head_dim); }
  std::size_t v_elements() const { return count(kv_heads, value_dim); }
  std::size_t o_elements() const { return count(q_heads, value_dim); }
  std::size_t rows() const { return count(q_heads, 1); }

private:
  std::size_t count(std::int64_t heads, std::int64_t dim) const {
    return static_cast<std::size_t>(batch * sequence * heads * dim);
  }
};

/// The matrices of attention, batch by sequence by head by dimension; the gradients of the
/// backward pass are unused in the forward pass.
template <class T> struct Matrices {
  T* q = nullptr;
  T* k = nullptr;
  T* v = nullptr;
  T* o = nullptr;
  T* o_gradient = nullptr;
  T* q_gradient = nullptr;
  T* k_gradient = nullptr;
  T* v_gradient = nullptr;
  float* stats = nullptr; ///< batch by head by sequence: log of a row's sum of exponentials
};

} // namespace moesim::microbench::attention
