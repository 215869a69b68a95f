#!/usr/bin/env python3
"""shakespeare-char.py - recipes/shakespeare-char.yaml in hone and the same configuration in PyTorch, by turns in one run.

usage: bench/shakespeare-char.py INPUT.txt OUTDIR [--seeds N] [--steps N] [--threads N] [--hone build/hone]
Runs hone, PyTorch, hone, PyTorch ... (so that a busy neighbour meets both), one seed each, and writes to OUTDIR: hone-N.json and
torch-N.json (what each said, with its curve of training losses), shakespeare-char.md (tables) and shakespeare-char.svg (both curves).
Files that are there are not run again. Seconds are those of the training loop; the whole command is beside them. PyTorch's side is
tests/oracle/nanogpt.py, in the environment of the Python that runs this script (tests/oracle/setup.sh makes one)."""
import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MARKS = [20, 100, 200, 400, 700, 1000, 1400, 1700, 2000]


def one(side, seed, o):
    kept = o.outdir / f"{side}-{seed}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    began = time.time()
    if side == "hone":
        folder = o.outdir / f"hone-run-{seed}"
        said = subprocess.run([o.hone, "train", ROOT / "recipes/shakespeare-char.yaml", f"data.train={o.text}", f"out={folder}", "--json",
                               f"seed={seed + 1}", f"train.steps={o.steps}", f"threads={o.threads}"], check=True, capture_output=True)
        r = json.loads(said.stdout)
        events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        r["curve"] = [[e["step"], e["value"]] for e in events if e.get("what") == "train_loss"]
    else:
        said = subprocess.run([sys.executable, ROOT / "tests/oracle/nanogpt.py", o.text, "--first-seed", str(seed), "--steps", str(o.steps),
                               "--threads", str(o.threads)], check=True, capture_output=True)
        lines = [json.loads(line) for line in said.stdout.splitlines()]
        r = lines[0] | {"torch": lines[-1]["torch"]}
    r["command_seconds"] = time.time() - began
    kept.write_text(json.dumps(r))
    print(f"{side} seed {seed}: valid loss {r['valid_loss']:.4f}, {r['seconds']:.1f} s training, {r['command_seconds']:.1f} s in all", flush=True)
    return r


def mean_curve(runs, every):
    """The mean over seeds of the training loss averaged over each `every` steps: [(last step, loss)]."""
    out, steps = [], max(p[0] for p in runs[0]["curve"])
    for end in range(every, steps + 1, every):
        at = [v for r in runs for s, v in r["curve"] if end - every < s <= end]
        if at:
            out.append((end, statistics.mean(at)))
    return out


def picture(curves, path):
    width, height, left, top = 640, 360, 56, 24
    high = max(v for c in curves.values() for s, v in c)
    low = min(v for c in curves.values() for s, v in c)
    last = max(s for c in curves.values() for s, v in c)
    x = lambda s: left + (width - left - 20) * s / last
    y = lambda v: top + (height - top - 44) * (high - v) / (high - low)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for i in range(5):
        v = low + (high - low) * i / 4
        parts.append(f'<path d="M{left} {y(v):.1f}H{width - 20}" stroke="#ddd"/><text x="{left - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{v:.2f}</text>')
        s = last * i // 4
        parts.append(f'<text x="{x(s):.1f}" y="{height - 26}" text-anchor="middle">{s}</text>')
    for (name, c), colour, dash in zip(curves.items(), ("#0b6e99", "#d9730d"), ("", "5 3")):
        points = " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in c)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
    for i, (name, colour) in enumerate(zip(curves, ("#0b6e99", "#d9730d"))):
        parts.append(f'<rect x="{width - 150}" y="{top + 18 * i}" width="12" height="4" fill="{colour}"/><text x="{width - 132}" y="{top + 7 + 18 * i}">{name}</text>')
    parts.append(f'<text x="{(left + width) / 2}" y="{height - 8}" text-anchor="middle">step</text>'
                 f'<text x="{left}" y="14">training loss (nats a character), mean of {{}} seeds</text></svg>')
    path.write_text("\n".join(parts))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("text")
    p.add_argument("outdir", type=pathlib.Path)
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--steps", type=int, default=2000)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--hone", default=ROOT / "build/hone")
    o = p.parse_args()
    o.outdir.mkdir(parents=True, exist_ok=True)
    hone, torch = [], []
    for seed in range(o.seeds):
        hone.append(one("hone", seed, o))
        torch.append(one("torch", seed, o))
    rows = []
    for name, runs in (("hone", hone), (f"PyTorch {torch[0]['torch']}", torch)):
        losses, secs = [r["valid_loss"] for r in runs], [r["seconds"] for r in runs]
        spread = statistics.stdev(losses) if len(losses) > 1 else 0.0
        rows.append(f"| {name} | {statistics.mean(losses):.4f} | {spread:.4f} | {' '.join(f'{v:.4f}' for v in losses)} | "
                    f"{statistics.median(secs):.1f} [{min(secs):.1f}-{max(secs):.1f}] | "
                    f"{statistics.median(r['command_seconds'] for r in runs):.1f} | {max(r['peak_rss_bytes'] for r in runs) / 2**20:.0f} |")
    a, b = mean_curve(hone, max(o.steps // 100, 1)), mean_curve(torch, max(o.steps // 100, 1))
    picture({"hone": a, "PyTorch": b}, o.outdir / "shakespeare-char.svg")
    svg = o.outdir / "shakespeare-char.svg"
    svg.write_text(svg.read_text().replace("{}", str(o.seeds)))
    difference = statistics.mean(r["valid_loss"] for r in hone) - statistics.mean(r["valid_loss"] for r in torch)
    faster = statistics.median(r["seconds"] for r in torch) / statistics.median(r["seconds"] for r in hone)
    beside = dict(b)
    text = [f"{o.seeds} seeds each, {o.steps} steps, {o.threads} threads, {platform.machine()}; hone and PyTorch by turns.", "",
            "| | mean loss | sd over seeds | each | seconds of training, median [range] | whole command, s | peak resident, MiB |",
            "|---|---|---|---|---|---|---|", *rows, "",
            f"hone's mean less PyTorch's: {difference:+.4f}. Time of PyTorch's training over hone's: {faster:.2f}.", "",
            "Training loss, mean over seeds and over the steps since the row before it of the curve (20 steps):", "",
            "| step | hone | PyTorch |", "|---|---|---|"]
    text += [f"| {s} | {v:.4f} | {beside[s]:.4f} |" for s, v in a if s in beside and (s in MARKS or len(a) < 12)]
    (o.outdir / "shakespeare-char.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))


if __name__ == "__main__":
    main()
