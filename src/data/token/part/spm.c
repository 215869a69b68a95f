/* spm.c - SentencePiece vocabularies as a tokenizer.json: from tokenizer.model (a protobuf), from llama2.c's tokenizer.bin, and from
 * pieces that gguf.c found.
 *
 * BPE pieces join by the score of what they become, so the merges are all cuts of all pieces, best score first; Unigram keeps its scores.
 * Every length in a file is checked against the file. What makes a folder's tokenizer.model differ from the bare SentencePiece is added as
 * transformers' LlamaTokenizer does it: BPE texts begin with BOS. A compiled normalizer (nmt_nfkc and its like) goes along as it is: charsmap.c.
 *
 * Text that is read by a .model gets exactly SentencePiece's ids. What a tokenizer.json cannot say stands under "sentencepiece" in its
 * normalizer, which other programs pass over: how blanks are squeezed and put, the symbols that the user defined, pieces that are not used,
 * merges of one rank. It also tells that sums of scores are rounded to single precision, as SentencePiece does, and that pieces which are no
 * text (control, unknown, bytes) are not found in text; control pieces only where a chat template writes them (hn_tokenizer.marked).
 * Sources: github.com/google/sentencepiece, src/sentencepiece_model.proto; github.com/karpathy/llama2.c, tokenizer.py. */
#include "data/token/part/part.h"
#include <stdlib.h>
#define MARK HN_BLANK

/* ---- merges from scores ---- */
typedef struct { float score; int32_t left, right, both; int64_t n_left; } joined;

/* Pieces that are not used join like others; who reads them as SentencePiece does takes them apart again (bpe.c). */
static bool joins(const hn_spm *m, int64_t i) { return m->type[i] == HN_SPM_NORMAL || (m->exact && m->type[i] == HN_SPM_UNUSED); }

static int better(const void *x, const void *y) {
    const joined *p = x, *q = y;
    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    if (p->n_left != q->n_left) return p->n_left > q->n_left ? -1 : 1;
    return p->left != q->left ? (p->left < q->left ? -1 : 1) : (p->right > q->right) - (p->right < q->right);
}

/* *ranks: of each merge, where several pieces have one score; else NULL. Merges to one piece stand side by side and are of one rank anyway. */
static json_t *merges_by_score(hn_arena *a, const hn_spm *m, json_t **ranks) {
    hn_arena *s = hn_arena_new(a);
    hn_map *ids = hn_map_new(s);
    HN_VEC(joined) all = { 0 };
    for (int64_t i = 0; i < m->n; i++)
        if (joins(m, i)) hn_map_put(ids, m->piece[i].p, m->piece[i].n, i);
    for (int64_t i = 0; i < m->n; i++)
        for (int64_t k = 1; joins(m, i) && k < m->piece[i].n && m->piece[i].n < 1024; k++) {
            hn_bytes t = m->piece[i];
            int64_t left, right;
            if ((t.p[k] & 0xC0) != 0x80 && hn_map_get(ids, t.p, k, &left) && hn_map_get(ids, t.p + k, t.n - k, &right))
                hn_push(s, &all, (joined){ m->score[i], (int32_t)left, (int32_t)right, (int32_t)i, k });
        }
    if (all.n) qsort(all.v, (size_t)all.n, sizeof *all.v, better);
    json_t *out = hn_json_own(a, json_array()), *rank = hn_json_own(a, json_array());
    bool tied = false;
    for (int64_t i = 0, first = 0; i < all.n; i++) {
        if (all.v[i].score != all.v[first].score) first = i;
        tied |= all.v[i].both != all.v[first].both;
        json_array_append_new(rank, json_integer(first));
        hn_bytes l = m->piece[all.v[i].left], r = m->piece[all.v[i].right];
        json_array_append_new(out, json_pack("[s#, s#]", l.p, (int)l.n, r.p, (int)r.n));
    }
    hn_arena_free(s);
    *ranks = m->exact && tied ? rank : NULL;
    return out;
}

/* ---- the tokenizer.json ---- */
static json_t *owned(hn_arena *a, json_t *v) { return hn_json_own(a, v); }

static json_t *what_else(hn_arena *a, const hn_spm *m, json_t *ranks) {
    json_t *own = owned(a, json_array()), *unused = owned(a, json_array());
    for (int64_t i = 0; i < m->n; i++) {
        if (m->type[i] == HN_SPM_USER) json_array_append_new(own, json_stringn((const char *)m->piece[i].p, (size_t)m->piece[i].n));
        if (m->type[i] == HN_SPM_UNUSED) json_array_append_new(unused, json_integer(i));
    }
    json_t *v = owned(a, json_pack("{s:b, s:b, s:b, s:s, s:O, s:O}", "squeezes", m->squeezes, "before", !m->no_prefix && !m->behind, "behind",
                                   !m->no_prefix && m->behind, "blank", m->bare ? " " : MARK, "user_defined", own, "unused", unused));
    if (ranks) json_object_set(v, "ranks", ranks);
    return v;
}

