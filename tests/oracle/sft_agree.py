#!/usr/bin/env python3
"""sft_agree.py HONE MODEL ROWS.jsonl - the answers' loss of a model that hone tuned, as transformers (and peft) computes it from the folder.

Rows are {"messages"}: text by the folder's own chat template; an answer's tokens are those that lie between the prompt for it and the mark
that ends it. Ends with status 1 when `hone eval` counts other tokens, or its loss is 1e-5 off."""
import json
import os
import subprocess
import sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    hone, folder, path = sys.argv[1:4]
    torch.set_num_threads(1)
    tok = AutoTokenizer.from_pretrained(folder)
    if os.path.exists(os.path.join(folder, "adapter_config.json")):
        from peft import AutoPeftModelForCausalLM
        model = AutoPeftModelForCausalLM.from_pretrained(folder)
    else:
        model = AutoModelForCausalLM.from_pretrained(folder)
    model = model.eval().double()
    nats, count = 0.0, 0
    with open(path, encoding="utf-8") as f:
        for line in f:
            m = json.loads(line)["messages"]
            text = tok.apply_chat_template(m, tokenize=False)
            got = tok(text, add_special_tokens=False, return_offsets_mapping=True)
            ids = torch.tensor([got["input_ids"]])
            with torch.no_grad():
                nll = torch.nn.functional.cross_entropy(model(ids).logits[0, :-1], ids[0, 1:], reduction="none")
            for i, one in enumerate(m):
                if one["role"] != "assistant":
                    continue
                start = len(tok.apply_chat_template(m[:i], tokenize=False, add_generation_prompt=True))
                end = len(tok.apply_chat_template(m[:i + 1], tokenize=False).rstrip())
                own = [k for k, (a, b) in enumerate(got["offset_mapping"]) if a < end and b > start and k > 0]
                nats += float(sum(nll[k - 1] for k in own))
                count += len(own)
    out = json.loads(subprocess.run([hone, "eval", folder, "--data", path, "--json"], check=True, capture_output=True).stdout)
    print(json.dumps({"tokens": count, "hone_tokens": out["tokens"], "loss": nats / count, "difference": out["loss"] - nats / count}))
    return 0 if out["tokens"] == count and abs(out["loss"] - nats / count) < 1e-5 else 1


sys.exit(main())
