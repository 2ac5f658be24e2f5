// The arithmetic of the fused ops on plain arrays, without TensorFlow. T: float or Bfloat16; whatever T is, sums and functions are computed
// in float. Compiled once for each set of vector instructions, each in its namespace; kernel_support.h picks the best that the machine has.
#pragma once
#include <cstdint>

namespace ftft {

/** The upper half of a float. */
struct Bfloat16 {
  uint16_t bits;
};

/** What a dropout mask is drawn from; rate 0: no dropout, and the seeds are not looked at. */
struct DropoutSite {
  uint32_t seeds[2];
  float rate;
};

/** Layer norm of dropout(x) + residual over rows of `width`; `normal` is the result before scale and offset; it may be y,
 * and y may be the residual. Without `inverseDeviation` nothing is kept of that. */
template <typename T>
struct AddNorm {
  int64_t width;
  float epsilon;
  DropoutSite dropout;
  const T* x;
  const float *residual, *scale, *offset;
  float *y, *normal, *inverseDeviation;
};

/** Its gradient. dScale and dOffset are added to. */
template <typename T>
struct AddNormGrad {
  int64_t width;
  DropoutSite dropout;
  const float *dy, *normal, *inverseDeviation, *scale;
  T* dx;
  float *dResidual, *dScale, *dOffset;
};

/**
 * Multi-head self-attention over texts that lie one after the other: queries, keys and values side by side in [tokens, 3 * heads * size],
 * text b from token starts[b] up to starts[b + 1]. Nobody sees another text, and no text is padded.
 */
template <typename T>
struct Attention {
  int64_t numHeads, headSize;
  DropoutSite dropout;
  const int32_t* starts;
  const T* qkv;
  /** [tokens, heads * size] */
  T* context;
  /** [tokens, heads]: the logarithm of each softmax's denominator. */
  float* logSums;
};

template <typename T>
struct AttentionGrad {
  int64_t numHeads, headSize;
  DropoutSite dropout;
  const int32_t* starts;
  const T *dContext, *context, *qkv;
  const float* logSums;
  T* dQkv;
};

/**
 * What DeBERTa adds to the scores: embeddings of distances, [slots, heads * size] each; null where a model does not have them. The slot of
 * distance d = query's place - key's place is slots[d + maxDistance], ascending with d.
 */
template <typename T>
struct Relative {
  const T *keys, *queries;
  const int32_t* slots;
  int64_t maxDistance;
};

template <typename T>
struct Loops {
  void (*gelu)(const T* x, T* y, int64_t size);
  void (*geluGrad)(const T* dy, const T* x, T* dx, int64_t size);
  /** Rows [begin, end) of `width` columns. */
  void (*dropout)(const DropoutSite& site, const T* x, T* y, int64_t width, int64_t begin, int64_t end);
  void (*addNorm)(const AddNorm<T>& op, int64_t begin, int64_t end);
  void (*addNormGrad)(const AddNormGrad<T>& op, int64_t begin, int64_t end);
  /** One text and head. */
  void (*attention)(const Attention<T>& op, int64_t text, int64_t head);
  void (*attentionGrad)(const AttentionGrad<T>& op, int64_t text, int64_t head);
  void (*relativeAttention)(const Attention<T>& op, const Relative<T>& relative, int64_t text, int64_t head);
  /** Adds to the gradients of the embeddings. */
  void (*relativeAttentionGrad)(const AttentionGrad<T>& op, const Relative<T>& relative, int64_t text, int64_t head,
                                float* dKeys, float* dQueries);
};

#define FTFT_DECLARE_LOOPS(instructions)    \
  namespace instructions {                  \
  extern const Loops<float> floatLoops;     \
  extern const Loops<Bfloat16> halfLoops;   \
  }

FTFT_DECLARE_LOOPS(baseline)
#if defined(__x86_64__)
FTFT_DECLARE_LOOPS(avx2)
FTFT_DECLARE_LOOPS(avx512)
#endif

}  // namespace ftft
