"""Scores of a data map from logits in memory, in three ways; a process that answers requests (serve.py).

cartography: as its authors go about it (Swayamdipta et al., arXiv 2009.10795): dictionaries of Python lists by instance, a softmax for each
instance and epoch, statistics of each instance's list, and a pandas table of one row each. numpy: whole columns at once, as one writes it;
numpy_by_class: the same with a contiguous column for each class, so that nothing is reduced over an axis of a few.
load reads the folder's `logits` (float32, [epoch, instance, class]) and `labels` (int32); score writes float32 columns beside them.
"""

import pathlib
import platform
import time
from collections import defaultdict

import numpy
import pandas
import torch

from serve import arguments, serve

options = arguments()
torch.set_num_threads(options.threads)
given = {}

NAMES = ("confidence", "variability", "correctness", "forgetfulness", "threshold_closeness")
NEVER_LEARNED = 1000


def load(folder, shape):
    given["folder"] = pathlib.Path(folder)
    given["logits"] = numpy.fromfile(given["folder"] / "logits", numpy.float32).reshape(shape)
    given["labels"] = numpy.fromfile(given["folder"] / "labels", numpy.int32)
    return {}


def by_instance():
    """What cartography has in memory once its files are read: every instance's label and list of logits."""
    epochs = given["logits"].transpose(1, 0, 2).tolist()
    return {f"instance-{i}": {"gold": gold, "logits": rows} for i, (gold, rows) in enumerate(zip(given["labels"].tolist(), epochs))}


def times_forgotten(trend):
    """1000 where never right."""
    if not any(trend):
        return NEVER_LEARNED
    return sum(before and not after for before, after in zip(trend, trend[1:]))


def cartography(dynamics):
    scores = defaultdict(dict)
    for uid, record in dynamics.items():
        true_probabilities, trend = [], []
        for logits in record["logits"]:
            probabilities = torch.nn.functional.softmax(torch.Tensor(logits), dim=-1)
            true_probabilities.append(float(probabilities[record["gold"]]))
            trend.append(bool(numpy.argmax(logits) == record["gold"]))
        scores["confidence"][uid] = numpy.mean(true_probabilities)
        scores["variability"][uid] = numpy.std(true_probabilities)
        scores["correctness"][uid] = sum(trend)
        scores["forgetfulness"][uid] = times_forgotten(trend)
        scores["threshold_closeness"][uid] = scores["confidence"][uid] * (1 - scores["confidence"][uid])
    rows = [[uid, index, *(scores[name][uid] for name in NAMES)] for index, uid in enumerate(dynamics)]
    table = pandas.DataFrame(rows, columns=["guid", "index", *NAMES])
    return [table[name] for name in NAMES]


def from_columns(gold, is_correct):
    confidence = gold.mean(0)
    correctness = is_correct.sum(0)
    forgotten = (is_correct[:-1] & ~is_correct[1:]).sum(0)
    forgetfulness = numpy.where(correctness == 0, NEVER_LEARNED, forgotten)
    return confidence, gold.std(0), correctness, forgetfulness, confidence * (1 - confidence)


def vectorised(logits, labels):
    shifted = numpy.exp(logits - logits.max(-1, keepdims=True))
    gold = numpy.take_along_axis(shifted, labels[None, :, None], -1)[..., 0] / shifted.sum(-1)
    return from_columns(gold, logits.argmax(-1) == labels)


def vectorised_by_class(logits, labels):
    columns = [numpy.ascontiguousarray(logits[..., c]) for c in range(logits.shape[-1])]
    maximum, winner = columns[0], numpy.zeros(columns[0].shape, numpy.int32)
    for c, column in enumerate(columns[1:], 1):
        winner[column > maximum] = c
        maximum = numpy.maximum(maximum, column)
    total, gold = 0, numpy.zeros_like(maximum)
    for c, column in enumerate(columns):
        term = numpy.exp(column - maximum)
        total = total + term
        gold = numpy.where(labels == c, term, gold)
    return from_columns(gold / total, winner == labels)


def score(way):
    if way == "cartography":
        given.setdefault("dynamics", by_instance())
    start = time.perf_counter()
    if way == "cartography":
        columns = cartography(given["dynamics"])
    else:
        columns = {"numpy": vectorised, "numpy_by_class": vectorised_by_class}[way](given["logits"], given["labels"])
    seconds = time.perf_counter() - start
    for name, column in zip(NAMES, columns):
        numpy.asarray(column, numpy.float32).tofile(given["folder"] / name)
    return {"seconds": seconds}


serve(
    {
        "load": load,
        "score": score,
        "versions": lambda: {
            "Python": platform.python_version(),
            "numpy": numpy.__version__,
            "pandas": pandas.__version__,
            "PyTorch": torch.__version__,
        },
    }
)
