#!/usr/bin/env python3
"""harness_items.py HONE MODEL DATA [N] - the packs in tasks/ on published items, by hone and by EleutherAI's lm-evaluation-harness.

MODEL is a folder that transformers opens too, DATA a folder that holds lm_eval/*.jsonl; N (40) items of each file are asked. Tells per pack
the largest difference of an item's log-likelihoods, how many generated texts differ, and each metric as both have it; fails beyond 1e-4 nats,
at a text that differs where no number decides, or at another metric."""
import json
import os
import subprocess
import sys
import tempfile
import yaml
import lm_eval
from lm_eval.models.huggingface import HFLM

PACKS = {"arc_easy": "arc_easy", "boolq": "boolq", "piqa": "piqa", "copa": "copa", "lambada_openai": "lambada_openai", "winograd_wsc": "winograd_wsc",
         "winogender": "winogender_mc_female", "simple_arithmetic": "simple_arithmetic_nospaces", "dyck_languages": "bigbench_dyck_languages"}
OURS = ("data", "fewshot_data", "id", "cluster", "columns")
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tasks")


def near(x, y):
    return abs(x - y) <= 1e-4 * max(1, abs(y))


def main():
    hone, model, data = sys.argv[1:4]
    n = int(sys.argv[4]) if len(sys.argv) > 4 else 40
    lm = HFLM(pretrained=model, device="cpu", dtype="float32", batch_size=1)
    bad = 0
    tmp = tempfile.mkdtemp()
    for pack, file in PACKS.items():
        items, out = os.path.join(tmp, pack + ".jsonl"), os.path.join(tmp, "samples.jsonl")
        with open(os.path.join(data, "lm_eval", file + ".jsonl"), encoding="utf8") as f, open(items, "w", encoding="utf8") as g:
            g.writelines(f.readlines()[:n])
        config = {k: v for k, v in yaml.safe_load(open(os.path.join(ROOT, pack, "task.yaml"), encoding="utf8")).items() if k not in OURS}
        config.update(dataset_path="json", dataset_kwargs={"data_files": {"test": items}}, test_split="test")
        theirs = lm_eval.simple_evaluate(model=lm, tasks=[config], log_samples=True, bootstrap_iters=0)
        said = subprocess.run([hone, "eval", model, "--task", os.path.join(ROOT, pack), "--data", items, "--samples", out, "--json", "--quiet"],
                              check=True, capture_output=True, text=True).stdout
        ours = [json.loads(x) for x in open(out, encoding="utf8")]
        worst, texts = 0, 0
        for s in next(iter(theirs["samples"].values())):
            o = ours[s["doc_id"]]
            if "loglikelihoods" in o:
                worst = max([worst] + [abs(float(x[0][0]) - y) for x, y in zip(s["resps"], o["loglikelihoods"])])
            else:
                texts += s["resps"][0][0] != o["generated"][0]
        metrics = next(iter(theirs["results"].values()))
        lines = [json.loads(x) for x in said.splitlines()]
        both = {x["metric"]: (x["value"], metrics["%s,%s" % (x["metric"], x.get("filter", "none"))]) for x in lines}
        wrong = worst > 1e-4 or texts or not all(near(*v) for v in both.values())
        bad += wrong
        print("%s %s: log-likelihoods within %.1e, %d texts differ, %s" % ("WRONG" if wrong else "ok", pack, worst, texts, both), flush=True)
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
