// Short vectors of floats (GCC's vector extensions: one source for AVX-512, AVX2 and NEON), and the functions of one number that kernels need.
#pragma once
#include <cstdint>
#include <cstring>

#include "loops.h"

// A namespace for each set of instructions, so that the linker never mixes them.
namespace ftft::FTFT_INSTRUCTIONS {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Floats __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef uint32_t Words __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef uint16_t Halves __attribute__((vector_size(2 * kLanes), aligned(2), may_alias));

inline Floats splat(float value) { return Floats{} + value; }
inline Floats asFloats(Words bits) { return reinterpret_cast<Floats&>(bits); }
inline Words asWords(Floats value) { return reinterpret_cast<Words&>(value); }
/** Where a mask of all ones or all zeros says so, a; elsewhere b. */
inline Floats select(Ints mask, Floats a, Floats b) { return mask ? a : b; }

inline Floats load(const float* p) { return *reinterpret_cast<const Floats*>(p); }
inline void store(float* p, Floats value) { *reinterpret_cast<Floats*>(p) = value; }

inline Floats load(const Bfloat16* p) {
  return asFloats(__builtin_convertvector(*reinterpret_cast<const Halves*>(p), Words) << 16);
}

/** Rounds to nearest, ties to even; NaN stays NaN. */
inline void store(Bfloat16* p, Floats value) {
  const Words bits = asWords(value);
  const Words rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const Words chosen = value == value ? rounded : Words{} + 0x7fc0;
  *reinterpret_cast<Halves*>(p) = __builtin_convertvector(chosen, Halves);
}

/** The first count lanes; the others are 0. */
template <typename T>
inline Floats loadPart(const T* p, int64_t count) {
  T padded[kLanes] = {};
  std::memcpy(padded, p, count * sizeof(T));
  return load(padded);
}

/** The first count lanes; the others are `rest`. */
inline Floats keepFirst(Floats values, int64_t count, float rest) {
  for (int64_t i = count; i < kLanes; i++) values[i] = rest;
  return values;
}

template <typename T>
inline void storePart(T* p, Floats value, int64_t count) {
  T padded[kLanes];
  store(padded, value);
  std::memcpy(p, padded, count * sizeof(T));
}

/** f(values, place) for each vector of a row, the last of which may be short: reads from and writes to any number of arrays. */
template <typename F>
inline void forEachVector(int64_t size, F f) {
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) f(i, kLanes);
  if (i < size) f(i, static_cast<int>(size - i));
}

template <typename T>
inline Floats loadAt(const T* p, int64_t i, int count) {
  return count == kLanes ? load(p + i) : loadPart(p + i, count);
}

template <typename T>
inline void storeAt(T* p, int64_t i, int count, Floats value) {
  if (count == kLanes) store(p + i, value);
  else storePart(p + i, value, count);
}

inline float sum(Floats values) {
  float total = 0;
  for (int i = 0; i < kLanes; i++) total += values[i];
  return total;
}

inline float largest(Floats values) {
  float most = values[0];
  for (int i = 1; i < kLanes; i++) most = values[i] > most ? values[i] : most;
  return most;
}

/** e^x to 2 units in the last place for x in [-87, 88], clamped beyond. */
inline Floats exponential(Floats x) {
  x = select(x < -87.0f, splat(-87.0f), x);
  x = select(x > 88.0f, splat(88.0f), x);
  // Adding and taking away 1.5 * 2^23 rounds to a whole number.
  const Floats shifted = x * 1.44269504f + 12582912.0f;
  const Floats whole = shifted - 12582912.0f;
  const Floats r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  Floats p = splat(0.0013814468f);
  p = p * r + 0.00836878052f;
  p = p * r + 0.0416683942f;
  p = p * r + 0.166665201f;
  p = p * r + 0.499999934f;
  p = p * r * r + r + 1.0f;
  const Words power = (asWords(shifted) + 127) << 23;
  return p * asFloats(power);
}

/** The normal distribution function and density at x, to 1e-7. */
inline void normalDistribution(Floats x, Floats& below, Floats& density) {
  const Floats z = select(x < 0.0f, -x, x);
  const Floats bell = exponential(x * x * -0.5f);
  // erfc(y) e^(y^2) as a polynomial in t = 1 / (1 + 0.47 y) without constant term, fitted to 5e-9 of erfc; y = |x| / sqrt(2).
  const Floats t = 1.0f / (1.0f + z * (0.47f * 0.707106781f));
  Floats p = splat(0.085480489f);
  p = p * t - 0.406009196f;
  p = p * t + 0.578314499f;
  p = p * t - 0.0946306809f;
  p = p * t + 0.317272952f;
  p = p * t + 0.254059323f;
  p = p * t + 0.265512618f;
  const Floats tail = p * t * bell * 0.5f;
  below = select(x < 0.0f, tail, 1.0f - tail);
  density = bell * 0.398942280f;
}

/** A permutation of the 32-bit words that scatters well: "lowbias32" of Chris Wellons' hash prospector. */
template <typename W>
inline W scatter(W x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  x ^= x >> 16;
  return x;
}

/** The dropout mask of one site, a function of its seed, the row and the column alone; the same numbers as dropout.ts has. */
struct Dropout {
  uint32_t seeds[2];
  /** A word below this, as a signed number, drops its value. */
  int32_t threshold;
  float scale;
  bool isOn;

  explicit Dropout(const DropoutSite& site) : scale(1), isOn(site.rate > 0) {
    seeds[0] = site.seeds[0];
    seeds[1] = site.seeds[1];
    // A multiple of 2^-16, so that a rate means the same as a float and as a double.
    const int64_t dropped = static_cast<int64_t>(site.rate * 65536.0 + 0.5);
    threshold = static_cast<int32_t>(INT32_MIN + dropped * 65536);
    scale = static_cast<float>(65536.0 / (65536.0 - dropped));
  }

  uint32_t row(uint32_t index) const { return scatter(scatter(index ^ seeds[0]) + seeds[1]); }

  /** Scale where the value stays, 0 where it is dropped. */
  Floats factors(uint32_t row, int64_t firstColumn) const {
    Words column;
    for (int i = 0; i < kLanes; i++) column[i] = i;
    const Words word = scatter<Words>(column + static_cast<uint32_t>(firstColumn) + row);
    return select(reinterpret_cast<const Ints&>(word) < threshold, Floats{}, splat(scale));
  }
};

}  // namespace ftft::FTFT_INSTRUCTIONS
