"""Golden ids from the `tokenizers` package for the tokenizer.json files that hone writes.

    python tests/oracle/tokenizers_agree.py DIR      check DIR/char, DIR/byte and DIR/bpe, written by hone (test_data writes them
                                                     when HONE_KEEP=DIR is set), against the package, and print what differs
    python tests/oracle/tokenizers_agree.py          write tests/golden/tokenizers_agree.json

The golden file holds texts with the ids that the package gives, for tokenizers built here by the package itself: a character
tokenizer over the texts' sorted code points, a byte tokenizer, and byte pairs trained on the texts. The C test trains its own on the same texts.
"""
import json, os, sys
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

TEXTS = [
    "First Citizen:\nBefore we proceed any further, hear me speak.\n",
    "\n\n  tabs\tand  spaces \r\nwindows line\r\n",
    "naïve café e\u0301 combining, ﬁ ligature, ß, İ, \u00a0nbsp, \u200bzero width, \u2028line separator",
    "帝京篇十首 一\n秦川雄帝宅，函谷壯皇居。",
    "😀 family 👨\u200d👩\u200d👧\u200d👦 flag 🇩🇪 skin 👍🏽",
    "\u0001control\u007f\u0085next line \ufeffbom inside \ufffd replacement \U0010fffd last",
    "Ελληνικά русский العربية हिन्दी ไทย 한국어 にほんご",
    "\"quotes\" 'single' \\backslash\\ /slash <|endoftext|> <unk> [UNK] Ġ Ċ",
    "",
]
# Bytes that are no UTF-8: only the byte tokenizer, which decodes them with U+FFFD in the package and as they are in hone.
BAD_BYTES = [0xE4, 0xB8, 65, 0xFF, 66, 0xF0, 0x9F, 0x98, 67, 0xC0, 0x80]


def stand_ins():
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in keep]
    return {b: chr(b) if b in keep else chr(256 + rest.index(b)) for b in range(256)}


def char_tokenizer():
    t = Tokenizer(models.WordLevel({c: i for i, c in enumerate(sorted(set("".join(TEXTS))))}))
    t.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    t.decoder = decoders.Fuse()
    return t


def byte_tokenizer():
    t = Tokenizer(models.BPE({s: b for b, s in stand_ins().items()}, []))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    t.decoder = decoders.ByteLevel()
    return t


def bpe_tokenizer():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    # The package counts special tokens in the text as words; hone cuts them out before, as encoding does.
    t.train_from_iterator("".join(TEXTS).split("<|endoftext|>"), trainers.BpeTrainer(
        vocab_size=4096, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t


def ours():
    return {"char": char_tokenizer(), "byte": byte_tokenizer(), "bpe": bpe_tokenizer()}


def golden(path):
    tokenizers = ours()
    out = {"texts": TEXTS, "bad_bytes": BAD_BYTES, "bad_bytes_decoded": tokenizers["byte"].decode(BAD_BYTES)}
    for name, t in tokenizers.items():
        out[name] = [t.encode(s).ids for s in TEXTS]
        assert all(t.decode(i, skip_special_tokens=False) == s for i, s in zip(out[name], TEXTS))
    with open(path, "w") as f:
        json.dump(out, f, indent=None, separators=(",", ":"))
        f.write("\n")


def check(folder):
    wrong = 0
    for name, own in ours().items():
        theirs = Tokenizer.from_file(os.path.join(folder, name, "tokenizer.json"))
        loaders = [("tokenizers", lambda s: theirs.encode(s).ids, lambda i: theirs.decode(i, skip_special_tokens=False))]
        try:
            from transformers import AutoTokenizer
            auto = AutoTokenizer.from_pretrained(os.path.join(folder, name))
            loaders.append(("transformers", lambda s: auto(s)["input_ids"] if s else [], auto.decode))
        except ImportError:
            print("transformers is not installed: skipped")
        wrong += theirs.get_vocab() != own.get_vocab()
        for package, encode, decode in loaders:
            for s in TEXTS:
                ids = encode(s)
                if ids != own.encode(s).ids or decode(ids) != s:
                    wrong += 1
                    print(f"{name}: {package} disagrees on {s!r}")
        print(f"{name}: {', '.join(p for p, _, _ in loaders)} checked on {len(TEXTS)} texts")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        check(sys.argv[1])
    golden(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden", "tokenizers_agree.json"))
