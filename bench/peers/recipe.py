"""The recipe in PyTorch and transformers, on the very JSONL files that the demo imports: data and model folder in, one JSON line a
finished stage out (appended to --results, and printed).

python recipe.py --data DIR --model DIR --results FILE [--seed 0] [--precision bf16|fp32] [--train 8000] [--epochs 4] [--stages …]

Stages: erm (all layers, all the data), reference (the first layers), ftft (all layers, the reference's ambiguous share, a third of
ERM's steps), random (the same with a random share). A stage that the results file has already, with the same settings, is not run
again. The share that a stage selects is kept in its line as a bit column: base64, least significant bit first, instance by instance.
Every stage seeds the generator itself, so a resumed run equals an uninterrupted one.
"""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import platform
import random
import time

import numpy
import torch
import transformers

CLASSES = ["negative", "positive"]
TRAIN, TESTS = "train", {"movie": "test_movie", "amazon": "ood_amazon", "tweets": "ood_tweets", "nyt": "ood_nyt"}
STAGES = ["erm", "reference", "ftft", "random"]
BATCH, EVALUATION_BATCH, LEARNING_RATE, WARMUP, MAX_LENGTH, FRACTION = 32, 64, 5e-5, 0.1, 300, 0.33


class Split:
    """Token ids and class index of each line of a JSONL file."""

    def __init__(self, file, tokenizer, limit=None):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line][:limit]
        self.ids = [tokenizer(row["text"], truncation=True, max_length=MAX_LENGTH)["input_ids"] for row in rows]
        self.labels = torch.tensor([CLASSES.index(row["label"]) for row in rows])

    def __len__(self):
        return len(self.ids)

    def batch(self, instances):
        """Inputs padded to the longest of the instances, and their labels."""
        width = max(len(self.ids[i]) for i in instances)
        ids = torch.zeros(len(instances), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, i in enumerate(instances):
            ids[row, : len(self.ids[i])] = torch.tensor(self.ids[i])
            mask[row, : len(self.ids[i])] = 1
        return {"input_ids": ids, "attention_mask": mask}, self.labels[instances]


def load(folder, layers, seed):
    """The pretrained encoder, its first layers only when asked, under a new classification head."""
    torch.manual_seed(seed)
    config = transformers.AutoConfig.from_pretrained(folder, num_labels=len(CLASSES))
    config.num_hidden_layers = layers or config.num_hidden_layers
    build = transformers.AutoModelForSequenceClassification.from_pretrained
    return build(folder, config=config, dtype=torch.float32)


def rate_factor(update, steps):
    """Linear warm-up over a tenth of the steps, then linear to zero; updates count from 0."""
    warmup = int(WARMUP * steps)
    return update / warmup if update < warmup else max(0.0, (steps - update) / max(1, steps - warmup))


def train(model, split, instances, steps, seed, autocast):
    """Updates the model; gives p_true [epoch, instance] of whole epochs, from the forward pass that each update used."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, eps=1e-6, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda update: rate_factor(update, steps))
    order, done, epochs = random.Random(seed), 0, []
    model.train()
    while done < steps:
        shuffled = order.sample(instances, len(instances))
        p_true = torch.full((len(split),), float("nan"))
        for start in range(0, len(shuffled), BATCH):
            if done == steps:
                break
            part = shuffled[start : start + BATCH]
            inputs, labels = split.batch(part)
            with autocast():
                result = model(**inputs, labels=labels)
            result.loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            done += 1
            probabilities = torch.softmax(result.logits.detach().float(), dim=-1)
            p_true[part] = probabilities[torch.arange(len(part)), labels]
        if not p_true[instances].isnan().any():
            epochs.append(p_true)
    return torch.stack(epochs) if epochs else torch.empty(0, len(split))


@torch.no_grad()
def accuracy(model, split, autocast):
    model.eval()
    order = sorted(range(len(split)), key=lambda i: len(split.ids[i]))
    right = 0
    for start in range(0, len(order), EVALUATION_BATCH):
        inputs, labels = split.batch(order[start : start + EVALUATION_BATCH])
        with autocast():
            guess = model(**inputs).logits.argmax(-1)
        right += int((guess == labels).sum())
    return right / len(split)


def top_share(score):
    """FTFT's rule: strictly above the (1 - q) quantile, in float32."""
    return score > torch.quantile(score, 1 - FRACTION)


def bits(selected):
    return base64.b64encode(numpy.packbits(selected.numpy(), bitorder="little").tobytes()).decode()


def unbits(text, count):
    column = numpy.frombuffer(base64.b64decode(text), dtype=numpy.uint8)
    return numpy.flatnonzero(numpy.unpackbits(column, bitorder="little")[:count]).tolist()


def finished(file, settings):
    """Lines of the results file that were made with these settings, by stage."""
    lines = file.read_text().splitlines() if file.exists() else []
    rows = [json.loads(line) for line in lines if line]
    return {row["stage"]: row for row in rows if all(row.get(key) == value for key, value in settings.items())}


def machine(threads):
    facts = dict(cores=os.cpu_count(), arch=platform.machine(), threads=threads, python=platform.python_version())
    return dict(facts, torch=torch.__version__, transformers=transformers.__version__)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "model", "results"):
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--train", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--layers", type=int, default=3, help="of the reference model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--stages", default=",".join(STAGES))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

    files = {name: options.data / f"{file}.jsonl" for name, file in {TRAIN: TRAIN, **TESTS}.items()}
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files.values())).hexdigest()[:16]
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    dataset = Split(files[TRAIN], tokenizer, options.train)
    tests = {name: Split(files[name], tokenizer) for name in TESTS}
    everyone, full = list(range(len(dataset))), options.epochs * -(-len(dataset) // BATCH)
    settings = dict(
        seed=options.seed, precision=options.precision, train=len(dataset), epochs=options.epochs, layers=options.layers, data=digest
    )

    def autocast():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16")

    for stage in options.stages.split(","):
        done = finished(options.results, settings)
        if stage in done:
            continue
        layers = options.layers if stage == "reference" else 0
        instances, steps = everyone, full
        if stage in ("ftft", "random"):
            steps = full // 3
        if stage == "ftft":
            instances = unbits(done["reference"]["ambiguous"], len(dataset))
        if stage == "random":
            instances = sorted(random.Random(options.seed).sample(everyone, int(FRACTION * len(dataset))))
        model = load(options.model, layers, options.seed)
        start = time.perf_counter()
        p_true = train(model, dataset, instances, steps, options.seed, autocast)
        seconds = time.perf_counter() - start
        row = dict(stage=stage, **settings, steps=steps, instances=len(instances), seconds=round(seconds, 1))
        row["accuracy"] = {name: round(accuracy(model, split, autocast), 4) for name, split in tests.items()}
        if instances is everyone:
            ambiguous, hard = top_share(p_true.std(0, correction=1)), top_share(-p_true.mean(0))
            row.update(easy=round(1 - (ambiguous | hard).float().mean().item(), 4), ambiguous=bits(ambiguous))
        row["machine"] = machine(options.threads)
        with options.results.open("a") as out:
            out.write(json.dumps(row) + "\n")
        print(json.dumps({key: value for key, value in row.items() if key != "ambiguous"}), flush=True)


if __name__ == "__main__":
    main()
