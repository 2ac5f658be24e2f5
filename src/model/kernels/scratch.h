// What attention copies to and fro: one head's rows, as floats of padded width, in buffers that one thread uses again and again.
#pragma once
#include <initializer_list>
#include <vector>

#include "vector.h"

namespace ftft::FTFT_INSTRUCTIONS {

inline int64_t padded(int64_t size) { return (size + kLanes - 1) / kLanes * kLanes; }

/** Zeroed arrays. Two that live at the same time need names of their own. */
template <int Name>
class Scratch {
 public:
  explicit Scratch(std::initializer_list<int64_t> sizes) {
    static thread_local std::vector<float> memory;
    int64_t total = 0;
    for (const int64_t size : sizes) total += size;
    memory.assign(total, 0.0f);
    next_ = memory.data();
  }
  float* take(int64_t size) {
    float* taken = next_;
    next_ += size;
    return taken;
  }

 private:
  float* next_;
};

/** Rows of T, `stride` apart, times a factor → rows of floats, `width` apart. */
template <typename T>
void copyRows(const T* from, int64_t stride, int64_t rows, int64_t size, float factor, float* to, int64_t width) {
  for (int64_t row = 0; row < rows; row++)
    forEachVector(size, [&](int64_t i, int count) {
      storeAt(to + row * width, i, count, loadAt(from + row * stride, i, count) * factor);
    });
}

template <typename T>
void storeRows(const float* from, int64_t width, int64_t rows, int64_t size, float factor, T* to, int64_t stride) {
  for (int64_t row = 0; row < rows; row++)
    forEachVector(size, [&](int64_t i, int count) {
      storeAt(to + row * stride, i, count, loadAt(from + row * width, i, count) * factor);
    });
}

inline void transpose(const float* from, int64_t width, int64_t rows, int64_t columns, float* to, int64_t toWidth) {
  for (int64_t row = 0; row < rows; row++)
    for (int64_t column = 0; column < columns; column++) to[column * toWidth + row] = from[row * width + column];
}

}  // namespace ftft::FTFT_INSTRUCTIONS
