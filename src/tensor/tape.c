/* tape.c - a tape's life: made, wound back, failed, asked.
 *
 * Sticky failure: the first failure is kept in the job's error and in `where`; until the next hone_tape_begin every operator returns
 * the dummy tensor, whose sizes are 0. Memory refused inside an operator or in backward is such a failure too. */
#include "tensor/tape.h"

static void find_kernels(hone_tape *t) {
    const hn_backend *b = t->backend->like ? t->backend->like : t->backend;
    HN_ASSERT(hn_kind_op.n <= HN_MAX_OPS);
    for (int64_t i = 0; i < b->n_kernels; i++) {
        int op = hn_op_index(b->kernels[i]->op);
        HN_ASSERT(op >= 0);
        t->kernel[op] = b->kernels[i];
    }
}

typedef struct new_args {
    hone_job *job;
    const char *backend;
    hone_tape *made;
} new_args;
static bool new_body(void *arg) {
    new_args *n = arg;
    hn_arena *a = hn_arena_new(hn_job_arena(n->job));
    const char *name = n->backend ? n->backend : "cpu";
    const hn_item *item = hn_kind_find(&hn_kind_backend, name);
    if (!item) {
        const char *near = hn_kind_nearest(&hn_kind_backend, name);
        HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "unknown backend '%s'", name),
                .hint = near ? hn_fmt(a, "did you mean '%s'?", near) : NULL);
        hn_arena_free(a);
        return false;
    }
    if (((const hn_backend *)item)->computes && hn_cpu_isa_error()) {
        HN_FAIL(a, HONE_E_USAGE, .what = hn_cpu_isa_error(), .hint = "Unset it, or name one that this CPU has (hone doctor).");
        hn_arena_free(a);
        return false;
    }
    hone_tape *t = hn_new(a, hone_tape);
    t->job = n->job;
    t->a = a;
    t->texts = hn_arena_new(a);
    t->backend = (const hn_backend *)item;
    t->nodes.a = a;
    hn_mempool_init(&t->pool, a, !t->backend->computes);
    find_kernels(t);
    t->dummy = (hone_tensor){.dtype = HONE_F32, .dims = 1, .tape = t};
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    n->made = t;
    return true;
}

hone_tape *hone_tape_new(hone_job *job, const char *backend) {
    new_args n = {job, backend, NULL};
    return hn_try(job, new_body, &n) ? n.made : NULL;
}

void hone_tape_free(hone_tape *t) {
    if (t) hn_arena_free(t->a);
}

void hone_tape_begin(hone_tape *t, hone_mode mode, uint64_t seed, uint32_t step) {
    if (t->cache) {
        if (t->failed) t->cache->pending = 0; /* what a failed forward appended does not count */
        hn_tape_cache_advance(t);
    }
    t->mode = mode;
    t->act = mode == HONE_TRAIN ? t->activations : HONE_F32;
    t->seed = seed;
    t->step = step;
    t->index = 0;
    t->failed = t->walked = t->at_backward = false;
    t->at = NULL;
    t->where[0] = t->scope[0] = 0;
    t->last = NULL;
    t->n_nodes = 0;
    t->made = NULL;
    t->depth = t->scopes = 0;
    t->scope_text = NULL;
    t->forgets = 0;
    t->repeats = false;
    t->flops_forward = t->flops_backward = t->flops_again = 0;
    hn_mempool_rewind(&t->pool);
    hn_bump_rewind(&t->nodes);
    hn_arena_reset(t->texts);
}

bool hone_tape_activations(hone_tape *t, hone_dtype type) {
    if (type != HONE_F32 && type != HONE_BF16)
        return hn_fail(t->job, HONE_E_VALUE,
                       &(hn_why){.what = "activations cannot be of this type", .wanted = "f32 or bf16", .found = hone_dtype_name(type)});
    t->activations = type;
    return true;
}

bool hone_ok(const hone_tape *t) { return !t->failed; }
bool hn_tape_is_null(const hone_tape *t) { return !t->backend->computes; }
hone_mode hn_tape_mode(const hone_tape *t) { return t->mode; }
hn_arena *hn_tape_arena(hone_tape *t) { return t->texts; }
void hn_tape_use_references(hone_tape *t) {
    t->references = true;
    memset(t->kernel, 0, sizeof t->kernel);
}
const char *hn_tape_failed_where(const hone_tape *t) { return t->where; }