static json_t *normalizer(hn_arena *a, const hn_spm *m, json_t *ranks) {
    json_t *list = owned(a, json_array());
    if (m->charsmap.n)
        json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "type", "Precompiled", "precompiled_charsmap", hn_base64(a, m->charsmap), "longest", 1));
    if (m->squeezes) {
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "Regex", "\\A +|[ " MARK "]+\\z", "content", ""));
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "Regex", " {2,}", "content", " "));
    }
    if (!m->no_prefix && m->behind)
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "Regex", "\\z", "content", " "));
    else if (!m->no_prefix) json_array_append_new(list, json_pack("{s:s, s:s}", "type", "Prepend", "prepend", m->bare ? " " : MARK));
    if (!m->bare) json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", " ", "content", MARK));
    json_t *v = owned(a, json_pack("{s:s, s:O}", "type", "Sequence", "normalizers", list));
    if (m->exact) json_object_set(v, "sentencepiece", what_else(a, m, ranks));
    return v;
}

static json_t *decoder(hn_arena *a, const hn_spm *m) {
    json_t *list = owned(a, json_pack("[{s:s, s:{s:s}, s:s}, {s:s}, {s:s}]", "type", "Replace", "pattern", "String", MARK, "content", " ", "type",
                                      "ByteFallback", "type", "Fuse"));
    if (!m->no_prefix && !m->behind)
        json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", " ", "start", 1, "stop", 0));
    return owned(a, json_pack("{s:s, s:O}", "type", "Sequence", "decoders", list));
}

static json_t *template(hn_arena *a, const hn_spm *m, const char *bos) {
    if (!bos) return owned(a, json_null());
    return owned(a, json_pack("{s:s, s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}], s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}], s:{s:{s:s, s:[I], s:[s]}}}",
                              "type", "TemplateProcessing", "single", "SpecialToken", "id", bos, "type_id", 0, "Sequence", "id", "A", "type_id", 0,
                              "pair", "SpecialToken", "id", bos, "type_id", 0, "Sequence", "id", "A", "type_id", 0, "Sequence", "id", "B", "type_id", 1,
                              "special_tokens", bos, "id", bos, "ids", (json_int_t)m->bos, "tokens", bos));
}

json_t *hn_spm_json(hn_arena *a, const char *where, const hn_spm *m) {
    json_t *vocab = owned(a, m->unigram ? json_array() : json_object()), *added = owned(a, json_array()), *model, *ranks = NULL;
    hn_map *seen = hn_map_new(a);
    const char *bos = NULL, *unk = NULL;
    for (int64_t i = 0; i < m->n; i++) {
        hn_bytes t = m->piece[i];
        const char *key = hn_strndup(a, (const char *)t.p, t.n);
        int64_t twin;
        if (!hn_utf8_valid(t.p, t.n, NULL) || (int64_t)strlen(key) != t.n || hn_map_get(seen, t.p, t.n, &twin))
            return (void)HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "token %lld is no text, or is there twice", (long long)i), .where = where), NULL;
        hn_map_put(seen, t.p, t.n, i);
        if (m->unigram) json_array_append_new(vocab, json_pack("[s, f]", key, (double)m->score[i]));
        else json_object_set_new(vocab, key, json_integer(i));
        bool special = m->type[i] == HN_SPM_CONTROL || (m->type[i] == HN_SPM_UNKNOWN && m->adds_unknown);
        if (special || m->type[i] == HN_SPM_USER)
            json_array_append_new(added, hn_added_json(i, key, special));
        if (m->adds_bos && i == m->bos) bos = key;
        if (m->type[i] == HN_SPM_UNKNOWN && !unk) unk = key;
    }
    if (m->unigram) {
        model = owned(a, json_pack("{s:s, s:O, s:b}", "type", "Unigram", "vocab", vocab, "byte_fallback", m->bytes));
        if (m->unk >= 0) json_object_set_new(model, "unk_id", json_integer(m->unk));
    } else {
        model = owned(a, json_pack("{s:s, s:s, s:b, s:b, s:O, s:O}", "type", "BPE", "unk_token", unk ? unk : "<unk>", "fuse_unk", 1, "byte_fallback", m->bytes,
                                   "vocab", vocab, "merges", merges_by_score(a, m, &ranks)));
    }
    return owned(a, json_pack("{s:s, s:O, s:O, s:n, s:O, s:O, s:O}", "version", "1.0", "added_tokens", added, "normalizer", normalizer(a, m, ranks),
                              "pre_tokenizer", "post_processor", template(a, m, bos), "decoder", decoder(a, m), "model", model));
}

