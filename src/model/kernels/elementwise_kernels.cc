// CPU kernels of GELU, dropout and layer norm: they check shapes and share the loops out among TensorFlow's threads. Results do not depend on
// how many threads there are.
#include "kernel_support.h"

namespace ftft {
namespace {

template <typename T>
class Gelu : public Op<T> {
 public:
  using Op<T>::Op;
  void Compute(OpKernelContext* c) override {
    const T* x = data<T>(c->input(0));
    const int64_t size = c->input(0).NumElements();
    T* y = this->template outputInPlace<T>(c, 0, 0);
    if (!y) return;
    share(c, size, 3, [=](int64_t i, int64_t end) { loops<T>().gelu(x + i, y + i, end - i); });
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
    const TensorShape shape = c->input(1).shape();
    OP_REQUIRES(c, shape.dims() == 2, absl::InvalidArgumentError("residual must be a matrix"));
    const int64_t rows = shape.dim_size(0), width = shape.dim_size(1);
    if (!haveShape(c, 0, 0, shape) || !haveShape(c, 2, 3, {width})) return;
    const float* residual = data<float>(c->input(1));
    float* y = this->template outputInPlace<float>(c, 0, 1);
    float* normal = this->template output<float>(c, 1, this->forGradient_ ? shape : TensorShape({0, 0}));
    float* inverse = this->template output<float>(c, 2, {this->forGradient_ ? rows : 0});
    if (!c->status().ok()) return;
    AddNorm<T> op = {width, this->epsilon_, this->site(c, 4), data<T>(c->input(0)), residual,
                     data<float>(c->input(2)), data<float>(c->input(3)), y,
                     this->forGradient_ ? normal : y, this->forGradient_ ? inverse : nullptr};
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

FTFT_REGISTER("FtftGelu", Gelu)
FTFT_REGISTER("FtftGeluGrad", GeluGrad)
FTFT_REGISTER("FtftDropout", DropoutOp)
FTFT_REGISTER("FtftAddNorm", AddNormOp)
FTFT_REGISTER("FtftAddNormGrad", AddNormGradOp)

}  // namespace
}  // namespace ftft

// Node loads the library as an add-on that offers nothing: loading it is what registers the ops.
extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void*, void* exports) { return exports; }
