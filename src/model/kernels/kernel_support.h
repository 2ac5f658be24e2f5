// What the kernels share: the choice of the loops, access to tensors, and work for TensorFlow's threads.
#pragma once
#include "loops.h"

#include "tensorflow/core/framework/op_kernel.h"

namespace ftft {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

/** The best loops for this machine. */
template <typename T>
const Loops<T>& loops();

#define FTFT_PICK(T, member)                                                                                   \
  template <>                                                                                                  \
  const Loops<T>& loops<T>() {                                                                                 \
    FTFT_PICK_X86(member)                                                                                      \
    return baseline::member;                                                                                   \
  }
#if defined(__x86_64__)
#define FTFT_PICK_X86(member)                                                                                  \
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&                               \
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))                                \
    return avx512::member;                                                                                     \
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::member;
#else
#define FTFT_PICK_X86(member)
#endif
FTFT_PICK(float, floatLoops)
FTFT_PICK(Bfloat16, halfLoops)

/** TensorFlow's type of an element. */
template <typename T>
struct Stored {
  using Type = T;
};
template <>
struct Stored<Bfloat16> {
  using Type = Eigen::bfloat16;
};

template <typename T>
const T* data(const Tensor& tensor) {
  return reinterpret_cast<const T*>(tensor.flat<typename Stored<T>::Type>().data());
}
template <typename T>
T* mutableData(Tensor* tensor) {
  return reinterpret_cast<T*>(tensor->flat<typename Stored<T>::Type>().data());
}

/** f(begin, end) over all of [0, total), in parts of at least one. `cost`: about how many processor cycles one takes. */
template <typename F>
void share(OpKernelContext* c, int64_t total, int64_t cost, F f) {
  c->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(total, cost, f);
}

template <typename T>
class Op : public OpKernel {
 public:
  explicit Op(OpKernelConstruction* c) : OpKernel(c) {
    if (c->HasAttr("rate")) OP_REQUIRES_OK(c, c->GetAttr("rate", &rate_));
    if (c->HasAttr("epsilon")) OP_REQUIRES_OK(c, c->GetAttr("epsilon", &epsilon_));
    if (c->HasAttr("for_gradient")) OP_REQUIRES_OK(c, c->GetAttr("for_gradient", &forGradient_));
    if (c->HasAttr("num_heads")) OP_REQUIRES_OK(c, c->GetAttr("num_heads", &numHeads_));
  }

 protected:
  float rate_ = 0, epsilon_ = 0;
  int numHeads_ = 1;
  bool forGradient_ = true;

  /** The site that the op's seed input names. */
  DropoutSite site(OpKernelContext* c, int input) const {
    const Tensor& seed = c->input(input);
    if (rate_ <= 0 || seed.NumElements() != 2) return {{0, 0}, 0};
    const auto values = seed.flat<int32_t>();
    return {{static_cast<uint32_t>(values(0)), static_cast<uint32_t>(values(1))}, rate_};
  }

  template <typename U>
  U* output(OpKernelContext* c, int index, const TensorShape& shape) const {
    Tensor* tensor = nullptr;
    c->SetStatus(c->allocate_output(index, shape, &tensor));
    return c->status().ok() ? mutableData<U>(tensor) : nullptr;
  }

  /** Of the shape of an input, and in its memory where nobody else reads it; that input must not be asked for again. */
  template <typename U>
  U* outputInPlace(OpKernelContext* c, int index, int input) const {
    const TensorShape shape = c->input(input).shape();
    Tensor* tensor = nullptr;
    c->SetStatus(c->forward_input_or_allocate_output({input}, index, shape, &tensor));
    return c->status().ok() ? mutableData<U>(tensor) : nullptr;
  }
};

bool haveShape(OpKernelContext* c, int firstInput, int lastInput, const TensorShape& shape) {
  for (int i = firstInput; i <= lastInput; i++)
    if (c->input(i).shape() != shape) {
      c->SetStatus(absl::InvalidArgumentError(absl::StrCat("input ", i, " must have shape ", shape.DebugString(),
                                                           ", its shape is ", c->input(i).shape().DebugString())));
      return false;
    }
  return true;
}

#define FTFT_REGISTER(name, Kernel)                                                                             \
  REGISTER_KERNEL_BUILDER(Name(name).Device(tensorflow::DEVICE_CPU).TypeConstraint<float>("T"), Kernel<float>); \
  REGISTER_KERNEL_BUILDER(Name(name).Device(tensorflow::DEVICE_CPU).TypeConstraint<Eigen::bfloat16>("T"), Kernel<Bfloat16>);

}  // namespace
}  // namespace ftft
