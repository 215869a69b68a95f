/* dataset.c - the whole way from files to tokens, as a trainer wants it.
 *
 * With data.cache, token files are kept under names made of the hashes of text, split and tokenizer, so a stale one is never
 * found; a damaged one is told and made again. */
#include "data/row/row.h"
#include "data/gym/gym.h"

static uint64_t split_hash(const hn_split *s) {
    uint64_t h = 0;
    for (int64_t i = 0; i < s->n; i++) {
        int64_t v[3] = { s->v[i].start, s->v[i].bytes, s->v[i].held_out };
        h = hn_hash(v, sizeof v, h);
    }
    return h;
}

static bool tokens_for(hn_arena *a, const hn_data_params *p, hn_dataset *d, uint64_t tokenizer_hash, bool held_out, hn_tokens *out) {
    bool cached = p->cache && *p->cache;
    if (!cached) {
        bool made = hn_tokens_make(a, d->tok, &d->corpus, &d->split, held_out, out);
        out->tokenizer_hash = tokenizer_hash;
        return made;
    }
    uint64_t key[3] = { d->corpus.hash, split_hash(&d->split), tokenizer_hash };
    const char *file =
        hn_fmt(a, "%s/%016llx-%s.tok", p->cache, (unsigned long long)hn_hash(key, sizeof key, 0), held_out ? "valid" : "train");
    if (hn_path_exists(file)) {
        if (hn_tokens_map(a, file, out) && out->tokenizer_hash == tokenizer_hash && out->vocab == d->tok->vocab) return true;
        hn_warn(a, "token file %s is damaged and is made again: %s", file, hone_error_message(a->job));
        hone_error_clear(a->job);
    }
    return hn_mkdirs(a, p->cache) && hn_tokens_make(a, d->tok, &d->corpus, &d->split, held_out, out) &&
           hn_tokens_save(a, out, tokenizer_hash, file) && hn_tokens_map(a, file, out);
}

static hn_tokenizer *tokenizer_for(hn_arena *a, const hn_data_params *p, const hn_dataset *d) {
    const char *name = p->tokenizer && *p->tokenizer ? p->tokenizer : "char";
    hn_token_params how = { p->vocab, p->words };
    bool is_path = !hn_kind_find(&hn_kind_token, name) && hn_path_exists(name);
    return is_path ? hn_tokenizer_load(a, name) : hn_tokenizer_train_with(a, name, &how, &d->corpus, &d->split);
}

static bool limit(hn_arena *a, const hn_data_params *p, int64_t context, hn_dataset *d) {
    int64_t most = p->max_length ? p->max_length : context;
    if (most > context) hn_log(a, "the model's context holds %lld tokens: rows are so long", (long long)context);
    most = HN_MIN(most, context);
    if (!d->corpus.n_samples) return true;
    hn_tokens_limit(a, &d->corpus, most, &d->train, &d->cut);
    hn_tokens_limit(a, &d->corpus, most, &d->valid, &d->cut);
    const hn_cut *k = &d->cut;
    if (k->cut)
        hn_warn(a, "%lld of %lld samples are longer than %lld tokens and are cut: %lld tokens lost, %lld samples left out", (long long)k->cut,
                (long long)k->samples, (long long)most, (long long)k->tokens_lost, (long long)k->left_out);
    const char *hint = "raise data.max_length, or shorten the prompts";
    if (!d->train.n_spans) return HN_FAIL(a, HONE_E_DATA, .what = "no training sample has an answer within data.max_length", .hint = hint);
    return d->valid.n_spans || HN_FAIL(a, HONE_E_DATA, .what = "no held-out sample has an answer within data.max_length", .hint = hint);
}

/* A question of the gym is asked whole, from the first position on. */
static bool items_fit(hn_arena *a, const hn_dataset *d, const hn_tokens *t, int64_t context) {
    for (int64_t i = 0; i < t->n_spans; i++) {
        const hn_doc *doc = &d->corpus.docs[t->spans[i].doc];
        if (t->spans[i].n - 1 <= context || !hn_gym_is_source(d->corpus.files[doc->source])) continue;
        return HN_FAIL(a, HONE_E_VALUE, .what = "question and answer are longer than the model's context", .where = d->corpus.files[doc->source],
                       .wanted = hn_fmt(a, "at most %lld tokens", (long long)context),
                       .found = hn_fmt(a, "%lld: %.200s", (long long)t->spans[i].n - 1, hn_strndup(a, (const char *)d->corpus.text.p + doc->start, doc->bytes)),
                       .hint = "Raise model.context, or take a lower level.");
    }
    return true;
}

