// Small matrix products whose operands lie in the core's cache.
#pragma once
#include "vector.h"

namespace ftft::FTFT_INSTRUCTIONS {

/** The left operand: element [row, inner] is at[row * rowStride + inner * innerStride]. */
struct Left {
  const float* at;
  int64_t rowStride, innerStride;
};

/** R rows and C vectors of columns of the product, held in registers. */
template <int R, int C>
inline void tile(int64_t inner, Left a, const float* b, int64_t bStride, float* c, int64_t cStride, bool isAdding) {
  Floats sums[R][C] = {};
  for (int64_t k = 0; k < inner; k++) {
    Floats right[C];
#pragma GCC unroll 8
    for (int j = 0; j < C; j++) right[j] = load(b + k * bStride + j * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < R; i++) {
      const float left = a.at[i * a.rowStride + k * a.innerStride];
#pragma GCC unroll 8
      for (int j = 0; j < C; j++) sums[i][j] += left * right[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; i++)
#pragma GCC unroll 8
    for (int j = 0; j < C; j++) {
      float* to = c + i * cStride + j * kLanes;
      store(to, isAdding ? load(to) + sums[i][j] : sums[i][j]);
    }
}

template <int C>
inline void columnsOf(int64_t rows, int64_t inner, Left a, const float* b, int64_t bStride, float* c, int64_t cStride,
                      bool isAdding) {
  constexpr int R = 6;
  int64_t i = 0;
  for (; i + R <= rows; i += R)
    tile<R, C>(inner, {a.at + i * a.rowStride, a.rowStride, a.innerStride}, b, bStride, c + i * cStride, cStride, isAdding);
  for (; i + 2 <= rows; i += 2)
    tile<2, C>(inner, {a.at + i * a.rowStride, a.rowStride, a.innerStride}, b, bStride, c + i * cStride, cStride, isAdding);
  if (i < rows)
    tile<1, C>(inner, {a.at + i * a.rowStride, a.rowStride, a.innerStride}, b, bStride, c + i * cStride, cStride, isAdding);
}

/** c [rows, columns] = or += a [rows, inner] times b [inner, columns]; columns are a multiple of the lanes. */
inline void product(int64_t rows, int64_t columns, int64_t inner, Left a, const float* b, int64_t bStride, float* c,
                    int64_t cStride, bool isAdding) {
  // As many accumulators as there are registers for them.
  constexpr int kWide = kLanes == 16 ? 4 : 2;
  int64_t j = 0;
  for (; j + kWide * kLanes <= columns; j += kWide * kLanes)
    columnsOf<kWide>(rows, inner, a, b + j, bStride, c + j, cStride, isAdding);
  if (kWide > 2)
    for (; j + 2 * kLanes <= columns; j += 2 * kLanes) columnsOf<2>(rows, inner, a, b + j, bStride, c + j, cStride, isAdding);
  for (; j < columns; j += kLanes) columnsOf<1>(rows, inner, a, b + j, bStride, c + j, cStride, isAdding);
}

}  // namespace ftft::FTFT_INSTRUCTIONS
