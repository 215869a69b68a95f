#!/usr/bin/env python3
"""spm.py - tiny SentencePiece models and what the sentencepiece package makes of texts; writes tests/golden/spm.

A BPE with byte fallback and a Unigram, both with the identity normalizer, with and without squeezing of blanks; and one whose normalizer is
a compiled table. Of that table also what the package tokenizers makes of the texts, which reads it by grapheme clusters ("clusters": ids of
a tokenizer.json with this model, Precompiled and Metaspace). And what else a model can ask for: symbols of the user's and control symbols
(in text no more than their letters), the blank behind words, blanks kept with no prefix, pieces of one score, pieces that are not used and
blanks left as they are. Of texts too long to write down ("long"): one repeated, and SHA-256 of its ids as 32-bit numbers, without BOS; there
the sums of a Unigram are rounded, and begin anew, as those of the package do. Ids are those of sentencepiece 0.2.3: of symbols that the
user defined, versions before it give a Unigram other scores. The models are kept once made: a trainer's next version may make others. The training text is made here. BPE ids get BOS in front, as transformers' LlamaTokenizer puts it."""
import hashlib
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
# Texts of the .model files alone: what looks like special pieces, symbols beside and inside of each other, ties, blanks of all kinds.
MORE = ["<unk> the <s>cat</s> <0x41> <ctl>x", "a of lobster of lob ofthe the cat", "theＡＢthe cats lobsters<sep> <sep>", "▁of▁the cat of", "    ", "\t \t", "  the\u3000 cat  ", "ⅢⅢⅢ 0000000 000 aaaa",
        "lalalalala lala llll oooo", "aaa aaaa xaaay aaaaa alala lalal ooo ooooo lll lllllll laaal", "the\r\ncat\u2028dog\u0085x", "жжж the ж жcat щ", "a\u0300\u0301 e\u0308\u0304 \u0915\u094d\u0937", "🙂🙂👍🏽 the🙂", "\ufffd\uffff\U0010ffff \ud7a3", "ﬀﬁﬂ ﬃ ｱﾞ ＡＢＣ ＡＢ", "\u0001\u0002\u007f\u009f",
        "bigbig little  andand   over", "münchenmünchen façade 你好世界你好", "thecat of catthe cat", "the cat the  cat the\u00a0cat"]
LONG = [["ж the cat 0000 ⅢⅢ lalala over münchen\n", 4000], ["thelittlecatsawabigdog23456", 3000]]
MODELS = [  # name, kind, the rest for the trainer
    ("bpe", "bpe", {"remove_extra_whitespaces": False}),
    ("squeezed", "bpe", {}),
    ("unigram", "unigram", {}),
    ("table", "unigram", {"normalization_rule_name": "nmt_nfkc"}),
    ("symbols", "bpe", {"byte_fallback": False, "vocab_size": 110, "user_defined_symbols": ["<sep>", " of", "lob", "lobster", "the", "the cat", "ＡＢ"], "control_symbols": ["<ctl>"]}),
    ("symbols_unigram", "unigram", {"vocab_size": 318, "user_defined_symbols": ["<sep>", " of", "lob", "lobster", "the", "the cat", "ＡＢ"], "control_symbols": ["<ctl>"]}),
    ("behind", "unigram", {"byte_fallback": False, "vocab_size": 58, "treat_whitespace_as_suffix": True}),
    ("kept", "bpe", {"add_dummy_prefix": False, "remove_extra_whitespaces": False, "split_digits": True, "allow_whitespace_only_pieces": True})]


def changed(name, of, change):
    """A model as the trainer does not make them."""
    path = os.path.join(OUT, name + ".model")
    if os.path.exists(path):
        return
    m = sentencepiece_model_pb2.ModelProto()
    with open(os.path.join(OUT, of + ".model"), "rb") as f:
        m.ParseFromString(f.read())
    change(m, [p for p in m.pieces if p.type == p.NORMAL])
    with open(path, "wb") as f:
        f.write(m.SerializeToString())


def one_score(m, pieces):
    for i, p in enumerate(pieces):
        p.score = -float(i // 9)


def not_used(m, pieces):
    m.normalizer_spec.escape_whitespaces = False
    for p in [p for p in pieces if len(p.piece) > 1][::4]:
        p.type = p.UNUSED


def not_used_bpe(m, pieces):
    """Pieces of all lengths, also parts of each other, and single characters."""
    long = [p for p in pieces if len(p.piece) > 1]
    for p in long[::3] + long[1::7] + [p for p in pieces if p.piece in ("o", "好", "7")]:
        p.type = p.UNUSED


def unused_ties(m, pieces):
    """Runs of one letter, all of one score: pieces that can be put together in several ways."""
    for p, text in zip([p for p in pieces if len(p.piece) > 1][-12:], ["aa", "aaa", "aaaa", "la", "al", "lal", "ala", "lala", "oo", "ooo", "ll", "lll"]):
        if all(q.piece != text for q in pieces):
            p.piece = text
        p.score = -1.0
    for p in pieces:
        if p.piece in ("aaa", "aaaa", "lala", "lal", "ala", "ooo", "lll"):
            p.type = p.UNUSED


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
    for name, kind, rest in MODELS:
        if not os.path.exists(os.path.join(OUT, name + ".model")):
            how = {"vocab_size": 360 if kind == "bpe" else 310, "byte_fallback": True, "normalization_rule_name": "identity", **rest}
            spm.SentencePieceTrainer.train(input=text, model_prefix=os.path.join(OUT, name), model_type=kind, num_threads=1, minloglevel=2,
                                           max_sentencepiece_length=12, **how)
            os.remove(os.path.join(OUT, name + ".vocab"))
    changed("one_score", "bpe", one_score)
    changed("not_used", "unigram", not_used)
    changed("not_used_bpe", "bpe", not_used_bpe)
    changed("unused_ties", "kept", unused_ties)
    rows = []
    for name, kind in [m[:2] for m in MODELS] + [("one_score", "bpe"), ("not_used", "unigram"), ("not_used_bpe", "bpe"), ("unused_ties", "bpe")]:
        sp = spm.SentencePieceProcessor(model_file=os.path.join(OUT, name + ".model"))
        texts = TEXTS + MORE
        long = [{"text": s, "times": n, "sha256": hashlib.sha256(b"".join(i.to_bytes(4, "little") for i in sp.encode(s * n))).hexdigest()} for s, n in LONG]
        rows.append({"name": name, "texts": texts, "ids": [([1] if kind == "bpe" else []) + sp.encode(t) for t in texts], "long": long})
    t = Tokenizer.from_str(json.dumps(clusters(os.path.join(OUT, "table.model"))))
    rows.append({"name": "clusters", "texts": TEXTS, "ids": [t.encode(s, add_special_tokens=False).ids for s in TEXTS]})
    os.remove(text)
    with open(os.path.join(GOLDEN, "spm.json"), "w") as f:
        f.write(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()
