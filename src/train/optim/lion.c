/* lion.c - sign of an interpolated momentum; one state tensor instead of two. Each element moves by ±lr:
 *     w = w(1 − lr·decay) − lr·sign(β1·m + (1 − β1)·g);   m = β2·m + (1 − β2)·g
 * Wants an lr 3 to 10 times smaller than adamw's and a decay as many times larger.
 * Source: Chen et al. 2023, arXiv:2302.06675, and the authors' code (google/automl, lion_pytorch.py). */
#include "train/train.h"
#include "train/kernels.h"

typedef struct { double lr, beta1, beta2, weight_decay; } lion;
static const hn_param params[] = {
    HN_PARAM(lion, lr, .def = "1e-4", .min = 0, .max = 10, .search_lo = 1e-5, .search_hi = 1e-2, .scale = HN_LOG,
             .doc = "peak learning rate"),
    HN_PARAM(lion, beta1, .def = "0.9", .min = 0, .max = 0.99999, .search_lo = 0.8, .search_hi = 0.98,
             .doc = "share of the momentum in the step's sign"),
    HN_PARAM(lion, beta2, .def = "0.99", .min = 0, .max = 0.9999999, .search_lo = 0.9, .search_hi = 0.999,
             .doc = "memory of the momentum"),
    HN_PARAM(lion, weight_decay, .def = "0.1", .min = 0, .max = 1000, .search_lo = 1e-3, .search_hi = 10, .scale = HN_LOG,
             .doc = "share of lr by which matrices shrink each step"),
};

static void step(const hn_optim_state *s, float *w, const float *g, float *const *state, int64_t n)
{
    const lion *p = s->params;
    hn_lion_step k = {
        .shrink = (float)(1 - s->lr * s->decay), .keep1 = (float)p->beta1, .add1 = (float)(1 - p->beta1),
        .keep2 = (float)p->beta2, .add2 = (float)(1 - p->beta2), .lr = (float)s->lr, .grad_scale = (float)s->grad_scale,
    };
    hn_update_kernels_get()->lion(&k, w, g, state[0], n);
}

const hn_optim hn_optim_lion = {
    HN_ITEM("lion", "sign of the momentum", "arXiv:2302.06675", lion, params),
    .states = 1, .lr_offset = offsetof(lion, lr), .decay_offset = offsetof(lion, weight_decay), .step = step,
};
