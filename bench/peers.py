#!/usr/bin/env python3
"""peers.py - training steps of named configurations in hone and in PyTorch, by turns in one run.

usage: bench/peers.py OUT.json [CONFIG ...] [--rounds N] [--seconds S] [--threads N] [--variants LIST] [--hone build/hone]
       bench/peers.py --table OUT.json                 the tables of an earlier run, as Markdown
       bench/peers.py --page OUT.json BENCH.json       docs/results/speed.md, from that and from `hone bench --json > BENCH.json`
Each configuration: every variant of PyTorch alone first (eager, torch.compile, and with glibc's malloc told to keep its memory), in a
process of its own; the fastest then stands against hone in rounds of PyTorch, hone, PyTorch, hone. Times are of whole steps (batch,
forward, backward, norm, fused AdamW), medians with their range. Memory is the peak resident less what was resident before the model was
made; PyTorch's is that of its leanest variant. hone's side is `hone bench --filter train/CONFIG`, in its last round with the floor: all products of the step alone, in oneDNN.
PyTorch's side is bench/peers_torch.py, in the Python that runs this script; bench/peers.sh makes one."""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFIGS = ["nanogpt", "baby", "gpt2-124m", "llama15m", "bertmini", "llama15m-lora"]
CONFIGS += [c + "-bf16" for c in CONFIGS[:5]]
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_TOP_PAD_": "67108864",
          "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


class Torch:
    """A PyTorch process that waits between its turns."""

    def __init__(self, config, variant, o):
        env = os.environ | {"OMP_NUM_THREADS": str(o.threads)} | (MALLOC if "malloc" in variant else {})
        self.p = subprocess.Popen([sys.executable, ROOT / "bench/peers_torch.py", config, "--threads", str(o.threads)] +
                                  (["--compile"] if "compile" in variant else []),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True)
        self.about = self.read()

    def read(self):
        line = self.p.stdout.readline()
        if not line:
            raise RuntimeError(self.p.stderr.read().strip().splitlines()[-1:] or "PyTorch ended without a word")
        return json.loads(line)

    def turn(self, seconds):
        self.p.stdin.write(f"{seconds}\n")
        self.p.stdin.flush()
        return self.read()

    def close(self):
        self.p.stdin.close()
        self.p.wait()


