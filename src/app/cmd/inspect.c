/* inspect - the numbers of a model's tensors: norms, extremes, a histogram. */
#include "app/app.h"
#include <math.h>

enum { BINS = 20, BAR = 50 };
typedef struct flags { bool all; } flags;
static const hn_param params[] = { HN_PARAM(flags, all, .doc = "numbers of every tensor, a line each") };

/* Of the finite numbers; sums in double, in the order of the file. */
typedef struct numbers {
    int64_t n, finite, zeros, bin[BINS];
    double min, max, mean, sd, l1, l2;
} numbers;

static bool known(const hn_st_tensor *t) { return t->dtype == HONE_F32 || t->dtype == HONE_F16 || t->dtype == HONE_BF16; }

static int64_t count(const hn_st_tensor *t) {
    int64_t n = 1;
    for (int d = 0; d < t->dims; d++) n *= t->shape[d];
    return n;
}

static numbers look(const hn_st_tensor *t) {
    numbers s = { .n = count(t), .min = INFINITY, .max = -INFINITY };
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < s.n; i++) {
        double x = (double)hn_st_number(t, i);
        if (!isfinite(x)) continue;
        s.finite++;
        s.zeros += x == 0;
        s.min = HN_MIN(s.min, x), s.max = HN_MAX(s.max, x);
        sum += x, squares += x * x, s.l1 += fabs(x);
    }
    s.l2 = sqrt(squares);
    s.mean = s.finite ? sum / (double)s.finite : NAN;
    double off = 0, width = (s.max - s.min) / BINS;
    for (int64_t i = 0; i < s.n; i++) {
        double x = (double)hn_st_number(t, i);
        if (!isfinite(x)) continue;
        off += (x - s.mean) * (x - s.mean);
        s.bin[width > 0 ? HN_MIN((int64_t)((x - s.min) / width), BINS - 1) : 0]++;
    }
    s.sd = s.finite ? sqrt(off / (double)s.finite) : NAN;
    return s;
}

static const char *shape_text(hn_arena *a, const hn_st_tensor *t) {
    hn_buf b = { 0 };
    for (int d = 0; d < t->dims; d++) hn_buf_fmt(a, &b, "%s%lld", d ? "," : "", (long long)t->shape[d]);
    return hn_fmt(a, "(%s)", hn_buf_str(a, &b));
}

static const char *type_text(const hn_st_tensor *t) { return t->dtype == HONE_DTYPE_COUNT ? "other" : hone_dtype_name(t->dtype); }

static json_t *as_json(hn_arena *a, const hn_st_tensor *t, const char *where, const numbers *s) {
    json_t *shape = json_array();
    for (int d = 0; d < t->dims; d++) json_array_append_new(shape, json_integer(t->shape[d]));
    json_t *o = hn_json_own(a, json_pack("{ss ss so ss sI}", "name", t->name, "dtype", type_text(t), "shape", shape, "file", where, "numbers",
                                         (json_int_t)count(t)));
    if (!s) return o;
    const struct { const char *key; double v; } reals[] = { { "min", s->min }, { "max", s->max }, { "mean", s->mean }, { "sd", s->sd }, { "l1", s->l1 }, { "l2", s->l2 } };
    for (int64_t i = 0; i < HN_LEN(reals); i++) json_object_set_new(o, reals[i].key, hn_json_real(reals[i].v));
    json_object_set_new(o, "zeros", json_integer(s->zeros));
    json_object_set_new(o, "not_finite", json_integer(s->n - s->finite));
    json_t *bins = json_array();
    for (int i = 0; i < BINS; i++) json_array_append_new(bins, json_integer(s->bin[i]));
    json_object_set_new(o, "histogram", bins);
    return o;
}

static void tell(hn_arena *a, const hn_st_tensor *t, const char *where, const numbers *s) {
    hn_out("%s\n  %s %s in %s\n", t->name, type_text(t), shape_text(a, t), where);
    hn_out("  min %.6g  max %.6g  mean %.6g  sd %.6g\n  L1 %.6g  L2 %.6g  zeros %lld of %lld\n", s->min, s->max, s->mean, s->sd, s->l1, s->l2,
           (long long)s->zeros, (long long)s->n);
    if (s->finite < s->n) hn_out("  NOT FINITE: %lld numbers\n", (long long)(s->n - s->finite));
    int64_t most = 1;
    for (int i = 0; i < BINS; i++) most = HN_MAX(most, s->bin[i]);
    for (int i = 0; i < BINS && s->max > s->min; i++) {
        char bar[BAR + 1] = "";
        int n = (int)(s->bin[i] * BAR / most);
        memset(bar, '#', (size_t)n);
        bar[n] = 0;
        hn_out("  %11.4g  %-*s %lld\n", s->min + i * (s->max - s->min) / BINS, BAR, bar, (long long)s->bin[i]);
    }
}

static void row(hn_arena *a, const hn_st_tensor *t, const numbers *s) {
    hn_out("%-5s %-16s %s", type_text(t), shape_text(a, t), t->name);
    if (s) hn_out("  min %.4g max %.4g mean %.4g sd %.4g L2 %.4g%s", s->min, s->max, s->mean, s->sd, s->l2, s->finite < s->n ? "  NOT FINITE" : "");
    hn_out("\n");
}

extern const hn_cmd hn_cmd_inspect;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    hn_tensors all;
    int64_t shown = 0;
    if (c->n_args < 1 || c->n_args > 2) return hn_usage(c, &hn_cmd_inspect, c->n_args ? "inspect takes a model and a tensor" : "which model?");
    if (!hn_tensors_open(c->a, c->args[0], &all)) return false;
    const char *wanted = c->n_args > 1 ? c->args[1] : NULL;
    for (int64_t i = 0; i < all.n; i++) {
        const hn_st_tensor *t = &all.v[i];
        if (wanted && strcmp(t->name, wanted)) continue;
        if (hn_stopped(c->a->job)) return HN_FAIL(c->a, HONE_E_INTERRUPTED, .what = "stopped while reading tensors");
        bool reads = (wanted || f->all) && known(t);
        numbers s = reads ? look(t) : (numbers){ 0 };
        shown++;
        if (c->json) hn_out_json(c->a, as_json(c->a, t, all.where[i], reads ? &s : NULL));
        else if (wanted && reads) tell(c->a, t, all.where[i], &s);
        else row(c->a, t, reads ? &s : NULL);
    }
    if (shown) return true;
    const char *like = NULL;
    for (int64_t i = 0; i < all.n && !like; i++)
        if (strstr(all.v[i].name, wanted)) like = all.v[i].name;
    return HN_FAIL(c->a, HONE_E_USAGE, .what = hn_fmt(c->a, "there is no tensor '%s'", wanted), .where = c->args[0],
                   .hint = like ? hn_fmt(c->a, "there is '%s'", like) : "without a name all are listed");
}

const hn_cmd hn_cmd_inspect = {
    HN_ITEM("inspect", "show the numbers of a model's tensors", NULL, flags, params),
    .usage = "MODEL [TENSOR] [--all]",
    .run = run,
    .about = "Lists the tensors of a folder or of a .safetensors file, as they are stored; with a name, that tensor's extremes, mean, standard\n"
             "deviation, norms, and a histogram of twenty bins. No architecture has to be known.",
    .examples = "  hone inspect runs/a/best\n  hone inspect gpt2/ transformer.wte.weight\n  hone inspect adapter_model.safetensors --all --json",
};
