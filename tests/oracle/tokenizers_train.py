#!/usr/bin/env python3
"""What hone trains beside what the package `tokenizers` trains on the same text.

    python tests/oracle/tokenizers_train.py TEXT VOCAB [HONE]      HONE: the program, build/hone unless named

Trains both kinds by `hone train` (one step of a tiny model; its folder holds the tokenizer) and by the package, and tells
  wordpiece   how many entries of the vocabularies are the same, and the tokens of the text with each
  unigram     pieces, the log-likelihood of the best cuts of all words by each model's own scores, and tokens, on the words that hone cuts;
              the package gets as many pieces as hone has beside bytes and special tokens
and whether the package, given hone's file, gives hone's ids on every line."""
import collections
import json
import os
import subprocess
import sys
import tempfile
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers


def hone_trains(hone, text, kind, vocab, folder):
    subprocess.run([hone, "train", f"data.train={text}", f"data.valid={text}", f"data.tokenizer={kind}", f"data.vocab={vocab}", "data.ends=none",
                    "train.steps=1", "sched.warmup=0", "model.layers=1", "model.width=32", "model.heads=2", "model.context=32", "train.batch=2", f"out={folder}"],
                   check=True, capture_output=True)
    return os.path.join(folder, "best", "tokenizer.json")


def same_ids(hone, path, lines):
    t = Tokenizer.from_file(path)
    said = subprocess.run([hone, "tokenize", path, "--lines"], input="\n".join(lines) + "\n", text=True, check=True, capture_output=True).stdout.split("\n")
    return sum([int(x) for x in ours.split()] == theirs.ids for ours, theirs in zip(said, t.encode_batch(lines, add_special_tokens=False)))


def words_of(t, text):
    count = collections.Counter()
    for line in text:
        s = t.normalizer.normalize_str(line) if t.normalizer else line
        count.update(w for w, _ in t.pre_tokenizer.pre_tokenize_str(s))
    return count


def wordpiece(path, text, vocab):
    ours = Tokenizer.from_file(path)
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = ours.normalizer, ours.pre_tokenizer
    t.train_from_iterator(text, trainers.WordPieceTrainer(vocab_size=vocab, min_frequency=2, show_progress=False,
                                                          special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    a, b = set(ours.get_vocab()), set(t.get_vocab())
    n = [sum(len(e.ids) for e in x.encode_batch(text, add_special_tokens=False)) for x in (ours, t)]
    print(f"wordpiece: {len(a)} entries and the package {len(b)}, {len(a & b)} in both; {n[0]} tokens and {n[1]}")


def likelihood(vocab, words):
    """Sum of the best cuts' log-probabilities, tokens, and characters that no piece has."""
    score = dict(vocab)
    longest, total, tokens, unknown = max(map(len, score)), 0.0, 0, 0
    floor = min(score.values()) - 10
    for w, n in words.items():
        best = [(0.0, 0, 0)] + [None] * len(w)
        for i in range(len(w)):
            for j in range(i + 1, min(len(w), i + longest) + 1):
                s = score.get(w[i:j])
                if s is None and j == i + 1:
                    s, miss = floor, 1
                elif s is None:
                    continue
                else:
                    miss = 0
                x = (best[i][0] + s, best[i][1] + 1, best[i][2] + miss)
                if best[j] is None or x[0] > best[j][0]:
                    best[j] = x
        total, tokens, unknown = total + n * best[-1][0], tokens + n * best[-1][1], unknown + n * best[-1][2]
    return total, tokens, unknown


def unigram(path, text):
    ours = Tokenizer.from_file(path)
    with open(path) as f:
        vocab = json.load(f)["model"]["vocab"][258:]
    words = words_of(ours, text)
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = ours.pre_tokenizer
    t.train_from_iterator(text, trainers.UnigramTrainer(vocab_size=len(vocab) + 1, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False))
    theirs = [x for x in json.loads(t.to_str())["model"]["vocab"] if x[0] != "<unk>"]
    a, b = likelihood(vocab, words), likelihood(theirs, words)
    both = len({x[0] for x in vocab} & {x[0] for x in theirs})
    print(f"unigram: {len(vocab)} pieces and the package {len(theirs)}, {both} in both; log-likelihood {a[0]:.0f} and {b[0]:.0f} "
          f"({100 * (a[0] / b[0] - 1):+.2f} %: less is better), {a[1]} tokens and {b[1]}, characters without a piece {a[2]} and {b[2]}")


def main():
    path, vocab, hone = sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "build/hone"
    with open(path, encoding="utf-8", newline="") as f:
        text = [x for x in f.read().split("<|endoftext|>") if x]       # where hone too lets no word go on
    lines = [x for x in "".join(text).split("\n") if x][:10000]
    with tempfile.TemporaryDirectory() as d:
        for kind in ("wordpiece", "unigram"):
            made = hone_trains(hone, path, kind, vocab, os.path.join(d, kind))
            print(f"{kind}: the package gives our ids on {same_ids(hone, made, lines)} of {len(lines)} lines")
            wordpiece(made, text, vocab) if kind == "wordpiece" else unigram(made, text)


if __name__ == "__main__":
    main()
