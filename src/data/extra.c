/* extra.c - more text to learn from, of which nothing is held out: behind the text that was split, as documents of further files. */
#include "data/data.h"

static void join(hn_arena *a, hn_corpus *c, const hn_corpus *x) {
    int64_t text = c->text.n, files = c->n_files, docs = c->n_docs, own = c->n_own;
    uint8_t *all = hn_alloc(a, text + x->text.n + 1, 1, 8);
    hn_doc *d = hn_new_n(a, hn_doc, docs + x->n_docs + 1);
    const char **f = hn_new_n(a, const char *, files + x->n_files + 1);
    hn_range *r = hn_new_n(a, hn_range, own + x->n_own + 1);
    memcpy(all, c->text.p, (size_t)text);
    if (x->text.n) memcpy(all + text, x->text.p, (size_t)x->text.n);
    for (int64_t i = 0; i < docs; i++) d[i] = c->docs[i];
    for (int64_t i = 0; i < x->n_docs; i++) {
        hn_doc *to = &d[docs + i];
        *to = x->docs[i];
        to->start += text, to->source += (int32_t)files, to->first += (int32_t)docs, to->own += own;
    }
    for (int64_t i = 0; i < files; i++) f[i] = c->files[i];
    for (int64_t i = 0; i < x->n_files; i++) f[files + i] = x->files[i];
    for (int64_t i = 0; i < own; i++) r[i] = c->own[i];
    for (int64_t i = 0; i < x->n_own; i++) r[own + i] = x->own[i];
    c->text = (hn_bytes){ all, text + x->text.n };
    c->docs = d, c->n_docs += x->n_docs, c->files = f, c->n_files += x->n_files, c->own = r, c->n_own += x->n_own;
    c->n_samples += x->n_samples, c->bad_rows += x->bad_rows;
    c->hash = hn_hash(&x->hash, sizeof x->hash, c->hash);
}

bool hn_dataset_extra(hn_arena *a, const hn_data_params *p, const hn_tokenizer *tokenizer, hn_dataset *d) {
    hn_data_params more = *p;
    hn_corpus x;
    more.train = p->extra, more.valid = (hn_strs){ 0 };
    if (!hn_dataset_read(a, &more, tokenizer, &x)) return false;
    hn_piece *v = hn_new_n(a, hn_piece, d->split.n + x.n_docs + 1);
    for (int64_t i = 0; i < d->split.n; i++) v[i] = d->split.v[i];
    for (int64_t i = 0; i < x.n_docs; i++)
        v[d->split.n + i] = (hn_piece){ .start = d->corpus.text.n + x.docs[i].start, .bytes = x.docs[i].bytes, .doc = (int32_t)(d->corpus.n_docs + i) };
    d->split.v = v, d->split.n += x.n_docs, d->split.train_bytes += x.text.n;
    join(a, &d->corpus, &x);
    return true;
}
