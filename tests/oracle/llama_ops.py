#!/usr/bin/env python3
"""llama_ops.py - golden values of rmsnorm, rope and attention's masks, forward and gradient -> ../golden/llama_ops.h

rmsnorm and rope come from transformers (LlamaRMSNorm, apply_rotary_pos_emb, ROPE_INIT_FUNCTIONS), attention from PyTorch's
scaled_dot_product_attention with the mask written out, or by its formula where a soft cap stands in between. Float64;
written with 8 digits."""
import math
import pathlib
import torch
import torch.nn.functional as F
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.modeling_llama import LlamaRMSNorm, apply_rotary_pos_emb

torch.manual_seed(21)
torch.set_default_dtype(torch.float64)
lines = ["/* llama_ops.h - made by oracle/llama_ops.py from PyTorch and transformers; do not edit. */", "#ifndef HN_GOLDEN_LLAMA_OPS_H",
         "#define HN_GOLDEN_LLAMA_OPS_H", "#include <stdint.h>"]


def put(name, x):
    kind = "float" if x.dtype == torch.float64 else "int32_t"
    values = ", ".join(f"{v:.8g}" for v in x.detach().reshape(-1).tolist())
    lines.append(f"static const {kind} {name}[] = {{ {values} }};")


def leaf(*shape):
    """Rounded to float32, so that both sides start from the same numbers."""
    return torch.randn(*shape).float().double().requires_grad_(True)


def case(name, inputs, y):
    r = torch.randn(y.shape).float().double()
    (y * r).sum().backward()
    put(f"{name}_r", r)
    put(f"{name}_y", y)
    for n, x in inputs.items():
        put(f"{name}_{n}", x)
        put(f"{name}_d{n}", x.grad)


# ---- rmsnorm: LlamaRMSNorm computes in float32 whatever comes in, so its formula is run here in float64 and checked against it
def rmsnorm(x, w, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * w


x, w = leaf(3, 7), leaf(7)
norm = LlamaRMSNorm(7, 1e-5)
norm.weight.data = w.detach()
assert (norm(x) - rmsnorm(x, w, 1e-5)).abs().max() < 1e-6
case("rmsnorm", dict(x=x, w=w), rmsnorm(x, w, 1e-5))
x, w = leaf(2, 3, 8), leaf(4)
case("rmsnorm_heads", dict(x=x, w=w), rmsnorm(x.view(2, 3, 2, 4), w, 1e-6).view(2, 3, 8))

# ---- rope
D = 8
scalings = {
    "default": {},
    "linear": dict(factor=4.0),
    "dynamic": dict(factor=2.0),
    "llama3": dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64),
    "yarn": dict(factor=4.0, original_max_position_embeddings=32),
}
positions = torch.arange(3, 23)
put("rope_positions", positions.int())
for kind, more in scalings.items():
    c = LlamaConfig(hidden_size=D, num_attention_heads=1, max_position_embeddings=16 if kind == "dynamic" else 128,
                    rope_parameters=dict(rope_type=kind, rope_theta=100.0, **more))
    if kind == "default":
        inv, by = 1 / 100.0 ** (torch.arange(0, D, 2) / D), 1.0
    else:
        inv, by = ROPE_INIT_FUNCTIONS[kind](c, "cpu", seq_len=23)
    angles = positions[:, None].double() * inv.double()[None]
    put(f"rope_{kind}", torch.cat([angles.cos() * by, angles.sin() * by], -1))
q = leaf(2, 6, 2 * D)
angles = positions[:6, None] * (1 / 100.0 ** (torch.arange(0, D, 2) / D))[None]
cos, sin = (torch.cat([z, z], -1)[None] for z in (angles.cos(), angles.sin()))
y, _ = apply_rotary_pos_emb(q.view(2, 6, 2, D).transpose(1, 2), q.view(2, 6, 2, D).transpose(1, 2), cos, sin)
case("rope", dict(x=q), y.transpose(1, 2).reshape(2, 6, 2 * D))


# ---- attention
def heads(x, H):
    B, T, C = x.shape
    return x.view(B, T, H, C // H).transpose(1, 2)


def mask(T, S, causal, window, lengths, documents):
    at, s = torch.arange(S - T, S)[:, None], torch.arange(S)[None]
    m = torch.ones(T, S, dtype=torch.bool)
    if causal:
        m &= s <= at
    if window:
        m &= (at - s < window) & (s - at < window)
    m = m.expand(2, T, S).clone()
    if lengths is not None:
        m &= s[None] < lengths[:, None, None]
    if documents is not None:
        m &= documents[:, S - T:, None] == documents[:, None, :]
    return m


def attention(q, k, v, H, KV, m, cap):
    q, k, v = heads(q, H), heads(k, KV).repeat_interleave(H // KV, 1), heads(v, KV).repeat_interleave(H // KV, 1)
    if cap:
        z = cap * torch.tanh(q @ k.transpose(2, 3) / math.sqrt(q.shape[-1]) / cap)
        o = torch.softmax(z.masked_fill(~m[:, None], float("-inf")), -1) @ v
    else:
        o = F.scaled_dot_product_attention(q, k, v, attn_mask=m[:, None])
    return o.transpose(1, 2).flatten(2)


D = 3
docs = torch.tensor([[0, 0, 0, 1, 1, 1, 2], [5, 5, 5, 5, 5, 5, 9]])
cases = {
    "gqa": dict(H=4, KV=2, T=7, causal=True),
    "later": dict(H=2, KV=1, T=2, causal=True),
    "both": dict(H=2, KV=2, T=7, causal=False, lengths=torch.tensor([7, 4])),
    "window": dict(H=2, KV=2, T=7, causal=True, window=3),
    "near": dict(H=2, KV=1, T=7, causal=False, window=2),
    "documents": dict(H=2, KV=2, T=7, causal=True, documents=docs),
    "cap": dict(H=2, KV=2, T=5, causal=True, cap=1.25),
    "all": dict(H=4, KV=2, T=7, causal=True, window=2, documents=docs, lengths=torch.tensor([7, 7]), cap=2.0),
}
rows = []
for name, o in cases.items():
    H, KV, T = o["H"], o["KV"], o["T"]
    q, k, v = leaf(2, T, H * D), leaf(2, 7, KV * D), leaf(2, 7, KV * D)
    m = mask(T, 7, o["causal"], o.get("window", 0), o.get("lengths"), o.get("documents"))
    assert m.any(-1).all()
    n = f"attention_{name}"
    case(n, dict(q=q, k=k, v=v), attention(q, k, v, H, KV, m, o.get("cap", 0)))
    for key in ("lengths", "documents"):
        if key in o:
            put(f"{n}_{key}", o[key].int())
    lists = [f"{n}_{key}" if key in o else "NULL" for key in ("lengths", "documents")]
    rows.append(f'    {{ "{name}", {T}, {H}, {KV}, {int(o["causal"])}, {o.get("window", 0)}, {o.get("cap", 0)}, {lists[0]}, {lists[1]},\n      '
                + ", ".join(f"{n}_{x}" for x in ("q", "k", "v", "r", "y", "dq", "dk", "dv")) + " },")
lines.append("""/* B = 2, S = 7, heads of 3 */
static const struct {
    const char *name;
    int T, heads, kv_heads, causal, window;
    float cap;
    const int32_t *lengths, *documents;
    const float *q, *k, *v, *r, *y, *dq, *dk, *dv;
} attention_golden[] = {""")
lines += rows + ["};", "#endif"]
out = pathlib.Path(__file__).resolve().parent.parent / "golden" / "llama_ops.h"
out.write_text("\n".join(lines) + "\n")
