// DeBERTa's attention (He et al., arXiv 2006.03654): to the score of query i and key j come the query times an embedding of their distance,
// and the key times another. Distances share embeddings in slots: slots[distance + maxDistance].
#pragma once
#include "attention.h"

namespace ftft::FTFT_INSTRUCTIONS {

/** One text and head of it. dPositions are null in the forward pass, and are added to in the backward pass. */
template <typename T>
class RelativePositions {
 public:
  RelativePositions(const Relative<T>& op, int64_t head, int64_t numHeads, int64_t headSize, float scale, float* dKeys,
                    float* dQueries)
      : op_(op), head_(head), D_(numHeads * headSize), H_(headSize), P_(padded(headSize)), scale_(scale), dKeys_(dKeys),
        dQueries_(dQueries) {}

  void begin(const float* q, const float* k, int64_t length) {
    q_ = q;
    k_ = k;
    length_ = length;
    // Slots ascend with the distance, so those of this text lie side by side.
    first_ = slot(-(length - 1));
    count_ = slot(length - 1) - first_ + 1;
    S_ = padded(count_);
    const int64_t rows = count_ * P_, turned = H_ * S_, all = length * S_, isGrad = dKeys_ || dQueries_ ? 1 : 0;
    Scratch<1> scratch({2 * rows, turned, 2 * all, isGrad * (2 * all + rows)});
    keys_ = scratch.take(rows);
    queries_ = scratch.take(rows);
    float* transposed = scratch.take(turned);
    ofQueries_ = scratch.take(all);
    ofKeys_ = scratch.take(all);
    if (isGrad) {
      dOfQueries_ = scratch.take(all);
      dOfKeys_ = scratch.take(all);
      sums_ = scratch.take(rows);
    }
    const int64_t at = first_ * D_ + head_ * H_;
    if (op_.keys) {
      copyRows(op_.keys + at, D_, count_, H_, 1.0f, keys_, P_);
      transpose(keys_, P_, count_, H_, transposed, S_);
      product(length, S_, H_, {q, P_, 1}, transposed, S_, ofQueries_, S_, false);
    }
    if (op_.queries) {
      copyRows(op_.queries + at, D_, count_, H_, scale_, queries_, P_);
      transpose(queries_, P_, count_, H_, transposed, S_);
      product(length, S_, H_, {k, P_, 1}, transposed, S_, ofKeys_, S_, false);
    }
  }

  void addTo(float* scores, int64_t from, int64_t rows, int64_t width) const {
    for (int64_t r = 0; r < rows; r++) {
      const float* own = ofQueries_ + (from + r) * S_;
      for (int64_t j = 0; j < length_; j++) {
        const int64_t s = slot(from + r - j) - first_;
        scores[r * width + j] += own[s] + ofKeys_[j * S_ + s];
      }
    }
  }

  void takeFrom(const float* dScores, int64_t from, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; r++) {
      float* own = dOfQueries_ + (from + r) * S_;
      for (int64_t j = 0; j < length_; j++) {
        const int64_t s = slot(from + r - j) - first_;
        own[s] += dScores[r * width + j];
        dOfKeys_[j * S_ + s] += dScores[r * width + j];
      }
    }
  }

  /** dQ is multiplied by the scale afterwards. */
  void end(float* dQ, float* dK) {
    if (op_.keys) {
      product(length_, P_, count_, {dOfQueries_, S_, 1}, keys_, P_, dQ, P_, true);
      product(count_, P_, length_, {dOfQueries_, 1, S_}, q_, P_, sums_, P_, false);
      addSums(dKeys_, 1.0f);
    }
    if (op_.queries) {
      product(length_, P_, count_, {dOfKeys_, S_, 1}, queries_, P_, dK, P_, true);
      product(count_, P_, length_, {dOfKeys_, 1, S_}, k_, P_, sums_, P_, false);
      addSums(dQueries_, scale_);
    }
  }

 private:
  int64_t slot(int64_t distance) const { return op_.slots[distance + op_.maxDistance]; }

  void addSums(float* to, float factor) const {
    for (int64_t s = 0; s < count_; s++) {
      float* row = to + (first_ + s) * D_ + head_ * H_;
      forEachVector(H_, [&](int64_t i, int count) {
        storeAt(row, i, count, loadAt(row, i, count) + load(sums_ + s * P_ + i) * factor);
      });
    }
  }

  const Relative<T>& op_;
  int64_t head_, D_, H_, P_;
  float scale_;
  float *dKeys_, *dQueries_;
  const float *q_ = nullptr, *k_ = nullptr;
  int64_t length_ = 0, first_ = 0, count_ = 0, S_ = 0;
  float *keys_ = nullptr, *queries_ = nullptr, *ofQueries_ = nullptr, *ofKeys_ = nullptr;
  float *dOfQueries_ = nullptr, *dOfKeys_ = nullptr, *sums_ = nullptr;
};

template <typename T>
float relativeScale(const Relative<T>& relative, int64_t headSize) {
  const int terms = 1 + (relative.keys ? 1 : 0) + (relative.queries ? 1 : 0);
  return 1.0f / std::sqrt(static_cast<float>(headSize * terms));
}

template <typename T>
void relativeAttention(const Attention<T>& op, const Relative<T>& relative, int64_t text, int64_t head) {
  const float scale = relativeScale(relative, op.headSize);
  attend(op, text, head, scale, RelativePositions<T>(relative, head, op.numHeads, op.headSize, scale, nullptr, nullptr));
}

template <typename T>
void relativeAttentionGrad(const AttentionGrad<T>& op, const Relative<T>& relative, int64_t text, int64_t head, float* dKeys,
                           float* dQueries) {
  const float scale = relativeScale(relative, op.headSize);
  attendGrad(op, text, head, scale,
             RelativePositions<T>(relative, head, op.numHeads, op.headSize, scale, dKeys, dQueries));
}

}  // namespace ftft::FTFT_INSTRUCTIONS
