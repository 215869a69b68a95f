#!/usr/bin/env python3
"""spm.py - tiny SentencePiece models and what the sentencepiece package makes of texts; writes tests/golden/spm.

A BPE with byte fallback and a Unigram, both with the identity normalizer, with and without squeezing of blanks; and one whose normalizer is
a compiled table. Of that table also what the package tokenizers makes of the texts, which reads it by grapheme clusters ("clusters": ids of
a tokenizer.json with this model, Precompiled and Metaspace). The models are kept once made: a trainer's next version may make others. The training text is made here. BPE ids get BOS in front, as transformers' LlamaTokenizer puts it."""
import json
import os
import random
import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer, normalizers
from gpt2 import GOLDEN

OUT = os.path.join(GOLDEN, "spm")
WORDS = "the a cat dog house river sees saw runs ran little big and under over because münchen façade 你好 世界 number 1 23 456".split()
TEXTS = ["the little cat saw a big dog", " two  blanks   and more ", "", "x", "münchen 你好 🙂 façade", "the\ttab\nline", "1234567890", "▁mark and so on", "\tthe\u00a0cat\u3000", "▁", "the▁ ▁", "Ａ\u0301 ①②  ﬁ½ｶﾞ ﷺ \u200bx\ufeff e\u0301 は\u3099 \u1112\u1161\u11ab \r\n é",
         "क\u093f नि 👨\u200d👩\u200d👧 🇩🇪 \u00ad\u0001 ǆ ㈱ ㍿ ™ ﹏ ｆｕｌｌ　ｗｉｄｔｈ"]


def clusters(path):
    m = sentencepiece_model_pb2.ModelProto()
    with open(path, "rb") as f:
        m.ParseFromString(f.read())
    return {"version": "1.0", "normalizer": json.loads(normalizers.Precompiled(m.normalizer_spec.precompiled_charsmap).__getstate__()),
            "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
            "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": True, "vocab": [[p.piece, p.score] for p in m.pieces]}}


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
        if not os.path.exists(os.path.join(OUT, name + ".model")):
            spm.SentencePieceTrainer.train(
                input=text, model_prefix=os.path.join(OUT, name), model_type=kind, vocab_size=360 if kind == "bpe" else 310, byte_fallback=True,
                normalization_rule_name=norm, remove_extra_whitespaces=squeeze, num_threads=1, minloglevel=2, max_sentencepiece_length=12)
            os.remove(os.path.join(OUT, name + ".vocab"))
        sp = spm.SentencePieceProcessor(model_file=os.path.join(OUT, name + ".model"))
        rows.append({"name": name, "texts": TEXTS, "ids": [([1] if kind == "bpe" else []) + sp.encode(t) for t in TEXTS]})
    t = Tokenizer.from_str(json.dumps(clusters(os.path.join(OUT, "table.model"))))
    rows.append({"name": "clusters", "texts": TEXTS, "ids": [t.encode(s, add_special_tokens=False).ids for s in TEXTS]})
    os.remove(text)
    with open(os.path.join(GOLDEN, "spm.json"), "w") as f:
        f.write(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()
