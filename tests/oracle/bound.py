"""Writes tests/golden/bound.h: torch's renorm (max norm) of the columns and the rows of a matrix, and its soft shrinkage (the l1 step)."""
import sys, torch

torch.manual_seed(3)
w = torch.randn(3, 4, dtype=torch.float32)

def row(name, t):
    return "static const float %s[] = { %s };\n" % (name, ", ".join("%.9gf" % x if "." in "%.9g" % x or "e" in "%.9g" % x else "%.1ff" % x for x in t.flatten().tolist()))

with open(sys.argv[1], "w") as f:
    f.write("/* bound.h - made by tests/oracle/bound.py with torch %s: a (3,4) matrix and what renorm and softshrink make of it. */\n" % torch.__version__.split("+")[0])
    f.write(row("bound_w", w))
    f.write(row("bound_rows", torch.renorm(w, 2, 0, 1.0)))
    f.write(row("bound_columns", torch.renorm(w, 2, 1, 1.0)))
    f.write(row("bound_shrunk", torch.nn.functional.softshrink(w, 0.3)))
