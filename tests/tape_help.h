/* tape_help.h - for the tests of the tensor room: random weights, and a scalar made of any tensor by a random projection. */
#ifndef HN_TAPE_HELP_H
#define HN_TAPE_HELP_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "near.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "tensor/tensor.h"

/* loss (1) = Σ r_i·y_i in double; attr is the array r. */
typedef struct project_attr {
    const float *r;
    double *exact;
} project_attr;
static bool project_shape(hn_call *c, hn_arena *a) {
    c->out->dtype = HONE_F32;
    c->out->dims = 1;
    c->out->shape[0] = 1;
    return true;
}
static void project_forward(hn_call *c) {
    const project_attr *p = c->attr;
    const hone_tensor *y = c->in[0];
    double s = 0;
    for (int64_t i = 0; i < hn_count(y); i++) s += (double)p->r[i] * ((float *)y->data)[i / hn_cols(y) * y->ld + i % hn_cols(y)];
    *(float *)c->out->data = (float)s;
    if (p->exact) *p->exact = s;
}
static void project_backward(hn_call *c, hone_tensor *const dx[]) {
    const project_attr *p = c->attr;
    for (int64_t i = 0; i < hn_count(c->in[0]) && dx[0]; i++)
        ((float *)dx[0]->data)[i / hn_cols(dx[0]) * dx[0]->ld + i % hn_cols(dx[0])] += *c->out->grad * p->r[i];
}
static const hn_op op_project = {.item = {"project", "", NULL, NULL, 0, sizeof(project_attr)},
                                 .n_in = 1,
                                 .exact = true,
                                 .shape = project_shape,
                                 .forward = project_forward,
                                 .backward = project_backward};
static inline hone_tensor *project(hone_tape *t, hone_tensor *y, const float *r, double *exact) {
    return hn_apply(t, &op_project, &(project_attr){r, exact}, (hone_tensor *[]){y});
}

static inline hone_tensor *weight(hn_arena *a, const char *name, int dims, const int64_t *shape, uint64_t seed, double sd) {
    hone_tensor *w = hn_weight_new(a, name, dims, shape, false);
    hn_rng_fill_normal(seed, HN_STREAM_TEST, 0, w->data, hn_count(w), sd);
    hn_weight_grad(a, w);
    return w;
}
#define SHAPE(...)                                                                                                                         \
    (const int64_t[]) { __VA_ARGS__ }
#define DIMS(...) (int)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), SHAPE(__VA_ARGS__)

static inline double largest(const float *v, int64_t n) {
    double m = 0;
    for (int64_t i = 0; i < n; i++) m = fmax(m, fabs(v[i]));
    return m;
}
#define assert_contains(text, part)                                                                                                        \
    do {                                                                                                                                   \
        if (!strstr(text, part)) fail_msg("'%s' is not in '%s'", part, text);                                                              \
    } while (0)
#endif
