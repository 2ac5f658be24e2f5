// CPU kernels of the ops in ops.cc: they check shapes and share the loops out among TensorFlow's threads. Results do not depend on how many
// threads there are.
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
    if (c->HasAttr("num_heads")) OP_REQUIRES_OK(c, c->GetAttr("num_heads", &numHeads_));
  }

 protected:
  float rate_ = 0, epsilon_ = 0;
  int numHeads_ = 1;

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

template <typename T>
class Gelu : public Op<T> {
 public:
  using Op<T>::Op;
  void Compute(OpKernelContext* c) override {
    const T* x = data<T>(c->input(0));
    T* y = this->template output<T>(c, 0, c->input(0).shape());
    if (!y) return;
    share(c, c->input(0).NumElements(), 3, [=](int64_t i, int64_t end) { loops<T>().gelu(x + i, y + i, end - i); });
  }
};

template <typename T>
class GeluGrad : public Op<T> {
 public:
  using Op<T>::Op;
  void Compute(OpKernelContext* c) override {
    if (!haveShape(c, 0, 1, c->input(0).shape())) return;
    const T *dy = data<T>(c->input(0)), *x = data<T>(c->input(1));
    T* dx = this->template output<T>(c, 0, c->input(0).shape());
    if (!dx) return;
    share(c, c->input(0).NumElements(), 4,
          [=](int64_t i, int64_t end) { loops<T>().geluGrad(dy + i, x + i, dx + i, end - i); });
  }
};

template <typename T>
class DropoutOp : public Op<T> {
 public:
  using Op<T>::Op;
  void Compute(OpKernelContext* c) override {
    const Tensor& x = c->input(0);
    OP_REQUIRES(c, x.dims() == 2, absl::InvalidArgumentError("x must be a matrix"));
    const int64_t width = x.dim_size(1);
    const T* from = data<T>(x);
    T* to = this->template output<T>(c, 0, x.shape());
    if (!to) return;
    const DropoutSite site = this->site(c, 1);
    share(c, x.dim_size(0), 3 * width,
          [=](int64_t begin, int64_t end) { loops<T>().dropout(site, from, to, width, begin, end); });
  }
};

template <typename T>
class AddNormOp : public Op<T> {
 public:
  using Op<T>::Op;
  void Compute(OpKernelContext* c) override {
    const Tensor& residual = c->input(1);
    OP_REQUIRES(c, residual.dims() == 2, absl::InvalidArgumentError("residual must be a matrix"));
    const int64_t rows = residual.dim_size(0), width = residual.dim_size(1);
    if (!haveShape(c, 0, 0, residual.shape()) || !haveShape(c, 2, 3, {width})) return;
    AddNorm<T> op = {width, this->epsilon_, this->site(c, 4), data<T>(c->input(0)), data<float>(residual),
                     data<float>(c->input(2)), data<float>(c->input(3)),
                     this->template output<float>(c, 0, residual.shape()),
                     this->template output<float>(c, 1, residual.shape()),
                     this->template output<float>(c, 2, {rows})};
    if (!c->status().ok()) return;
    share(c, rows, 4 * width, [=](int64_t begin, int64_t end) { loops<T>().addNorm(op, begin, end); });
  }
};

template <typename T>
class AddNormGradOp : public Op<T> {
 public:
  using Op<T>::Op;
  void Compute(OpKernelContext* c) override {
    const Tensor& dy = c->input(0);
    OP_REQUIRES(c, dy.dims() == 2, absl::InvalidArgumentError("dy must be a matrix"));
    const int64_t rows = dy.dim_size(0), width = dy.dim_size(1);
    if (!haveShape(c, 1, 1, dy.shape()) || !haveShape(c, 2, 2, {rows}) || !haveShape(c, 3, 3, {width})) return;
    float* dScale;
    float* dOffset;
    AddNormGrad<T> op = {width, this->site(c, 4), data<float>(dy), data<float>(c->input(1)), data<float>(c->input(2)),
                         data<float>(c->input(3)), this->template output<T>(c, 0, dy.shape()),
                         this->template output<float>(c, 1, dy.shape()), nullptr, nullptr};
    dScale = this->template output<float>(c, 2, {width});
    dOffset = this->template output<float>(c, 3, {width});
    if (!c->status().ok()) return;
    // Each part sums for itself, and the sums are added in order, so that the number of threads changes nothing.
    constexpr int64_t kRowsOfPart = 64;
    const int64_t parts = (rows + kRowsOfPart - 1) / kRowsOfPart;
    std::vector<float> sums(2 * parts * width, 0.0f);
    share(c, parts, 5 * width * kRowsOfPart, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; part++) {
        AddNormGrad<T> own = op;
        own.dScale = sums.data() + 2 * part * width;
        own.dOffset = own.dScale + width;
        loops<T>().addNormGrad(own, part * kRowsOfPart, std::min(rows, (part + 1) * kRowsOfPart));
      }
    });
    std::fill(dScale, dScale + width, 0.0f);
    std::fill(dOffset, dOffset + width, 0.0f);
    for (int64_t part = 0; part < parts; part++)
      for (int64_t i = 0; i < width; i++) {
        dScale[i] += sums[2 * part * width + i];
        dOffset[i] += sums[(2 * part + 1) * width + i];
      }
  }
};

