#!/usr/bin/env python3
"""Ids of 10,000 lines each of English, Chinese, code and random signs, as checksums; writes tests/golden/tokenizers_lines.json.

    python tests/oracle/tokenizers_lines.py DATA      DATA: the folder with tokenizers, wikitext2, tiny_shakespeare and chinese_poetry

English and Chinese are lines of files in DATA. Code and random signs are drawn here and, by the same numbers, in tests/test_lines.c: a
linear congruential generator (Knuth's MMIX) over the fragments, and over the ranges of characters that Unicode 3.2 assigned (`tokenizers`
mixes tables of several versions of Unicode; on characters younger than the oldest of them it agrees with no single one). A checksum is
the SHA-256 of all ids of all lines, as 32-bit little-endian numbers. The Llama tokenizer is made from the GGUF file as transformers does
it; "clusters" is that of tests/oracle/spm.py."""
import gzip
import hashlib
import json
import os
import struct
import sys
import unicodedata
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers_files import LLAMA3, QWEN2
from gpt2 import GOLDEN

N = 10000
FRAGMENTS = ["    ", "\t", "  ", " ", "if (", "for (int i = 0; i < n; i++)", "return ", "def ", "self.", "x", "value", "_count", "hn_arena *a", "(", ")", "{",
             "}", "[", "]", ";", ":", ",", ".", "->", "==", "!=", "<=", " += ", " = ", "&&", "||", "!", "~", "//", "# ", "/* ", " */", "\"", "'", "\\n", "%d",
             "0", "1", "42", "1234567", "0xFF", "3.14e-10", "NULL", "None", "true", "import os", "lambda", "@property", "#include <stdio.h>", "std::vector<int>",
             "don't", "it's", "we'LL", "I'VE", "naïve", "größe", "变量", "…", "→", "λ", "é", "\r", "$HOME", "`ls`", "<div class=\"a\">", "</p>", "a_b", "camelCase"]


class Draw:
    def __init__(self):
        self.x = 1

    def __call__(self, n):
        self.x = (self.x * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        return (self.x >> 33) % n


def assigned():
    out, old = [], unicodedata.ucd_3_2_0
    for c in range(0x20, 0x20000):
        if old.category(chr(c)) in ("Cn", "Cs", "Co") or c == 0x1734 or unicodedata.category(chr(c)) != old.category(chr(c)):
            continue
        if out and c == out[-1][1] + 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def code(draw):
    return ["".join(FRAGMENTS[draw(len(FRAGMENTS))] for _ in range(draw(16))) for _ in range(N)]


def signs(draw, ranges):
    out = []
    for i in range(N):
        line = []
        for _ in range(draw(60)):
            if i % 2:
                lo, hi = ranges[draw(len(ranges))]
                line.append(chr(lo + draw(hi - lo + 1)))
            else:
                c = 1 + draw(255)
                line.append(" " if c == 10 else chr(c))
        out.append("".join(line))
    return out


def lines(path, n):
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="\n") as f:
        return [line.rstrip("\n") for line, _ in zip(f, range(n))]


def gpt2(data, pre):
    with open(os.path.join(data, "gpt2_merges.txt"), encoding="utf-8") as f:
        merges = [tuple(x.split(" ")) for x in f.read().split("\n") if x]
    with open(os.path.join(data, "gpt2_vocab.json"), encoding="utf-8") as f:
        t = Tokenizer(models.BPE(json.load(f), merges))
    t.pre_tokenizer = pre
    return t


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def llama(path):
    with open(path, "rb") as f:
        b = f.read()
    form = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}

    def value(kind, at):
        if kind == 8:
            n, = struct.unpack_from("<Q", b, at)
            return b[at + 8:at + 8 + n], at + 8 + n
        if kind == 9:
            kind, n = struct.unpack_from("<IQ", b, at)
            at, out = at + 12, []
            for _ in range(n):
                x, at = value(kind, at)
                out.append(x)
            return out, at
        return struct.unpack_from(form[kind], b, at)[0], at + struct.calcsize(form[kind])

    kv, at = {}, 24
    for _ in range(struct.unpack_from("<Q", b, 16)[0]):
        key, at = value(8, at)
        kind, = struct.unpack_from("<I", b, at)
        kv[key.decode()], at = value(kind, at + 4)
    tokens, scores = [x.decode() for x in kv["tokenizer.ggml.tokens"]], kv["tokenizer.ggml.scores"]
    ids = {t: i for i, t in enumerate(tokens) if kv["tokenizer.ggml.token_type"][i] == 1}
    merges = sorted((-scores[i], -len(t[:k].encode()), ids[t[:k]], ids[t[k:]], t[:k], t[k:]) for t, i in ids.items()
                    for k in range(1, len(t)) if t[:k] in ids and t[k:] in ids)
    t = Tokenizer(models.BPE({x: i for i, x in enumerate(tokens)}, [m[4:] for m in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    return t


def main():
    from spm import clusters
    data = sys.argv[1]
    vocab = os.path.join(data, "tokenizers")
    bert = Tokenizer.from_file(os.path.join(vocab, "bert_uncased_tokenizer.json"))
    bert.no_padding()
    bert.no_truncation()
    tokenizers = {"gpt2": gpt2(vocab, pre_tokenizers.ByteLevel(add_prefix_space=False)), "llama3": gpt2(vocab, split(LLAMA3)),
                  "qwen2": gpt2(vocab, split(QWEN2)), "bert": bert, "llama": llama(os.path.join(vocab, "ggml-vocab-llama-spm.gguf")),
                  "clusters": Tokenizer.from_str(json.dumps(clusters(os.path.join(GOLDEN, "spm", "table.model"))))}
    draw, ranges = Draw(), assigned()
    texts = {"english": lines(os.path.join(data, "wikitext2/valid.txt"), 2000) + lines(os.path.join(data, "tiny_shakespeare/input.txt"), 8000),
             "chinese": lines(os.path.join(data, "chinese_poetry/tang_poems.txt.gz"), N), "code": code(draw), "random": signs(draw, ranges)}
    assert all(len(x) == N for x in texts.values())
    out = {"fragments": FRAGMENTS, "ranges": ranges, "sha256": {}}
    for name, t in tokenizers.items():
        for which, text in texts.items():
            h = hashlib.sha256()
            for e in t.encode_batch_fast(text, add_special_tokens=False):
                h.update(struct.pack(f"<{len(e.ids)}i", *e.ids))
            out["sha256"].setdefault(name, {})[which] = h.hexdigest()
    with open(os.path.join(GOLDEN, "tokenizers_lines.json"), "w") as f:
        f.write(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
