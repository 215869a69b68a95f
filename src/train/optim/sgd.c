/* sgd.c - gradient descent with momentum; one state tensor, none without momentum. As torch.optim.SGD without dampening: the decay is
 * added to the gradient (so momentum sees it) and falls on matrices only; m = momentum·m + g; the step is lr·m, or
 * lr·(g + momentum·m) with nesterov.
 * Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning". */
#include "train/train.h"
#include "train/kernels.h"

typedef struct { double lr, momentum, weight_decay; bool nesterov; } sgd;
static const hn_param params[] = {
    HN_PARAM(sgd, lr, .def = "0.1", .min = 0, .max = 1000, .search_lo = 1e-3, .search_hi = 1, .scale = HN_LOG,
             .doc = "peak learning rate"),
    HN_PARAM(sgd, momentum, .def = "0.9", .min = 0, .max = 0.99999, .search_lo = 0.5, .search_hi = 0.99,
             .doc = "share of the last step that is taken again; 0: none"),
    HN_PARAM(sgd, weight_decay, .def = "0", .min = 0, .max = 100, .search_lo = 1e-6, .search_hi = 1e-2, .scale = HN_LOG,
             .doc = "share of a matrix that is added to its gradient"),
    HN_PARAM(sgd, nesterov, .def = "false", .doc = "look ahead: the step is made of the gradient and the momentum after it"),
};

static void step(const hn_optim_state *s, float *w, const float *g, float *const *state, int64_t n)
{
    const sgd *p = s->params;
    hn_sgd_step k = { .decay = (float)s->decay, .momentum = (float)p->momentum, .lr = (float)s->lr,
                      .grad_scale = (float)s->grad_scale, .nesterov = p->nesterov };
    hn_update_kernels_get()->sgd(&k, w, g, state[0], n);
}

static int64_t state_count(const void *p, const hn_weight *w, int k) { return ((const sgd *)p)->momentum > 0 ? hn_count(w->t) : 0; }

const hn_optim hn_optim_sgd = {
    HN_ITEM("sgd", "gradient descent with momentum", "Sutskever et al. 2013", sgd, params),
    .states = 1, .lr_offset = offsetof(sgd, lr), .decay_offset = offsetof(sgd, weight_decay), .step = step, .state_count = state_count,
};
