#!/usr/bin/env python3
"""harness.py - what EleutherAI's lm-evaluation-harness says of the packs in tests/golden/tasks; writes the two tiny models there and
tests/golden/lm_eval.json.

Models: gpt2 (no token before a text) and llama (its tokenizer puts <s> before every text), both of random weights large enough that no two
answers are equally likely, context 96 so that long items lose tokens on their left. Their tokenizer is a byte-level BPE of 320 pieces
learned from the items. The same task.yaml goes to both programs; keys that the harness lacks (data) are taken out for it."""
import json
import os
import sys
import torch
import yaml
import lm_eval
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TASKS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "tasks")
OURS = ("data", "fewshot_data", "id", "cluster", "columns")


def packs():
    return sorted(n for n in os.listdir(TASKS) if os.path.exists(os.path.join(TASKS, n, "task.yaml")))


def tokenizer(first):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    special = ["<s>", "</s>"] if first else ["<|endoftext|>"]
    text = [open(os.path.join(TASKS, n, "items.jsonl"), encoding="utf8").read() for n in packs()]
    t.train_from_iterator(text, trainers.BpeTrainer(vocab_size=320, special_tokens=special, show_progress=False,
                                                    initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if first:
        t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=t, bos_token=special[0], eos_token=special[-1])


def model(name):
    torch.manual_seed(11)
    first = name == "llama"
    tok = tokenizer(first)
    size = len(tok)
    if first:
        m = LlamaForCausalLM(LlamaConfig(vocab_size=size, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
                                         num_key_value_heads=2, max_position_embeddings=96, bos_token_id=0, eos_token_id=1))
    else:
        m = GPT2LMHeadModel(GPT2Config(vocab_size=size, n_embd=16, n_layer=2, n_head=2, n_positions=96, bos_token_id=0, eos_token_id=0))
    with torch.no_grad():
        for p in m.parameters():
            if p.dim() > 1:
                p.normal_(0, 0.35)
    out = os.path.join(TASKS, "model_" + name)
    m.save_pretrained(out)
    tok.save_pretrained(out)
    for f in os.listdir(out):
        if f not in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
            os.remove(os.path.join(out, f))
    return out


def config(name):
    c = yaml.safe_load(open(os.path.join(TASKS, name, "task.yaml"), encoding="utf8"))
    c = {k: v for k, v in c.items() if k not in OURS}
    c.update(dataset_path="json", dataset_kwargs={"data_files": {"test": os.path.join(TASKS, name, "items.jsonl")}}, test_split="test")
    if c.get("num_fewshot"):
        c["fewshot_split"] = "test"
    return c


def run(folder):
    lm = HFLM(pretrained=folder, device="cpu", dtype="float32", batch_size=1)
    out = {}
    for name in packs():
        r = lm_eval.simple_evaluate(model=lm, tasks=[config(name)], log_samples=True, bootstrap_iters=0)
        samples, metrics = next(iter(r["samples"].values())), next(iter(r["results"].values()))
        items = []
        for s in samples:
            x = s["resps"]
            kind = type(x[0][0]).__name__
            item = {"doc_id": s["doc_id"], "filter": s["filter"]}
            if kind == "tuple":
                item["loglikelihoods"] = [float(y[0][0]) for y in x]
                item["is_greedy"] = [bool(y[0][1]) for y in x]
            elif kind == "str":
                item["generated"] = x[0][0]
                item["filtered"] = s["filtered_resps"][0]
                item["exact_match"] = float(s["exact_match"])
            else:
                item["loglikelihoods"] = [float(x[0][0])]
            items.append(item)
        out[name] = {"items": items, "metrics": {k: float(v) for k, v in metrics.items() if isinstance(v, (int, float)) and "stderr" not in k}}
    return out


def main():
    golden = {"lm_eval": lm_eval.__version__ if hasattr(lm_eval, "__version__") else "", "models": {n: run(model(n)) for n in ("gpt2", "llama")}}
    with open(os.path.join(TASKS, "..", "lm_eval.json"), "w", encoding="utf8") as f:
        json.dump(golden, f, indent=1, ensure_ascii=False)
        f.write("\n")


if __name__ == "__main__":
    sys.exit(main())
