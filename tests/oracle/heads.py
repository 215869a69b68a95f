"""Golden values of the heads that never hold tokens x vocabulary, forward and gradient, from PyTorch in float64 -> ../golden/heads.h
Inputs are written too, so the C test needs no common random generator. Each case has a seed of its own. Run: python heads.py"""
import pathlib
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
lines = ["/* heads.h - made by oracle/heads.py from PyTorch in float64; do not edit. */", "#ifndef HN_GOLDEN_HEADS_H", "#define HN_GOLDEN_HEADS_H"]


def put(name, x):
    whole = x.dtype == torch.int64
    values = ", ".join(f"{v}" if whole else f"{v:.9g}" for v in x.detach().reshape(-1).tolist())
    lines.append(f"static const {'int' if whole else 'float'} {name}[] = {{ {values} }};")


def leaf(*shape, scale=1.0):
    """Rounded to float32, so that both sides start from the same numbers."""
    return (torch.randn(*shape) * scale).float().double().requires_grad_(True)


def case(name, inputs, y):
    r = torch.randn(y.shape).float().double()
    (y * r).sum().backward()
    put(f"{name}_r", r)
    put(f"{name}_y", y)
    for n, x in inputs.items():
        put(f"{name}_{n}", x)
        if x.requires_grad and x.grad is not None:
            put(f"{name}_d{n}", x.grad)


def cross_entropy(name, seed, smoothing, ignore, weighted):
    torch.manual_seed(seed)
    h, w, t = leaf(7, 4), leaf(9, 4), torch.tensor([3, 0, ignore, 8, 5, 3, 1])
    k = torch.rand(7).float().double() + 0.1 if weighted else torch.ones(7)
    z = h @ w.T
    each = F.cross_entropy(z, t, ignore_index=ignore, label_smoothing=smoothing, reduction="none")
    best = z.argmax(1)
    best[t == ignore] = -1
    loss = (each * k).sum() / k[t != ignore].sum()
    if not weighted:
        assert torch.allclose(loss, F.cross_entropy(z, t, ignore_index=ignore, label_smoothing=smoothing))
    put(f"{name}_t", t)
    put(f"{name}_each", each)
    put(f"{name}_best", best)
    case(name, dict(h=h, w=w, k=k), loss)


cross_entropy("ce_plain", 1, 0.0, -1, False)
cross_entropy("ce_smooth", 2, 0.1, -1, False)
cross_entropy("ce_ignore", 3, 0.3, -100, False)
cross_entropy("ce_class", 4, 0.0, 2, True)
cross_entropy("ce_weights", 5, 0.2, -1, True)
# equal logits: of several largest the first counts
h = torch.tensor([[1.0, 2.0], [-1.0, 1.0], [0.0, 0.0], [2.0, -1.0]])
w = torch.tensor([[0.0, 1.0], [1.0, 1.0], [1.0, 1.0], [-1.0, 0.0], [-1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
put("tie_h", h)
put("tie_w", w)
put("tie_best", (h @ w.T).argmax(1))

lines.append("#endif")
out = pathlib.Path(__file__).resolve().parent.parent / "golden" / "heads.h"
out.write_text("\n".join(lines) + "\n")
