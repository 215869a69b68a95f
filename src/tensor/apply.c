/* apply.c - one operator on the tape: checks, allocates, computes, records. Inputs come onto the tape here too. */
#include "tensor/tape.h"

static bool give_memory(hone_tape *t, const char *who, hone_tensor *x) {
    int64_t bytes;
    if (!hn_tensor_bytes(x, &bytes)) return hn_tape_overflow(t, who, x);
    x->ld = hn_cols(x);
    x->chunk = hn_mempool_get(&t->pool, bytes);
    x->data = x->chunk->p;
    return true;
}

static void put_on_list(hone_tape *t, hone_tensor *x) {
    x->made_before = t->made;
    t->made = x;
}

/* ---- inputs ---- */

typedef struct input_args {
    hone_dtype dtype;
    const void *v;
    int dims;
    const int64_t *shape;
    hone_tensor *made;
} input_args;
static bool input_body(hone_tape *t, void *arg) {
    input_args *in = arg;
    hone_tensor *x = hn_bump_alloc(&t->nodes, sizeof *x);
    if (in->dims < 1 || in->dims > HONE_MAX_DIMS)
        return hn_tape_fail(t, HONE_E_SHAPE,
                            &(hn_why){.what = hn_fmt(t->texts, "input: %d dimensions, not 1 to %d", in->dims, HONE_MAX_DIMS)});
    *x = (hone_tensor){.dtype = in->dtype, .dims = in->dims, .tape = t};
    for (int i = 0; i < in->dims; i++) x->shape[i] = in->shape[i];
    if (!give_memory(t, "input", x)) return false;
    if (x->data && in->v) memcpy(x->data, in->v, (size_t)(hn_count(x) * hone_dtype_bytes(x->dtype)));
    put_on_list(t, x);
    in->made = x;
    return true;
}

static hone_tensor *input(hone_tape *t, hone_dtype dtype, const void *v, int dims, const int64_t *shape) {
    input_args in = {dtype, v, dims, shape, NULL};
    return hn_tape_try(t, input_body, &in) ? in.made : &t->dummy;
}
hone_tensor *hone_input_f32(hone_tape *t, const float *v, int dims, const int64_t *shape) { return input(t, HONE_F32, v, dims, shape); }
hone_tensor *hone_input_i32(hone_tape *t, const int32_t *v, int dims, const int64_t *shape) { return input(t, HONE_I32, v, dims, shape); }

/* ---- operators ---- */

static bool inputs_alive(hone_tape *t, hn_call *c) {
    for (int i = 0; i < c->n_in; i++) {
        const hone_tensor *x = c->in[i];
        if (!x) continue;
        if (hn_root(x)->released)
            return hn_tape_fail(t, HONE_E_INTERNAL,
                                &(hn_why){.what = hn_fmt(t->texts, "%s: input %d (%s) was released by its block or by backward",
                                                         c->op->item.name, i, hn_shape_text(t->texts, x)),
                                          .hint = "return it from hn_block_end, or use it before hone_backward"});
        hn_tensor_ready(t, c->in[i]);
        if (t->backend->computes && !x->data)
            return hn_tape_fail(t, HONE_E_INTERNAL,
                                &(hn_why){.what = hn_fmt(t->texts, "%s: input %d has no data", c->op->item.name, i),
                                          .hint = "a model without storage runs on the null backend alone"});
    }
    return true;
}

/* A view: no memory, no node; what made its base made it. */
static void finish_view(hn_call *c) {
    hone_tensor *x = c->in[0], *y = c->out;
    y->base_offset += x->base ? x->base_offset : 0;
    y->base = hn_root(x);
    y->is_weight = x->is_weight;
    y->node = x->node;
    y->data = y->base->data ? (char *)y->base->data + y->base_offset * hone_dtype_bytes(y->dtype) : NULL;
}

static void record(hone_tape *t, hn_node *n) {
    hn_call *c = &n->call;
    const unsigned kept = hn_kept(c);
    for (int i = 0; i < c->n_in; i++)
        if (c->in[i] && kept & (unsigned)HN_SAVE_IN0 << i) hn_root(c->in[i])->uses++;
    if (c->op->saves & HN_SAVE_OUT) c->out->uses++;
    n->before = t->last;
    t->last = n;
    t->n_nodes++;
    c->out->node = n;
}

static void tell_reference(hone_tape *t, const hn_op *op) {
    int i = hn_op_index(op);
    if (i < 0 || t->references || t->warned >> i & 1) return;
    t->warned |= (uint64_t)1 << i;
    hn_warn(t->texts, "operator %s has no kernel on %s: its reference runs", op->item.name, t->backend->item.name);
}

