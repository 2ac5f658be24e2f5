"""The recipe's training step and evaluation in PyTorch and transformers, a process that answers requests (serve.py).

create: a model with random weights from the JSON of a config.json, SDPA attention where the family has it, fused AdamW (eps 1e-6, no
decay), torch.compile where asked for. train and predict: seconds of each batch, which is padded to its longest row before the clock
starts. A training step is forward with dropout, backward, clip at norm 1 and update, under autocast for bf16; prediction is under
inference_mode.
"""

import platform
import time

import torch
import transformers

from batches import padded
from serve import arguments, peak_and_resident, serve

options = arguments()
torch.set_num_threads(options.threads)
if options.device == "cuda":
    # TensorFlow computes float32 products so, too.
    torch.set_float32_matmul_precision("high")
transformers.logging.set_verbosity_error()
made = {}


def create(config, numClasses, precision, compiled, dynamic=False):
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(**config, num_labels=numClasses)
    build = transformers.AutoModelForSequenceClassification.from_config
    try:
        model = build(config, attn_implementation="sdpa")
    except ValueError:  # a family without it
        model = build(config, attn_implementation="eager")
    model.to(options.device).train()
    made["precision"] = precision
    made["model"] = model
    made["forward"] = torch.compile(model, dynamic=dynamic) if compiled else model
    made["optimizer"] = torch.optim.AdamW(model.parameters(), lr=5e-5, eps=1e-6, weight_decay=0.0, fused=True)
    return {}


def autocast():
    return torch.autocast(options.device, dtype=torch.bfloat16, enabled=made["precision"] == "bf16")


def step(inputs, labels):
    made["model"].train()
    with autocast():
        loss = made["forward"](**inputs, labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(made["model"].parameters(), 1.0)
    made["optimizer"].step()
    made["optimizer"].zero_grad()
    return loss.item()


def logits(inputs, _):
    made["model"].eval()
    with torch.inference_mode(), autocast():
        return made["forward"](**inputs).logits.float().cpu()[0, 0].item()


def timed(batches, repeat, work):
    tensors = []
    for batch in batches:
        inputs = padded(batch["ids"], batch["secondStarts"])
        if made["model"].config.type_vocab_size == 0:
            del inputs["token_type_ids"]
        tensors.append(({name: torch.tensor(rows) for name, rows in inputs.items()}, torch.tensor(batch["labels"])))
    seconds, loss = [], 0.0
    for inputs, labels in tensors * repeat:
        start = time.perf_counter()
        # Its number read back, so the device has finished when the clock stops.
        loss = work({name: rows.to(options.device) for name, rows in inputs.items()}, labels.to(options.device))
        seconds.append(time.perf_counter() - start)
    if not -1e9 < loss < 1e9:
        raise ValueError(f"The loss must be finite, it is {loss}")
    return {"seconds": seconds, "loss": loss}


serve(
    {
        "create": create,
        "train": lambda batches, repeat: timed(batches, repeat, step),
        "predict": lambda batches, repeat: timed(batches, repeat, logits),
        "memory": peak_and_resident,
        "versions": lambda: {
            "Python": platform.python_version(),
            "PyTorch": torch.__version__,
            "transformers": transformers.__version__,
        },
    }
)
