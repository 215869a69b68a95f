/* tokens.c - text as one long row of ids, with the spans that pieces of text have become; in memory or as a mapped file.
 *
 * The file, little endian, all parts aligned to their numbers:
 *     0  "HONETOK1"           8  u32 version 1        12  u32 width of an id, 2 or 4
 *    16  i64 vocabulary      24  i64 tokens n         32  i64 spans k          40  i64 bytes of text
 *    48  u64 tokenizer hash  56  u64 XXH3 of all that follows the header       64  u64 XXH3 of bytes 0…63     72  u64 1 with a mask, else 0
 *    80  k spans: i64 start, i64 tokens, i64 bytes, i64 document               then n ids of `width` bytes, then the mask: n bytes 0 or 1
 * A reader believes nothing: the length follows from n, k and width, both hashes, that spans follow each other without a hole and
 * that each id is below the vocabulary are checked before anything is used; nothing is allocated by a number from the file. */
#include "data/data.h"

enum { HEADER = 80, SPAN = 32, VERSION = 1 };
static const char magic[8] = "HONETOK1";
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "token files are mapped as they lie");

typedef struct header {
    char magic[8];
    uint32_t version, width;
    int64_t vocab, n, n_spans, bytes;
    uint64_t tokenizer_hash, payload_hash, header_hash, masked;
} header;
typedef struct file_span { int64_t start, n, bytes, doc; } file_span;
_Static_assert(sizeof(header) == HEADER && sizeof(file_span) == SPAN, "layout of the file");

static uint64_t payload_hash(const void *spans, int64_t n_spans, const void *ids, int64_t id_bytes, const uint8_t *learn, int64_t n) {
    uint64_t h = hn_hash(ids, id_bytes, hn_hash(spans, n_spans * SPAN, 0));
    return learn ? hn_hash(learn, n, h) : h;
}

static file_span *spans_out(hn_arena *a, const hn_tokens *t) {
    file_span *v = hn_new_n(a, file_span, t->n_spans);
    for (int64_t i = 0; i < t->n_spans; i++) v[i] = (file_span){ t->spans[i].start, t->spans[i].n, t->spans[i].bytes, t->spans[i].doc };
    return v;
}

/* ---- text to ids ---- */

/* Which tokens of a sample are to be learned: those that share a byte with one of its ranges. Where the ids give back the text byte by
 * byte, their pieces tell where each lies; a blank that the tokenizer put before a piece is passed over. Where they do not (a tokenizer
 * that changes the text), a range goes from the ids that the text before it begins with too to those that the text up to its end does. */
typedef struct marker {
    hn_arena *a;                 /* scratch */
    const hn_encoder *e;
    const uint8_t *text;
    int64_t bytes;
    const int32_t *ids;
    int64_t n;
    uint8_t *learn;              /* (n), zero */
} marker;

/* Where token i, which begins at `at`, ends; −1: the text is another one there. */
static int64_t token_end(const marker *k, int64_t i, int64_t at) {
    hn_bytes p = k->e->t->pieces[k->ids[i]];
    if (k->e->t->bare_start && p.n && p.p[0] == ' ' && at < k->bytes && k->text[at] != ' ') p.p++, p.n--;
    return p.n <= k->bytes - at && !memcmp(p.p, k->text + at, (size_t)p.n) ? at + p.n : -1;
}

static bool mark_by_place(const marker *k, const hn_range *own, int64_t n_own) {
    int64_t at = 0, r = 0;
    for (int64_t i = 0; i < k->n; i++) {
        int64_t end = token_end(k, i, at);
        if (end < 0) return false;
        while (r < n_own && own[r].start + own[r].bytes <= at) r++;
        k->learn[i] = r < n_own && own[r].start < end;
        at = end;
    }
    return at == k->bytes;
}

static bool common(const marker *k, int64_t bytes, int64_t *out) {
    hn_ids ids = { 0 };
    if (!hn_encoder_put(k->e, k->a, k->text, bytes, &ids)) return false;
    for (*out = 0; *out < ids.n && *out < k->n && ids.v[*out] == k->ids[*out]; ++*out) {}
    return true;
}

static bool mark(const marker *k, const hn_range *own, int64_t n_own) {
    if (mark_by_place(k, own, n_own)) return true;
    memset(k->learn, 0, (size_t)k->n);
    for (int64_t r = 0; r < n_own; r++) {
        int64_t from, to = k->n, end = own[r].start + own[r].bytes;
        if (!common(k, own[r].start, &from) || (end < k->bytes && !common(k, end, &to))) return false;
        for (int64_t i = from; i < to; i++) k->learn[i] = 1;
    }
    return true;
}

