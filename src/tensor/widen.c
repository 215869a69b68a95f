/* widen.c - bf16 tensors for kernels and references that know f32 only: what they read is copied to f32 scratch, what they write is
 * rounded from there. So every operator runs on a bf16 tape; one that a profile shows hot takes bf16 itself (hn_kernel.bf16) and spares
 * the copies. Scratch counts on the null backend too. Weights are left alone: one of 16 bits comes only to an operator that reads it in
 * place (decoding), and a copy of it at every call would undo that. */
#include "tensor/cpu/cpu.h"
#include "tensor/tape.h"

enum { PIECE = 1 << 15 }; /* numbers of a task */

static bool activation(const hone_tensor *x) { return x && x->dtype == HONE_BF16 && !x->is_weight; }
bool hn_call_narrow(const hn_call *c, unsigned takes) {
    for (int i = 0; i < c->n_in; i++)
        if (activation(c->in[i]) && !(takes >> i & 1)) return true;
    for (int i = 0; i < c->n_aux; i++)
        if (c->aux[i] && c->aux[i]->dtype == HONE_BF16 && !(takes & HN_SAVE_AUX)) return true;
    return c->out->dtype == HONE_BF16 && !(takes & HN_SAVE_OUT);
}

/* The place in `call` is given a stand-in, with memory if the kernel looks at its numbers: a copy of the whole tensor that it is a view
 * of, one for all views of it. So every layout stays, as kernels rely on that of a gradient being its input's. */
static void stand_in(hn_widened *w, hone_tensor **place, int number, bool looked_at) {
    hone_tensor *x = *place, *y = &w->stand_in[number], *root = x ? hn_root(x) : NULL;
    if (!activation(x)) return;
    *y = *x;
    y->dtype = HONE_F32;
    y->rounded = true;
    y->data = NULL;
    *place = y;
    if (!looked_at) return;
    w->real[number] = root;
    for (int i = 0; i < number && w->at[number] < 0; i++)
        if (w->real[i] == root) w->at[number] = w->at[i];
    if (w->at[number] >= 0) return;
    w->first[number] = true;
    w->at[number] = w->bytes;
    w->bytes += hn_round(hn_count(root)) * (int64_t)sizeof(float);
}

void hn_widen_lay_out(hn_widened *w, const hn_call *c, bool backward, unsigned takes) {
    unsigned looks = backward ? hn_kept(c) : ~0u;
    *w = (hn_widened){.call = *c};
    for (int i = 0; i < HN_WIDEN_MAX; i++) w->at[i] = -1;
    for (int i = 0; i < c->n_in; i++)
        if (!(takes >> i & 1)) stand_in(w, &w->call.in[i], i, looks >> i & 1);
    for (int i = 0; i < c->n_aux && !(takes & HN_SAVE_AUX); i++) stand_in(w, &w->call.aux[i], HN_MAX_IN + i, looks & HN_SAVE_AUX);
    if (!(takes & HN_SAVE_OUT)) stand_in(w, &w->call.out, HN_WIDEN_MAX - 1, looks & HN_SAVE_OUT);
}

typedef struct copy_job {
    const hn_vec *v;
    float *wide;
    hn_bf16 *narrow;
    int64_t n;
    bool to_f32;
} copy_job;
static void copy_piece(void *arg, int64_t task, int worker) {
    const copy_job *j = arg;
    int64_t at = task * PIECE, n = HN_MIN(PIECE, j->n - at);
    if (j->to_f32) j->v->widen(j->wide + at, j->narrow + at, n);
    else j->v->narrow(j->narrow + at, j->wide + at, n);
}
static void copy(const hn_widened *w, int i, bool to_f32) {
    int64_t n = hn_count(w->real[i]);
    copy_job j = {hn_vec_now(), w->copy[i], w->real[i]->data, n, to_f32};
    hn_cpu_run(&w->call, 20.0 * (double)n, hn_cdiv(n, PIECE), copy_piece, &j);
}

void hn_widen_begin(hn_widened *w, char *memory, bool backward) {
    for (int i = 0; i < HN_WIDEN_MAX; i++) {
        if (w->at[i] < 0) continue;
        w->copy[i] = (float *)(void *)(memory + w->at[i]);
        w->stand_in[i].data = w->copy[i] + w->stand_in[i].base_offset;
        if (w->first[i] && (backward || i < HN_MAX_IN)) copy(w, i, true);
    }
}

void hn_widen_end(const hn_widened *w) {
    for (int i = HN_MAX_IN; i < HN_WIDEN_MAX; i++)
        if (w->at[i] >= 0) copy(w, i, false);
}
