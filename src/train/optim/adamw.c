/* adamw.c - Adam with decoupled weight decay; two state tensors. The decay falls on matrices only (hn_weight.decay), embeddings
 * among them, as in nanoGPT. ε stands outside the root, after the correction of the bias, as in torch.optim.AdamW.
 * Source: Loshchilov & Hutter 2019, arXiv:1711.05101; Kingma & Ba 2015, arXiv:1412.6980. */
#include "train/train.h"
#include "train/kernels.h"
#include <math.h>

typedef struct { double lr, beta1, beta2, eps, weight_decay; } adamw;
static const hn_param params[] = {
    HN_PARAM(adamw, lr, .def = "1e-3", .min = 0, .max = 10, .search_lo = 1e-4, .search_hi = 1e-2, .scale = HN_LOG,
             .doc = "peak learning rate"),
    HN_PARAM(adamw, beta1, .def = "0.9", .min = 0, .max = 0.99999, .search_lo = 0.8, .search_hi = 0.98, .doc = "memory of the mean"),
    HN_PARAM(adamw, beta2, .def = "0.99", .min = 0, .max = 0.9999999, .search_lo = 0.9, .search_hi = 0.999,
             .doc = "memory of the mean square"),
    HN_PARAM(adamw, eps, .def = "1e-8", .min = 0, .max = 1, .doc = "added to the root"),
    HN_PARAM(adamw, weight_decay, .def = "0.1", .min = 0, .max = 100, .search_lo = 1e-3, .search_hi = 1, .scale = HN_LOG,
             .doc = "share of lr by which matrices shrink each step"),
};

static void step(const hn_optim_state *s, float *w, const float *g, float *const *state, int64_t n)
{
    const adamw *p = s->params;
    double t = (double)s->step;
    hn_adamw_step k = {
        .shrink = (float)(1 - s->lr * s->decay),
        .keep1 = (float)p->beta1, .add1 = (float)(1 - p->beta1), .keep2 = (float)p->beta2, .add2 = (float)(1 - p->beta2),
        .step = (float)(s->lr / (1 - pow(p->beta1, t))), .root = (float)(1 / sqrt(1 - pow(p->beta2, t))),
        .eps = (float)p->eps, .grad_scale = (float)s->grad_scale,
    };
    hn_update_kernels_get()->adamw(&k, w, g, state[0], state[1], n);
}

const hn_optim hn_optim_adamw = {
    HN_ITEM("adamw", "Adam with decoupled weight decay", "arXiv:1711.05101", adamw, params),
    .states = 2, .lr_offset = offsetof(adamw, lr), .decay_offset = offsetof(adamw, weight_decay), .step = step,
};
