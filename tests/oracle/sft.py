#!/usr/bin/env python3
"""sft.py - what transformers makes of samples for supervised fine-tuning; writes tests/golden/sft.

losses.json: for the tiny models of gpt2.py and llama.py, samples of ids with a mask and the loss of each token in its sample alone, in
float64. Packed into one row, with positions that begin anew and a block-diagonal mask, transformers gives the same within 1e-6; that is
checked here. masks.json: talks through apply_chat_template with generation marks: ids and assistant mask of two small tokenizers, one of
bytes, one as Llama 2's (a blank put before, byte fallback); `plain` is the same template without the marks."""
import json
import os
import random
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
OUT = os.path.join(GOLDEN, "sft")


def nll(model, ids, **more):
    logits = model(torch.tensor([ids]), **more).logits[0, :-1]
    return torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none")


def packed(model, samples):
    """All samples in one row: the same losses, where the model sees no neighbour."""
    ids = [i for s in samples for i in s["ids"]]
    doc = torch.tensor([k for k, s in enumerate(samples) for _ in s["ids"]])
    pos = torch.tensor([[p for s in samples for p in range(len(s["ids"]))]])
    n = len(ids)
    sees = (doc[:, None] == doc[None, :]) & torch.ones(n, n, dtype=torch.bool).tril()
    window = getattr(model.config, "sliding_window", None)
    far = sees.clone()
    if window:
        at = torch.arange(n)
        far &= at[:, None] - at[None, :] < window
    block = {"full_attention": sees, "sliding_attention": far}
    block = {k: torch.zeros(n, n, dtype=torch.float64).masked_fill(~v, float("-inf"))[None, None] for k, v in block.items()}
    kinds = getattr(model.config, "layer_types", None)
    mask = block if kinds else block["sliding_attention" if window else "full_attention"]
    logits = model(torch.tensor([ids]), position_ids=pos, attention_mask=mask).logits[0]
    out, at = [], 0
    for s in samples:
        k = len(s["ids"])
        out.append(torch.nn.functional.cross_entropy(logits[at:at + k - 1], torch.tensor(s["ids"][1:]), reduction="none"))
        at += k
    return out


def losses():
    r = random.Random(5)
    lengths = [5, 3, 6, 9, 2, 4, 12, 16]
    samples = []
    for n in lengths:
        start = r.randrange(1, n)
        samples.append({"ids": [r.randrange(65) for _ in range(n)], "learn": [int(i >= start and (i == start or r.random() < 0.8)) for i in range(n)]})
    out = {"samples": samples, "nll": {}}
    for name in ["gpt2_tiny", "llama_tiny", "mistral_tiny", "qwen2_tiny", "qwen3_tiny"]:
        model = AutoModelForCausalLM.from_pretrained(os.path.join(GOLDEN, name), attn_implementation="eager").eval().double()
        with torch.no_grad():
            alone = [nll(model, s["ids"]) for s in samples]
            worst = max(float((a - b).abs().max()) for a, b in zip(alone, packed(model, samples[:3])))
            assert worst < 1e-6, (name, worst)
        out["nll"][name] = [[round(float(x), 8) for x in a] for a in alone]
    return out


TEXTS = ["Hello, how are you today? I am fine, thank you.", "The answer is 42. What is the question?", "user assistant system: be brief.",
         "Ünïcödé is fine, 日本語 too."] * 4
CHATML = ("{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% if m.role == 'assistant' %}{% generation %}"
          "{{ m.content + '<|im_end|>' }}{% endgeneration %}{% else %}{{ m.content + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
LLAMA2 = ("{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content | trim + ' [/INST]' }}"
          "{% elif m.role == 'system' %}{{ '<<SYS>>' + m.content + '<</SYS>>' }}"
          "{% else %}{% generation %}{{ ' ' + m.content | trim + ' ' + eos_token }}{% endgeneration %}{% endif %}{% endfor %}")
ZEPHYR = ("{% for m in messages %}{{ '<|' + m.role + '|>\\n' }}{% if m.role == 'assistant' %}{% generation %}{{ m.content + eos_token }}"
          "{% endgeneration %}{% else %}{{ m.content + eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}")
LINES = ("{% for m in messages %}{{ m.role + ':' }}{% if m.role == 'assistant' %}{% generation %}{{ ' ' + m.content + '\\n' }}{% endgeneration %}"
         "{% else %}{{ ' ' + m.content + '\\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}")
TALKS = [[("user", "Hello"), ("assistant", "I am fine.")],
         [("system", "be brief."), ("user", "What is 6 x 7?"), ("assistant", "42"), ("user", "日本語?"), ("assistant", "はい, Ünï\n\nthank you")],
         [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", " d ")]]


def bytes_tokenizer():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=330, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
                                                     initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token="<|endoftext|>", eos_token="<|im_end|>")


def llama_tokenizer():
    t = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=380, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)],
                                                     show_progress=False))
    root = json.loads(t.to_str())
    root["added_tokens"] = [x for x in root["added_tokens"] if x["id"] < 3]      # byte pieces are ordinary ones
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(root)), bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def masks():
    cases = []
    for name, make, templates in [("bytes", bytes_tokenizer, [CHATML, LLAMA2, ZEPHYR, LINES]), ("llama", llama_tokenizer, [LLAMA2, ZEPHYR, LINES])]:
        tok = make()
        tok.save_pretrained(os.path.join(OUT, name))
        for template in templates:
            for talk in TALKS:
                messages = [{"role": a, "content": b} for a, b in talk]
                got = tok.apply_chat_template(messages, chat_template=template, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
                cases.append({"tokenizer": name, "marked": template, "plain": template.replace("{% generation %}", "").replace("{% endgeneration %}", ""),
                              "messages": messages, "ids": got["input_ids"], "mask": got["assistant_masks"]})
    return cases


def main():
    torch.set_num_threads(1)
    os.makedirs(OUT, exist_ok=True)
    for name, v in [("losses.json", losses()), ("masks.json", masks())]:
        with open(os.path.join(OUT, name), "w", encoding="utf-8") as f:
            json.dump(v, f, ensure_ascii=False, separators=(",", ":"))
            f.write("\n")


main()
