"""demo_data.py ARCHIVE FOLDER: four human-rated sets as JSON lines {"uid", "text", "label"}.

Rating >= 0.5 is positive, <= -0.5 negative, what lies between is dropped, and so is a text seen before in its set. Movie
reviews are in distribution (8,000 train, 2,000 test, fixed shuffle); the other three are out of distribution.
"""
import io
import json
import os
import random
import sys
import tarfile

NUM_TRAIN, NUM_TEST = 8000, 2000
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
README = """# Demo data

Human-rated sentiment of movie reviews, Amazon reviews, tweets and New York Times editorials, from the source archive of
vaderSentiment 3.3.2 (MIT, see LICENSE): mean ratings of twenty people per text, from -4 to +4. Label positive at a rating
of 0.5 or more, negative at -0.5 or less, the rest and exact duplicates dropped.

| file | set | texts |
|---|---|---|
{rows}

C.J. Hutto and Eric Gilbert. VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text. Eighth
International AAAI Conference on Weblogs and Social Media (ICWSM-14), 2014.
"""


def rated(archive, member, prefix):
    """Rows of one set, in its order. The uid is the set's own id, after the name of the set."""
    rows, seen = [], set()
    for line in io.TextIOWrapper(archive.extractfile(member), encoding="utf-8", newline="\n"):
        row_id, rating, text = line.rstrip("\r\n").split("\t", 2)
        rating, text = float(rating), text.strip()
        if abs(rating) < 0.5 or text in seen:
            continue
        seen.add(text)
        rows.append({"uid": f"{prefix}-{row_id}", "text": text, "label": "positive" if rating > 0 else "negative"})
    return rows


def main(archive_path, folder):
    with tarfile.open(archive_path) as outer:
        license_text = outer.extractfile("vaderSentiment-3.3.2/LICENSE.txt").read()
        with tarfile.open(fileobj=io.BytesIO(outer.extractfile(INNER).read())) as inner:
            read = lambda name, prefix: rated(inner, f"hutto_ICWSM_2014/{name}_GroundTruth.txt", prefix)
            movie = read("movieReviewSnippets", "movie")
            random.Random(0).shuffle(movie)
            sets = {
                "train": ("movie reviews, in distribution", movie[:NUM_TRAIN]),
                "test_movie": ("movie reviews, in distribution", movie[NUM_TRAIN : NUM_TRAIN + NUM_TEST]),
                "ood_amazon": ("Amazon reviews, out of distribution", read("amazonReviewSnippets", "amazon")),
                "ood_tweets": ("tweets, out of distribution", read("tweets", "tweets")),
                "ood_nyt": ("New York Times editorials, out of distribution", read("nytEditorialSnippets", "nyt")),
            }
    os.makedirs(folder, exist_ok=True)
    for name, (_, rows) in sets.items():
        with open(os.path.join(folder, f"{name}.jsonl"), "w", encoding="utf-8", newline="\n") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    table = "\n".join(f"| {name}.jsonl | {what} | {len(rows):,} |" for name, (what, rows) in sets.items())
    with open(os.path.join(folder, "README.md"), "w", encoding="utf-8") as file:
        file.write(README.format(rows=table))
    with open(os.path.join(folder, "LICENSE"), "wb") as file:
        file.write(license_text)
    print(" · ".join(f"{name} {len(rows):,}" for name, (_, rows) in sets.items()))


main(*sys.argv[1:])
