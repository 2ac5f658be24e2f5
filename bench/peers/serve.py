"""Requests as JSON lines on standard input, answers as JSON lines on standard output, until the input ends.

serve({"name": handler, …}): the request's "do" names the handler, its other keys are the handler's arguments, and the handler's dictionary
is the answer. What a handler raises is the answer {"error": …}. Whatever libraries print goes to standard error.
"""

import argparse
import json
import os
import sys


def serve(handlers):
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = handlers[request.pop("do")](**request)
        except Exception as error:  # pylint: disable=broad-except
            words = str(error).strip().splitlines() or [""]
            answer = {"error": f"{type(error).__name__}: {words[0]}"}
        print(json.dumps(answer), file=answers, flush=True)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    return parser.parse_args()


def peak_and_resident():
    """Bytes: the highest resident memory so far, and what is resident now."""
    with open("/proc/self/status", encoding="ascii") as status:
        kilobytes = dict(line.split()[:2] for line in status if line.startswith(("VmHWM", "VmRSS")))
    return {"peak": 1024 * int(kilobytes["VmHWM:"]), "resident": 1024 * int(kilobytes["VmRSS:"])}
