/* patches.c - images (B,C,H,W) cut into squares of P×P: (B, (H/P)·(W/P), C·P·P), squares row by row, in each the channel first, then row
 * and column, as the weight of a convolution lies. dx += dy put back. Keeps nothing.
 *
 * hone_patch_embedding is this and a linear: a convolution whose stride is its kernel. Dosovitskiy et al. 2020, arXiv:2010.11929. */
#include "tensor/op/box.h"

static int64_t side(const hn_call *c) { return ((const hn_patches_attr *)c->attr)->side; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0];
    int64_t P = side(c);
    if (!hn_is_f32(x, 4)) return HN_MISFIT(c, "patches: images must be f32 of (B,C,H,W)");
    if (P < 1 || x->shape[2] % P || x->shape[3] % P)
        return HN_MISFIT(c, "patches: images are (%s), which patches of %lld by %lld do not fill", HN_SHAPE(c, x), (long long)P,
                         (long long)P);
    c->out->dtype = HONE_F32;
    c->out->dims = 3;
    c->out->shape[0] = x->shape[0];
    c->out->shape[1] = (x->shape[2] / P) * (x->shape[3] / P);
    c->out->shape[2] = x->shape[1] * P * P;
    return true;
}

hn_box hn_patches_box(const hn_call *c, int k) { /* (B, patch row, patch column, C, row, column) */
    const hone_tensor *x = c->in[0];
    int64_t P = side(c), C = x->shape[1], H = x->shape[2], W = x->shape[3], ld = x->ld, dim = C * P * P;
    return (hn_box){
        .n = {x->shape[0], H / P, W / P, C, P, P},
        .in = {C * H * ld, P * ld, P, H * ld, ld, 1},
        .out = {c->out->shape[1] * dim, W / P * dim, dim, P * P, P, 1},
    };
}
static void forward(hn_call *c) { hn_box_forward(c, hn_patches_box); }
static void backward(hn_call *c, hone_tensor *const dx[]) { hn_box_backward(c, dx, hn_patches_box); }
static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_patches(hone_tape *t, hone_tensor *images, int64_t p) {
    return hn_apply(t, &hn_op_patches, &(hn_patches_attr){p}, (hone_tensor *[]){images});
}
hone_tensor *hone_patch_embedding(hone_tape *t, hone_tensor *images, hone_tensor *w, hone_tensor *b) {
    if (!hn_is_f32(w, 4) || w->shape[2] != w->shape[3]) {
        (void)!hn_tape_fail(t, HONE_E_SHAPE,
                             &(hn_why){.what = "patch embedding: w must be f32 of (width,C,P,P)", .where = "patch embedding"});
        return hone_patches(t, images, 0);
    }
    int64_t flat[] = {w->shape[0], -1};
    return hone_linear(t, hone_patches(t, images, w->shape[3]), hone_reshape(t, w, 2, flat), b, false, HONE_ACT_NONE);
}

static const hn_patches_attr one = {1}, two = {2}, three = {3};
static const hn_op_case cases[] = {
    {"no images", {HN_DIMS(0, 3, 4, 4)}, {4}, &two},
    {"pixels", {HN_DIMS(1, 2, 2, 3)}, {4}, &one},
    {"odd", {HN_DIMS(2, 3, 6, 9)}, {4}, &three},
    {"columns", {HN_DIMS(2, 3, 4, 18)}, {4}, &two, .views = true},
};
const hn_op hn_op_patches = {
    .item = {"patches", "images cut into squares, as rows", "arXiv:2010.11929", NULL, 0, sizeof(hn_patches_attr)},
    .n_in = 1,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
