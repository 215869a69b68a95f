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



def divergence(zs, zt, beta, T):
    """Per row, from the definition; forward and reverse also by F.kl_div."""
    lq, lp = F.log_softmax(zs / T, 1), F.log_softmax(zt / T, 1)
    p, q = lp.exp(), lq.exp()
    if beta == 0:
        assert torch.allclose((p * (lp - lq)).sum(1), F.kl_div(lq, lp, reduction="none", log_target=True).sum(1))
        return (p * (lp - lq)).sum(1)
    if beta == 1:
        return F.kl_div(lp, lq, reduction="none", log_target=True).sum(1)
    lm = torch.log(beta * p + (1 - beta) * q)
    return beta * F.kl_div(lm, lp, reduction="none", log_target=True).sum(1) + (1 - beta) * F.kl_div(lm, lq, reduction="none", log_target=True).sum(1)


def linear_kl(name, seed, beta, T, square, weighted):
    torch.manual_seed(seed)
    h, w, th, tw = leaf(6, 4), leaf(9, 4), torch.randn(6, 5).float().double(), torch.randn(9, 5).float().double()
    k = torch.tensor([0.5, 0.0, 2.0, 1.0, 0.25, 1.5]) if weighted else torch.ones(6)
    each = divergence(h @ w.T, th @ tw.T, beta, T) * (T * T if square else 1)
    put(f"{name}_each", each * (k != 0))
    case(name, dict(h=h, w=w, th=th, tw=tw, k=k), (each * k).sum() / k.sum())


linear_kl("kl_forward", 11, 0, 1.0, True, False)
linear_kl("kl_hot", 12, 0, 2.0, True, True)
linear_kl("kl_reverse", 13, 1, 0.9, False, False)
linear_kl("kl_half", 14, 0.5, 1.0, True, False)
linear_kl("kl_most", 15, 0.9, 1.5, True, True)


def log_probs(name, seed, T):
    torch.manual_seed(seed)
    h, w, t = leaf(6, 4), leaf(9, 4), torch.tensor([3, 0, -1, 8, 5, 3])
    d = torch.distributions.Categorical(logits=h @ w.T / T)
    y = torch.stack([d.log_prob(t.clamp(min=0)), d.entropy()], 1) * (t >= 0).double()[:, None]
    put(f"{name}_t", t)
    case(name, dict(h=h, w=w), y)


log_probs("lp_one", 21, 1.0)
log_probs("lp_hot", 22, 1.4)
lines.append("#endif")
out = pathlib.Path(__file__).resolve().parent.parent / "golden" / "heads.h"
out.write_text("\n".join(lines) + "\n")
