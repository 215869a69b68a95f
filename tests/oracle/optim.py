"""Golden values of optimizers from PyTorch in float64 -> ../golden/optim.h: weights after each of STEPS steps with given gradients.
sgd, adafactor and muon are torch.optim's (muon with its rounding to bf16 taken out); lion is its paper's formula, which PyTorch does
not have. Shapes: a tall matrix (5,3), a wide one (3,5), a vector (7). Run: python optim.py"""
import pathlib

import torch
from torch.optim import _muon

torch.manual_seed(21)
torch.set_default_dtype(torch.float64)
STEPS = 5
SHAPES = dict(tall=(5, 3), wide=(3, 5), vector=(7,))
lines = ["/* optim.h - made by oracle/optim.py from PyTorch in float64; do not edit. */", "#ifndef HN_GOLDEN_OPTIM_H",
         "#define HN_GOLDEN_OPTIM_H", f"enum {{ OPTIM_STEPS = {STEPS} }};"]


class in_full:
    """torch for _muon.py, where bfloat16 is float64."""
    bfloat16 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


_muon.torch = in_full()


class Lion(torch.optim.Optimizer):
    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                c = b1 * m + (1 - b1) * p.grad
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(c.sign(), alpha=-group["lr"])
                m.mul_(b2).add_(p.grad, alpha=1 - b2)


def put(name, values):
    lines.append(f"static const float {name}[] = {{ {', '.join(f'{v:.9g}' for v in values)} }};")


start = {n: torch.randn(*s).float().double() for n, s in SHAPES.items()}
grads = {n: [(torch.randn(*s) * 2.0 ** -k).float().double() for k in range(STEPS)] for n, s in SHAPES.items()}
for n in SHAPES:
    put(f"optim_{n}_start", start[n].reshape(-1).tolist())
    put(f"optim_{n}_grads", torch.stack(grads[n]).reshape(-1).tolist())


def case(name, shapes, make):
    for n in shapes:
        p = torch.nn.Parameter(start[n].clone())
        optimizer, after = make([p]), []
        for g in grads[n]:
            p.grad = g.clone()
            optimizer.step()
            after += p.detach().reshape(-1).tolist()
        put(f"optim_{name}_{n}", after)


both, every, o = ("tall", "wide"), tuple(SHAPES), torch.optim
case("sgd_plain", ("wide",), lambda p: o.SGD(p, lr=0.1, weight_decay=0.05))
case("sgd_momentum", ("wide",), lambda p: o.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.05))
case("sgd_nesterov", ("wide",), lambda p: o.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.05, nesterov=True))
case("lion", ("wide", "vector"), lambda p: Lion(p, lr=0.01, betas=(0.9, 0.99), weight_decay=0.3))
case("muon", both, lambda p: o.Muon(p, lr=0.02, weight_decay=0.1))
case("muon_rms", both, lambda p: o.Muon(p, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"))
case("muon_plain", both, lambda p: o.Muon(p, lr=0.02, weight_decay=0, nesterov=False, momentum=0.8, ns_steps=3))
case("muon_adamw", ("vector",), lambda p: o.AdamW(p, lr=0.003, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.1))
eps1 = torch.finfo(torch.float32).eps
case("adafactor", every, lambda p: o.Adafactor(p, lr=0.01, eps=(eps1, 1e-3), weight_decay=0.1))
case("adafactor_high", every, lambda p: o.Adafactor(p, lr=0.9, eps=(1e-2, 1e-3), d=1.1, beta2_decay=-0.5))
lines.append("#endif")
(pathlib.Path(__file__).parent / "../golden/optim.h").resolve().write_text("\n".join(lines) + "\n")