enum { BATCH_BYTES = 16 << 20 };  /* of text encoded at once; ids of two bytes wait as four meanwhile */
typedef struct maker {
    hn_arena *a, *scratch;
    const hn_tokenizer *t;
    hn_encoder encoder;          /* for what `mark` asks again */
    const hn_corpus *c;
    hn_ids wide, some;           /* ids of 4 bytes; or those of one piece, on their way to 2 */
    HN_VEC(uint16_t) narrow;
    HN_VEC(uint8_t) learn;
    HN_VEC(hn_span) spans;
    hn_tokens *out;
} maker;

static bool add_piece(maker *k, const hn_piece *p, const int32_t *made, int64_t n_made) {
    const hn_doc *d = &k->c->docs[p->doc];
    bool is_wide = k->out->width == 4, first = p->start == d->start, last = p->start + p->bytes == d->start + d->bytes;
    hn_ids *ids = is_wide ? &k->wide : &k->some;
    hn_arena *a = is_wide ? k->a : k->scratch;
    if (!is_wide) k->some.n = 0;
    int64_t before = ids->n, bos = first && (d->ends & HN_END_BOS) && k->t->bos >= 0, eos = last && (d->ends & HN_END_EOS) && k->t->eos >= 0;
    if (bos) hn_push(a, ids, k->t->bos);
    hn_vec_grow(a, ids, n_made);
    if (n_made) memcpy(ids->v + ids->n, made, (size_t)n_made * sizeof *made);
    ids->n += n_made;
    if (eos) hn_push(a, ids, k->t->eos);
    int64_t n = ids->n - before;
    if (!is_wide) {
        hn_vec_grow(k->a, &k->narrow, n);
        for (int64_t i = 0; i < n; i++) k->narrow.v[k->narrow.n++] = (uint16_t)ids->v[i];
    }
    if (k->c->n_samples) {
        hn_vec_grow(k->a, &k->learn, n);
        uint8_t *learn = k->learn.v + k->learn.n;
        memset(learn, !d->sample, (size_t)n);
        marker m = { k->scratch, &k->encoder, k->c->text.p + p->start, p->bytes, ids->v + before + bos, n - bos - eos, learn + bos };
        if (d->sample && !mark(&m, k->c->own + d->own, d->n_own)) return false;
        if (d->sample && eos) learn[n - 1] = 1;
        k->learn.n += n;
    }
    hn_push(k->a, &k->spans, (hn_span){ k->out->n, n, p->bytes, d->sample ? d->first : p->doc });
    k->out->n += n;
    k->out->bytes += p->bytes;
    return true;
}

static bool add_batch(maker *k, const hn_split *s, bool held_out, int64_t from, int64_t *next) {
    hn_arena *batch = hn_arena_new(k->scratch);
    HN_VEC(hn_bytes) text = { 0 };
    hn_ids ids = { 0 };
    int64_t i = from, bytes = 0;
    for (; i < s->n && bytes < BATCH_BYTES; i++) {
        if (s->v[i].held_out != held_out) continue;
        hn_push(batch, &text, (hn_bytes){ k->c->text.p + s->v[i].start, s->v[i].bytes });
        bytes += s->v[i].bytes;
    }
    int64_t *ends = hn_new_n(batch, int64_t, text.n), at = 0, done = 0;
    bool ok = hn_encode_many(batch, k->t, text.v, text.n, &ids, ends);
    for (int64_t j = from; ok && j < i; j++) {
        if (s->v[j].held_out != held_out) continue;
        ok = add_piece(k, &s->v[j], ids.v + at, ends[done] - at);
        at = ends[done++];
    }
    *next = i;
    hn_arena_free(batch);
    return ok;
}

bool hn_tokens_make(hn_arena *a, const hn_tokenizer *t, const hn_corpus *c, const hn_split *s, bool held_out, hn_tokens *out) {
    hn_arena *scratch = hn_arena_new(a);
    maker k = { .a = a, .scratch = scratch, .t = t, .encoder = hn_encoder_new(scratch, t), .c = c, .out = out };
    *out = (hn_tokens){ .width = t->vocab > UINT16_MAX + 1 ? 4 : 2, .vocab = t->vocab };
    for (int64_t i = 0, next; i < s->n; i = next)
        if (!add_batch(&k, s, held_out, i, &next)) return false;
    out->ids = out->width == 4 ? (const void *)k.wide.v : k.narrow.v;
    out->learn = c->n_samples ? k.learn.v : NULL;
    out->spans = k.spans.v;
    out->n_spans = k.spans.n;
    out->hash = payload_hash(spans_out(scratch, out), out->n_spans, out->n ? out->ids : "", out->n * out->width, out->learn, out->n);
    hn_arena_free(scratch);
    return true;
}

