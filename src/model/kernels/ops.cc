// The fused ops as TensorFlow knows them: names, types and shapes. What each computes: loops.h.
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace ftft {
namespace {

using tensorflow::shape_inference::InferenceContext;

const auto likeInput = [](int input) {
  return [input](InferenceContext* c) {
    c->set_output(0, c->input(input));
    return absl::OkStatus();
  };
};

REGISTER_OP("FtftGelu").Attr("T: {float, bfloat16}").Input("x: T").Output("y: T").SetShapeFn(likeInput(0));
REGISTER_OP("FtftGeluGrad").Attr("T: {float, bfloat16}").Input("dy: T").Input("x: T").Output("dx: T").SetShapeFn(likeInput(0));
REGISTER_OP("FtftDropout")
    .Attr("T: {float, bfloat16}").Attr("rate: float")
    .Input("x: T").Input("seed: int32").Output("y: T").SetShapeFn(likeInput(0));
REGISTER_OP("FtftAddNorm")
    .Attr("T: {float, bfloat16}").Attr("rate: float").Attr("epsilon: float").Attr("for_gradient: bool = true")
    .Input("x: T").Input("residual: float").Input("scale: float").Input("offset: float").Input("seed: int32")
    .Output("y: float").Output("normal: float").Output("inverse_deviation: float")
    .SetShapeFn([](InferenceContext* c) {
      bool forGradient;
      TF_RETURN_IF_ERROR(c->GetAttr("for_gradient", &forGradient));
      c->set_output(0, c->input(1));
      c->set_output(1, forGradient ? c->input(1) : c->Matrix(0, 0));
      c->set_output(2, forGradient ? c->Vector(c->Dim(c->input(1), 0)) : c->Vector(0));
      return absl::OkStatus();
    });
REGISTER_OP("FtftAddNormGrad")
    .Attr("T: {float, bfloat16}").Attr("rate: float")
    .Input("dy: float").Input("normal: float").Input("inverse_deviation: float").Input("scale: float").Input("seed: int32")
    .Output("dx: T").Output("d_residual: float").Output("d_scale: float").Output("d_offset: float")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->input(0));
      c->set_output(2, c->input(3));
      c->set_output(3, c->input(3));
      return absl::OkStatus();
    });
absl::Status attentionShapes(InferenceContext* c) {
  int numHeads;
  TF_RETURN_IF_ERROR(c->GetAttr("num_heads", &numHeads));
  tensorflow::shape_inference::DimensionHandle width;
  TF_RETURN_IF_ERROR(c->Divide(c->Dim(c->input(0), 1), 3, true, &width));
  c->set_output(0, c->Matrix(c->Dim(c->input(0), 0), width));
  c->set_output(1, c->Matrix(c->Dim(c->input(0), 0), numHeads));
  return absl::OkStatus();
}

REGISTER_OP("FtftAttention")
    .Attr("T: {float, bfloat16}").Attr("rate: float").Attr("num_heads: int")
    .Input("qkv: T").Input("starts: int32").Input("seed: int32")
    .Output("context: T").Output("log_sums: float")
    .SetShapeFn(attentionShapes);
REGISTER_OP("FtftAttentionGrad")
    .Attr("T: {float, bfloat16}").Attr("rate: float").Attr("num_heads: int")
    .Input("d_context: T").Input("context: T").Input("qkv: T").Input("log_sums: float").Input("starts: int32").Input("seed: int32")
    .Output("d_qkv: T").SetShapeFn(likeInput(2));
REGISTER_OP("FtftRelativeAttention")
    .Attr("T: {float, bfloat16}").Attr("rate: float").Attr("num_heads: int")
    .Input("qkv: T").Input("starts: int32").Input("seed: int32").Input("keys: T").Input("queries: T").Input("slots: int32")
    .Output("context: T").Output("log_sums: float")
    .SetShapeFn(attentionShapes);
REGISTER_OP("FtftRelativeAttentionGrad")
    .Attr("T: {float, bfloat16}").Attr("rate: float").Attr("num_heads: int")
    .Input("d_context: T").Input("context: T").Input("qkv: T").Input("log_sums: float").Input("starts: int32").Input("seed: int32")
    .Input("keys: T").Input("queries: T").Input("slots: int32")
    .Output("d_qkv: T").Output("d_keys: float").Output("d_queries: float")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(2));
      c->set_output(1, c->input(6));
      c->set_output(2, c->input(7));
      return absl::OkStatus();
    });

}  // namespace
}  // namespace ftft
