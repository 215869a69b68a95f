#!/usr/bin/env python3
"""hf_roundtrip.py HONE MODEL TEXT_FILE [PIECES] - a folder that hone wrote, judged by transformers.

Takes up to PIECES stretches of the text that fit the model's context, and compares for each: the ids of `hone score` with
AutoTokenizer's, each log-probability with what transformers computes from the folder (in float64), the sum, and the text decoded
from the ids. Ends with status 1 when a log-probability differs by 1e-4 or more, or anything else at all."""
import json
import os
import subprocess
import sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    hone, folder, path = sys.argv[1:4]
    pieces = int(sys.argv[4]) if len(sys.argv) > 4 else 8
    torch.set_num_threads(1)
    tok = AutoTokenizer.from_pretrained(folder)
    model, info = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", output_loading_info=True)
    model = model.eval().double()
    loading = {k: [x for x in v if x != "lm_head.weight"] for k, v in info.items() if k in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    assert not any(loading.values()), f"transformers does not find its tensors: {loading}"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    ids = tok(text[:200000], add_special_tokens=False)["input_ids"]
    n = model.config.max_position_embeddings + 1  # gpt2 calls it n_positions; transformers knows both names
    worst, count = 0.0, 0
    for k in range(min(pieces, len(ids) // n)):
        start = k * (len(ids) // pieces)
        piece = tok.decode(ids[start:start + n], clean_up_tokenization_spaces=False)
        if "\ufffd" in piece:
            continue
        want_ids = tok(piece, add_special_tokens=False)["input_ids"]
        out = subprocess.run([hone, "score", folder, "--text", piece, "--json"], check=True, capture_output=True).stdout
        got = json.loads(out)
        assert got["tokens"] == want_ids, f"ids differ at piece {k}"
        assert tok.decode(got["tokens"], clean_up_tokenization_spaces=False) == piece, f"decoded text differs at piece {k}"
        with torch.no_grad():
            logp = torch.log_softmax(model(torch.tensor([want_ids[:-1]])).logits[0], -1)
        want = [float(logp[i, t]) for i, t in enumerate(want_ids[1:])]
        assert got["logprobs"][0] is None and len(got["logprobs"]) == len(want_ids)
        worst = max([worst] + [abs(a - b) for a, b in zip(got["logprobs"][1:], want)])
        assert abs(got["sum"] - sum(want)) < 1e-3
        count += len(want)
    print(json.dumps({"folder": os.path.basename(os.path.abspath(folder)), "tokens": count, "largest_difference": worst}))
    return 0 if count and worst < 1e-4 else 1


sys.exit(main())
