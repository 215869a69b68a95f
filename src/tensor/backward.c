/* backward.c - walks the nodes back. The gradient of an activation is born, zeroed, when the first of its readers is walked, is
 * complete when its maker's turn comes, and is released after that. A saved tensor is released after its last reader.
 *
 * All gradients are f32, also those of bf16 activations: where several readers meet (the residual stream) their sum loses nothing,
 * every backward has one type of dy, and few are alive at a time: what a step keeps are the activations. */
#include "tensor/tape.h"

typedef struct zero_args {
    char *p;
    int64_t bytes;
} zero_args;
static const int64_t ZERO_PIECE = 1 << 20;
static void zero_piece(void *arg, int64_t task, int worker) {
    zero_args *z = arg;
    memset(z->p + task * ZERO_PIECE, 0, (size_t)HN_MIN(ZERO_PIECE, z->bytes - task * ZERO_PIECE));
}
static void zero(hn_pool *pool, float *p, int64_t bytes) {
    hn_pool_run(pool, (bytes + ZERO_PIECE - 1) / ZERO_PIECE, zero_piece, &(zero_args){(char *)p, bytes});
}

static bool wanted(const hn_call *c, int i) {
    const hone_tensor *x = c->in[i];
    return x && x->wants_grad && (x->dtype == HONE_F32 || x->dtype == HONE_BF16) && !(c->op->constant >> i & 1);
}

/* Another input of the same call adds into the same memory. */
static bool shares_root(const hn_call *c, int i) {
    for (int k = 0; k < c->n_in; k++)
        if (k != i && wanted(c, k) && hn_root(c->in[k]) == hn_root(c->in[i])) return true;
    return false;
}

/* Where the gradient of c->in[i] is to be added: dx gets it as a tensor of the same layout. False: nobody wants it. */
static bool gradient_of(hone_tape *t, const hn_call *c, int i, bool overwrites, hone_tensor *dx) {
    hone_tensor *x = c->in[i];
    bool fresh = false;
    if (!wanted(c, i)) return false;
    hone_tensor *root = hn_root(x);
    if (!root->is_weight && !root->grad_chunk) {
        int64_t bytes = hn_count(root) * (int64_t)sizeof(float);
        root->grad_chunk = hn_mempool_get(&t->pool, bytes);
        root->grad = (float *)(void *)root->grad_chunk->p;
        fresh = overwrites && root == x && !shares_root(c, i);
        if (root->grad && !fresh) zero(c->pool, root->grad, bytes);
    }
    if (t->backend->computes && !root->grad) return false;
    *dx = *x;
    dx->dtype = HONE_F32;
    dx->fresh = fresh;
    dx->data = root->grad ? root->grad + (x->base ? x->base_offset : 0) : NULL;
    return true;
}

/* in[0] takes over the memory of out's gradient, so nothing is left to add for it. Only where both are whole tensors and it has none. */
static bool pass_on(hn_call *c) {
    hone_tensor *x = c->in[0], *y = c->out;
    if (!c->op->passes_grad || !wanted(c, 0) || x->base || x->is_weight || x->grad_chunk || hn_count(x) != hn_count(y) || shares_root(c, 0))
        return false;
    x->grad_chunk = y->grad_chunk;
    x->grad = y->grad;
    y->grad_chunk = NULL;
    return true;
}

