/* recompute.c - a stretch of forward that keeps its input only: backward runs it again before it walks it back.
 *
 * The first run records no nodes and keeps nothing for backward (t->forgets). One node stands for the whole: its backward records the
 * stretch on a list of its own, hands the result's gradient over and walks that list. Calls are numbered as the first time, so dropout
 * draws the same words; gradients are added in the same order, so the bits are those of a plain forward. The FLOPs of the second run
 * are counted apart. Source: Chen et al. 2016, arXiv:1604.06174. */
#include "tensor/tape.h"

static const hn_op op_recompute = {
    HN_ITEM0("recompute", "a stretch that backward runs anew", "arXiv:1604.06174"),
    .saves = HN_SAVE_IN0,
    .n_in = 1,
};

/* Runs the stretch as a block. */
static hone_tensor *run(hone_tape *t, const hn_again *g) {
    hn_block_begin(t);
    return hn_block_end(t, g->fn(t, g->x, g->args));
}

static bool refuse(hone_tape *t, const char *what) {
    return hn_tape_fail(t, HONE_E_INTERNAL,
                        &(hn_why){.what = what, .hint = "end the stretch with an operator that makes a tensor of its own"});
}

typedef struct record_args {
    const hn_again *again;
    hone_tensor *y;
} record_args;
static bool record_body(hone_tape *t, void *arg) {
    record_args *r = arg;
    hn_node *n = hn_bump_alloc(&t->nodes, sizeof *n);
    if (r->y == r->again->x || r->y->base || r->y->is_weight)
        return refuse(t, "recompute: the result is a view, a weight or the input, not a tensor of its own");
    n->call = (hn_call){.t = t, .op = &op_recompute, .in = {r->again->x}, .n_in = 1, .out = r->y, .index = r->again->index, .a = t->texts,
                        .pool = hn_job_pool(t->job)};
    n->scope = hn_tape_scope_text(t);
    n->again = r->again;
    n->before = t->last;
    t->last = n;
    t->n_nodes++;
    r->y->node = n;
    hn_root(r->again->x)->uses++;
    return true;
}

typedef struct copy_args {
    hn_again from;
    int64_t bytes;
    hn_again *made;
} copy_args;
static bool copy_body(hone_tape *t, void *arg) {
    copy_args *c = arg;
    c->made = hn_bump_alloc(&t->nodes, sizeof *c->made);
    *c->made = c->from;
    if (c->bytes > 0) c->made->args = memcpy(hn_bump_alloc(&t->nodes, c->bytes), c->from.args, (size_t)c->bytes);
    return true;
}

hone_tensor *hone_recompute(hone_tape *t, hone_recomputed *fn, hone_tensor *x, const void *args, int64_t bytes) {
    copy_args c = {.from = {fn, x, args, t->index}, .bytes = bytes};
    if (t->mode != HONE_TRAIN) return run(t, &c.from);
    if (!hn_tape_try(t, copy_body, &c)) return &t->dummy;
    t->forgets++;
    record_args r = {c.made, run(t, c.made)};
    t->forgets--;
    if (t->failed || t->forgets || !r.y->wants_grad) return t->failed ? &t->dummy : r.y;
    return hn_tape_try(t, record_body, &r) ? r.y : &t->dummy;
}

bool hn_tape_repeat(hone_tape *t, hn_node *n) {
    hn_node *last = t->last;
    hone_tensor *y = n->call.out;
    uint32_t index = t->index;
    t->index = n->again->index;
    t->last = NULL;
    t->repeats = true;
    t->at_backward = false;
    if (*n->scope) hn_scope_begin(t, n->scope);
    hone_tensor *again = run(t, n->again);
    if (*n->scope) hn_scope_end(t);
    t->index = index;
    t->repeats = false;
    t->at_backward = true;
    if (!t->failed) {
        again->grad_chunk = y->grad_chunk;
        again->grad = y->grad;
        y->grad_chunk = NULL;
        y->grad = NULL;
        if (!again->uses) hn_tensor_release(t, again);
        hn_tape_walk(t);
    }
    t->last = last;
    t->at = n;
    return !t->failed;
}
