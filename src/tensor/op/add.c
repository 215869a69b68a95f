/* add.c - z = x + y, sizes of 1 stretched as numpy does. dx += dz, dy += dz, summed over what was stretched. Keeps nothing. Where x has
 * z's size and no gradient yet, it is given dz's memory as it is. */
#include "tensor/op/broadcast.h"

static bool shape(hn_call *c, hn_arena *a) { return hn_broadcast(c); }

static void forward(hn_call *c) {
    hn_stretch s = hn_stretch_of(c);
    const float *x = c->in[0]->data, *y = c->in[1]->data;
    float *z = c->out->data;
    HN_EACH_INDEX (i, s.n) *z++ = x[hn_dot4(i, s.step[0])] + y[hn_dot4(i, s.step[1])];
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    hn_stretch s = hn_stretch_of(c);
    for (int k = 0; k < 2; k++) {
        if (!dx[k]) continue;
        int64_t own[HONE_MAX_DIMS], over[HONE_MAX_DIMS], dz[HONE_MAX_DIMS];
        hn_stretched(c, k, own, over);
        hn_steps(c->out, dz);
        HN_EACH_INDEX (i, own) {
            double sum = 0;
            HN_EACH_INDEX (j, over) sum += c->out->grad[hn_dot4(i, dz) + hn_dot4(j, dz)];
            ((float *)dx[k]->data)[hn_dot4(i, s.step[k])] += (float)sum;
        }
    }
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_add(hone_tape *t, hone_tensor *x, hone_tensor *y) { return hn_apply(t, &hn_op_add, NULL, (hone_tensor *[]){x, y}); }

static const hn_op_case cases[] = {
    HN_BROADCAST_CASES,
    {"nothing", {HN_DIMS(0, 3), HN_DIMS(0, 3)}, {2, 2}},
};
const hn_op hn_op_add = {
    HN_ITEM0("add", "sum of two tensors, sizes of 1 stretched", NULL),
    .n_in = 2,
    .passes_grad = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
