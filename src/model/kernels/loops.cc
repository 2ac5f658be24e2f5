// The loops for one set of vector instructions, named by FTFT_INSTRUCTIONS.
#include "loops.h"

#include "elementwise.h"
#include "relative_attention.h"

namespace ftft::FTFT_INSTRUCTIONS {

template <typename T>
constexpr Loops<T> all = {gelu<T>,      geluGrad<T>,  dropout<T>,       addNorm<T>,
                          addNormGrad<T>, attention<T>, attentionGrad<T>, relativeAttention<T>,
                          relativeAttentionGrad<T>};

extern const Loops<float> floatLoops = all<float>;
extern const Loops<Bfloat16> halfLoops = all<Bfloat16>;

}  // namespace ftft::FTFT_INSTRUCTIONS
