"""A batch as the benchmark sends it, rows of token ids, in; lists padded to the longest row, as transformers' collator pads, out."""

PAD = 0


def padded(ids, secondStarts):
    width = max(map(len, ids))
    return {
        "input_ids": [row + [PAD] * (width - len(row)) for row in ids],
        "token_type_ids": [
            [0] * second + [1] * (len(row) - second) + [0] * (width - len(row)) for row, second in zip(ids, secondStarts)
        ],
        "attention_mask": [[1] * len(row) + [0] * (width - len(row)) for row in ids],
    }
