#ifdef MOESIM_HAS_CUDNN

#include "cuda_microbench/harness/cudnn_graph.hpp"

namespace moesim::microbench {

namespace {

CudnnDescriptor make(cudnnBackendDescriptorType_t type) {
  cudnnBackendDescriptor_t created = nullptr;
  CUDNN_CALL(cudnnBackendCreateDescriptor(type, &created));
  return CudnnDescriptor(created);
}

template <class Value>
void set(const CudnnDescriptor& descriptor, cudnnBackendAttributeName_t name,
         cudnnBackendAttributeType_t type, const Value* values, std::int64_t count = 1) {
  CUDNN_CALL(cudnnBackendSetAttribute(descriptor.get(), name, type, count, values));
}

void link(const CudnnDescriptor& from, cudnnBackendAttributeName_t name,
          const CudnnDescriptor& to) {
  const cudnnBackendDescriptor_t target = to.get();
  set(from, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, &target);
}

/// How elements are mapped; `axis` is that of an index, or negative.
CudnnDescriptor mapping(cudnnPointwiseMode_t mode, cudnnDataType_t type, std::int64_t axis) {
  CudnnDescriptor part = make(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  set(part, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, &mode);
  set(part, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, &type);
  if (axis >= 0)
    set(part, CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, &axis);
  return part;
}

} // namespace

void CudnnGraph::add(cudnnBackendDescriptorType_t type, const std::vector<Link>& links,
                     cudnnBackendAttributeName_t part_name, CudnnDescriptor part) {
  CudnnDescriptor operation = make(type);
  if (part) {
    CUDNN_CALL(cudnnBackendFinalize(part.get()));
    link(operation, part_name, part);
    parts_.push_back(std::move(part));
  }
  for (const auto& [name, tensor] : links)
    link(operation, name, tensors_[static_cast<std::size_t>(tensor.id - 1)]);
  CUDNN_CALL(cudnnBackendFinalize(operation.get()));
  operations_.push_back(std::move(operation));
}

CudnnGraph::Tensor CudnnGraph::create(const Four& sizes, const Four& strides, cudnnDataType_t type,
                                      Kind kind, void* memory) {
  constexpr std::int64_t alignment = 16;
  const std::int64_t id = static_cast<std::int64_t>(tensors_.size()) + 1;
  const bool is_inner = kind == Kind::inner;
  const bool is_value = kind == Kind::value;
  CudnnDescriptor tensor = make(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  set(tensor, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, &id);
  set(tensor, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, &type);
  set(tensor, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, sizes.data(), 4);
  set(tensor, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides.data(), 4);
  set(tensor, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, &alignment);
  set(tensor, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, &is_inner);
  set(tensor, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, &is_value);
  CUDNN_CALL(cudnnBackendFinalize(tensor.get()));
  tensors_.push_back(std::move(tensor));
  if (!is_inner) {
    bound_ids_.push_back(id);
    addresses_.push_back(memory);
  }
  return {id, sizes, strides, type};
}

CudnnGraph::Tensor CudnnGraph::pointwise(cudnnPointwiseMode_t mode, const Tensor& x,
                                         const std::optional<Tensor>& b, const Tensor& y,
                                         const std::optional<Tensor>& t) {
  const cudnnDataType_t type = y.type == CUDNN_DATA_BOOLEAN ? CUDNN_DATA_BOOLEAN : CUDNN_DATA_FLOAT;
  std::vector<Link> links{{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x},
                          {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y}};
  if (b)
    links.push_back({CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *b});
  if (t)
    links.push_back({CUDNN_ATTR_OPERATION_POINTWISE_TDESC, *t});
  add(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, links,
      CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, mapping(mode, type, -1));
  return y;
}

CudnnGraph::Tensor CudnnGraph::index(const Tensor& x, std::int64_t axis) {
  const Tensor y = inner(x.sizes, CUDNN_DATA_INT32);
  add(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
      {{CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x}, {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y}},
      CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR,
      mapping(CUDNN_POINTWISE_GEN_INDEX, CUDNN_DATA_INT32, axis));
  return y;
}

CudnnGraph::Tensor CudnnGraph::multiply(const Tensor& a, const Tensor& b, const Tensor& c) {
  const cudnnDataType_t type = CUDNN_DATA_FLOAT;
  CudnnDescriptor part = make(CUDNN_BACKEND_MATMUL_DESCRIPTOR);
  set(part, CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, &type);
  add(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR,
      {{CUDNN_ATTR_OPERATION_MATMUL_ADESC, a},
       {CUDNN_ATTR_OPERATION_MATMUL_BDESC, b},
       {CUDNN_ATTR_OPERATION_MATMUL_CDESC, c}},
      CUDNN_ATTR_OPERATION_MATMUL_DESC, std::move(part));
  return c;
}

CudnnGraph::Tensor CudnnGraph::reduce(cudnnReduceTensorOp_t operation, const Tensor& x,
                                      const Tensor& y) {
  const cudnnDataType_t type = CUDNN_DATA_FLOAT;
  CudnnDescriptor part = make(CUDNN_BACKEND_REDUCTION_DESCRIPTOR);
  set(part, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, &operation);
  set(part, CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, &type);
  add(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR,
      {{CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x}, {CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y}},
      CUDNN_ATTR_OPERATION_REDUCTION_DESC, std::move(part));
  return y;
}

CudnnGraph::Tensor CudnnGraph::transposed(const Tensor& x, cudnnDataType_t type) {
  const Tensor y =
      create({x.sizes[0], x.sizes[1], x.sizes[3], x.sizes[2]},
             {x.strides[0], x.strides[1], x.strides[3], x.strides[2]}, type, Kind::inner, nullptr);
  add(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR,
      {{CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x}, {CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y}});
  return y;
}

CudnnDescriptor CudnnGraph::plan_of(const CudnnDescriptor& config) const {
  CudnnDescriptor plan = make(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  set(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, &handle_);
  link(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  return cudnnBackendFinalize(plan.get()) == CUDNN_STATUS_SUCCESS ? std::move(plan) : nullptr;
}

bool CudnnGraph::build() {
  std::vector<cudnnBackendDescriptor_t> operations;
  for (const CudnnDescriptor& operation : operations_)
    operations.push_back(operation.get());
  graph_ = make(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  set(graph_, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, &handle_);
  set(graph_, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, operations.data(),
      static_cast<std::int64_t>(operations.size()));
  const CudnnDescriptor heuristic = make(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
  if (cudnnBackendFinalize(graph_.get()) != CUDNN_STATUS_SUCCESS)
    return false;
  link(heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_);
  set(heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, &mode);
  std::int64_t count = 0;
  if (cudnnBackendFinalize(heuristic.get()) != CUDNN_STATUS_SUCCESS ||
      cudnnBackendGetAttribute(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                               CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, &count,
                               nullptr) != CUDNN_STATUS_SUCCESS)
    return false;
  std::vector<CudnnDescriptor> configs;
  std::vector<cudnnBackendDescriptor_t> results;
  for (std::int64_t i = 0; i < count; ++i) {
    configs.push_back(make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
    results.push_back(configs.back().get());
  }
  CUDNN_CALL(cudnnBackendGetAttribute(heuristic.get(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                      CUDNN_TYPE_BACKEND_DESCRIPTOR, count, &count,
                                      results.data()));
  for (std::int64_t i = 0; i < count && !plan_; ++i)
    plan_ = plan_of(configs[static_cast<std::size_t>(i)]);
  if (!plan_)
    return false;
  std::int64_t bytes = 0;
  CUDNN_CALL(cudnnBackendGetAttribute(plan_.get(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                      CUDNN_TYPE_INT64, 1, nullptr, &bytes));
  workspace_ = std::make_unique<DeviceBuffer<unsigned char>>(static_cast<std::size_t>(bytes));
  return true;
}

void CudnnGraph::run(cudaStream_t stream) {
  CUDNN_CALL(cudnnSetStream(handle_, stream));
  const CudnnDescriptor pack = make(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  const auto count = static_cast<std::int64_t>(bound_ids_.size());
  void* workspace = workspace_->data();
  set(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, addresses_.data(), count);
  set(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, bound_ids_.data(), count);
  set(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, &workspace);
  CUDNN_CALL(cudnnBackendFinalize(pack.get()));
  CUDNN_CALL(cudnnBackendExecute(handle_, plan_.get(), pack.get()));
}

} // namespace moesim::microbench

#endif
