#!/usr/bin/env python3
"""llama_tokenizer.py TOKENIZER.model FOLDER - writes FOLDER/tokenizer.json and tokenizer_config.json from a SentencePiece BPE model in Llama's form.

The merges are all pairs of pieces that give a piece, ordered by its score, as transformers' converter has it. Ends with status 1 when
`tokenizers` does not give SentencePiece's ids."""
import json
import os
import sys
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer

PROBE = "Once upon a time, there was a little girl named Lily. She saw a café, 日本. The end."


def main():
    path, folder = sys.argv[1:3]
    sp = SentencePieceProcessor(path)
    pieces = [sp.id_to_piece(i) for i in range(sp.get_piece_size())]
    vocab = {p: i for i, p in enumerate(pieces)}
    merges = []
    for p, i in vocab.items():
        if sp.is_control(i) or sp.is_byte(i) or sp.is_unknown(i):
            continue
        own = [(p[:k], p[k:], sp.get_score(i)) for k in range(1, len(p)) if p[:k] in vocab and p[k:] in vocab]
        merges += sorted(own, key=lambda x: (vocab[x[0]], vocab[x[1]]))
    merges.sort(key=lambda m: (m[2], len(m[0]), len(m[1])), reverse=True)
    special = [{"id": i, "content": c, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
               for i, c in enumerate(pieces[:3])]
    root = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "pre_tokenizer": None,
            "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                                                               {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
            "post_processor": {"type": "TemplateProcessing",
                               "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                               "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                                        {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
                               "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
            "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                                                         {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
            "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": True, "byte_fallback": True, "ignore_merges": False, "vocab": vocab, "merges": [[a, b] for a, b, _ in merges]}}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    os.makedirs(folder, exist_ok=True)
    for name, v in [("tokenizer.json", root), ("tokenizer_config.json", config)]:
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            json.dump(v, f, ensure_ascii=False)
    ids = Tokenizer.from_file(os.path.join(folder, "tokenizer.json")).encode(PROBE).ids
    return 0 if ids == [sp.bos_id()] + sp.encode(PROBE) else 1


sys.exit(main())