/* Ends of plain documents, where they are wanted. Not a part of the text, so it is the same corpus by hash; the tokens differ. */
static void put_ends(const hn_data_params *p, hn_corpus *c) {
    bool both = !strcmp(p->ends, "both");
    uint8_t ends = (both || !strcmp(p->ends, "bos") ? HN_END_BOS : 0) | (both || !strcmp(p->ends, "eos") ? HN_END_EOS : 0);
    for (int64_t i = 0; i < c->n_docs; i++)
        if (!c->docs[i].sample) c->docs[i].ends = ends;
    if (ends) c->hash = hn_hash(&ends, 1, c->hash);
}

bool hn_dataset_from_corpus(hn_arena *a, const hn_data_params *p, int64_t context, uint64_t seed, hn_tokenizer *tokenizer,
                            hn_dataset *out) {
    if (p->ends && *p->ends) put_ends(p, &out->corpus);
    if (!hn_split_make(a, &out->corpus, p, context, seed, &out->split)) return false;
    if (p->extra.n && !hn_dataset_extra(a, p, tokenizer, out)) return false;
    if (p->decontaminate) {
        if (!hn_decontaminate(a, &out->corpus, &out->split, &out->decontaminated_bytes)) return false;
        if (out->decontaminated_bytes)
            hn_log(a, "%lld bytes of training text overlap held-out text and are left out", (long long)out->decontaminated_bytes);
    }
    out->tok = tokenizer ? tokenizer : tokenizer_for(a, p, out);
    if (!out->tok) return false;
    uint64_t h = hn_tokenizer_hash(a, out->tok);
    return tokens_for(a, p, out, h, false, &out->train) && tokens_for(a, p, out, h, true, &out->valid) &&
           items_fit(a, out, &out->train, context) && items_fit(a, out, &out->valid, context) && limit(a, p, context, out);
}

/* Talks are written by the template of the tokenizer that reads them; one that is yet to be trained has none. */
bool hn_dataset_read(hn_arena *a, const hn_data_params *p, const hn_tokenizer *tokenizer, hn_corpus *out) {
    hn_row_how how = { .learn_all = p->learn && !strcmp(p->learn, "all") };
    const char *name = p->tokenizer ? p->tokenizer : "";
    if (!hn_row_form(a, p->format, &how.form)) return false;
    if (!tokenizer && hn_path_is_dir(name) && !hn_kind_find(&hn_kind_token, name) && !(tokenizer = hn_tokenizer_load(a, name))) return false;
    how.chat = hn_chat_open(a, tokenizer, p->chat_template);
    return how.chat && hn_corpus_read_as(a, &p->train, &p->valid, p->max_bytes, &how, out);
}

bool hn_dataset_load(hn_arena *a, const hn_data_params *p, int64_t context, uint64_t seed, hn_tokenizer *tokenizer, hn_dataset *out) {
    hn_data_params q = *p;
    bool gym = false;
    *out = (hn_dataset){ 0 };
    for (int64_t i = 0; i < p->train.n; i++) gym |= hn_gym_is_source(p->train.v[i]);
    if (gym && !p->valid.n) q.valid = p->train; /* of the same tasks; other files are all learned from */
    if (!hn_gym_sources(a, &p->train, HN_GYM_TRAIN, p->items, seed, &q.train) ||
        !hn_gym_sources(a, &q.valid, HN_GYM_VALID, p->valid_items, seed, &q.valid))
        return false;
    if (gym && !p->valid.n) q.valid = hn_gym_only(a, &q.valid);
    return hn_dataset_read(a, &q, tokenizer, &out->corpus) && hn_dataset_from_corpus(a, &q, context, seed, tokenizer, out);
}