def hone(config, o, floor):
    said = subprocess.run([o.hone, "bench", "--filter", f"train/{config}$", "--seconds", str(o.seconds), "--threads", str(o.threads), "--json"] +
                          ([] if floor else ["--no-floor"]), check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    return lines[0], next((x for x in lines if x["name"] == f"train/{config}"), None)


def stat(v):
    return {"median": statistics.median(v), "min": min(v), "max": max(v), "n": len(v)}


def one(config, o):
    machine, probe = hone(config, o, False)
    out = {"name": config}
    if not probe or probe.get("not_measured"):
        out["hone_missing"] = (probe or {}).get("not_measured", "this build has no such case")
    variants = {}
    for v in o.variants.split(","):
        try:
            t = Torch(config, v, o)
            r = t.turn(o.seconds)
            t.close()
            variants[v] = {"seconds": stat(r["seconds"]), "peak_rss_bytes": r["peak_rss_bytes"], "torch": t.about["torch"]}
            print(f"{config}: PyTorch {v}: {1e3 * variants[v]['seconds']['median']:.1f} ms", file=sys.stderr, flush=True)
        except (RuntimeError, BrokenPipeError, json.JSONDecodeError) as e:
            variants[v] = {"failed": str(e)}
            print(f"{config}: PyTorch {v} failed: {e}", file=sys.stderr, flush=True)
    best = min((v for v in variants if "seconds" in variants[v]), key=lambda v: variants[v]["seconds"]["median"], default=None)
    out |= {"variants": variants, "best": best}
    if best is None or "hone_missing" in out:
        return out
    t = Torch(config, best, o)
    torch_seconds, medians, ratios = [], [], []
    for k in range(o.rounds):
        r = t.turn(o.seconds)
        machine, h = hone(config, o, k == o.rounds - 1)
        torch_seconds += r["seconds"]
        medians.append(h["seconds"]["median"])
        ratios.append(statistics.median(r["seconds"]) / h["seconds"]["median"])
        print(f"{config}: round {k + 1}: PyTorch {1e3 * statistics.median(r['seconds']):.1f} ms, hone {1e3 * medians[-1]:.1f} ms",
              file=sys.stderr, flush=True)
    t.close()
    tokens = h["tokens_per_second"] * h["seconds"]["median"]
    out |= {"config": h["config"], "machine": machine, "hone": h, "hone_medians": medians, "torch_seconds": stat(torch_seconds), "ratios": ratios,
            "ratio": statistics.median(ratios), "tokens_per_step": tokens, "torch_peak_rss_bytes": min(v["peak_rss_bytes"] for v in variants.values() if "seconds" in v),
            "torch": t.about["torch"]}
    return out


def start(o):
    """Seconds of `hone --help`, and of a whole `hone train` of one step of the nanogpt configuration (so at least start to first step)."""
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ,.;:!?-&3$ '"
    out = {"help": [], "one_step": []}
    with tempfile.TemporaryDirectory() as tmp:
        text = pathlib.Path(tmp, "text.txt")
        draw = random.Random(1)
        text.write_text("\n".join("".join(draw.choices(alphabet, k=60)) for _ in range(17000)))
        for k in range(7):
            at = time.perf_counter()
            subprocess.run([o.hone, "--help"], check=True, capture_output=True)
            out["help"].append(time.perf_counter() - at)
            at = time.perf_counter()
            subprocess.run([o.hone, "train", f"data.train={text}", "data.tokenizer=char", "data.split=tail", "data.valid_fraction=0.001",
                            "train.steps=1", "sched.warmup=0", f"out={tmp}/{k}", f"threads={o.threads}"], check=True, capture_output=True)
            out["one_step"].append(time.perf_counter() - at)
    return {k: stat(v) for k, v in out.items()}


# What hone sets out to reach: times faster than PyTorch, step over floor, and its share of PyTorch's memory (gpt2-124m: of the plan's bytes).
TARGETS = {"nanogpt": (1.8, 1.35, 0.7), "baby": (1.35, 1.15, 0.7), "gpt2-124m": (1.15, 1.15, 1.15), "llama15m": (1.3, 1.15, 0.7),
           "bertmini": (1.3, 1.15, 0.7), "llama15m-lora": (1.5, float("inf"), 0.6)}
TARGETS |= {f"{c}-bf16": (2 if c == "nanogpt" else 1.3, floor, memory) for c, (_, floor, memory) in list(TARGETS.items())[:5]}


def ms(s):
    return f"{1e3 * s['median']:.4g} [{1e3 * s['min']:.4g}-{1e3 * s['max']:.4g}]"


def profile(r):
    spent = lambda p: p.get("seconds", 0) + p.get("forward_seconds", 0) + p.get("backward_seconds", 0)
    whole = sum(map(spent, r["hone"]["profile"]))
    return ", ".join(f"{p['operator']} {100 * spent(p) / whole:.1f} %" for p in r["hone"]["profile"] if spent(p) > 0.004 * whole)


def over_floor(r):
    over = r["hone"].get("step_over_floor")
    return r["ratio"] * over["median"] if over else float("inf")


def missed(r):
    """What a configuration does not reach, with the number that it has."""
    h, (faster, floor, memory) = r["hone"], TARGETS[r["name"]]
    out = []
    near = over_floor(r) <= 1.2                         # then PyTorch leaves no such room, and the floor stands alone
    if r["ratio"] < faster and not (near and r["name"] in CONFIGS[:5]):
        out.append(f"{r['ratio']:.2f} x as fast as PyTorch, not {faster}")
    if h.get("step_over_floor") and h["step_over_floor"]["median"] > floor:
        out.append(f"{h['step_over_floor']['median']:.2f} x the floor, not {floor}")
    if h.get("peak_rss_bytes"):
        beside, of = (h["planned_bytes"], "the plan") if r["name"].startswith("gpt2-124m") else (r["torch_peak_rss_bytes"], "PyTorch")
        if h["peak_rss_bytes"] > memory * beside:
            out.append(f"{h['peak_rss_bytes'] / beside:.2f} x the memory of {of}, not {memory}")
    return out


def table(run):
    results = run["results"]
    done = [r for r in results if "ratio" in r]
    names = list(dict.fromkeys(v for r in results for v in r["variants"]))
    lines = []
    if done:
        m = done[0]["machine"]
        lines += [f"{m['cpu']}; {m['isa']} kernels, {m['threads']} threads; {m['gflops_all_threads']:.0f} GF/s of f32 multiply-adds and "
                  f"{m['read_gbytes_all_threads']:.1f} GB/s read, measured in the run. hone {m['version']} ({m['commit']}), "
                  f"PyTorch {done[0]['torch']}, {m['utc'][:10]}; load average at the end {run.get('load', float('nan')):.1f}.", "",
                  "| | hone, ms a step | PyTorch, ms a step | times faster [rounds] | hone, tokens/s | % of peak | step / floor | PyTorch / floor | memory, MiB: hone, PyTorch |",
                  "|---|---|---|---|---|---|---|---|---|"]
    for r in done:
        h, mib = r["hone"], 2 ** 20
        rss, over = h["peak_rss_bytes"] or float("nan"), h["step_over_floor"]
        lines.append(f"| {r['name']} | {ms(h['seconds'])} | {ms(r['torch_seconds'])} ({r['best']}) | **{r['ratio']:.2f}** "
                     f"[{min(r['ratios']):.2f}-{max(r['ratios']):.2f}] | {h['tokens_per_second']:.0f} | {h['percent_of_peak']:.0f} | "
                     f"{over['median']:.2f} [{over['min']:.2f}-{over['max']:.2f}] | {over_floor(r):.2f} | {rss / mib:.0f}, {r['torch_peak_rss_bytes'] / mib:.0f} "
                     f"({rss / r['torch_peak_rss_bytes']:.2f}) |")
    lines.append("")
    lines += [run["note"], ""] if run.get("note") else []
    for r in results:
        if "ratio" not in r:
            why = r.get("hone_missing") or "PyTorch did not run: " + "; ".join(v.get("failed", "") for v in r["variants"].values())
            alone = f" PyTorch alone: {ms(r['variants'][r['best']]['seconds'])} ms a step ({r['best']})." if r.get("best") else ""
            lines.append(f"- {r['name']} is not compared: {why}.{alone}")
    lines += ["", "What misses its target, and where hone's time goes (shares of a step by its own timers, forward and backward together):", ""]
    lines += [f"- {r['name']}: {'; '.join(missed(r)) or 'all targets reached'}. {profile(r)}." for r in done]
    lines += ["", "PyTorch's variants, each alone before the rounds: ms a step, and peak MiB.", "", "| | " + " | ".join(names) + " |",
              "|---|" + "---|" * len(names)]
    for r in results:
        cell = lambda x: f"{ms(x['seconds'])}; {x['peak_rss_bytes'] / 2 ** 20:.0f}" if x and "seconds" in x else "failed" if x else "not run"
        lines.append(f"| {r['name']} | " + " | ".join(cell(r["variants"].get(v)) for v in names) + " |")
    if "start" in run:
        s = run["start"]
        lines += ["", f"`hone --help` takes {ms(s['help'])} ms; a whole `hone train` of one step of nanogpt's configuration, with reading a "
                  f"megabyte of text, the evaluation and saving, {ms(s['one_step'])} ms."]
    return "\n".join(lines)


def operators(lines):
    m = lines[0]
    rows = {}
    for x in lines:
        if x["name"].startswith("op/") and x.get("seconds"):
            name, way = x["name"][3:].rsplit(" ", 1)
            rows.setdefault(name, {})[way] = x
    def cell(x):
        if not x:
            return "| | |"
        share = f"{x['percent_of_peak']:.0f} % of peak" if x["gflops"] else f"{x['gbytes_per_second']:.1f} GB/s"
        return f"| {1e3 * x['seconds']['median']:.4g} [{1e3 * x['seconds']['q1']:.4g}-{1e3 * x['seconds']['q3']:.4g}] | {share} |"
    out = [f"{m['threads']} threads, {m['gflops_all_threads']:.0f} GF/s, {m['read_gbytes_all_threads']:.1f} GB/s read ({m['commit']}, {m['utc'][:10]}). "
           "Milliseconds, median [quartiles].", "", "| operator, shape | forward | | backward | |", "|---|---|---|---|---|"]
    out += [f"| {name} {cell(r.get('forward'))}{cell(r.get('backward'))[1:]}" for name, r in rows.items()]
    decode = {x["name"]: x for x in lines if x["name"].startswith("decode/") and x.get("seconds")}
    if decode:
        out += ["", "## Decoding", "", "| | ms a token of every row | tokens/s | GB/s of weights and cache | share of the read rate |", "|---|---|---|---|---|"]
        out += [f"| {n[7:]} | {ms(x['seconds'])} | {x['tokens_per_second']:.1f} | {x['gbytes_per_second']:.1f} | {x['percent_of_read']:.0f} % |"
                for n, x in decode.items()]
        one, many = (next((x for n, x in decode.items() if n.endswith(f"batch {b}")), None) for b in (1, 16))
        if one and many:
            times = many["tokens_per_second"] / one["tokens_per_second"]
            out += ["", f"Targets: 80 % of the read rate at batch 1 ({'reached' if one['percent_of_read'] >= 80 else 'missed'}); 6 times the tokens of "
                    f"batch 1 at batch 16 ({'reached' if times >= 6 else 'missed'}: {times:.1f})."]
    return "\n".join(out)


PAGE = """# How fast

Written by `bench/peers.py --page`, from one run of `bench/peers.sh` and one of `hone bench --json`:

    bench/peers.sh build/peers.json --rounds 3 --seconds 5
    build/hone bench --filter op/,decode/ --seconds 1 --json > build/bench.json
    python3 bench/peers.py --page build/peers.json build/bench.json > docs/results/speed.md

## Training steps beside PyTorch

f32, whole steps: batch, forward, backward, gradient norm, AdamW. PyTorch is its fastest variant (eager, torch.compile, each also with a
malloc that keeps its memory; `scaled_dot_product_attention`, fused AdamW), by turns with hone in one run; medians [range]. Times faster
is the median of the rounds; where PyTorch itself is within 1.2 of the floor, the floor's target stands alone. The *floor* is all
matrix products of the same step alone, through oneDNN in the fastest of several ways, packing included, by turns with the steps. Memory is the peak resident less what was resident before the model was made; PyTorch's is
that of its leanest variant. NAME-bf16: `train.dtype=bf16` beside autocast to bf16; where the CPU has no bf16 products (as here, unless the
line below names them), bf16 is storage in hone, and the floor is that of f32. llama15m-lora: an adapter of rank 8 on all linear maps, beside
transformers with peft.

{peers}

Why: "PyTorch / floor" is what could be gained beside it, had a step no work but its matrix products; where it is near a target, so is the limit.
In the smallest model products are so short that the ends of pool runs, rounding to tiles and the vector work between them weigh more.

## Operators

{ops}
"""


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("configs", nargs="*", default=[])
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=5)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--variants", default="eager,compile,eager+malloc,compile+malloc")
    p.add_argument("--hone", default=ROOT / "build/hone")
    p.add_argument("--table", action="store_true")
    p.add_argument("--page", action="store_true")
    o = p.parse_args()
    if o.table:
        print(table(json.loads(o.out.read_text())))
        return
    if o.page:
        lines = [json.loads(x) for x in pathlib.Path(o.configs[0]).read_text().splitlines()]
        print(PAGE.format(peers=table(json.loads(o.out.read_text())), ops=operators(lines)), end="")
        return
    run = {"results": []}
    for c in o.configs:
        if c not in CONFIGS:
            sys.exit(f"peers.py: there is no configuration '{c}'; there are {' '.join(CONFIGS)}")
    for c in o.configs or CONFIGS:
        run["results"].append(one(c, o))
        run["load"] = os.getloadavg()[0]
        o.out.write_text(json.dumps(run, indent=1) + "\n")
    run["start"] = start(o)
    o.out.write_text(json.dumps(run, indent=1) + "\n")
    print(table(run))


if __name__ == "__main__":
    main()
