#!/usr/bin/env python3
"""nanogpt.py - recipes/shakespeare-char.yaml in plain PyTorch, to compare losses, curves and time with `hone train`.

usage: nanogpt.py INPUT.txt [--seeds N] [--steps N] [--threads N] [--first-seed N]
Model and training follow nanoGPT (github.com/karpathy/nanoGPT, model.py and train.py) with the CPU overrides of its README: 4 layers,
4 heads, width 128, context 64, batch 12, 2000 steps, no dropout, no bias, tied head, AdamW 0.9/0.99, decay 0.1 on matrices, clip 1,
lr 1e-3 to 1e-4 by a cosine, warm-up 100, the last tenth of the text held out. Unlike nanoGPT, which averages 20 random batches, the
loss here is over the whole held-out part in windows of 64 that do not overlap, every position counted.
Writes one JSON object per seed, then a summary, to stdout."""
import argparse
import json
import math
import resource
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

LAYERS, HEADS, WIDTH, CONTEXT, BATCH = 4, 4, 128, 64, 12
LR, MIN_LR, WARMUP = 1e-3, 1e-4, 100


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH, bias=False), nn.LayerNorm(WIDTH, bias=False)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (z.view(B, T, HEADS, C // HEADS).transpose(1, 2) for z in self.qkv(self.ln_1(x)).split(C, dim=2))
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(o.transpose(1, 2).reshape(B, T, C))
        return x + self.down(F.gelu(self.up(self.ln_2(x))))


class Model(nn.Module):
    def __init__(self, vocab):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.h = nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln_f = nn.LayerNorm(WIDTH, bias=False)
        for name, p in self.named_parameters():
            if p.dim() >= 2:
                residual = name.endswith(("proj.weight", "down.weight"))
                nn.init.normal_(p, 0.0, 0.02 / math.sqrt(2 * LAYERS) if residual else 0.02)

    def forward(self, ids):
        x = self.wte(ids) + self.wpe.weight[: ids.shape[1]]
        for b in self.h:
            x = b(x)
        return self.ln_f(x) @ self.wte.weight.T


def lr_at(step, steps):
    if step < WARMUP:
        return LR * (step + 1) / (WARMUP + 1)
    return MIN_LR + 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP))) * (LR - MIN_LR)


@torch.no_grad()
def whole_loss(model, ids):
    nats, starts = 0.0, list(range(0, len(ids) - 1, CONTEXT))
    full = [s for s in starts if s + CONTEXT < len(ids)]
    for i in range(0, len(full), 128):
        x = torch.stack([ids[s : s + CONTEXT] for s in full[i : i + 128]])
        y = torch.stack([ids[s + 1 : s + CONTEXT + 1] for s in full[i : i + 128]])
        nats += F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
    for s in starts[len(full):]:
        nats += F.cross_entropy(model(ids[s:-1][None])[0], ids[s + 1 :], reduction="sum").item()
    return nats / (len(ids) - 1)


def run(seed, train, valid, vocab, steps):
    torch.manual_seed(seed)
    model = Model(vocab)
    opt = torch.optim.AdamW([{"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.1},
                             {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}],
                            lr=LR, betas=(0.9, 0.99), eps=1e-8)
    curve, since, began = [], [], time.time()
    for step in range(steps):
        for g in opt.param_groups:
            g["lr"] = lr_at(step, steps)
        at = torch.randint(len(train) - CONTEXT, (BATCH,)).tolist()
        x, y = torch.stack([train[i : i + CONTEXT] for i in at]), torch.stack([train[i + 1 : i + 1 + CONTEXT] for i in at])
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        since.append(loss.item())
        if (step + 1) % max(steps // 100, 1) == 0:
            curve.append([step + 1, sum(since) / len(since)])
            since = []
    seconds = time.time() - began
    return {"seed": seed, "step": steps, "valid_loss": whole_loss(model, valid), "train_loss": curve[-1][1], "seconds": seconds,
            "tokens_per_second": steps * BATCH * CONTEXT / seconds, "curve": curve,
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("text")
    p.add_argument("--seeds", type=int, default=1)
    p.add_argument("--first-seed", type=int, default=0)
    p.add_argument("--steps", type=int, default=2000)
    p.add_argument("--threads", type=int, default=0)
    o = p.parse_args()
    if o.threads:
        torch.set_num_threads(o.threads)
    text = open(o.text, encoding="utf-8").read()
    letters = sorted(set(text))
    number = {c: i for i, c in enumerate(letters)}
    ids = torch.tensor([number[c] for c in text])
    cut = int(len(ids) * 0.9)
    losses, seconds = [], []
    for seed in range(o.first_seed, o.first_seed + o.seeds):
        r = run(seed, ids[:cut], ids[cut:], len(letters), o.steps)
        losses.append(r["valid_loss"])
        seconds.append(r["seconds"])
        print(json.dumps(r), flush=True)
    print(json.dumps({"name": "nanogpt", "torch": torch.__version__, "threads": torch.get_num_threads(), "seeds": o.seeds,
                      "valid_loss_mean": sum(losses) / len(losses), "valid_losses": losses, "seconds": seconds}))


if __name__ == "__main__":
    main()
