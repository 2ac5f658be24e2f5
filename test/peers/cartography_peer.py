"""Reads what ftft exports as cartography's scripts do: coordinates and logs with pandas and json. stdin: {"logs", "coordinates"}
-> stdout: columns, types and numbers; or {"write"}: logs written by pandas for ftft to import."""
import json
import os
import sys

import numpy
import pandas
import torch


def read_logs(folder):
    """Every file of the folder is an epoch; the first one says which guids there are."""
    instances = {}
    for epoch in range(len(os.listdir(folder))):
        with open(os.path.join(folder, f"dynamics_epoch_{epoch}.jsonl")) as lines:
            for line in lines:
                record = json.loads(line)
                assert epoch == 0 or record["guid"] in instances
                known = instances.setdefault(record["guid"], {"gold": record["gold"], "logits": []})
                known["logits"].append(record[f"logits_epoch_{epoch}"])
    return instances


def metrics(instances):
    """Of Swayamdipta et al. 2020: population deviation, correctness as a count, 1000 for what was never right."""
    rows = []
    for index, (guid, instance) in enumerate(instances.items()):
        logits = torch.tensor(instance["logits"])
        p_true = torch.softmax(logits, -1)[:, instance["gold"]].double().numpy()
        right = numpy.argmax(instance["logits"], axis=1) == instance["gold"]
        forgotten = int(numpy.sum(right[:-1] & ~right[1:]))
        confidence = p_true.mean()
        rows.append(
            {
                "guid": guid,
                "index": index,
                "threshold_closeness": confidence * (1 - confidence),
                "confidence": confidence,
                "variability": p_true.std(),
                "correctness": int(right.sum()),
                "forgetfulness": forgotten if right.any() else 1000,
            }
        )
    return pandas.DataFrame(rows)


def write_logs(instances, folder, epochs, random):
    os.makedirs(folder)
    for epoch in range(epochs):
        guids = random.permutation(list(instances))
        frame = pandas.DataFrame(
            {
                "guid": guids,
                f"logits_epoch_{epoch}": [instances[guid]["logits"][epoch] for guid in guids],
                "gold": [instances[guid]["gold"] for guid in guids],
            }
        )
        frame.to_json(os.path.join(folder, f"dynamics_epoch_{epoch}.jsonl"), lines=True, orient="records")


job = json.load(sys.stdin)
if "write" in job:
    random = numpy.random.default_rng(0)
    epochs, count = job["write"]["epochs"], job["write"]["instances"]
    golds = random.integers(0, 3, count)
    made = {
        int(guid): {
            "gold": int(gold),
            "logits": (random.normal(0, 2, (epochs, 3)) + numpy.eye(3)[gold]).astype(numpy.float32).tolist(),
        }
        for guid, gold in zip(random.choice(2**40, count, replace=False), golds)
    }
    write_logs(made, job["write"]["folder"], epochs, random)
    print("{}")
else:
    ours = pandas.read_json(job["coordinates"], orient="records", lines=True)
    theirs = metrics(read_logs(job["logs"]))
    numbers = ["threshold_closeness", "confidence", "variability"]
    whole = ["guid", "index", "correctness", "forgetfulness"]
    # What is drawn: a sample of the rows, their colour by correctness over its largest value.
    drawn = ours.sample(n=min(len(ours), 25000))
    hues = sorted({f"{share:.1f}" for share in drawn["correctness"] / drawn["correctness"].max()})
    print(
        json.dumps(
            {
                "columns": list(ours.columns),
                "types": [str(kind) for kind in ours.dtypes],
                "hues": hues,
                "wholeAreEqual": bool((ours[whole].to_numpy() == theirs[whole].to_numpy()).all()),
                "greatestDifference": float((ours[numbers] - theirs[numbers]).abs().to_numpy().max()),
                # What a script sees that sorts by a metric and takes the first rows.
                "sorted": ours.sort_values("variability", ascending=False)["guid"].head(20).tolist(),
                "expected": theirs.sort_values("variability", ascending=False)["guid"].head(20).tolist(),
            }
        )
    )
