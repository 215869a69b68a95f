"""Golden values of operators, forward and gradient, from PyTorch in float64 -> ../golden/ops.h
Inputs are written too, so the C test needs no common random generator. Run: python ops.py"""
import pathlib
import torch
import torch.nn.functional as F

torch.manual_seed(20)
torch.set_default_dtype(torch.float64)
lines = ["/* ops.h - made by oracle/ops.py from PyTorch in float64; do not edit. */", "#ifndef HN_GOLDEN_OPS_H", "#define HN_GOLDEN_OPS_H"]


def put(name, x):
    values = ", ".join(f"{v:.9g}" for v in x.detach().reshape(-1).tolist())
    kind = "int" if x.dtype == torch.int64 else "float"
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
        if x.grad is not None:
            put(f"{name}_d{n}", x.grad)


def heads(x, H):
    B, T, C = x.shape
    return x.view(B, T, H, C // H).transpose(1, 2)


def attention(q, k, v, H, causal):
    T, S = q.shape[1], k.shape[1]
    mask = torch.ones(T, S, dtype=torch.bool).tril(S - T) if causal else None
    o = F.scaled_dot_product_attention(heads(q, H), heads(k, H), heads(v, H), attn_mask=mask)
    return o.transpose(1, 2).reshape(q.shape)


x, w, b = leaf(3, 7), leaf(7), leaf(7)
case("layernorm", dict(x=x, w=w, b=b), F.layer_norm(x, (7,), w, b, 1e-5))
for name, T, S, causal in (("causal", 5, 5, True), ("later", 2, 5, True), ("full", 3, 5, False)):
    q, k, v = leaf(2, T, 6), leaf(2, S, 6), leaf(2, S, 6)
    case(f"attention_{name}", dict(q=q, k=k, v=v), attention(q, k, v, 2, causal))
for name, approximate in (("gelu", "none"), ("gelu_tanh", "tanh")):
    x = leaf(12)
    case(name, dict(x=x), F.gelu(x, approximate=approximate))
h, w, t = leaf(6, 4), leaf(9, 4), torch.tensor([3, 0, -1, 8, 5, 3])
put("loss_t", t)
put("loss_per_token", F.cross_entropy(h @ w.T, t, ignore_index=-1, reduction="none"))
case("loss", dict(h=h, w=w), F.cross_entropy(h @ w.T, t, ignore_index=-1))
x, w, b = leaf(4, 5), leaf(3, 5), leaf(3)
case("linear", dict(x=x, w=w, b=b), F.gelu(F.linear(x, w, b), approximate="tanh"))
lines.append("#endif")
out = pathlib.Path(__file__).resolve().parent.parent / "golden" / "ops.h"
out.write_text("\n".join(lines) + "\n")
