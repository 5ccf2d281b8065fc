#pragma once

#include "cuda_microbench/harness/device_buffer.hpp"

#include <cudnn.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

/// A graph of operations that cuDNN runs as one kernel. Only for .cu files.
namespace moesim::microbench {

/// A call of cuDNN.
#define CUDNN_CALL(expr) MOESIM_CALL(expr, CUDNN_STATUS_SUCCESS, cudnnGetErrorString)

/// Owns a descriptor of cuDNN.
struct CudnnDestroyer {
  void operator()(cudnnBackendDescriptor_t descriptor) const {
    cudnnBackendDestroyDescriptor(descriptor);
  }
};
using CudnnDescriptor =
    std::unique_ptr<std::remove_pointer_t<cudnnBackendDescriptor_t>, CudnnDestroyer>;

/// Four sizes or strides: batch, head, row, column.
using Four = std::array<std::int64_t, 4>;

/// Builds the graph operation by operation, each of which returns its result, and runs it.
class CudnnGraph {
public:
  /// A tensor of the graph, by its number.
  struct Tensor {
    std::int64_t id = 0;
    Four sizes{};
    Four strides{};
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
  };

  explicit CudnnGraph(cudnnHandle_t handle) : handle_(handle) {}

  /// A tensor in memory, whose address is given to run().
  Tensor input(const Four& sizes, const Four& strides, cudnnDataType_t type, void* memory) {
    return create(sizes, strides, type, Kind::memory, memory);
  }
  /// A number that all elements share.
  Tensor scalar(float value) {
    values_.push_back(std::make_unique<float>(value));
    return create({1, 1, 1, 1}, {1, 1, 1, 1}, CUDNN_DATA_FLOAT, Kind::value, values_.back().get());
  }
  /// A result that exists inside the kernel alone, rows without gaps.
  Tensor inner(const Four& sizes, cudnnDataType_t type = CUDNN_DATA_FLOAT) {
    const auto [batch, heads, rows, columns] = sizes;
    return create(sizes, {heads * rows * columns, rows * columns, columns, 1}, type, Kind::inner,
                  nullptr);
  }

  Tensor pointwise(cudnnPointwiseMode_t mode, const Tensor& x, const std::optional<Tensor>& b,
                   const Tensor& y, const std::optional<Tensor>& t = std::nullopt);
  /// The index of each element along an axis, as an int32.
  Tensor index(const Tensor& x, std::int64_t axis);
  Tensor multiply(const Tensor& a, const Tensor& b, const Tensor& c);
  /// Reduces to the sizes of `y`.
  Tensor reduce(cudnnReduceTensorOp_t operation, const Tensor& x, const Tensor& y);
  /// Rows and columns exchanged; inside the kernel alone.
  Tensor transposed(const Tensor& x, cudnnDataType_t type);

  /// Chooses the first kernel of cuDNN's heuristic that it supports. False if there is none.
  bool build();
  /// Enqueues the graph. Throws std::runtime_error if cuDNN fails.
  void run(cudaStream_t stream);

private:
  enum class Kind { memory, value, inner };

  /// An operand or result of an operation.
  struct Link {
    cudnnBackendAttributeName_t name;
    Tensor tensor;
  };

  /// Adds an operation of that type over tensors. `part`, if there is one, is its attribute
  /// `part_name`.
  void add(cudnnBackendDescriptorType_t type, const std::vector<Link>& links,
           cudnnBackendAttributeName_t part_name = {}, CudnnDescriptor part = nullptr);
  Tensor create(const Four& sizes, const Four& strides, cudnnDataType_t type, Kind kind,
                void* memory);
  CudnnDescriptor plan_of(const CudnnDescriptor& config) const;

  cudnnHandle_t handle_;
  std::vector<CudnnDescriptor> tensors_; ///< by their number less one
  std::vector<CudnnDescriptor> parts_;   ///< the descriptors that operations refer to
  std::vector<CudnnDescriptor> operations_;
  std::vector<std::unique_ptr<float>> values_;
  std::vector<std::int64_t> bound_ids_; ///< tensors with an address
  std::vector<void*> addresses_;
  CudnnDescriptor graph_;
  CudnnDescriptor plan_;
  std::unique_ptr<DeviceBuffer<unsigned char>> workspace_;
};

} // namespace moesim::microbench
