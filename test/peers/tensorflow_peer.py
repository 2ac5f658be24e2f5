"""What TensorFlow makes of SavedModels: a JSON list of jobs on standard input, a list of answers on standard output.

job     {"folder": …, "inputs": {"input_ids": [[…]], "attention_mask": …}}: called by the signature serving_default, with what it asks for
answer  {"logits": […], …}: whatever it gives. All models are loaded before the first is called, so that none may use another's weights.
"""

import json
import sys

import tensorflow as tf

jobs = json.load(sys.stdin)
loaded = [tf.saved_model.load(job["folder"]) for job in jobs]


def answer(model, inputs):
    call = model.signatures["serving_default"]
    names = call.structured_input_signature[1]
    outputs = call(**{name: tf.constant(inputs[name], tf.int32) for name in names})
    return {name: value.numpy().tolist() for name, value in outputs.items()}


json.dump([answer(model, job["inputs"]) for model, job in zip(loaded, jobs)], sys.stdout)
