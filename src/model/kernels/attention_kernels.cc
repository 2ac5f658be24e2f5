// CPU kernels of attention: they check shapes and share texts and heads out among TensorFlow's threads. Results do not depend on how many
// threads there are.
#include "kernel_support.h"

namespace ftft {
namespace {

/** The texts' bounds must lie in order within the tokens: what follows reads and writes by them. */
bool haveBounds(OpKernelContext* c, const Tensor& starts, int64_t tokens) {
  const auto bounds = starts.flat<int32_t>();
  bool isRight = bounds.size() > 0 && bounds(0) == 0 && bounds(bounds.size() - 1) == tokens;
  for (int64_t i = 1; isRight && i < bounds.size(); i++) isRight = bounds(i - 1) < bounds(i);
  if (!isRight) c->SetStatus(absl::InvalidArgumentError(absl::StrCat("starts must ascend from 0 to ", tokens)));
  return isRight;
}

/** Queries, keys and values of a batch: sizes that both passes check and use. */
struct Texts {
  int64_t heads, size, tokens, count;
  const int32_t* starts;
  /** About how many multiplications one text and head take. */
  int64_t cost;

  /** False, with the error set, where shapes or bounds are wrong. */
  bool read(OpKernelContext* c, const Tensor& qkv, const Tensor& bounds, int64_t numHeads) {
    if (qkv.dims() != 2 || qkv.dim_size(1) % (3 * numHeads) != 0) {
      c->SetStatus(absl::InvalidArgumentError("qkv must be a matrix of 3 * num_heads * size columns"));
      return false;
    }
    heads = numHeads;
    tokens = qkv.dim_size(0);
    size = qkv.dim_size(1) / 3 / heads;
    count = bounds.NumElements() - 1;
    starts = bounds.flat<int32_t>().data();
    if (!haveBounds(c, bounds, tokens)) return false;
    const int64_t length = count > 0 ? tokens / count + 1 : 1;
    cost = length * length * size / 4;
    return true;
  }
};

/** DeBERTa's tables; a table without rows is none. */
template <typename T>
bool readRelative(OpKernelContext* c, int keysInput, const Texts& texts, Relative<T>* relative) {
  const Tensor &keys = c->input(keysInput), &queries = c->input(keysInput + 1), &slots = c->input(keysInput + 2);
  const int64_t numSlots = std::max(keys.dim_size(0), queries.dim_size(0)), width = texts.heads * texts.size;
  const auto fits = [&](const Tensor& table) {
    return table.dims() == 2 && (table.dim_size(0) == 0 || (table.dim_size(0) == numSlots && table.dim_size(1) == width));
  };
  const auto places = slots.flat<int32_t>();
  int64_t longest = 0;
  for (int64_t b = 0; b < texts.count; b++)
    longest = std::max<int64_t>(longest, texts.starts[b + 1] - texts.starts[b]);
  bool isRight = fits(keys) && fits(queries) && places.size() % 2 == 1 && longest <= places.size() / 2 + 1;
  for (int64_t i = 0; isRight && i < places.size(); i++)
    isRight = places(i) >= 0 && places(i) < numSlots && (i == 0 || places(i - 1) <= places(i));
  if (!isRight) {
    c->SetStatus(absl::InvalidArgumentError(
        "slots must ascend within the rows of keys and queries, and hold every distance of the longest text"));
    return false;
  }
  *relative = {keys.dim_size(0) > 0 ? data<T>(keys) : nullptr, queries.dim_size(0) > 0 ? data<T>(queries) : nullptr,
               places.data(), places.size() / 2};
  return true;
}

template <typename T, bool isRelative>
class AttentionOp : public Op<T> {
 public:
  using Op<T>::Op;
  void Compute(OpKernelContext* c) override {
    Texts texts;
    Relative<T> relative;
    if (!texts.read(c, c->input(0), c->input(1), this->numHeads_)) return;
    if (isRelative && !readRelative<T>(c, 3, texts, &relative)) return;
    const Attention<T> op = {texts.heads, texts.size, this->site(c, 2), texts.starts, data<T>(c->input(0)),
                             this->template output<T>(c, 0, {texts.tokens, texts.heads * texts.size}),
                             this->template output<float>(c, 1, {texts.tokens, texts.heads})};
    if (!c->status().ok()) return;
    share(c, texts.count * texts.heads, texts.cost, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        if (isRelative) loops<T>().relativeAttention(op, relative, i / op.numHeads, i % op.numHeads);
        else loops<T>().attention(op, i / op.numHeads, i % op.numHeads);
      }
    });
  }
};

