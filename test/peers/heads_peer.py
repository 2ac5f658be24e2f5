"""What transformers makes of model folders and batches: a JSON list of jobs on standard input, a list of answers on standard output.

job     {"folder": …, "auto": "AutoModelForTokenClassification", "inputs": {"input_ids": [[…]], "attention_mask": …, labels …}}
answer  {"loss": …, "logits": […]}, or start_logits and end_logits: float32, eval mode. Tensors that the folder lacks, or has beyond the
        model that its config.json describes, are an error.
"""

import json
import sys

import torch
import transformers

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def answer(job):
    load = getattr(transformers, job["auto"]).from_pretrained
    model, report = load(job["folder"], dtype=torch.float32, output_loading_info=True)
    if any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")):
        sys.exit(f"Weights of {job['folder']} do not fit the model that config.json describes: {report}")
    model.eval()
    with torch.no_grad():
        outputs = model(**{name: torch.tensor(rows) for name, rows in job["inputs"].items()})
    return {"class": type(model).__name__} | {name: value.tolist() for name, value in outputs.items()}


json.dump([answer(job) for job in json.load(sys.stdin)], sys.stdout)
