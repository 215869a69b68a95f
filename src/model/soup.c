/* soup.c - one model whose weights are the mean of several: trainings that branched from one point.
 *
 * Networks that share the first part of their training come to rest in one basin, and the mean of their weights lies in it, too (Frankle et
 * al. 2020, arXiv:1912.05671). Networks that began independently do not: their units stand in other orders, and the mean of their weights
 * computes nothing (Ainsworth et al. 2022, arXiv:2209.04836, section 1). So weights are taken only with the hash of the point that they
 * branched from, the same for all. The mean costs nothing at inference: it is one model.
 * Source: Wortsman et al. 2022, arXiv:2203.05482 (the uniform soup). */
#include "model/model.h"

bool hn_soup_add(hn_soup *s, const hone_model *m, uint64_t origin) {
    if (!origin || (s->n && origin != s->origin))
        return HN_FAIL(s->a, HONE_E_VALUE, .what = "weights of independently begun trainings have no meaningful mean",
                       .wanted = "trainings that branched from one point, or that start from one model",
                       .found = origin ? "another point than the others'" : "a training of its own beginning",
                       .hint = "Let finish.branch be above 0, or answer with all of them: finish.ensemble.");
    const hn_weights w = hn_model_trained(m);
    if (!s->n) {
        s->origin = origin;
        s->sum = hn_new_n(s->a, double *, w.n + 1);
        for (int64_t i = 0; i < w.n; i++) s->sum[i] = hn_alloc_large(s->a, hn_count(w.v[i].t) * (int64_t)sizeof(double));
    }
    for (int64_t i = 0; i < w.n; i++)
        for (int64_t j = 0, n = hn_count(w.v[i].t); j < n; j++) s->sum[i][j] += (double)((const float *)w.v[i].t->data)[j];
    s->n++;
    return true;
}

void hn_soup_take(const hn_soup *s, hone_model *m) {
    const hn_weights w = hn_model_trained(m);
    for (int64_t i = 0; i < w.n; i++)
        for (int64_t j = 0, n = hn_count(w.v[i].t); j < n; j++) ((float *)w.v[i].t->data)[j] = (float)(s->sum[i][j] / (double)s->n);
}