template <typename T>
bool haveGradientShapes(OpKernelContext* c, const Texts& texts) {
  return haveShape(c, 0, 1, {texts.tokens, texts.heads * texts.size}) && haveShape(c, 3, 3, {texts.tokens, texts.heads});
}

template <typename T>
AttentionGrad<T> gradientOf(OpKernelContext* c, const Texts& texts, const DropoutSite& site, T* dQkv) {
  return {texts.heads,          texts.size,           site,                 texts.starts,
          data<T>(c->input(0)), data<T>(c->input(1)), data<T>(c->input(2)), data<float>(c->input(3)), dQkv};
}

template <typename T>
class AttentionGradOp : public Op<T> {
 public:
  using Op<T>::Op;
  void Compute(OpKernelContext* c) override {
    Texts texts;
    if (!texts.read(c, c->input(2), c->input(4), this->numHeads_) || !haveGradientShapes<T>(c, texts)) return;
    const auto op = gradientOf<T>(c, texts, this->site(c, 5), this->template output<T>(c, 0, c->input(2).shape()));
    if (!c->status().ok()) return;
    share(c, texts.count * texts.heads, 3 * texts.cost, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) loops<T>().attentionGrad(op, i / op.numHeads, i % op.numHeads);
    });
  }
};

template <typename T>
class RelativeAttentionGradOp : public Op<T> {
 public:
  using Op<T>::Op;
  void Compute(OpKernelContext* c) override {
    Texts texts;
    Relative<T> relative;
    if (!texts.read(c, c->input(2), c->input(4), this->numHeads_) || !haveGradientShapes<T>(c, texts)) return;
    if (!readRelative<T>(c, 6, texts, &relative)) return;
    const auto op = gradientOf<T>(c, texts, this->site(c, 5), this->template output<T>(c, 0, c->input(2).shape()));
    float* totals[2];
    int64_t sizes[2];
    for (int i = 0; i < 2; i++) {
      totals[i] = this->template output<float>(c, i + 1, c->input(6 + i).shape());
      sizes[i] = c->input(6 + i).NumElements();
    }
    if (!c->status().ok()) return;
    // Each part of the texts sums for itself, and the sums are added in order, so that the number of threads changes nothing.
    const int64_t parts = std::min<int64_t>(texts.count, 4), heads = texts.heads;
    std::vector<float> sums(parts * (sizes[0] + sizes[1]), 0.0f);
    share(c, parts * heads, 6 * texts.cost * (texts.count / parts), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const int64_t part = i / heads;
        float* dKeys = sums.data() + part * (sizes[0] + sizes[1]);
        for (int64_t text = part; text < texts.count; text += parts)
          loops<T>().relativeAttentionGrad(op, relative, text, i % heads, dKeys, dKeys + sizes[0]);
      }
    });
    for (int i = 0; i < 2; i++) {
      std::fill(totals[i], totals[i] + sizes[i], 0.0f);
      for (int64_t part = 0; part < parts; part++) {
        const float* own = sums.data() + part * (sizes[0] + sizes[1]) + i * sizes[0];
        for (int64_t k = 0; k < sizes[i]; k++) totals[i][k] += own[k];
      }
    }
  }
};

template <typename T>
using PlainAttentionOp = AttentionOp<T, false>;
template <typename T>
using RelativeAttentionOp = AttentionOp<T, true>;

FTFT_REGISTER("FtftAttention", PlainAttentionOp)
FTFT_REGISTER("FtftAttentionGrad", AttentionGradOp)
FTFT_REGISTER("FtftRelativeAttention", RelativeAttentionOp)
FTFT_REGISTER("FtftRelativeAttentionGrad", RelativeAttentionGradOp)

}  // namespace
}  // namespace ftft
