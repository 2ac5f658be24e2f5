"""How far PyTorch's own bfloat16 logits are from its float32 logits on the golden models → bf16_logits.json beside this file.

Run: python3 test/golden/bf16_logits.py ../shared/golden/models
with torch 2.15.0 and transformers 5.23.0. bfloat16 is torch.autocast on the CPU. How far it goes is chance, since rounding depends on the order
of sums: attention "eager" and "sdpa" where the family has it, the batch as it is, padded to 48, and row by row. The distance is the
largest of all.
"""

import json
import os
import sys

import torch
from transformers import AutoModelForSequenceClassification, logging

logging.set_verbosity_error()
folder = sys.argv[1]
distances = {}
for name in sorted(os.listdir(folder)):
    path = os.path.join(folder, name, "cases.json")
    if not os.path.exists(path):
        continue
    columns = json.load(open(path))["batch"]
    for attention in ("eager", "sdpa"):
        try:
            model = AutoModelForSequenceClassification.from_pretrained(os.path.dirname(path), attn_implementation=attention)
        except ValueError:
            continue
        has_types = getattr(model.config, "type_vocab_size", 0) > 1
        names = ["input_ids", "attention_mask"] + (["token_type_ids"] if has_types else [])
        whole = {key: torch.tensor(columns[key]) for key in names}
        wide = {key: torch.nn.functional.pad(rows, (0, 8), value=model.config.pad_token_id if key == "input_ids" else 0) for key, rows in whole.items()}
        rows = [{key: values[i : i + 1, : int(whole["attention_mask"][i].sum())] for key, values in whole.items()} for i in range(4)]
        for inputs in [whole, wide, *rows]:
            with torch.inference_mode():
                exact = model.eval()(**inputs).logits
                with torch.autocast("cpu", dtype=torch.bfloat16):
                    rounded = model(**inputs).logits.float()
            distances[name] = max(distances.get(name, 0.0), (exact - rounded).abs().max().item())
with open(os.path.join(os.path.dirname(__file__), "bf16_logits.json"), "w") as file:
    json.dump(distances, file, indent=2)
    file.write("\n")
