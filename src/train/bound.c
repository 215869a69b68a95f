/* bound.c - regularisation that acts on the weights themselves, after the optimizer's step.
 *
 * l1: w ← sign(w)·max(|w| − lr·l1, 0), the proximal step of l1·|w| (forward-backward splitting: Duchi & Singer 2009, JMLR 10). It is
 * decoupled, so an optimizer's scaling of the gradient does not scale it (as weight decay in Loshchilov & Hutter 2019), and weights that
 * reach 0 stay exactly there.
 * max norm: the weights that come into a unit, when their norm exceeds the bound, are scaled back to it (Srivastava et al. 2014,
 * JMLR 15(56), section 5.1). A unit is a column of a matrix stored (in,out), a row of one stored (out,in). Embeddings and heads have no
 * such units and are left alone. Sums go in double, in one order. */
#include "train/trainer.h"
#include <math.h>

bool hn_bound_takes(const hn_weight *w) { return w->t->dims == 2 && !w->outer; }

void hn_bound_shrink(float *w, int64_t n, float by)
{
    for (int64_t i = 0; i < n; i++) w[i] = copysignf(fmaxf(fabsf(w[i]) - by, 0), w[i]);
}

static float factor(double squares, float most) { return squares > (double)most * most ? (float)((double)most / sqrt(squares)) : 1; }

static void bound_rows(float *v, int64_t rows, int64_t cols, float most)
{
    for (int64_t r = 0; r < rows; r++, v += cols) {
        double sum = 0;
        for (int64_t c = 0; c < cols; c++) sum += (double)v[c] * v[c];
        float f = factor(sum, most);
        for (int64_t c = 0; f < 1 && c < cols; c++) v[c] *= f;
    }
}

static void bound_columns(float *v, int64_t rows, int64_t cols, float most, double *squares)
{
    memset(squares, 0, (size_t)cols * sizeof *squares);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) squares[c] += (double)v[r * cols + c] * v[r * cols + c];
    for (int64_t c = 0; c < cols; c++) squares[c] = factor(squares[c], most);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) v[r * cols + c] *= (float)squares[c];
}

void hn_bound_norms(const hn_weight *w, float most, double *squares)
{
    if (w->transposed) bound_columns(w->t->data, hn_rows(w->t), hn_cols(w->t), most, squares);
    else bound_rows(w->t->data, hn_rows(w->t), hn_cols(w->t), most);
}