void hn_tape_stats_get(const hone_tape *t, hn_tape_stats *out) {
    int64_t cache = t->cache ? t->cache->bytes : 0;
    *out = (hn_tape_stats){t->flops_forward, t->flops_backward, t->flops_again, t->pool.now + cache, t->pool.peak + cache, t->n_nodes};
}

void hn_tape_watch(hone_tape *t, hn_watch_fn fn, void *user) {
    t->watch = fn;
    t->watch_user = user;
}

/* ---- failure ---- */

/* "linear in h.3.mlp (forward)"; outside an operator the scope alone. */
static void say_where(hone_tape *t) {
    const char *scope = t->at ? t->at->scope : t->scope;
    if (t->at)
        snprintf(t->where, sizeof t->where, "%s%s%s (%s)", t->at->call.op->item.name, *scope ? " in " : "", scope,
                 t->at_backward ? "backward" : "forward");
    else snprintf(t->where, sizeof t->where, "%s", scope);
}

bool hn_tape_fail(hone_tape *t, hone_code code, const hn_why *why) {
    if (t->failed) return false;
    say_where(t);
    t->failed = true;
    hn_why w = *why;
    if (!w.where && t->where[0]) w.where = t->where;
    return hn_fail(t->job, code, &w);
}

typedef struct try_args {
    hone_tape *t;
    bool (*fn)(hone_tape *t, void *arg);
    void *arg;
} try_args;
static bool try_body(void *arg) {
    try_args *a = arg;
    return a->fn(a->t, a->arg);
}

bool hn_tape_try(hone_tape *t, bool (*fn)(hone_tape *t, void *arg), void *arg) {
    if (t->failed) return false;
    try_args a = {t, fn, arg};
    bool ok = hn_try(t->job, try_body, &a);
    if (!ok && !t->failed) { /* unwound: the job's error says that memory was refused */
        say_where(t);
        t->failed = true;
    }
    if (ok) t->at = NULL;
    return ok && !t->failed;
}

bool hn_tape_overflow(hone_tape *t, const char *op, const hone_tensor *x) {
    return hn_tape_fail(
        t, HONE_E_SHAPE,
        &(hn_why){.what = hn_fmt(t->texts, "%s: a tensor of (%s) is negative or too large", op, hn_shape_text(t->texts, x))});
}

/* ---- scopes ---- */

void hn_scope_begin(hone_tape *t, const char *name) {
    HN_ASSERT(t->scopes < HN_SCOPE_DEPTH);
    int at = (int)strlen(t->scope);
    t->scope_end[t->scopes++] = at;
    snprintf(t->scope + at, sizeof t->scope - (size_t)at, "%s%s", at ? "." : "", name);
    t->scope_text = NULL;
}

void hn_scope_end(hone_tape *t) {
    HN_ASSERT(t->scopes > 0);
    t->scope[t->scope_end[--t->scopes]] = 0;
    t->scope_text = NULL;
}

const char *hn_tape_scope_text(hone_tape *t) {
    if (!t->scope_text) {
        int64_t n = (int64_t)strlen(t->scope) + 1;
        t->scope_text = memcpy(hn_bump_alloc(&t->nodes, n), t->scope, (size_t)n);
    }
    return t->scope_text;
}

/* ---- blocks ---- */

void hn_tensor_release(hone_tape *t, hone_tensor *root) {
    if (root->is_weight || root->released || !root->chunk) return;
    hn_mempool_put(&t->pool, root->chunk);
    root->chunk = NULL;
    root->released = true;
}

void hn_block_begin(hone_tape *t) {
    HN_ASSERT(t->depth < HN_BLOCK_DEPTH);
    t->block[t->depth++] = t->made;
}

/* Walks what was made since the block began. out stays on the list, for the block outside; what backward reads leaves the list, and is
 * dropped if it is cheap to make again. */
hone_tensor *hn_block_end(hone_tape *t, hone_tensor *out) {
    HN_ASSERT(t->depth > 0);
    hone_tensor *until = t->block[--t->depth], *keep = hn_root(out);
    bool inside = false;
    if (t->failed) return out;
    for (hone_tensor *x = t->made; x != until; x = x->made_before) {
        inside |= x == keep;
        if (x != keep && x->uses) hn_tensor_drop(t, x);
        else if (x != keep) hn_tensor_release(t, x);
    }
    t->made = until;
    if (inside) {
        keep->made_before = until;
        t->made = keep;
    }
    return out;
}
