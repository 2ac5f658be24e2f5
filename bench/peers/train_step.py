"""Seconds of single training steps in PyTorch, one a request, so that another program can take turns with it.

python train_step.py --model DIR [--threads 2]
Reads lines {"precision": "fp32" | "bf16", "batch": 32, "length": 128, "seed": 1} from standard input; answers each with one line, the
seconds of that step. A step is forward, backward, clip at 1.0 and AdamW (eps 1e-6, no decay), dropout on, all tokens real.
"""

import argparse
import json
import sys
import time

import torch
import transformers

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()
torch.set_num_threads(options.threads)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

model = transformers.AutoModelForSequenceClassification.from_pretrained(options.model, num_labels=2, dtype=torch.float32).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, eps=1e-6, weight_decay=0.0)

for line in sys.stdin:
    request = json.loads(line)
    torch.manual_seed(request["seed"])
    ids = torch.randint(1000, model.config.vocab_size, (request["batch"], request["length"]))
    labels = torch.randint(0, 2, (request["batch"],))
    start = time.perf_counter()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=request["precision"] == "bf16"):
        loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    loss.item()
    print(time.perf_counter() - start, flush=True)