/** The texts' bounds must lie in order within the tokens: what follows reads and writes by them. */
bool haveBounds(OpKernelContext* c, const Tensor& starts, int64_t tokens) {
  const auto bounds = starts.flat<int32_t>();
  bool isRight = bounds.size() > 0 && bounds(0) == 0 && bounds(bounds.size() - 1) == tokens;
  for (int64_t i = 1; isRight && i < bounds.size(); i++) isRight = bounds(i - 1) < bounds(i);
  if (!isRight) c->SetStatus(absl::InvalidArgumentError(absl::StrCat("starts must ascend from 0 to ", tokens)));
  return isRight;
}

template <typename T>
class AttentionOp : public Op<T> {
 public:
  using Op<T>::Op;
  void Compute(OpKernelContext* c) override {
    const Tensor &qkv = c->input(0), &starts = c->input(1);
    const int64_t heads = this->numHeads_;
    OP_REQUIRES(c, qkv.dims() == 2 && qkv.dim_size(1) % (3 * heads) == 0,
                absl::InvalidArgumentError("qkv must be a matrix of 3 * num_heads * size columns"));
    const int64_t tokens = qkv.dim_size(0), size = qkv.dim_size(1) / 3 / heads, texts = starts.NumElements() - 1;
    if (!haveBounds(c, starts, tokens)) return;
    Attention<T> op = {heads, size, this->site(c, 2), starts.flat<int32_t>().data(), data<T>(qkv),
                       this->template output<T>(c, 0, {tokens, heads * size}),
                       this->template output<float>(c, 1, {tokens, heads})};
    if (!c->status().ok()) return;
    const int64_t length = texts > 0 ? tokens / texts + 1 : 1;
    share(c, texts * heads, length * length * size / 4, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) loops<T>().attention(op, i / heads, i % heads);
    });
  }
};

template <typename T>
class AttentionGradOp : public Op<T> {
 public:
  using Op<T>::Op;
  void Compute(OpKernelContext* c) override {
    const Tensor &qkv = c->input(2), &starts = c->input(4);
    const int64_t heads = this->numHeads_;
    OP_REQUIRES(c, qkv.dims() == 2 && qkv.dim_size(1) % (3 * heads) == 0,
                absl::InvalidArgumentError("qkv must be a matrix of 3 * num_heads * size columns"));
    const int64_t tokens = qkv.dim_size(0), size = qkv.dim_size(1) / 3 / heads, texts = starts.NumElements() - 1;
    if (!haveShape(c, 0, 1, {tokens, heads * size}) || !haveShape(c, 3, 3, {tokens, heads}) ||
        !haveBounds(c, starts, tokens))
      return;
    AttentionGrad<T> op = {heads, size, this->site(c, 5), starts.flat<int32_t>().data(), data<T>(c->input(0)),
                           data<T>(c->input(1)), data<T>(qkv), data<float>(c->input(3)),
                           this->template output<T>(c, 0, qkv.shape())};
    if (!c->status().ok()) return;
    const int64_t length = texts > 0 ? tokens / texts + 1 : 1;
    share(c, texts * heads, length * length * size, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) loops<T>().attentionGrad(op, i / heads, i % heads);
    });
  }
};

#define FTFT_REGISTER(name, Kernel)                                                                             \
  REGISTER_KERNEL_BUILDER(Name(name).Device(tensorflow::DEVICE_CPU).TypeConstraint<float>("T"), Kernel<float>); \
  REGISTER_KERNEL_BUILDER(Name(name).Device(tensorflow::DEVICE_CPU).TypeConstraint<Eigen::bfloat16>("T"), Kernel<Bfloat16>);

FTFT_REGISTER("FtftGelu", Gelu)
FTFT_REGISTER("FtftGeluGrad", GeluGrad)
FTFT_REGISTER("FtftDropout", DropoutOp)
FTFT_REGISTER("FtftAddNorm", AddNormOp)
FTFT_REGISTER("FtftAddNormGrad", AddNormGradOp)
FTFT_REGISTER("FtftAttention", AttentionOp)
FTFT_REGISTER("FtftAttentionGrad", AttentionGradOp)

}  // namespace
}  // namespace ftft

// Node loads the library as an add-on that offers nothing: loading it is what registers the ops.
extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void* exports) { return exports; }
