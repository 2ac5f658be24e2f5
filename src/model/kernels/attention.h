// Attention of one text and one head, forward and backward: all of it in buffers that fit the core's own cache, so that the square of the
// length never reaches memory. The backward pass computes the probabilities again from the logarithms of their sums (Dao et al., arXiv
// 2205.14135).
#pragma once
#include <cmath>

#include "product.h"
#include "scratch.h"

namespace ftft::FTFT_INSTRUCTIONS {

/** Queries at a time: two buffers of this many rows of 512 keys are half a megabyte. */
constexpr int64_t kBlock = 64;

/** What may be added to the scores besides the products of queries and keys: nothing. */
struct NothingMore {
  void begin(const float*, const float*, int64_t) {}
  void addTo(float*, int64_t, int64_t, int64_t) const {}
  void takeFrom(const float*, int64_t, int64_t, int64_t) {}
  void end(float*, float*) {}
};

template <typename T, typename More>
void attend(const Attention<T>& op, int64_t text, int64_t head, float scale, More more) {
  const int64_t begin = op.starts[text], length = op.starts[text + 1] - begin;
  const int64_t H = op.headSize, D = op.numHeads * H, P = padded(H), L = padded(length);
  const int64_t block = length < kBlock ? length : kBlock;
  Scratch<0> scratch({length * P, length * P, H * L, length * P, block * L, block * P});
  float *q = scratch.take(length * P), *k = scratch.take(length * P), *kT = scratch.take(H * L);
  float *v = scratch.take(length * P), *scores = scratch.take(block * L), *context = scratch.take(block * P);
  const T* first = op.qkv + begin * 3 * D + head * H;
  copyRows(first, 3 * D, length, H, scale, q, P);
  copyRows(first + D, 3 * D, length, H, 1.0f, k, P);
  copyRows(first + 2 * D, 3 * D, length, H, 1.0f, v, P);
  transpose(k, P, length, H, kT, L);
  more.begin(q, k, length);
  const Dropout dropout(op.dropout);
  for (int64_t from = 0; from < length; from += block) {
    const int64_t rows = length - from < block ? length - from : block;
    product(rows, L, H, {q + from * P, P, 1}, kT, L, scores, L, false);
    more.addTo(scores, from, rows, L);
    for (int64_t r = 0; r < rows; r++) {
      float* row = scores + r * L;
      const int64_t token = begin + from + r;
      Floats most = splat(row[0]);
      forEachVector(length, [&](int64_t j, int count) {
        const Floats value = count == kLanes ? load(row + j) : keepFirst(load(row + j), count, row[0]);
        most = select(value > most, value, most);
      });
      const float top = largest(most);
      Floats total = {};
      forEachVector(length, [&](int64_t j, int count) {
        const Floats power = exponential(load(row + j) - top);
        const Floats value = count == kLanes ? power : keepFirst(power, count, 0.0f);
        store(row + j, value);
        total += value;
      });
      const float all = sum(total), inverse = 1.0f / all;
      op.logSums[token * op.numHeads + head] = top + std::log(all);
      const uint32_t key = dropout.row(token * op.numHeads + head);
      for (int64_t j = 0; j < length; j += kLanes) {
        Floats value = load(row + j) * inverse;
        if (dropout.isOn) value *= dropout.factors(key, j);
        store(row + j, value);
      }
    }
    product(rows, P, length, {scores, L, 1}, v, P, context, P, false);
    storeRows(context, P, rows, H, 1.0f, op.context + (begin + from) * D + head * H, D);
  }
}

template <typename T, typename More>
void attendGrad(const AttentionGrad<T>& op, int64_t text, int64_t head, float scale, More more) {
  const int64_t begin = op.starts[text], length = op.starts[text + 1] - begin;
  const int64_t H = op.headSize, D = op.numHeads * H, P = padded(H), L = padded(length);
  const int64_t block = length < kBlock ? length : kBlock, tall = length * P, wide = H * L;
  Scratch<0> scratch({tall, tall, tall, tall, tall, tall, tall, wide, wide, 2 * block * L});
  float *q = scratch.take(tall), *k = scratch.take(tall), *v = scratch.take(tall), *dO = scratch.take(tall);
  float *dQ = scratch.take(tall), *dK = scratch.take(tall), *dV = scratch.take(tall);
  float *kT = scratch.take(wide), *vT = scratch.take(wide);
  float *p = scratch.take(block * L), *dS = scratch.take(block * L);
  const int64_t at = begin * 3 * D + head * H;
  copyRows(op.qkv + at, 3 * D, length, H, scale, q, P);
  copyRows(op.qkv + at + D, 3 * D, length, H, 1.0f, k, P);
  copyRows(op.qkv + at + 2 * D, 3 * D, length, H, 1.0f, v, P);
  copyRows(op.dContext + begin * D + head * H, D, length, H, 1.0f, dO, P);
  transpose(k, P, length, H, kT, L);
  transpose(v, P, length, H, vT, L);
  more.begin(q, k, length);
  const Dropout dropout(op.dropout);
  for (int64_t from = 0; from < length; from += block) {
    const int64_t rows = length - from < block ? length - from : block;
    product(rows, L, H, {q + from * P, P, 1}, kT, L, p, L, false);
    more.addTo(p, from, rows, L);
    product(rows, L, H, {dO + from * P, P, 1}, vT, L, dS, L, false);
    for (int64_t r = 0; r < rows; r++) {
      const int64_t token = begin + from + r;
      const T* context = op.context + token * D + head * H;
      Floats products = {};
      forEachVector(H, [&](int64_t i, int count) {
        products += loadAt(context, i, count) * load(dO + (from + r) * P + i);
      });
      // The sum over keys of probability times its gradient.
      const float delta = sum(products);
      const float logSum = op.logSums[token * op.numHeads + head];
      const uint32_t key = dropout.row(token * op.numHeads + head);
      float *pRow = p + r * L, *dRow = dS + r * L;
      forEachVector(length, [&](int64_t j, int count) {
        Floats probability = exponential(load(pRow + j) - logSum);
        if (count < kLanes) probability = keepFirst(probability, count, 0.0f);
        const Floats factor = dropout.isOn ? dropout.factors(key, j) : splat(1.0f);
        store(dRow + j, probability * (load(dRow + j) * factor - delta));
        store(pRow + j, probability * factor);
      });
    }
    more.takeFrom(dS, from, rows, L);
    product(length, P, rows, {p, 1, L}, dO + from * P, P, dV, P, true);
    product(length, P, rows, {dS, 1, L}, q + from * P, P, dK, P, true);
    product(rows, P, length, {dS, L, 1}, k, P, dQ + from * P, P, false);
  }
  more.end(dQ, dK);
  storeRows(dQ, P, length, H, scale, op.dQkv + at, 3 * D);
  storeRows(dK, P, length, H, 1.0f, op.dQkv + at + D, 3 * D);
  storeRows(dV, P, length, H, 1.0f, op.dQkv + at + 2 * D, 3 * D);
}

template <typename T>
void attention(const Attention<T>& op, int64_t text, int64_t head) {
  attend(op, text, head, 1.0f / std::sqrt(static_cast<float>(op.headSize)), NothingMore());
}

template <typename T>
void attentionGrad(const AttentionGrad<T>& op, int64_t text, int64_t head) {
  attendGrad(op, text, head, 1.0f / std::sqrt(static_cast<float>(op.headSize)), NothingMore());
}

}  // namespace ftft::FTFT_INSTRUCTIONS
