#!/usr/bin/env python3
"""spm.py - tiny SentencePiece models and what the sentencepiece package makes of texts; writes tests/golden/spm.

A BPE with byte fallback and a Unigram, both with the identity normalizer, with and without squeezing of blanks; and one whose normalizer is
a compiled table, to be refused. The training text is made here. BPE ids get BOS in front, as transformers' LlamaTokenizer puts it."""
import json
import os
import random
import sentencepiece as spm
from gpt2 import GOLDEN

OUT = os.path.join(GOLDEN, "spm")
WORDS = "the a cat dog house river sees saw runs ran little big and under over because münchen façade 你好 世界 number 1 23 456".split()
TEXTS = ["the little cat saw a big dog", " two  blanks   and more ", "", "x", "münchen 你好 🙂 façade", "the\ttab\nline", "1234567890", "▁mark and so on"]


def main():
    os.makedirs(OUT, exist_ok=True)
    r = random.Random(7)
    text = os.path.join(OUT, "text.txt")
    with open(text, "w") as f:
        for _ in range(600):
            f.write(" ".join(r.choice(WORDS) for _ in range(r.randint(3, 9))) + "\n")
    rows = []
    for name, kind, squeeze, norm in [("bpe", "bpe", False, "identity"), ("squeezed", "bpe", True, "identity"), ("unigram", "unigram", True, "identity"),
                                      ("table", "unigram", True, "nmt_nfkc")]:
        spm.SentencePieceTrainer.train(input=text, model_prefix=os.path.join(OUT, name), model_type=kind, vocab_size=360 if kind == "bpe" else 310,
                                       byte_fallback=True, normalization_rule_name=norm, remove_extra_whitespaces=squeeze, num_threads=1,
                                       minloglevel=2, max_sentencepiece_length=12)
        os.remove(os.path.join(OUT, name + ".vocab"))
        sp = spm.SentencePieceProcessor(model_file=os.path.join(OUT, name + ".model"))
        if name != "table":
            rows.append({"name": name, "texts": TEXTS, "ids": [([1] if kind == "bpe" else []) + sp.encode(t) for t in TEXTS]})
    os.remove(text)
    with open(os.path.join(GOLDEN, "spm.json"), "w") as f:
        f.write(json.dumps(rows) + "\n")


main()
