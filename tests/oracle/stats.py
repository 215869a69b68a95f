"""Writes tests/golden/stats.h: distributions, tests and intervals as scipy and plain numpy formulas give them.
Run: python tests/oracle/stats.py"""
import pathlib
import numpy as np
from scipy import stats

out = ["/* Made by tests/oracle/stats.py with scipy. */", "#include <stdint.h>"]

def num(x):
    return repr(float(x))

def table(name, fields, rows):
    out.append(f"static const struct {{ double {', '.join(fields)}; }} {name}[] = {{")
    out.extend("    { " + ", ".join(num(v) for v in r) + " }," for r in rows)
    out.append("};")

def array(name, values):
    values = list(values)
    out.append(f"static const double {name}[] = {{ " + ", ".join(num(v) for v in values) + " };")

zs = [-36, -20, -8.5, -5, -3, -1.96, -1, -0.1, 0, 1e-8, 0.3, 1, 2.5758, 5, 8]
table("golden_norm", ["z", "cdf"], [(z, stats.norm.cdf(z)) for z in zs])
ps = [1e-300, 1e-100, 1e-12, 1e-6, 1e-3, 0.0125, 0.05, 0.2, 0.4999, 0.5, 0.6, 0.8, 0.95, 0.975, 0.9875, 0.999, 1 - 1e-9]
table("golden_norm_quantile", ["p", "z"], [(p, stats.norm.ppf(p)) for p in ps])
dfs = [0.5, 1, 2, 2.7, 3, 6, 9.31, 15, 30, 59, 199.5, 1999, 1e5, 3e6]
table("golden_t", ["t", "df", "cdf"], [(t, d, stats.t.cdf(t, d)) for d in dfs for t in (-40, -6, -2.4469, -1, -0.01, 0, 0.5, 1.7, 4, 25)])
qs = [1e-12, 1e-5, 0.0125, 0.05, 0.3, 0.5, 0.8, 0.975, 0.9875, 0.999]
table("golden_t_quantile", ["p", "df", "t"], [(p, d, stats.t.ppf(p, d)) for d in dfs for p in qs])
table("golden_chi2", ["x", "df", "cdf"], [(x, d, stats.chi2.cdf(x, d)) for d in (0.5, 1, 2, 3, 10, 100, 1500) for x in (1e-6, 0.1, 1, 3.84, 12, 90, 130, 1600)])
table("golden_binom", ["k", "n", "p", "cdf"], [(k, n, p, stats.binom.cdf(k, n, p)) for n, ks in ((1, (0,)), (10, (0, 3, 9)), (37, (10, 18, 27)), (1000, (430, 500, 560)), (200000, (99000, 100300)))
                                               for k in ks for p in (0.02, 0.5, 0.93) if stats.binom.cdf(k, n, p) > 1e-290])
table("golden_mcnemar", ["a", "b", "p"], [(a, b, stats.binomtest(a, a + b, 0.5).pvalue) for a, b in ((27, 10), (10, 27), (1, 0), (5, 5), (0, 12), (300, 351))])

def wilson(k, n, level):
    ci = stats.binomtest(k, n).proportion_ci(level, "wilson")
    return k, n, level, ci.low, ci.high
table("golden_wilson", ["k", "n", "level", "lo", "hi"], [wilson(*r) for r in ((0, 10, .95), (10, 10, .95), (3, 10, .9), (159, 220, .95), (1, 1, .99), (5000, 12345, .95))])

p = np.array([0.01, 0.04, 0.03, 0.005, 0.9, 0.04, 0.0002])
order = np.argsort(p, kind="stable")
holm = np.empty_like(p)
holm[order] = np.minimum(1, np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))))
array("golden_p", p)
array("golden_holm", holm)
array("golden_bh", stats.false_discovery_control(p, method="bh"))