/* ---- llama2.c's tokenizer.bin: longest length; then score, length, bytes of each piece; ids 0 <unk>, 1 BOS, 2 EOS, 3 … 258 bytes ---- */
static bool cut_short(hn_arena *a, const char *where, int64_t at) {
    return HN_FAIL(a, HONE_E_MODEL, .what = "the file ends inside of a piece, or says a wrong length", .where = hn_fmt(a, "%s: offset %lld", where, (long long)at),
                   .hint = "the file was not copied whole, or is no vocabulary of this kind");
}

static hn_bytes visible(hn_arena *a, hn_bytes t) { /* blanks as SentencePiece writes them */
    hn_buf b = { 0 };
    for (int64_t i = 0; i < t.n; i++) hn_buf_put(a, &b, t.p[i] == ' ' ? MARK : (const char *)t.p + i, t.p[i] == ' ' ? 3 : 1);
    return (hn_bytes){ (const uint8_t *)hn_buf_str(a, &b), b.n };
}

json_t *hn_llama2c_tokenizer(hn_arena *a, const char *where, hn_bytes file, int64_t vocab) {
    static const char *const first[] = { "<unk>", "<s>", "</s>" };
    HN_VEC(hn_bytes) piece = { 0 };
    HN_VEC(int32_t) type = { 0 };
    HN_VEC(float) score = { 0 };
    for (int64_t at = 4; at < file.n || at == 4;) {
        float s;
        int32_t n;
        if (file.n - at < 8) return (void)cut_short(a, where, at), NULL;
        memcpy(&s, file.p + at, 4);
        memcpy(&n, file.p + at + 4, 4);
        at += 8;
        if (n < 0 || n > file.n - at || s != s) return (void)cut_short(a, where, at - 4), NULL;
        int64_t id = piece.n;
        hn_bytes t = { file.p + at, n };
        hn_push(a, &piece, id < HN_LEN(first) ? (hn_bytes){ (const uint8_t *)first[id], (int64_t)strlen(first[id]) } : visible(a, t));
        hn_push(a, &type, id == 0 ? HN_SPM_UNKNOWN : id < 3 ? HN_SPM_CONTROL : id < 259 ? HN_SPM_BYTE : HN_SPM_NORMAL);
        hn_push(a, &score, s);
        at += n;
    }
    if (vocab && piece.n != vocab)
        return (void)HN_FAIL(a, HONE_E_MODEL, .what = "the vocabulary does not fit the model", .where = where, .wanted = hn_fmt(a, "%lld pieces", (long long)vocab),
                             .found = hn_fmt(a, "%lld", (long long)piece.n)), NULL;
    for (int64_t id = 3; id < HN_MIN(piece.n, 259); id++)
        if (hn_byte_token(hn_strndup(a, (const char *)piece.v[id].p, piece.v[id].n)) != id - 3)
            return (void)HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "piece %lld is not the byte that stands there in a llama2.c vocabulary", (long long)id),
                                 .where = where, .wanted = hn_fmt(a, "<0x%02X>", (unsigned)(id - 3))), NULL;
    return hn_spm_json(a, where, &(hn_spm){ .piece = piece.v, .type = type.v, .score = score.v, .n = piece.n, .bytes = true, .adds_bos = true,
                                            .bos = 1, .unk = 0, .adds_unknown = true });
}

/* ---- tokenizer.model ---- */
typedef struct { hn_arena *a; const char *where; const uint8_t *p; int64_t n, at, base; } proto;
typedef struct { int field, wire; uint64_t number; hn_bytes bytes; } value;

static bool broken(const proto *c, const char *what) {
    return HN_FAIL(c->a, HONE_E_MODEL, .what = what, .where = hn_fmt(c->a, "%s: offset %lld", c->where, (long long)(c->base + c->at)),
                   .hint = "the file was not copied whole, or is no SentencePiece model");
}
static bool varint(proto *c, uint64_t *out) {
    *out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (c->at >= c->n) return broken(c, "the file ends inside of a number");
        uint8_t byte = c->p[c->at++];
        *out |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) return true;
    }
    return broken(c, "a number has more than ten bytes");
}
static bool next(proto *c, value *v) {
    uint64_t tag, n;
    if (!varint(c, &tag)) return false;
    *v = (value){ .field = tag >> 3 > 1 << 20 ? -1 : (int)(tag >> 3), .wire = (int)(tag & 7) };
    if (v->wire == 0) return varint(c, &v->number);
    int64_t size = v->wire == 5 ? 4 : v->wire == 1 ? 8 : 0;
    if (v->wire == 2) {
        if (!varint(c, &n)) return false;
        if (n > (uint64_t)(c->n - c->at)) return broken(c, "a field is longer than the file");
        size = (int64_t)n;
    } else if (!size || size > c->n - c->at) return broken(c, "a field of an unknown kind, or cut short");
    v->bytes = (hn_bytes){ c->p + c->at, size };
    if (v->wire == 5) memcpy(&v->number, v->bytes.p, 4);
    c->at += size;
    return true;
}
static proto inside(const proto *c, const value *v) {
    return (proto){ c->a, c->where, v->bytes.p, v->bytes.n, 0, c->base + (v->bytes.p - c->p) };
}
static bool is_number(const value *v) { return v->wire == 0 && v->number <= INT32_MAX; }

