"""How far PyTorch's own bfloat16 goes from its float32 on a golden trajectory → bf16_distance.json beside this file.

Run: python3 test/golden/bf16_distance.py ../shared/golden/models/bert
with torch 2.15.0 and transformers 5.23.0, one thread. The 12 steps of AdamW are those of cases.json, dropout off; bfloat16 is
torch.autocast on the CPU with weights, optimizer and loss in float32. How far a run goes is chance, since rounding depends on the order of
sums, so there are several: attention "eager" and "sdpa", batches padded to their longest row and to 48, and the same instances in five
orders, the first of which is that of cases.json. The distance is the largest over the steps and the runs.
"""

import json
import os
import sys

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, get_linear_schedule_with_warmup

torch.set_num_threads(1)
folder = sys.argv[1]
trajectory = json.load(open(os.path.join(folder, "cases.json")))["trajectory"]


def load(attention):
    config = AutoConfig.from_pretrained(folder)
    for key in ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"):
        setattr(config, key, 0.0)
    model = AutoModelForSequenceClassification.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation=attention)
    return model.train()


def batches(seed):
    golden = trajectory["batches"]
    if seed == 0:
        return golden
    places = torch.randperm(sum(len(chosen) for chosen in golden), generator=torch.Generator().manual_seed(seed)).tolist()
    every = [i for chosen in golden for i in chosen]
    return [[every[places.pop()] for _ in chosen] for chosen in golden]


def batch(rows, length):
    length = length or max(len(row["input_ids"]) for row in rows)
    pad = lambda values: values + [0] * (length - len(values))
    return {
        "input_ids": torch.tensor([pad(row["input_ids"]) for row in rows]),
        "token_type_ids": torch.tensor([pad(row["token_type_ids"]) for row in rows]),
        "attention_mask": torch.tensor([pad([1] * len(row["input_ids"])) for row in rows]),
    }


def train(is_half, attention="eager", length=None, seed=0):
    model = load(attention)
    decay, keep = [], []
    for name, parameter in model.named_parameters():
        (keep if "bias" in name or "LayerNorm.weight" in name else decay).append(parameter)
    groups = [{"params": decay, "weight_decay": trajectory["weight_decay"]}, {"params": keep, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=trajectory["lr"], betas=(0.9, 0.999), eps=1e-6)
    total = trajectory["total_steps"]
    schedule = get_linear_schedule_with_warmup(optimizer, trajectory["warmup_steps"], total)
    steps = []
    for chosen in batches(seed):
        rows = [trajectory["instances"][i] for i in chosen]
        labels = torch.tensor([row["label"] for row in rows])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_half):
            logits = model(**batch(rows, length)).logits
            loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        logits = logits.detach().float()
        p_true = torch.softmax(logits, -1)[torch.arange(len(labels)), labels]
        steps.append({"loss": loss.detach().float(), "p_true": p_true, "logits": logits, "grad_norm": norm.log()})
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return steps


def distance(a, b):
    return {key: max(float((s[key] - t[key]).abs().max()) for s, t in zip(a, b)) for key in a[0]}


exact = [train(False, seed=seed) for seed in range(5)]
golden = trajectory["steps"]
worst = max(float((step["logits"] - torch.tensor(expected["logits"])).abs().max()) for step, expected in zip(exact[0], golden))
if worst > 1e-4:
    raise ValueError(f"The float32 run is not the golden one: logits differ by {worst}")
runs = {f"{attention}, length {length or 'of the longest row'}, order {seed}": distance(train(True, attention, length, seed), exact[seed])
        for attention in ("eager", "sdpa") for length in (None, 48) for seed in range(5)}
largest = {key: max(run[key] for run in runs.values()) for key in next(iter(runs.values()))}
result = {"torch": torch.__version__, "largest": largest, "runs": runs}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "bf16_distance.json"), "w") as file:
    json.dump(result, file, indent=2)
    file.write("\n")
