#!/usr/bin/env python3
"""peers.py - training steps of named configurations in hone and in PyTorch, by turns in one run.

usage: bench/peers.py OUT.json [CONFIG ...] [--rounds N] [--seconds S] [--threads N] [--variants LIST] [--hone build/hone]
       bench/peers.py --table OUT.json        the tables of an earlier run, as Markdown
Each configuration: every variant of PyTorch alone first (eager, torch.compile, and with glibc's malloc told to keep its memory), in a
process of its own; the fastest then stands against hone in rounds of PyTorch, hone, PyTorch, hone. Times are of whole steps (batch,
forward, backward, norm, fused AdamW), medians with their range. Memory is the peak resident less what was resident before the model was
made; PyTorch's is that of its leanest variant. hone's side is `hone bench --filter train/CONFIG`, in its last round with the floor: all products of the step alone, in oneDNN.
PyTorch's side is bench/peers_torch.py, in the Python that runs this script; bench/peers.sh makes one."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFIGS = ["nanogpt", "baby", "gpt2-124m", "llama15m", "bertmini"]
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
    said = subprocess.run([o.hone, "bench", "--filter", f"train/{config}", "--seconds", str(o.seconds), "--threads", str(o.threads), "--json"] +
                          ([] if floor else ["--no-floor"]), check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    return lines[0], next((x for x in lines if x["name"] == f"train/{config}"), None)


def stat(v):
    return {"median": statistics.median(v), "min": min(v), "max": max(v), "n": len(v)}


def one(config, o):
    machine, probe = hone(config, o, False) if config != "bertmini" else (None, None)
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


def table(results):
    ms = lambda s: f"{1e3 * s['median']:.4g} [{1e3 * s['min']:.4g}-{1e3 * s['max']:.4g}]"
    done = [r for r in results if "ratio" in r]
    lines = []
    if done:
        m = done[0]["machine"]
        lines += [f"{m['cpu']}; {m['isa']} kernels, {m['threads']} threads; {m['gflops_all_threads']:.0f} GF/s f32 and "
                  f"{m['read_gbytes_all_threads']:.1f} GB/s read measured in the run; hone {m['version']} ({m['commit']}), "
                  f"PyTorch {done[0]['torch']}; {m['utc'][:10]}.", "",
                  "| | hone, ms a step | PyTorch, ms a step | faster by [rounds] | tokens/s | % of peak | step / floor | memory, MiB: hone / PyTorch |",
                  "|---|---|---|---|---|---|---|---|"]
    for r in results:
        if "ratio" not in r:
            why = r.get("hone_missing") or "PyTorch did not run: " + "; ".join(v.get("failed", "") for v in r["variants"].values())
            alone = f"; PyTorch alone: {ms(r['variants'][r['best']]['seconds'])} ms ({r['best']})" if r.get("best") else ""
            lines.append(f"\n{r['name']}: not compared: {why}{alone}.")
            continue
        h, mib = r["hone"], 2 ** 20
        rss = h["peak_rss_bytes"] or float("nan")
        lines.append(f"| {r['name']} | {ms(h['seconds'])} | {ms(r['torch_seconds'])} ({r['best']}) | **{r['ratio']:.2f}** "
                     f"[{min(r['ratios']):.2f}-{max(r['ratios']):.2f}] | {h['tokens_per_second']:.0f} | {h['percent_of_peak']:.0f} | "
                     f"{h['step_over_floor']:.2f} | {rss / mib:.0f} / {r['torch_peak_rss_bytes'] / mib:.0f} ({rss / r['torch_peak_rss_bytes']:.2f}) |")
    lines += ["", "PyTorch's variants, each alone before the rounds (ms a step; peak MiB):", "", "| | " + " | ".join(
        dict.fromkeys(v for r in results for v in r["variants"])) + " |", "|---|" + "---|" * len(dict.fromkeys(v for r in results for v in r["variants"]))]
    for r in results:
        lines.append(f"| {r['name']} | " + " | ".join(f"{ms(x['seconds'])}; {x['peak_rss_bytes'] / 2 ** 20:.0f}" if "seconds" in x else "failed"
                                                      for x in r["variants"].values()) + " |")
    lines += ["", "Where hone's time goes (share of a step by its own timers; forward + backward):", ""]
    for r in done:
        parts = []
        whole = sum(p.get("seconds", 0) + p.get("forward_seconds", 0) + p.get("backward_seconds", 0) for p in r["hone"]["profile"])
        for p in r["hone"]["profile"]:
            s = p.get("seconds", 0) + p.get("forward_seconds", 0) + p.get("backward_seconds", 0)
            if s > 0.004 * whole:
                parts.append(f"{p['operator']} {100 * s / whole:.1f} %")
        lines.append(f"- {r['name']} ({r['config']}): " + ", ".join(parts) + ".")
    return "\n".join(lines)


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
    o = p.parse_args()
    if o.table:
        print(table(json.loads(o.out.read_text())))
        return
    for c in o.configs:
        if c not in CONFIGS:
            sys.exit(f"peers.py: there is no configuration '{c}'; there are {' '.join(CONFIGS)}")
    results = []
    for c in o.configs or CONFIGS:
        results.append(one(c, o))
        o.out.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