typedef struct { hn_spm m; HN_VEC(hn_bytes) piece; HN_VEC(int32_t) type; HN_VEC(float) score; int64_t model; bool trainer, normalizer; } found;

static bool one_piece(proto c, found *f) {
    hn_bytes piece = { NULL, 0 };
    float score = 0;
    int32_t type = HN_SPM_NORMAL;
    for (value v; c.at < c.n;) {
        if (!next(&c, &v)) return false;
        if (v.field == 1 && v.wire == 2) piece = v.bytes;
        if (v.field == 2 && v.wire == 5) memcpy(&score, &v.number, 4);
        if (v.field == 3 && is_number(&v)) type = (int32_t)v.number;
    }
    if (score != score) return broken(&c, "a score is not a number");
    hn_push(c.a, &f->piece, piece);
    hn_push(c.a, &f->type, type);
    hn_push(c.a, &f->score, score);
    return true;
}
static bool trainer(proto c, found *f) {
    for (value v; c.at < c.n;) {
        if (!next(&c, &v)) return false;
        int64_t n = v.wire == 0 && (int64_t)v.number >= 0 && v.number <= INT32_MAX ? (int64_t)v.number : -1;
        if (v.field == 3 && n >= 0) f->model = n;
        if (v.field == 24) f->m.behind = n > 0;
        if (v.field == 35) f->m.bytes = n > 0;
        if (v.field == 41) f->m.bos = (int32_t)n;
    }
    return true;
}
static bool normal(proto c, found *f) {
    for (value v; c.at < c.n;) {
        if (!next(&c, &v)) return false;
        if (v.field == 2 && v.wire == 2) f->m.charsmap = v.bytes;
        if (v.field == 3) f->m.no_prefix = !v.number;
        if (v.field == 4) f->m.squeezes = v.number != 0;
        if (v.field == 5) f->m.bare = !v.number;
    }
    return true;
}

json_t *hn_spm_tokenizer(hn_arena *a, const char *where, hn_bytes file) {
    proto c = { a, where, file.p, file.n, 0, 0 };
    found f = { .model = 1, .m = { .unk = -1, .bos = 1, .squeezes = true, .exact = true } };
    for (value v; c.at < c.n;) {
        if (!next(&c, &v)) return NULL;
        if (v.wire != 2) continue;
        if (v.field == 1 ? !one_piece(inside(&c, &v), &f) : v.field == 2 ? !trainer(inside(&c, &v), &f) : v.field == 3 && !normal(inside(&c, &v), &f))
            return NULL;
        f.trainer |= v.field == 2;
        f.normalizer |= v.field == 3;
    }
    /* Both stand behind the pieces, always: without them the kind would be guessed, and a file cut between two pieces taken for whole. */
    if (f.piece.n && (!f.trainer || !f.normalizer)) return (void)broken(&c, "the file ends behind its pieces: how to cut text is not said"), NULL;
    if (!f.piece.n) return (void)broken(&c, "the file has no pieces"), NULL;
    if (f.model != 1 && f.model != 2)
        return (void)HN_FAIL(a, HONE_E_MODEL, .what = "this kind of SentencePiece model is not known here", .where = where, .wanted = "Unigram or BPE",
                             .found = f.model == 3 ? "Word" : f.model == 4 ? "Char" : hn_fmt(a, "model_type %lld", (long long)f.model)), NULL;
    f.m.piece = f.piece.v, f.m.type = f.type.v, f.m.score = f.score.v, f.m.n = f.piece.n;
    f.m.unigram = f.model == 1;
    f.m.adds_bos = !f.m.unigram && f.m.bos >= 0 && f.m.bos < f.m.n;
    for (int64_t i = 0; i < f.m.n && f.m.unk < 0; i++)
        if (f.m.type[i] == HN_SPM_UNKNOWN) f.m.unk = (int32_t)i;
    return hn_spm_json(a, where, &f.m);
}
