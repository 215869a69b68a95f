/* check.c - runs what cpu runs and looks at every result and gradient: the first NaN or infinity fails the tape and names operator,
 * scope, direction and node. A trainer replays a step on this backend to find where a loss went wrong. */
#include "tensor/tape.h"
#include <math.h>

extern const hn_backend hn_backend_cpu, hn_backend_check;
const hn_backend hn_backend_check = {
    HN_ITEM0("check", "cpu, with every result looked at for NaN and infinity", NULL),
    .computes = true,
    .checks = true,
    .like = &hn_backend_cpu,
};

static float number(const hone_tensor *x, int64_t i) {
    return x->dtype == HONE_BF16 ? hn_widen(((const hn_bf16 *)x->data)[i]) : ((const float *)x->data)[i];
}

/* Flat index of the first value that is not finite, or -1. */
static int64_t first_bad(const hone_tensor *x) {
    if (!x || (x->dtype != HONE_F32 && x->dtype != HONE_BF16) || !x->data) return -1;
    int64_t rows = hn_rows(x), cols = hn_cols(x);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < cols; i++)
            if (!isfinite(number(x, r * x->ld + i))) return r * cols + i;
    return -1;
}

static void complain(hone_tape *t, const hn_call *c, const char *of, const hone_tensor *x, int64_t at) {
    int64_t cols = hn_cols(x);
    float v = number(x, at / cols * x->ld + at % cols);
    const char *hint = "a smaller learning rate or gradient clipping often helps";
    for (int i = 0; i < c->n_in; i++)
        if (first_bad(c->in[i]) >= 0)
            hint = hn_fmt(t->texts, "its input %d%s%s held such a value already", i, c->in[i]->name ? " " : "",
                          c->in[i]->name ? c->in[i]->name : "");
    hn_tape_fail(t, HONE_E_NUMERIC,
                 &(hn_why){.what = hn_fmt(t->texts, "%s: %s is %s at %lld of (%s), step %u, node %u", c->op->item.name, of,
                                          isnan(v) ? "NaN" : "infinite", (long long)at, hn_shape_text(t->texts, x), c->step, c->index),
                           .hint = hint});
}

void hn_check_call(hone_tape *t, const hn_call *c) {
    int64_t at = first_bad(c->out);
    if (at >= 0) complain(t, c, "its result", c->out, at);
    for (int i = 0; i < c->n_aux && !t->failed; i++)
        if (c->aux[i] && (at = first_bad(c->aux[i])) >= 0) complain(t, c, "what it keeps for backward", c->aux[i], at);
}

void hn_check_grads(hone_tape *t, const hn_call *c, hone_tensor *const dx[]) {
    for (int i = 0; i < c->n_in && !t->failed; i++) {
        int64_t at = first_bad(dx[i]);
        if (at >= 0)
            complain(t, c,
                     dx[i]->name ? hn_fmt(t->texts, "the gradient of %s", dx[i]->name) : hn_fmt(t->texts, "the gradient of input %d", i),
                     dx[i], at);
    }
}
