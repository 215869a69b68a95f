#!/usr/bin/env python3
"""gpt2.py - golden values of two tiny GPT-2 models; writes tests/golden/gpt2_tiny*, format in tests/golden/README.md.

gpt2_tiny is transformers' GPT2LMHeadModel (all biases, tied head). gpt2_nobias is nanoGPT's bias-free form, written here in
plain torch, saved in Hugging Face's layout with zero biases and hone's own flag. Weights are float32; what is computed from
them is computed in float64, so a test sees hone's rounding alone. Weights are larger than an initialisation's and layer norms
are not ones, so that a swapped or transposed tensor cannot hide."""
import json
import os
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
V, LAYERS, CONTEXT, STEPS, BATCH = 65, 2, 16, 10, 4


class Nano(torch.nn.Module):
    """nanoGPT without biases: pre-norm blocks, Linear weights (out,in), head tied to the token embedding."""

    def __init__(self, width, heads):
        super().__init__()
        P = torch.nn.Parameter
        self.heads = heads
        self.wte, self.wpe = P(torch.zeros(V, width)), P(torch.zeros(CONTEXT, width))
        self.ln_f = P(torch.ones(width))
        self.h = torch.nn.ModuleList()
        for _ in range(LAYERS):
            b = torch.nn.Module()
            b.ln_1, b.ln_2 = P(torch.ones(width)), P(torch.ones(width))
            b.qkv, b.proj = P(torch.zeros(3 * width, width)), P(torch.zeros(width, width))
            b.up, b.down = P(torch.zeros(4 * width, width)), P(torch.zeros(width, 4 * width))
            self.h.append(b)

    def forward(self, ids):
        B, T = ids.shape
        C = self.wte.shape[1]
        x = self.wte[ids] + self.wpe[:T]
        mask = torch.tril(torch.ones(T, T, dtype=torch.bool))
        for b in self.h:
            q, k, v = (F.layer_norm(x, (C,), b.ln_1, None, 1e-5) @ b.qkv.T).split(C, dim=2)
            q, k, v = (z.view(B, T, self.heads, -1).transpose(1, 2) for z in (q, k, v))
            s = (q @ k.transpose(2, 3)) / (C // self.heads) ** 0.5
            o = torch.softmax(s.masked_fill(~mask, float("-inf")), -1) @ v
            x = x + o.transpose(1, 2).reshape(B, T, C) @ b.proj.T
            u = F.layer_norm(x, (C,), b.ln_2, None, 1e-5) @ b.up.T
            x = x + F.gelu(u, approximate="tanh") @ b.down.T
        return F.layer_norm(x, (C,), self.ln_f, None, 1e-5) @ self.wte.T

    def export(self):
        """Hugging Face's names and Conv1D layout (in,out); biases as zeros."""
        out = {"transformer.wte.weight": self.wte, "transformer.wpe.weight": self.wpe, "transformer.ln_f.weight": self.ln_f}
        for i, b in enumerate(self.h):
            p = f"transformer.h.{i}."
            out |= {p + "ln_1.weight": b.ln_1, p + "ln_2.weight": b.ln_2, p + "attn.c_attn.weight": b.qkv.T, p + "attn.c_proj.weight": b.proj.T,
                    p + "mlp.c_fc.weight": b.up.T, p + "mlp.c_proj.weight": b.down.T}
        for name in [n for n in out if n.endswith(".weight") and "wte" not in n and "wpe" not in n]:
            out[name.replace(".weight", ".bias")] = torch.zeros(out[name].shape[-1])
        return {n: t.detach().float().contiguous() for n, t in out.items()}


def randomise(model, seed):
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            p.copy_(torch.randn(p.shape, generator=g) * 0.1 + (1.0 if ("ln_" in name or "norm" in name) and not name.endswith("bias") else 0.0))


def golden(model, logits_of, seed, rows=2, digits=9):
    r = np.random.default_rng(seed)
    ids = r.integers(0, V, (rows, CONTEXT))
    batches = r.integers(0, V, (STEPS, BATCH, CONTEXT + 1))
    with torch.no_grad():
        logits = logits_of(torch.tensor(ids))
        loss = F.cross_entropy(logits[:, :-1].reshape(-1, V), torch.tensor(ids)[:, 1:].reshape(-1))
    params = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW([{"params": [p for p in params if p.dim() >= 2], "weight_decay": 0.1},
                             {"params": [p for p in params if p.dim() < 2], "weight_decay": 0.0}], lr=1e-3, betas=(0.9, 0.99), eps=1e-8)
    def ce(b):
        return F.cross_entropy(logits_of(torch.tensor(b[:, :-1])).reshape(-1, V), torch.tensor(b[:, 1:]).reshape(-1))
    losses, norms = [], []
    for b in batches:
        opt.zero_grad()
        l = ce(b)
        l.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(params, 1.0)))
        opt.step()
        losses.append(l.item())
    with torch.no_grad():
        after = float(ce(batches[0]))
    return {"ids": ids.tolist(), "logits": [[[float(f"{x:.{digits}g}") for x in t] for t in b] for b in logits.tolist()], "loss": float(loss),
            "adamw": {"lr": 1e-3, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1, "clip": 1.0,
                      "batches": batches.tolist(), "losses": losses, "grad_norms": norms, "first_batch_after": after}}


def write(name, text):
    with open(os.path.join(GOLDEN, name), "w") as f:
        f.write(text + "\n")


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=V, n_positions=CONTEXT, n_embd=24, n_layer=LAYERS, n_head=2, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
                        bos_token_id=None, eos_token_id=None, attn_implementation="eager")
    hf = GPT2LMHeadModel(config).eval()
    randomise(hf, 1)
    hf.save_pretrained(os.path.join(GOLDEN, "gpt2_tiny"))
    hf = hf.double()
    write("gpt2_tiny.json", json.dumps(golden(hf, lambda x: hf(x).logits, 2)))

    nano = Nano(16, 4)
    randomise(nano, 3)
    folder = os.path.join(GOLDEN, "gpt2_nobias")
    os.makedirs(folder, exist_ok=True)
    save_file(nano.export(), os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    config = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": V, "n_positions": CONTEXT, "n_embd": 16, "n_layer": LAYERS,
              "n_head": 4, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0,
              "tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": None, "torch_dtype": "float32", "hone": {"bias": False}}
    write("gpt2_nobias/config.json", json.dumps(config, indent=2))
    check = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").eval().double()
    nano = nano.double()
    ids = torch.arange(CONTEXT)[None]
    assert (check(ids).logits - nano(ids)).abs().max() < 1e-10, "the two writings of GPT-2 disagree"
    write("gpt2_nobias.json", json.dumps(golden(nano, nano, 4)))


if __name__ == "__main__":
    main()
