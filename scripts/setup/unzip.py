"""unzip.py WHEEL FOLDER [--strip PREFIX] [--leave TEXT]... KEEP...

Unpacks the members of a wheel whose name is KEEP, or begins with it where it ends in a slash. --leave skips those whose name
contains TEXT or, where TEXT begins with a dot, ends in it; --strip takes PREFIX off the names. Nothing is executed.
"""
import argparse
import os
import shutil
import zipfile

parser = argparse.ArgumentParser()
parser.add_argument("wheel")
parser.add_argument("folder")
parser.add_argument("keep", nargs="+")
parser.add_argument("--strip", default="")
parser.add_argument("--leave", action="append", default=[])
given = parser.parse_args()


def is_kept(name):
    if any(name.endswith(text) if text.startswith(".") else text in name for text in given.leave):
        return False
    return any(name.startswith(keep) if keep.endswith("/") else name == keep for keep in given.keep)


with zipfile.ZipFile(given.wheel) as archive:
    members = [info for info in archive.infolist() if is_kept(info.filename) and not info.is_dir()]
    if not members:
        raise SystemExit(f"{given.wheel} has none of {given.keep}")
    for info in members:
        path = os.path.join(given.folder, info.filename.removeprefix(given.strip))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(info) as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        os.chmod(path, (info.external_attr >> 16) & 0o777 | 0o644)
