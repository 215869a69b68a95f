"""Golden values of the plain operators (activations, softmax, products, reductions, moves, losses), forward and gradient, from PyTorch
in float64 -> ../golden/ops_basic.h. Inputs are written too. Run: python ops_basic.py"""
import pathlib
import torch
import torch.nn.functional as F

torch.manual_seed(21)
torch.set_default_dtype(torch.float64)
lines = ["/* ops_basic.h - made by oracle/ops_basic.py from PyTorch in float64; do not edit. */",
         "#ifndef HN_GOLDEN_OPS_BASIC_H", "#define HN_GOLDEN_OPS_BASIC_H"]


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


for name, f in (("relu", F.relu), ("relu2", lambda x: F.relu(x) ** 2), ("silu", F.silu), ("tanh", torch.tanh), ("sigmoid", torch.sigmoid)):
    x = (torch.randn(12) * 3).float().double().requires_grad_(True)
    case(name, dict(x=x), f(x))
a, b = leaf(3, 5), leaf(3, 5)
case("swiglu", dict(a=a, b=b), F.silu(a) * b)
x = leaf(3, 7)
case("softmax", dict(x=x), x.softmax(-1))
x = leaf(3, 7)
case("log_softmax", dict(x=x), x.log_softmax(-1))
x, y = leaf(3, 1, 4), leaf(2, 1)
case("add", dict(x=x, in_y=y), x + y)
x, y = leaf(3, 1, 4), leaf(2, 1)
case("mul", dict(x=x, in_y=y), x * y)
x = leaf(3, 4, 5)
case("slice", dict(x=x), x[:, 1:3])
a, b = leaf(2, 1, 4), leaf(2, 3, 4)
case("concat", dict(a=a, b=b), torch.cat([a, b, a, a, a, b, a], 1))
x = leaf(2, 3, 4, 2)
case("transpose", dict(x=x), x.transpose(1, 3))
x = leaf(2, 3, 2)
case("pad", dict(x=x), F.pad(x, (0, 0, 2, 1), value=0.5))
x, w, b = leaf(2, 3, 6, 4), leaf(5, 3, 2, 2), leaf(5)
case("patch", dict(x=x, w=w, b=b), F.conv2d(x, w, b, stride=2).flatten(2).transpose(1, 2))
for name, f in (("sum", lambda x: x.sum(1)), ("mean", lambda x: x.mean(-1, keepdim=True)), ("max", lambda x: x.max(0).values)):
    x = leaf(3, 4, 5)
    case(f"reduce_{name}", dict(x=x), f(x))
a, b = leaf(2, 1, 4, 3), leaf(2, 5, 3)
case("matmul", dict(a=a, b=b), a @ b.transpose(-1, -2))
a, b = leaf(2, 3, 4), leaf(3, 5)
case("matmul_turned", dict(a=a, b=b), a.transpose(-1, -2) @ b)
x, ids = leaf(5, 3), torch.tensor([[4, 0], [4, 2]])
case("gather", dict(x=x, ids=ids), x[ids])
x = leaf(2, 2, 3)
case("scatter", dict(x=x), torch.zeros(5, 3).index_add(0, ids.reshape(-1), x.reshape(-1, 3)))
lengths, mask = torch.tensor([3, 1]), torch.tensor([[0, 1, 0, 1], [1, 1, 1, 0]])
put("pool_lengths", lengths)
put("pool_mask", mask)
inside = (torch.arange(4) < lengths[:, None]).double()
for name, f in (("mean", lambda x: (x * inside[:, :, None]).sum(1) / inside.sum(1)[:, None]), ("first", lambda x: x[:, 0]),
                ("last", lambda x: x[torch.arange(2), lengths - 1]),
                ("mask", lambda x: (x * mask[:, :, None]).sum(1) / mask.sum(1)[:, None])):
    x = leaf(2, 4, 3)
    case(f"pool_{name}", dict(x=x), f(x))
w = torch.rand(3, 4).float().double()
put("loss_w", w)
for name, f in (("mse", F.mse_loss), ("smooth", lambda x, y: F.smooth_l1_loss(x, y, beta=0.5)),
                ("bce", F.binary_cross_entropy_with_logits),
                ("bce_weighted", lambda x, y: F.binary_cross_entropy_with_logits(x, y, weight=w, reduction="sum") / w.sum())):
    x, y = (torch.randn(3, 4) * 4).float().double().requires_grad_(True), torch.rand(3, 4).float().double().requires_grad_(True)
    case(f"loss_{name}", dict(x=x, t=y), f(x, y).reshape(1))
lines.append("#endif")
out = pathlib.Path(__file__).resolve().parent.parent / "golden" / "ops_basic.h"
out.write_text("\n".join(lines) + "\n")
