#!/usr/bin/env python3
"""peers_torch.py - one configuration's training step in PyTorch, as fast as PyTorch does it: scaled_dot_product_attention, fused AdamW.

usage: bench/peers_torch.py CONFIG [--compile] [--threads N]     for bench/peers.py, which talks to it by lines
CONFIG-bf16: the forward pass under autocast to bf16. CONFIG-lora: a LoRA adapter of peft on all linear maps of the model of transformers.
Says {"torch": version} once it is warm; then for each line with a number of seconds runs steps for so long (three at least) and says
{"seconds": [...], "peak_rss_bytes": ...}."""
import argparse
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

CONFIGS = {
    "nanogpt": dict(arch="gpt", layers=4, heads=4, width=128, T=64, B=12, V=65, bias=False),
    "baby": dict(arch="gpt", layers=6, heads=6, width=384, T=256, B=16, V=65, bias=False),
    "gpt2-124m": dict(arch="gpt", layers=12, heads=12, width=768, T=256, B=4, V=50257, bias=True),
    "llama15m": dict(arch="llama", layers=6, heads=6, width=288, hidden=768, T=256, B=8, V=32000, bias=False),
    "bertmini": dict(arch="bert", layers=4, heads=4, width=256, T=128, B=32, V=30522, bias=True, classes=2),
}


def resident(field):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(field))


class RMSNorm(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, 1e-5)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.h, self.rope, self.causal = c["heads"], c["arch"] == "llama", c["arch"] != "bert"
        self.qkv = nn.Linear(c["width"], 3 * c["width"], bias=c["bias"])
        self.o = nn.Linear(c["width"], c["width"], bias=c["bias"])
        if self.rope:
            d = c["width"] // c["heads"]
            angle = torch.outer(torch.arange(c["T"]), 10000 ** (-torch.arange(0, d, 2) / d))
            self.register_buffer("cos", angle.cos().repeat(1, 2))
            self.register_buffer("sin", angle.sin().repeat(1, 2))

    def turn(self, x):
        a, b = x.chunk(2, -1)
        return x * self.cos + torch.cat((-b, a), -1) * self.sin

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (t.view(B, T, self.h, C // self.h).transpose(1, 2) for t in self.qkv(x).split(C, 2))
        if self.rope:
            q, k = self.turn(q), self.turn(k)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.o(y.transpose(1, 2).reshape(B, T, C))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gated = c["arch"] == "llama"
        hidden = c.get("hidden", 4 * c["width"])
        self.up = nn.Linear(c["width"], hidden * (2 if self.gated else 1), bias=c["bias"])
        self.down = nn.Linear(hidden, c["width"], bias=c["bias"])
        self.form = "none" if c["arch"] == "bert" else "tanh"

    def forward(self, x):
        if self.gated:
            a, b = self.up(x).chunk(2, -1)
            return self.down(F.silu(a) * b)
        return self.down(F.gelu(self.up(x), approximate=self.form))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        norm = (lambda: RMSNorm(c["width"])) if c["arch"] == "llama" else (lambda: nn.LayerNorm(c["width"], bias=c["bias"]))
        self.n1, self.n2, self.attn, self.mlp, self.post = norm(), norm(), Attention(c), MLP(c), c["arch"] == "bert"

    def forward(self, x):
        if self.post:
            x = self.n1(x + self.attn(x))
            return self.n2(x + self.mlp(x))
        x = x + self.attn(self.n1(x))
        return x + self.mlp(self.n2(x))


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.arch = c["arch"]
        self.wte = nn.Embedding(c["V"], c["width"])
        self.wpe = nn.Embedding(c["T"], c["width"]) if c["arch"] != "llama" else None
        self.h = nn.ModuleList(Block(c) for _ in range(c["layers"]))
        self.norm = RMSNorm(c["width"]) if c["arch"] == "llama" else nn.LayerNorm(c["width"], bias=c["bias"])
        if c["arch"] == "bert":
            self.pool, self.classify = nn.Linear(c["width"], c["width"]), nn.Linear(c["width"], c["classes"])
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids, y):
        x = self.wte(ids)
        if self.wpe is not None:
            x = x + self.wpe.weight
        if self.arch == "bert":
            x = self.norm(x)                                    # the embedding's norm
        for b in self.h:
            x = b(x)
        if self.arch == "bert":
            return F.cross_entropy(self.classify(torch.tanh(self.pool(x[:, 0]))), y)
        logits = F.linear(self.norm(x), self.wte.weight)        # tied
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))


def lora(c):
    """The same shape in transformers, with an adapter by peft: the model, its loss of a batch."""
    import peft
    import transformers

    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=c["V"], hidden_size=c["width"], intermediate_size=c["hidden"], num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
        num_key_value_heads=c["heads"], max_position_embeddings=c["T"], tie_word_embeddings=True, attn_implementation="sdpa"))
    model = peft.get_peft_model(model, peft.LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM"))
    model.train()
    return model, lambda run, ids, y: F.cross_entropy(run(input_ids=ids).logits.view(-1, c["V"]), y.view(-1))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("config", choices=[*CONFIGS, *(n + "-bf16" for n in CONFIGS), *(n + "-lora" for n in CONFIGS if CONFIGS[n]["arch"] == "llama")])
    p.add_argument("--compile", action="store_true")
    p.add_argument("--threads", type=int, default=2)
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(1)
    name = o.config if o.config in CONFIGS else o.config.rsplit("-", 1)[0]
    how = o.config[len(name) + 1:]
    c = CONFIGS[name]
    if how == "lora":
        import peft, transformers  # noqa: F401  what the programs themselves take is not the training's
    before = resident("VmRSS")
    model, loss_of = lora(c) if how == "lora" else (Model(c), lambda run, ids, y: run(ids, y))
    run = torch.compile(model) if o.compile else model
    tuned = [w for w in model.parameters() if w.requires_grad]
    groups = [{"params": [w for w in tuned if w.dim() > 1], "weight_decay": 0.1}, {"params": [w for w in tuned if w.dim() < 2], "weight_decay": 0.0}]
    opt = torch.optim.AdamW([g for g in groups if g["params"]], lr=1e-3, betas=(0.9, 0.99), fused=True)
    text = torch.randint(c["V"], (16 * c["B"] * c["T"] + 1,))

    def step():
        at = torch.randint(len(text) - c["T"], (c["B"],))
        ids = torch.stack([text[i:i + c["T"]] for i in at])
        y = torch.randint(c["classes"], (c["B"],)) if c["arch"] == "bert" else torch.stack([text[i + 1:i + 1 + c["T"]] for i in at])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=how == "bf16"):
            loss = loss_of(run, ids, y)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tuned, 1.0)
        opt.step()
        return loss.item()

    def reset_peak():
        try:
            with open("/proc/self/clear_refs", "w") as f:
                f.write("5")
        except OSError:
            pass

    if o.compile:
        step()                                                  # the compiler's own memory is not the training's
        reset_peak()
    for _ in range(2):
        step()
    print(json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), flush=True)
    for line in sys.stdin:
        seconds, began = [], time.perf_counter()
        while len(seconds) < 3 or time.perf_counter() - began < float(line):
            at = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - at)
        print(json.dumps({"seconds": seconds, "peak_rss_bytes": resident("VmHWM") - before}), flush=True)


if __name__ == "__main__":
    main()
