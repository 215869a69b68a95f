#!/usr/bin/env python3
"""peers_tokens.py - text to ids in hone and in the package `tokenizers`, by turns in one run; ids compared by checksum.

usage: bench/peers_tokens.py OUT.json TOKENIZER TEXT [TOKENIZER TEXT ...] [--rounds N] [--seconds S] [--threads N] [--hone build/hone]
Each line of TEXT is a text of its own. The package encodes by its fastest call (encode_batch_fast, else encode_batch), single-threaded
(RAYON_NUM_THREADS=1, TOKENIZERS_PARALLELISM=false, set here before it is loaded); TOKENIZER is a tokenizer.json, or a SentencePiece
.model, which the package sentencepiece then encodes (num_threads=1). Rounds of package, hone with one thread, hone with N; told: medians."""
import argparse
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
ROOT = pathlib.Path(__file__).resolve().parent.parent


def package(path):
    """Name and a function from lines to lists of ids."""
    if path.endswith(".model"):
        import sentencepiece
        sp = sentencepiece.SentencePieceProcessor(model_file=path)
        return f"sentencepiece {sentencepiece.__version__}", lambda lines: sp.encode(lines, num_threads=1)
    import tokenizers
    t = tokenizers.Tokenizer.from_file(path)
    t.no_padding()
    t.no_truncation()
    run = getattr(t, "encode_batch_fast", t.encode_batch)
    return f"tokenizers {tokenizers.__version__}", lambda lines: [e.ids for e in run(lines, add_special_tokens=False)]


def theirs(encode, lines, seconds):
    spent, began, ids = [], time.perf_counter(), None
    while len(spent) < 3 or time.perf_counter() - began < seconds:
        at = time.perf_counter()
        ids = encode(lines)
        spent.append(time.perf_counter() - at)
    return statistics.median(spent), ids


def ours(tokenizer, text, threads, o):
    said = subprocess.run([o.hone, "bench", "--tokenizer", tokenizer, "--text", text, "--seconds", str(o.seconds), "--threads", str(threads), "--json"],
                          check=True, capture_output=True, text=True)
    return [json.loads(x) for x in said.stdout.splitlines()][-1]


def checksum(ids):
    h = hashlib.sha256()
    for x in ids:
        h.update(b"".join(i.to_bytes(4, "little") for i in x))
    return h.hexdigest()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", type=pathlib.Path)
    p.add_argument("pairs", nargs="+")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--hone", default=ROOT / "build/hone")
    o = p.parse_args()
    rows = []
    print(f"| tokenizer, text | package | MB/s | hone, 1 thread | times [rounds] | {o.threads} threads | ids |\n|---|---|---|---|---|---|---|")
    for tokenizer, text in zip(o.pairs[::2], o.pairs[1::2]):
        data = pathlib.Path(text).read_bytes()
        lines = data.decode("utf-8").split("\n")
        if lines[-1] == "":
            lines.pop()
        name, encode = package(tokenizer)
        times, pkg, one, many = [], [], [], []
        for _ in range(o.rounds):
            seconds, ids = theirs(encode, lines, o.seconds)
            h = ours(tokenizer, text, 1, o)
            pkg.append(seconds)
            one.append(h["seconds"]["median"])
            many.append(ours(tokenizer, text, o.threads, o)["seconds"]["median"])
            times.append(seconds / one[-1])
        rate = lambda v: len(data) / 1e6 / statistics.median(v)
        row = {"tokenizer": pathlib.Path(tokenizer).name, "text": pathlib.Path(text).name, "package": name, "bytes": len(data), "tokens": h["tokens"],
               "package_mb_per_second": rate(pkg), "hone_mb_per_second": rate(one), "hone_mb_per_second_threads": rate(many), "threads": o.threads,
               "times_faster": statistics.median(times), "rounds": times, "scaling": statistics.median(one) / statistics.median(many),
               "ids_equal": checksum(ids) == h["sha256"]}
        rows.append(row)
        print(f"| {row['tokenizer']}, {row['text']} | {name} | {rate(pkg):.2f} | {rate(one):.2f} | **{row['times_faster']:.2f}** [{min(times):.2f}-{max(times):.2f}] | "
              f"{rate(many):.2f} ({row['scaling']:.2f} x) | {'equal' if row['ids_equal'] else 'DIFFERENT'} |", flush=True)
        o.out.write_text(json.dumps({"results": rows, "load": os.getloadavg()[0]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
