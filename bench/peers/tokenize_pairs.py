"""Token ids of text pairs by transformers' fast tokenizer, a process that answers requests (serve.py).

encode answers with seconds and with the digest of all ids: by the call that training scripts make, or by the Rust library's own quickest
call, on one thread or on all of --threads.
"""

import hashlib
import os
import platform
import time

import numpy
import tokenizers
import transformers

from serve import arguments, serve

options = arguments()
os.environ["RAYON_NUM_THREADS"] = str(options.threads)
given = {}


def load(folder, pairs, maxLength):
    given["tokenizer"] = transformers.AutoTokenizer.from_pretrained(folder)
    given["pairs"], given["length"] = [tuple(pair) for pair in pairs], maxLength
    return {}


def by_transformers():
    first, second = map(list, zip(*given["pairs"]))
    return given["tokenizer"](first, second, truncation="longest_first", max_length=given["length"])["input_ids"]


def by_tokenizers():
    rust = given["tokenizer"].backend_tokenizer
    rust.no_padding()
    rust.enable_truncation(given["length"], strategy="longest_first")
    return [encoding.ids for encoding in rust.encode_batch_fast(given["pairs"])]


def encode(way, parallel):
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if parallel else "false"
    start = time.perf_counter()
    ids = by_transformers() if way == "transformers" else by_tokenizers()
    seconds = time.perf_counter() - start
    offsets = numpy.cumsum([0, *map(len, ids)], dtype=numpy.int32)
    flat = numpy.concatenate([numpy.asarray(row, numpy.int32) for row in ids])
    digest = hashlib.sha256(flat.tobytes() + offsets.tobytes()).hexdigest()[:16]
    return {"seconds": seconds, "digest": digest}


serve(
    {
        "load": load,
        "encode": encode,
        "versions": lambda: {
            "Python": platform.python_version(),
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
        },
    }
)
