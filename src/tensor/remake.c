/* remake.c - results that are cheap to make again are not kept for backward.
 *
 * A gelu, a norm or a gate costs a few operations a number, and its backward keeps what it was made from anyway. So the end of a block
 * drops such a result though later backward passes read it, and the first of these makes it again, bit for bit (of bf16 activations: from
 * the rounded input). In a transformer's layer that is six of sixteen tensors. Small ones are kept: they are not worth the work.
 * Source: Korthikanti et al. 2022, arXiv:2205.05198, who choose by FLOPs a byte as well. */
#include "tensor/tape.h"

enum { LEAST = 1 << 19 }; /* numbers */

static bool remakable(const hone_tape *t, const hone_tensor *x) {
    const hn_node *n = x->node;
    if (!n || n->again || &n->out != x || hn_count(x) < LEAST) return false;
    const hn_call *c = &n->call;
    const hn_kernel *k = hn_kernel_of(t, c->op);
    unsigned from = c->op->remade_from, inputs = from & ~(unsigned)HN_SAVE_AUX;
    if (!from || c->op->saves & HN_SAVE_OUT || inputs & ~hn_kept(c)) return false;
    return !(from & HN_SAVE_AUX) || (c->aux[0] && k && k->remake);
}

void hn_tensor_drop(hone_tape *t, hone_tensor *x) {
    if (!remakable(t, x)) return;
    hn_mempool_put(&t->pool, x->chunk);
    x->chunk = NULL;
    x->data = NULL;
    x->dropped = true;
}

static void remake(hone_tape *t, hone_tensor *x) {
    hn_call *c = &x->node->call;
    const hn_kernel *k = hn_kernel_of(t, c->op);
    for (int i = 0; i < c->n_in; i++)
        if (c->op->remade_from >> i & 1) hn_tensor_ready(t, c->in[i]);
    x->dropped = false;
    x->chunk = hn_mempool_get(&t->pool, hn_count(x) * hone_dtype_bytes(x->dtype));
    x->data = x->chunk->p;
    hn_call_forward(t, c, c->op->remade_from & HN_SAVE_AUX ? k->remake : NULL);
}

void hn_tensor_ready(hone_tape *t, hone_tensor *x) {
    hone_tensor *root = x ? hn_root(x) : NULL;
    if (!root || root->is_weight) return;
    if (root->dropped) remake(t, root);
    if (x != root && root->data) x->data = (char *)root->data + x->base_offset * hone_dtype_bytes(x->dtype);
}
