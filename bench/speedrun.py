#!/usr/bin/env python3
"""speedrun.py - seconds to a loss of 1.90 on Tiny Shakespeare's held-out tenth: nanoGPT's configuration in PyTorch and in hone, and hone's
fastest recipe, by turns in one run.

usage: bench/speedrun.py INPUT.txt OUTDIR [--seeds N] [--threads N] [--hone build/hone]
Three sides a seed: torch (tests/oracle/nanogpt.py, 2000 steps), hone (recipes/shakespeare-char.yaml), fast (recipes/shakespeare-fast.yaml).
Each trains to its end; its loss is taken over the whole held-out part in windows of 64. Files that are there are not run again. The
fast recipe was chosen on a tenth of the *training* text, never on the held-out part. bench/speedrun.sh finds a Python with PyTorch."""
import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIDES = {"torch": "nanoGPT's configuration, PyTorch", "hone": "the same, hone", "fast": "recipes/shakespeare-fast.yaml, hone"}
RECIPES = {"hone": "shakespeare-char", "fast": "shakespeare-fast"}


def one(side, seed, o):
    kept = o.outdir / f"{side}-{seed}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    began = time.time()
    if side == "torch":
        said = subprocess.run([sys.executable, ROOT / "tests/oracle/nanogpt.py", o.text, "--first-seed", str(seed), "--steps", "2000",
                               "--threads", str(o.threads)], check=True, capture_output=True)
        lines = [json.loads(line) for line in said.stdout.splitlines()]
        r = {k: lines[0][k] for k in ("valid_loss", "seconds")} | {"torch": lines[-1]["torch"]}
    else:
        said = subprocess.run([o.hone, "train", ROOT / f"recipes/{RECIPES[side]}.yaml", f"data.train={o.text}",
                               f"out={o.outdir}/{side}-run-{seed}", "--json", f"seed={seed + 1}", f"threads={o.threads}"], check=True, capture_output=True)
        full = json.loads(said.stdout)
        r = {k: full[k] for k in ("valid_loss", "seconds", "step")}
    r["command_seconds"] = time.time() - began
    kept.write_text(json.dumps(r))
    print(f"{side} seed {seed}: valid loss {r['valid_loss']:.4f}, {r['seconds']:.1f} s training, {r['command_seconds']:.1f} s in all", flush=True)
    return r


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("text")
    p.add_argument("outdir", type=pathlib.Path)
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--hone", default=ROOT / "build/hone")
    o = p.parse_args()
    o.outdir.mkdir(parents=True, exist_ok=True)
    runs = {side: [] for side in SIDES}
    for seed in range(o.seeds):
        for side in SIDES:
            runs[side].append(one(side, seed, o))
    base = statistics.median(r["seconds"] for r in runs["torch"])
    print(f"\n{o.seeds} seeds each, {o.threads} threads, {platform.machine()}, PyTorch {runs['torch'][0]['torch']}; by turns.\n")
    print("| | mean loss | each | seconds of training, median [range] | whole command, s | times PyTorch's speed |\n|---|---|---|---|---|---|")
    for side, name in SIDES.items():
        losses, secs = [r["valid_loss"] for r in runs[side]], [r["seconds"] for r in runs[side]]
        print(f"| {name} | {statistics.mean(losses):.4f} | {' '.join(f'{v:.4f}' for v in losses)} | {statistics.median(secs):.1f} "
              f"[{min(secs):.1f}-{max(secs):.1f}] | {statistics.median(r['command_seconds'] for r in runs[side]):.1f} | {base / statistics.median(secs):.1f} |")


if __name__ == "__main__":
    main()
