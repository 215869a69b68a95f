/* tape.h - the tape's inside, shared by tape.c, apply.c, backward.c, widen.c, recompute.c, remake.c and cache.c alone. */
#ifndef HN_TENSOR_TAPE_H
#define HN_TENSOR_TAPE_H
#include "tensor/mempool.h"
#include "tensor/tensor.h"

enum { HN_SCOPE_DEPTH = 16, HN_SCOPE_TEXT = 160, HN_MAX_OPS = 64, HN_BLOCK_DEPTH = 32 };

/* A stretch of forward that backward runs anew. */
typedef struct hn_again {
    hone_recomputed *fn;
    hone_tensor *x;
    const void *args; /* a copy, on the tape */
    uint32_t index;   /* of its first call: random draws repeat */
} hn_again;

struct hn_node {
    hn_call call;
    hn_node *before;
    const hn_again *again; /* NULL: an operator */
    const char *scope; /* "h.3.mlp"; lives as long as the node */
    hone_tensor out, aux[HN_MAX_AUX];
};

typedef struct hn_cache {
    hn_arena *a;
    hone_dtype dtype;
    int64_t layers, batch, max_time, channels;
    void **k, **v;                  /* [layers] of (batch, max_time, channels); NULL entries on the null backend */
    int64_t length, pending, bytes; /* positions kept; appended since; memory of both */
    int64_t placed;                 /* rows that were given places of their own; 0: all are in step, at `length` */
    int32_t *slot, *at;             /* (batch) where each row of a forward stands, and how many of its tokens are there already */
} hn_cache;

struct hone_tape {
    hone_job *job;
    hn_arena *a;     /* everything of the tape */
    hn_arena *texts; /* messages; emptied at each begin */
    const hn_backend *backend;
    const hn_kernel *kernel[HN_MAX_OPS]; /* by position in hn_kind_op; NULL: the reference */
    bool references;                     /* asked for: no kernels, no warnings */
    uint64_t warned;                     /* operators whose missing kernel has been told */
    hone_dtype activations, act; /* of a recording tape: as asked for; now, f32 when it does not record */
    hone_mode mode;
    uint64_t seed;
    uint32_t step, index; /* index: of the next call */
    bool failed, walked;  /* walked: backward has been here */
    const hn_node *at;    /* the node being run, for messages */
    bool at_backward;
    char where[HN_SCOPE_TEXT + 64]; /* of the first failure */
    hn_mempool pool;
    hn_bump nodes;
    hn_node *last; /* recorded nodes, newest first */
    int forgets;   /* inside so many recomputed stretches: nothing is recorded */
    bool repeats;  /* such a stretch is run anew, in backward */
    int64_t n_nodes;
    hone_tensor *made;                  /* tensors with memory that a block end may release, newest first */
    hone_tensor *block[HN_BLOCK_DEPTH]; /* what `made` was when the block began */
    int depth;
    char scope[HN_SCOPE_TEXT];
    int scope_end[HN_SCOPE_DEPTH], scopes;
    const char *scope_text; /* copy of scope for nodes; NULL: to be made */
    double flops_forward, flops_backward, flops_again;
    hn_watch_fn watch;
    void *watch_user;
    hn_cache *cache;
    hone_tensor dummy; /* what a failed operator returns: (0), no data */
};

/* The tensor whose storage and gradient x shares; x itself if it is no view. */
static inline hone_tensor *hn_root(const hone_tensor *x) { return x->base ? x->base : (hone_tensor *)x; }
void hn_tensor_release(hone_tape *t, hone_tensor *root); /* its data goes back to the pool */
void hn_tensor_drop(hone_tape *t, hone_tensor *root);    /* at its block's end, though backward reads it: if it is cheap to make again */
void hn_tensor_ready(hone_tape *t, hone_tensor *x);      /* has its data, made again if it was dropped; x may be a view, or NULL */
void hn_call_forward(hone_tape *t, hn_call *c, void (*other)(hn_call *c)); /* runs the kernel (or `other` of it) with scratch; counts nothing */
int hn_op_index(const hn_op *op);                        /* -1: not in the table (an operator of a test) */
static inline const hn_kernel *hn_kernel_of(const hone_tape *t, const hn_op *op) {
    int i = hn_op_index(op);
    return i < 0 ? NULL : t->kernel[i];
}
static inline unsigned hn_kept(const hn_call *c) { return c->op->keeps ? c->op->keeps(c) : c->op->saves; }
bool hn_tape_walk(hone_tape *t);                /* backward over the nodes from t->last on */
bool hn_tape_repeat(hone_tape *t, hn_node *n);  /* backward of a recomputed stretch */
const char *hn_tape_scope_text(hone_tape *t);
/* Runs fn(t, arg) under hn_try unless the tape has failed; a refusal of memory becomes the tape's failure. */
bool hn_tape_try(hone_tape *t, bool (*fn)(hone_tape *t, void *arg), void *arg) HN_CHECK;
bool hn_tape_overflow(hone_tape *t, const char *op, const hone_tensor *x); /* fails: more elements than can be counted */
/* Bytes of x, with its product of sizes checked. */
bool hn_tensor_bytes(const hone_tensor *x, int64_t *bytes) HN_CHECK;
/* A call as a kernel sees it that knows no bf16 (widen.c). lay_out says how many bytes of scratch its copies take, begin fills them, and
 * end, after forward, rounds what has been written. */
enum { HN_WIDEN_MAX = HN_MAX_IN + HN_MAX_AUX + 1 };
typedef struct hn_widened {
    hn_call call;
    hone_tensor stand_in[HN_WIDEN_MAX], *real[HN_WIDEN_MAX]; /* real: what is copied, a view's base */
    float *copy[HN_WIDEN_MAX];
    bool first[HN_WIDEN_MAX];        /* of those that share a copy */
    int64_t at[HN_WIDEN_MAX], bytes; /* at: in the scratch; -1: no copy */
} hn_widened;
bool hn_call_narrow(const hn_call *c, unsigned takes); /* something of it is bf16 that is not among `takes` (HN_SAVE_…) */
void hn_widen_lay_out(hn_widened *w, const hn_call *c, bool backward, unsigned takes);
void hn_widen_begin(hn_widened *w, char *memory, bool backward);
void hn_widen_end(const hn_widened *w);
void hn_check_call(hone_tape *t, const hn_call *c); /* check backend, after forward */
void hn_check_grads(hone_tape *t, const hn_call *c, hone_tensor *const dx[]);
#endif