bool hn_tokens_save(hn_arena *a, const hn_tokens *t, uint64_t tokenizer_hash, const char *path) {
    hn_arena *s = hn_arena_new(a);
    file_span *spans = spans_out(s, t);
    header h = { .version = VERSION, .width = (uint32_t)t->width, .vocab = t->vocab, .n = t->n, .n_spans = t->n_spans, .bytes = t->bytes,
                 .tokenizer_hash = tokenizer_hash, .masked = t->learn != NULL,
                 .payload_hash = payload_hash(spans, t->n_spans, t->n ? t->ids : "", t->n * t->width, t->learn, t->n) };
    memcpy(h.magic, magic, sizeof magic);
    h.header_hash = hn_hash(&h, offsetof(header, header_hash), 0);
    hn_writer *w = hn_writer_open(s, path);
    bool ok = w && hn_write(w, &h, sizeof h) && hn_write(w, spans, t->n_spans * SPAN) && hn_write(w, t->ids, t->n * t->width) &&
              (!t->learn || hn_write(w, t->learn, t->n)) && hn_writer_commit(w);
    hn_arena_free(s);
    return ok;
}

static bool bad(hn_arena *a, const char *where, int64_t offset, const char *what) {
    return HN_FAIL(a, HONE_E_MODEL, .what = what, .where = hn_fmt(a, "%s: offset %lld", where, (long long)offset),
                   .hint = "delete the file; it is made again");
}

/* n and k small enough that no product can overflow, then the exact length. */
static bool sizes_fit(const header *h, int64_t file_bytes) {
    int64_t rest = file_bytes - HEADER;
    int64_t each = (int64_t)h->width + (int64_t)h->masked;
    if (h->n < 0 || h->n_spans < 0 || h->n > rest / each || h->n_spans > rest / SPAN) return false;
    return h->n_spans * SPAN + h->n * each == rest;
}

bool hn_tokens_parse(hn_arena *a, const char *where, hn_bytes file, hn_tokens *out) {
    header h;
    if (file.n < HEADER || memcmp(file.p, magic, sizeof magic) != 0) return bad(a, where, 0, "this is not a token file");
    memcpy(&h, file.p, sizeof h);
    if (h.version != VERSION)
        return bad(a, where, 8, hn_fmt(a, "token file of version %u; this program reads version %d", (unsigned)h.version, VERSION));
    if (h.header_hash != hn_hash(&h, offsetof(header, header_hash), 0)) return bad(a, where, 64, "the header's checksum is wrong");
    if (h.width != 2 && h.width != 4) return bad(a, where, 12, "ids must be 2 or 4 bytes wide");
    if (h.masked > 1) return bad(a, where, 72, "a mark that is neither 0 nor 1");
    if (h.vocab < 1 || h.vocab > (h.width == 2 ? UINT16_MAX + 1 : INT32_MAX))
        return bad(a, where, 16, "the vocabulary's size is impossible");
    if (!sizes_fit(&h, file.n))
        return bad(a, where, 24,
                   hn_fmt(a, "the header speaks of %lld tokens in %lld spans, but the file has %lld bytes", (long long)h.n,
                          (long long)h.n_spans, (long long)file.n));
    const uint8_t *spans = file.p + HEADER, *ids = spans + h.n_spans * SPAN, *learn = h.masked ? ids + h.n * h.width : NULL;
    if (h.payload_hash != payload_hash(spans, h.n_spans, ids, h.n * h.width, learn, h.n))
        return bad(a, where, HEADER, "the checksum of the contents is wrong");
    *out = (hn_tokens){ .ids = ids,
                        .width = (int)h.width,
                        .n = h.n,
                        .vocab = h.vocab,
                        .learn = learn,
                        .n_spans = h.n_spans,
                        .bytes = h.bytes,
                        .hash = h.payload_hash,
                        .tokenizer_hash = h.tokenizer_hash,
                        .spans = hn_new_n(a, hn_span, h.n_spans) };
    int64_t at = 0, bytes = 0;
    for (int64_t i = 0; i < h.n_spans; i++) {
        file_span f;
        memcpy(&f, spans + i * SPAN, SPAN);
        if (f.start != at || f.n < 0 || f.n > h.n - at || f.bytes < 0 || f.bytes > h.bytes - bytes || f.doc < 0 || f.doc > INT32_MAX)
            return bad(a, where, HEADER + i * SPAN, "a span lies outside the tokens");
        out->spans[i] = (hn_span){ f.start, f.n, f.bytes, (int32_t)f.doc };
        at += f.n;
        bytes += f.bytes;
    }
    if (at != h.n || bytes != h.bytes) return bad(a, where, HEADER, "the spans do not add up to the tokens");
    for (int64_t i = 0; i < h.n; i++)
        if ((uint32_t)hn_token_at(out, i) >= h.vocab) return bad(a, where, ids - file.p + i * h.width, "a token is outside the vocabulary");
    for (int64_t i = 0; learn && i < h.n; i++)
        if (learn[i] > 1) return bad(a, where, learn - file.p + i, "the mask holds another number than 0 and 1");
    return true;
}

bool hn_tokens_map(hn_arena *a, const char *path, hn_tokens *out) {
    hn_bytes file;
    return hn_file_map(a, path, &file) && hn_tokens_parse(a, path, file, out);
}