void hn_call_forward(hone_tape *t, hn_call *c, void (*other)(hn_call *c)) {
    const hn_kernel *k = hn_kernel_of(t, c->op);
    int64_t (*need)(const hn_call *, bool) = k ? k->scratch_bytes : c->op->scratch_bytes, copies = 0;
    hn_widened w;
    hn_call *seen = c;
    unsigned takes = k && k->forward && k->bf16 ? k->bf16(c) : 0;
    if (hn_call_narrow(c, takes)) {
        hn_widen_lay_out(&w, c, false, takes);
        seen = &w.call;
        copies = w.bytes;
    }
    hn_chunk *scratch = need || copies ? hn_mempool_get(&t->pool, copies + (need ? need(seen, false) : 0)) : NULL;
    if (t->backend->computes) {
        if (seen != c) hn_widen_begin(&w, scratch ? scratch->p : NULL, false);
        seen->scratch = scratch ? scratch->p + copies : NULL;
        if (other) other(seen);
        else if (k && k->forward) k->forward(seen);
        else {
            if (!k) tell_reference(t, c->op);
            c->op->forward(seen);
        }
        if (seen != c) hn_widen_end(&w);
        c->scratch = NULL;
    }
    hn_mempool_put(&t->pool, scratch);
}

static void compute(hone_tape *t, hn_call *c) {
    double began = t->watch ? hn_now() : 0;
    hn_call_forward(t, c, NULL);
    *(t->repeats ? &t->flops_again : &t->flops_forward) += c->op->cost ? c->op->cost(c).flops : 0;
    if (t->watch) t->watch(t->watch_user, c, false, hn_now() - began);
}

/* The operator's shapes, to which bf16 activations are shown as f32: what type the results are is the tape's affair. */
static bool shapes(hone_tape *t, hn_call *c) {
    hone_tensor shown[HN_MAX_IN], *in[HN_MAX_IN];
    for (int i = 0; i < c->n_in; i++) {
        in[i] = c->in[i];
        if (!in[i] || in[i]->dtype != HONE_BF16 || in[i]->is_weight) continue;
        shown[i] = *in[i];
        shown[i].dtype = HONE_F32;
        c->in[i] = &shown[i];
    }
    bool ok = c->op->shape(c, t->texts);
    for (int i = 0; i < c->n_in; i++) c->in[i] = in[i];
    if (c->op->view && ok) c->out->dtype = in[0]->dtype;
    else if (c->out->dtype == HONE_F32 && !c->op->exact) {
        c->out->dtype = t->act;
        for (int i = 0; i < c->n_aux && c->op->aux_active; i++) c->aux[i]->dtype = t->act;
    }
    return ok;
}

typedef struct apply_args {
    const hn_op *op;
    const void *attr;
    hone_tensor *const *in;
    hone_tensor *made;
} apply_args;
static bool apply_body(hone_tape *t, void *arg) {
    apply_args *p = arg;
    const hn_op *op = p->op;
    hn_node *n = hn_bump_alloc(&t->nodes, sizeof *n);
    hn_call *c = &n->call;
    n->scope = hn_tape_scope_text(t);
    c->t = t;
    c->op = op;
    c->attr = op->item.size ? memcpy(hn_bump_alloc(&t->nodes, op->item.size), p->attr, (size_t)op->item.size) : NULL;
    c->n_in = op->n_in;
    c->training = t->mode == HONE_TRAIN;
    c->seed = t->seed;
    c->step = t->step;
    c->index = t->index++;
    c->pool = hn_job_pool(t->job);
    c->a = t->texts;
    c->out = &n->out;
    for (int i = 0; i < HN_MAX_AUX; i++) c->aux[i] = &n->aux[i];
    bool wants = false;
    for (int i = 0; i < c->n_in; i++) {
        c->in[i] = p->in[i];
        wants |= c->in[i] && c->in[i]->wants_grad && !(op->constant >> i & 1);
    }
    t->at = n;
    if (!inputs_alive(t, c)) return false;
    if (!shapes(t, c)) return t->failed ? false : hn_tape_fail(t, HONE_E_SHAPE, &(hn_why){.what = "operator refused"});
    c->out->tape = t;
    c->out->wants_grad = wants && t->mode == HONE_TRAIN;
    p->made = c->out;
    if (op->view) {
        finish_view(c);
        return true;
    }
    if (!give_memory(t, op->item.name, c->out)) return false;
    put_on_list(t, c->out);
    for (int i = 0; i < HN_MAX_AUX; i++)
        if (i >= c->n_aux || !c->out->wants_grad || t->forgets) c->aux[i] = NULL;
        else {
            if (!give_memory(t, op->item.name, c->aux[i])) return false;
            c->aux[i]->tape = t;
            c->aux[i]->uses = 1;
        }
    compute(t, c);
    if (!t->failed && t->backend->checks) hn_check_call(t, c);
    if (t->failed) return false;
    if (c->out->wants_grad && !t->forgets) record(t, n);
    return true;
}

hone_tensor *hn_apply(hone_tape *t, const hn_op *op, const void *attr, hone_tensor *const in[]) {
    apply_args p = {op, attr, in, NULL};
    return hn_tape_try(t, apply_body, &p) ? p.made : &t->dummy;
}
