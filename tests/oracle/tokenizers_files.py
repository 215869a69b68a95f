"""Golden ids from the `tokenizers` package for tokenizer.json files of the kinds that published models have.

    python tests/oracle/tokenizers_files.py          write tests/golden/tokenizers_files.json

Each file is made here by the package: trained on the texts below, with the pre-tokenizer, normalizer and post-processor of its
family. The golden file holds the files themselves, and for each text the ids and what the ids decode to.
"""
import json, os
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers_agree import TEXTS

MORE = [
    "I'm sure we'll see: they've DON'T you'RE it's  'S 's' l'eau",
    "a²b x①y Ⓐb a\u200db, a_b\u203fc ¼¾ µm ªº",
    "numbers 3 42 1234567 3,000.50 x² ½ Ⅷ ٣٤٥ 1a2b v1.2.3",
    "   leading,   inner   and trailing   ",
    "def f(x):\n\treturn {\"a\": x[0:1], 'b': -1}  # note\n\n\n\n    pass\n",
    "a\n\nb\r\n\r\nc \n d\t\t\te \u3000 f\u00a0\u00a0g\u180eh \u2028 i",
    "!!!??? ... -- ==> <|im_start|>user <s> </s> [INST] ok<pad>ok",
    "ſtrange 'ſ K Å ﬀ ΐ ǆ Ω ÅÅ ｆｕｌｌ　ｗｉｄｔｈ ㈱ ① ™",
    "e\u0301e\u0300 n\u0303 \u1112\u1161\u11ab 각 กำ ำ क़ \u0958",
    "日本語の文章です。カタカナ、ひらがな。中文句子，没有空格。한국어 문장입니다.",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bananananas",
]
ALL = TEXTS + MORE
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def byte_level(prefix=False, regex=True):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)


def split(pattern, how="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), how, invert)


def bpe(pre, normalizer=None, post=None, special=("<|endoftext|>",), **model):
    t = Tokenizer(models.BPE(**model))
    t.pre_tokenizer, t.decoder = pre, decoders.ByteLevel()
    if normalizer:
        t.normalizer = normalizer
    t.train_from_iterator(ALL * 2, trainers.BpeTrainer(vocab_size=360, min_frequency=2, special_tokens=list(special), show_progress=False,
                                                       initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if post:
        t.post_processor = post(t)
    return t


def begin(token):
    return lambda t: processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single=f"{token} $A", pair=f"{token} $A {token} $B:1", special_tokens=[(token, t.token_to_id(token))])])


def with_added(t):
    t.add_tokens([AddedToken("[INST]", normalized=True), AddedToken("ok", single_word=True, normalized=False),
                  AddedToken(" \n", normalized=False)])
    t.add_special_tokens([AddedToken("<pad>", lstrip=True, rstrip=True), AddedToken("<|im_start|>", rstrip=True), "<s>", "</s>"])
    return t


def byte_files():
    seq = pre_tokenizers.Sequence
    return {
        "gpt2": bpe(byte_level()),
        "roberta": bpe(byte_level(prefix=True)),
        "llama3": bpe(seq([split(LLAMA3), byte_level(regex=False)]), post=begin("<|endoftext|>"), ignore_merges=True),
        "falcon": bpe(seq([pre_tokenizers.Punctuation("contiguous"), byte_level(), pre_tokenizers.Digits(False), split("[0-9][0-9][0-9]")])),
        "starcoder": bpe(seq([pre_tokenizers.Digits(individual_digits=True), byte_level()])),
        "deepseek": bpe(seq([split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-퟿]+"),
                             pre_tokenizers.Digits(individual_digits=True), byte_level(regex=False)])),
        "behaviours": bpe(seq([split(r"\n", "merged_with_previous"), split("[.,]+", "merged_with_next"), split(r"\w+|[^\w\s]+", "contiguous", True),
                               split("q", "removed"), split(r"(?=b)"), byte_level(regex=False)])),
        "word": bpe(seq([split(r"\w+"), byte_level(regex=False)])),
        "whitespace": bpe(seq([pre_tokenizers.Whitespace(), byte_level(prefix=True, regex=False)])),
        "added": with_added(bpe(byte_level())),
    }


def sentencepiece_bpe():
    t = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")      # for training only
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator(ALL * 2, trainers.BpeTrainer(vocab_size=460, special_tokens=special, show_progress=False, limit_alphabet=90))
    v = json.loads(t.to_str())
    v["pre_tokenizer"] = None
    v["added_tokens"] = [x for x in v["added_tokens"] if x["id"] < 3]
    v["decoder"] = json.loads(decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                                 decoders.Strip(" ", 1, 0)]).__getstate__())
    return Tokenizer.from_str(json.dumps(v))


def wordpiece(**bert):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer, t.pre_tokenizer, t.decoder = normalizers.BertNormalizer(**bert), pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    t.train_from_iterator(ALL * 2, trainers.WordPieceTrainer(vocab_size=420, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"],
                                                             limit_alphabet=200, show_progress=False))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def unigram(normalizer, byte_fallback=False):
    t = Tokenizer(models.Unigram())
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer, t.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    t.train_from_iterator(ALL * 2, trainers.UnigramTrainer(vocab_size=300, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False))
    v = json.loads(t.to_str())
    # Characters that occur once are left to the unknown token.
    v["model"]["vocab"] = [x for x in v["model"]["vocab"] if len(x[0]) > 1 or ord(x[0]) < 0x250 or x[0] == "▁"]
    if byte_fallback:
        v["model"]["vocab"] += [[f"<0x{b:02X}>", -20.0] for b in range(256)]
        v["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(v))


def other_files():
    n = normalizers
    seq = pre_tokenizers.Sequence
    return {
        "qwen2": bpe(seq([split(QWEN2), byte_level(regex=False)]), normalizer=n.NFC()),
        "nfkc": bpe(byte_level(), normalizer=n.Sequence([n.NFKC(), n.Lowercase(), n.Strip(), n.Replace(Regex("[0-9]+"), "7")])),
        "sentencepiece": sentencepiece_bpe(),
        "bert_uncased": wordpiece(),
        "bert_cased": wordpiece(lowercase=False, clean_text=False, handle_chinese_chars=False, strip_accents=False),
        "unigram": unigram(n.Sequence([n.NFKD(), n.StripAccents()])),
        "unigram_bytes": unigram(None, byte_fallback=True),
    }


def golden(path):
    out = {"texts": ALL, "files": []}
    for name, t in {**byte_files(), **other_files()}.items():
        rows = [t.encode(s, add_special_tokens=False) for s in ALL]
        out["files"].append({"name": name, "json": json.loads(t.to_str()), "ids": [r.ids for r in rows],
                             "decoded": [t.decode(r.ids, skip_special_tokens=False) for r in rows]})
    with open(path, "w") as f:
        json.dump(out, f, indent=None, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    golden(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden", "tokenizers_files.json"))
