"""What transformers makes of a model folder: texts in (a JSON list on standard input), one JSON object on standard output.

python transformers_peer.py ids FOLDER MAX_LENGTH      {"ids": [[…], …]}: token ids, truncated
python transformers_peer.py logits FOLDER MAX_LENGTH   {"logits": [[…], …], "labels": {"0": …}}: one text at a time, float32, eval mode
"""

import json
import sys

import torch
import transformers

mode, folder, max_length = sys.argv[1], sys.argv[2], int(sys.argv[3])
texts = json.load(sys.stdin)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

if mode == "ids":
    answer = {"ids": [tokenizer(text, truncation=True, max_length=max_length)["input_ids"] for text in texts]}
else:
    load = transformers.AutoModelForSequenceClassification.from_pretrained
    model, report = load(folder, dtype=torch.float32, output_loading_info=True)
    if any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")):
        sys.exit(f"Weights do not fit the model that config.json describes: {report}")
    model.eval()
    with torch.no_grad():
        encode = lambda text: tokenizer(text, truncation=True, max_length=max_length, return_tensors="pt")
        logits = [model(**encode(text)).logits[0].tolist() for text in texts]
    answer = {"logits": logits, "labels": model.config.id2label}
json.dump(answer, sys.stdout)
