// GELU, dropout, and layer norm with what comes before it: loops.h says what each computes.
#pragma once
#include <cmath>

#include "vector.h"

namespace ftft::FTFT_INSTRUCTIONS {

template <typename T>
void gelu(const T* x, T* y, int64_t size) {
  forEachVector(size, [=](int64_t i, int count) {
    const Floats value = loadAt(x, i, count);
    Floats below, density;
    normalDistribution(value, below, density);
    storeAt(y, i, count, value * below);
  });
}

template <typename T>
void geluGrad(const T* dy, const T* x, T* dx, int64_t size) {
  forEachVector(size, [=](int64_t i, int count) {
    const Floats value = loadAt(x, i, count);
    Floats below, density;
    normalDistribution(value, below, density);
    storeAt(dx, i, count, loadAt(dy, i, count) * (below + value * density));
  });
}

template <typename T>
void dropout(const DropoutSite& site, const T* x, T* y, int64_t width, int64_t begin, int64_t end) {
  const Dropout dropout(site);
  for (int64_t row = begin; row < end; row++) {
    const uint32_t key = dropout.row(row);
    forEachVector(width, [&](int64_t i, int count) {
      const int64_t at = row * width + i;
      storeAt(y, at, count, loadAt(x, at, count) * dropout.factors(key, i));
    });
  }
}

template <typename T>
void addNorm(const AddNorm<T>& op, int64_t begin, int64_t end) {
  const Dropout dropout(op.dropout);
  for (int64_t row = begin; row < end; row++) {
    const uint32_t key = dropout.row(row);
    const int64_t first = row * op.width;
    float* normal = op.normal + first;
    Floats total = {};
    forEachVector(op.width, [&](int64_t i, int count) {
      Floats value = loadAt(op.x, first + i, count);
      if (dropout.isOn) value *= dropout.factors(key, i);
      value += loadAt(op.residual, first + i, count);
      storeAt(normal, i, count, value);
      total += value;
    });
    const float mean = sum(total) / op.width;
    Floats squares = {};
    forEachVector(op.width, [&](int64_t i, int count) {
      const Floats centred = loadAt(normal, i, count) - mean;
      // Lanes beyond the row hold -mean.
      squares += count == kLanes ? centred * centred : keepFirst(centred * centred, count, 0.0f);
    });
    const float inverse = 1.0f / std::sqrt(sum(squares) / op.width + op.epsilon);
    if (op.inverseDeviation) op.inverseDeviation[row] = inverse;
    forEachVector(op.width, [&](int64_t i, int count) {
      const Floats value = (loadAt(normal, i, count) - mean) * inverse;
      storeAt(normal, i, count, value);
      storeAt(op.y, first + i, count, value * loadAt(op.scale, i, count) + loadAt(op.offset, i, count));
    });
  }
}

template <typename T>
void addNormGrad(const AddNormGrad<T>& op, int64_t begin, int64_t end) {
  const Dropout dropout(op.dropout);
  for (int64_t row = begin; row < end; row++) {
    const uint32_t key = dropout.row(row);
    const int64_t first = row * op.width;
    const float *dy = op.dy + first, *normal = op.normal + first;
    Floats total = {}, along = {};
    forEachVector(op.width, [&](int64_t i, int count) {
      const Floats given = loadAt(dy, i, count), unit = loadAt(normal, i, count);
      const Floats scaled = given * loadAt(op.scale, i, count);
      total += scaled;
      along += scaled * unit;
      storeAt(op.dScale, i, count, loadAt(op.dScale, i, count) + given * unit);
      storeAt(op.dOffset, i, count, loadAt(op.dOffset, i, count) + given);
    });
    const float mean = sum(total) / op.width, share = sum(along) / op.width;
    const float inverse = op.inverseDeviation[row];
    forEachVector(op.width, [&](int64_t i, int count) {
      const Floats scaled = loadAt(dy, i, count) * loadAt(op.scale, i, count);
      Floats value = (scaled - mean - loadAt(normal, i, count) * share) * inverse;
      storeAt(op.dResidual, first + i, count, value);
      if (dropout.isOn) value *= dropout.factors(key, i);
      storeAt(op.dx, first + i, count, value);
    });
  }
}

}  // namespace ftft::FTFT_INSTRUCTIONS