static void run_node(hone_tape *t, hn_call *c) {
    hone_tensor store[HN_MAX_IN], *dx[HN_MAX_IN] = {0};
    const hn_kernel *k = hn_kernel_of(t, c->op);
    double began = t->watch ? hn_now() : 0;
    const unsigned kept = hn_kept(c);
    for (int i = 0; i < c->n_in; i++)
        if (kept & (unsigned)HN_SAVE_IN0 << i) hn_tensor_ready(t, c->in[i]);
    bool overwrites = k && k->backward && k->overwrites, passed = pass_on(c);
    for (int i = passed; i < c->n_in; i++)
        if (gradient_of(t, c, i, overwrites, &store[i])) dx[i] = &store[i];
    int64_t (*need)(const hn_call *, bool) = k ? k->scratch_bytes : c->op->scratch_bytes, copies = 0;
    hn_widened w;
    hn_call *seen = c;
    unsigned takes = k && k->backward && k->bf16 ? k->bf16(c) : 0;
    if (hn_call_narrow(c, takes)) {
        hn_widen_lay_out(&w, c, true, takes);
        seen = &w.call;
        copies = w.bytes;
    }
    hn_chunk *scratch = need || copies ? hn_mempool_get(&t->pool, copies + (need ? need(seen, true) : 0)) : NULL;
    if (t->backend->computes) {
        if (seen != c) hn_widen_begin(&w, scratch ? scratch->p : NULL, true);
        seen->scratch = scratch ? scratch->p + copies : NULL;
        (k && k->backward ? k->backward : c->op->backward)(seen, dx);
        c->scratch = NULL;
        if (!t->failed && t->backend->checks) hn_check_grads(t, c, dx);
    }
    hn_mempool_put(&t->pool, scratch);
    double products = c->n_in > 1 && c->in[1] && c->in[1]->is_weight ? wanted(c, 0) + wanted(c, 1) : 2; /* a frozen weight needs no dw */
    t->flops_backward += c->op->cost ? products * c->op->cost(c).flops : 0;
    if (t->watch) t->watch(t->watch_user, c, true, hn_now() - began);
}

static void drop_use(hone_tape *t, hone_tensor *x) {
    hone_tensor *root = hn_root(x);
    if (root->uses && !--root->uses) hn_tensor_release(t, root);
}

static void drop_saved(hone_tape *t, hn_call *c) {
    const unsigned kept = hn_kept(c);
    for (int i = 0; i < c->n_in; i++)
        if (c->in[i] && kept & (unsigned)HN_SAVE_IN0 << i) drop_use(t, c->in[i]);
    if (c->op->saves & HN_SAVE_OUT) drop_use(t, c->out);
    for (int i = 0; i < c->n_aux; i++)
        if (c->aux[i]) drop_use(t, c->aux[i]);
}

bool hn_tape_walk(hone_tape *t) {
    for (hn_node *n = t->last; n; n = n->before) {
        hn_call *c = &n->call;
        t->at = n;
        if (c->out->grad_chunk) { /* otherwise the loss does not depend on it */
            if (n->again) hn_tape_repeat(t, n);
            else run_node(t, c);
            if (t->failed) return false;
            hn_mempool_put(&t->pool, c->out->grad_chunk);
            c->out->grad_chunk = NULL;
            c->out->grad = NULL;
        }
        drop_saved(t, c);
    }
    return true;
}

static bool refuse(hone_tape *t, const char *what, const char *hint) {
    return hn_tape_fail(t, HONE_E_SHAPE, &(hn_why){.what = what, .hint = hint});
}

static bool backward_body(hone_tape *t, void *arg) {
    hone_tensor *loss = arg;
    if (loss->dtype != HONE_F32 || hn_count(loss) != 1)
        return refuse(t, hn_fmt(t->texts, "backward: loss is (%s) but must be one f32 number", hn_shape_text(t->texts, loss)), NULL);
    if (t->walked) return refuse(t, "backward: this tape has been walked back already", "call hone_tape_begin before the next forward");
    if (!loss->node || !loss->wants_grad || loss->base)
        return refuse(t, "backward: loss depends on nothing that is trained", "record with HONE_TRAIN; give weights a gradient");
    t->walked = true;
    loss->grad_chunk = hn_mempool_get(&t->pool, sizeof(float));
    loss->grad = (float *)(void *)loss->grad_chunk->p;
    if (loss->grad) *loss->grad = 1;
    t->at_backward = true;
    bool ok = hn_tape_walk(t);
    t->at_backward = false;
    return ok;
}

bool hone_backward(hone_tape *t, hone_tensor *loss) { return hn_tape_try(t, backward_body, loss); }
