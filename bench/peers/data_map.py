"""Scores of a data map from logits in memory, in two ways; a process that answers requests (serve.py).

cartography: as its authors go about it (Swayamdipta et al., arXiv 2009.10795): a dictionary of Python lists by instance, a softmax for each
instance and epoch, then statistics of each instance's list, one row each. numpy: whole columns at once.
load reads the folder's `logits` (float32, [epoch, instance, class]) and `labels` (int32); score writes float32 columns beside them.
"""

import pathlib
import platform
import time

import numpy
import torch

from serve import arguments, serve

options = arguments()
torch.set_num_threads(options.threads)
given = {}


def load(folder, shape):
    given["folder"] = pathlib.Path(folder)
    given["logits"] = numpy.fromfile(given["folder"] / "logits", numpy.float32).reshape(shape)
    given["labels"] = numpy.fromfile(given["folder"] / "labels", numpy.int32)
    return {}


def by_instance():
    """What cartography has in memory once its files are read: every instance's label and list of logits."""
    epochs = given["logits"].transpose(1, 0, 2).tolist()
    return {f"instance-{i}": {"gold": gold, "logits": rows} for i, (gold, rows) in enumerate(zip(given["labels"].tolist(), epochs))}


def cartography(dynamics):
    rows = []
    for index, (uid, record) in enumerate(dynamics.items()):
        true_probabilities, correct = [], 0
        for logits in record["logits"]:
            probabilities = torch.nn.functional.softmax(torch.Tensor(logits), dim=-1)
            true_probabilities.append(float(probabilities[record["gold"]]))
            correct += int(numpy.argmax(logits) == record["gold"])
        rows.append([uid, index, numpy.mean(true_probabilities), numpy.std(true_probabilities), correct])
    _, _, *columns = zip(*rows)
    return columns


def vectorised(logits, labels):
    shifted = numpy.exp(logits - logits.max(-1, keepdims=True))
    gold = numpy.take_along_axis(shifted, labels[None, :, None], -1)[..., 0] / shifted.sum(-1)
    return gold.mean(0), gold.std(0), (logits.argmax(-1) == labels).sum(0)


def score(way):
    if way == "cartography":
        given.setdefault("dynamics", by_instance())
    start = time.perf_counter()
    columns = cartography(given["dynamics"]) if way == "cartography" else vectorised(given["logits"], given["labels"])
    seconds = time.perf_counter() - start
    for name, column in zip(("confidence", "variability", "correctness"), columns):
        numpy.asarray(column, numpy.float32).tofile(given["folder"] / name)
    return {"seconds": seconds}


serve(
    {
        "load": load,
        "score": score,
        "versions": lambda: {
            "Python": platform.python_version(),
            "numpy": numpy.__version__,
            "PyTorch": torch.__version__,
        },
    }
)