rng = np.random.default_rng(7)
n = 60
a = rng.normal(2.0, 0.4, n)
b = a - 0.05 + rng.normal(0, 0.15, n) + rng.exponential(0.1, n)
cluster = np.sort(rng.integers(0, 14, n)) * 3 - 5
d = a - b
mean = d.mean()
clt = d.var(ddof=1) / n
shared = sum((d[i] - mean) * (d[j] - mean) for i in range(n) for j in range(n) if i != j and cluster[i] == cluster[j])
groups = len(set(cluster))
se = np.sqrt(clt + shared / n**2)
array("golden_a", a)
array("golden_b", b)
out.append("static const int32_t golden_cluster[] = { " + ", ".join(map(str, cluster)) + " };")
table("golden_paired", ["mean", "se", "df", "lo", "hi"], [
    (mean, np.sqrt(clt), n - 1, *stats.t.interval(0.95, n - 1, mean, np.sqrt(clt))),
    (mean, se, groups - 1, *stats.t.interval(0.95, groups - 1, mean, se))])

plain = stats.bootstrap((d,), np.mean, n_resamples=400000, method="BCa", rng=np.random.default_rng(1), batch=5000)
cs = np.array([d[cluster == c].sum() for c in sorted(set(cluster))])
cn = np.array([(cluster == c).sum() for c in sorted(set(cluster))])
ratio = lambda i: (cs[i].sum(axis=-1) / cn[i].sum(axis=-1))
clustered = stats.bootstrap((np.arange(groups),), lambda i, axis: ratio(i), n_resamples=400000, method="BCa", rng=np.random.default_rng(2), batch=5000)
table("golden_bca", ["lo", "hi", "se"], [(*r.confidence_interval, r.standard_error) for r in (plain, clustered)])

# One decision worked out by hand: three arms and an incumbent, 4, 4, 3 and 2 seeds, items in clusters.
S, units = (4, 4, 3, 2), np.unique(cluster, return_inverse=True)[1]
effect = (0.0, 0.06, -0.05, 0.0)
item = rng.normal(2, 0.4, n)
arms = []
for k, s in enumerate(S):
    arms.append(item + rng.normal(0, 0.05, n) * (k > 0) - effect[k] + rng.normal(0, 0.012, (s, 1)) + rng.normal(0, 0.05, (s, n)))
    array(f"golden_arm{k}", arms[-1].ravel())
by_unit = [np.stack([x[:, units == u].mean(axis=1) for u in range(groups)], axis=1) for x in arms]
means = [x.mean(axis=1) for x in by_unit]
pool_df = sum(s - 1 for s in S)
pool = sum(m.var(ddof=1) * (len(m) - 1) for m in means) / pool_df
rows, m = [], 3
for k in (1, 2, 3):
    side = [(own, S[j] - 1) if (own := means[j].var(ddof=1)) > pool else (pool, pool_df) for j in (k, 0)]   # each side: its own when larger
    di = by_unit[0].mean(axis=0) - by_unit[k].mean(axis=0)
    (sa, da), (si, di_df) = side
    A, I, B = sa / S[k], si / S[0], di.var(ddof=1) / groups
    v = A + I + B
    doubt = (A + I)**2 / pool_df if sa == si == pool else A**2 / da + I**2 / di_df
    dof = v**2 / (doubt + B**2 / (groups - 1))
    D = means[0].mean() - means[k].mean()
    t = D / np.sqrt(v)
    rows.append([D, np.sqrt(v), dof, stats.t.sf(t, dof), stats.t.cdf(t, dof), *stats.t.interval(0.95, dof, D, np.sqrt(v)),
                 np.sqrt(v) * (stats.t.ppf(1 - 0.05 / m, dof) + stats.t.ppf(0.8, dof)), (sa + si) / 2, di.var(ddof=1)])
table("golden_decision", ["difference", "se", "df", "p", "p_harm", "lo", "hi", "detectable", "seed_var", "item_var"], rows)

pathlib.Path(__file__).resolve().parent.parent.joinpath("golden", "stats.h").write_text("\n".join(out) + "\n")
