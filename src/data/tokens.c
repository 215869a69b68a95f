/* tokens.c - text as one long row of ids, with the spans that pieces of text have become; in memory or as a mapped file.
 *
 * The file, little endian, all parts aligned to their numbers:
 *     0  "HONETOK1"           8  u32 version 1        12  u32 width of an id, 2 or 4
 *    16  i64 vocabulary      24  i64 tokens n         32  i64 spans k          40  i64 bytes of text
 *    48  u64 tokenizer hash  56  u64 XXH3 of all that follows the header       64  u64 XXH3 of bytes 0…63     72  u64 zero
 *    80  k spans: i64 start, i64 tokens, i64 bytes, i64 document               then n ids of `width` bytes
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
    uint64_t tokenizer_hash, payload_hash, header_hash, zero;
} header;
typedef struct file_span { int64_t start, n, bytes, doc; } file_span;
_Static_assert(sizeof(header) == HEADER && sizeof(file_span) == SPAN, "layout of the file");

static uint64_t payload_hash(const void *spans, int64_t n_spans, const void *ids, int64_t id_bytes) {
    return hn_hash(ids, id_bytes, hn_hash(spans, n_spans * SPAN, 0));
}

static file_span *spans_out(hn_arena *a, const hn_tokens *t) {
    file_span *v = hn_new_n(a, file_span, t->n_spans);
    for (int64_t i = 0; i < t->n_spans; i++) v[i] = (file_span){ t->spans[i].start, t->spans[i].n, t->spans[i].bytes, t->spans[i].doc };
    return v;
}

bool hn_tokens_make(hn_arena *a, const hn_tokenizer *t, const hn_corpus *c, const hn_split *s, bool held_out, hn_tokens *out) {
    hn_arena *scratch = hn_arena_new(a);
    HN_VEC(uint16_t) narrow = { 0 };
    HN_VEC(hn_span) spans = { 0 };
    hn_ids wide = { 0 }, piece_ids = { 0 };
    bool is_wide = t->vocab > UINT16_MAX + 1;
    hn_ids *ids = is_wide ? &wide : &piece_ids;
    hn_encoder encoder = hn_encoder_new(scratch, t);
    *out = (hn_tokens){ .width = is_wide ? 4 : 2, .vocab = t->vocab };
    for (int64_t i = 0; i < s->n; i++) {
        const hn_piece *p = &s->v[i];
        if (p->held_out != held_out) continue;
        if (!is_wide) piece_ids.n = 0;
        int64_t before = ids->n;
        if (!hn_encoder_put(&encoder, is_wide ? a : scratch, c->text.p + p->start, p->bytes, ids)) return false;
        int64_t n = ids->n - before;
        if (!is_wide) {
            hn_vec_grow(a, &narrow, n);
            for (int64_t k = 0; k < n; k++) narrow.v[narrow.n++] = (uint16_t)piece_ids.v[k];
        }
        hn_push(a, &spans, (hn_span){ out->n, n, p->bytes, p->doc });
        out->n += n;
        out->bytes += p->bytes;
    }
    out->ids = is_wide ? (const void *)wide.v : narrow.v;
    out->spans = spans.v;
    out->n_spans = spans.n;
    out->hash = payload_hash(spans_out(scratch, out), out->n_spans, out->n ? out->ids : "", out->n * out->width);
    hn_arena_free(scratch);
    return true;
}

bool hn_tokens_save(hn_arena *a, const hn_tokens *t, uint64_t tokenizer_hash, const char *path) {
    hn_arena *s = hn_arena_new(a);
    file_span *spans = spans_out(s, t);
    header h = { .version = VERSION, .width = (uint32_t)t->width, .vocab = t->vocab, .n = t->n, .n_spans = t->n_spans, .bytes = t->bytes,
                 .tokenizer_hash = tokenizer_hash, .payload_hash = payload_hash(spans, t->n_spans, t->n ? t->ids : "", t->n * t->width) };
    memcpy(h.magic, magic, sizeof magic);
    h.header_hash = hn_hash(&h, offsetof(header, header_hash), 0);
    hn_writer *w = hn_writer_open(s, path);
    bool ok = w && hn_write(w, &h, sizeof h) && hn_write(w, spans, t->n_spans * SPAN) && hn_write(w, t->ids, t->n * t->width) &&
              hn_writer_commit(w);
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
    if (h->n < 0 || h->n_spans < 0 || h->n > rest / (int64_t)h->width || h->n_spans > rest / SPAN) return false;
    return h->n_spans * SPAN + h->n * (int64_t)h->width == rest;
}

bool hn_tokens_parse(hn_arena *a, const char *where, hn_bytes file, hn_tokens *out) {
    header h;
    if (file.n < HEADER || memcmp(file.p, magic, sizeof magic) != 0) return bad(a, where, 0, "this is not a token file");
    memcpy(&h, file.p, sizeof h);
    if (h.version != VERSION)
        return bad(a, where, 8, hn_fmt(a, "token file of version %u; this program reads version %d", (unsigned)h.version, VERSION));
    if (h.header_hash != hn_hash(&h, offsetof(header, header_hash), 0)) return bad(a, where, 64, "the header's checksum is wrong");
    if (h.width != 2 && h.width != 4) return bad(a, where, 12, "ids must be 2 or 4 bytes wide");
    if (h.vocab < 1 || h.vocab > (h.width == 2 ? UINT16_MAX + 1 : INT32_MAX))
        return bad(a, where, 16, "the vocabulary's size is impossible");
    if (!sizes_fit(&h, file.n))
        return bad(a, where, 24,
                   hn_fmt(a, "the header speaks of %lld tokens in %lld spans, but the file has %lld bytes", (long long)h.n,
                          (long long)h.n_spans, (long long)file.n));
    const uint8_t *spans = file.p + HEADER, *ids = spans + h.n_spans * SPAN;
    if (h.payload_hash != payload_hash(spans, h.n_spans, ids, h.n * h.width))
        return bad(a, where, HEADER, "the checksum of the contents is wrong");
    *out = (hn_tokens){ .ids = ids,
                        .width = (int)h.width,
                        .n = h.n,
                        .vocab = h.vocab,
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
    return true;
}

bool hn_tokens_map(hn_arena *a, const char *path, hn_tokens *out) {
    hn_bytes file;
    return hn_file_map(a, path, &file) && hn_tokens_parse(a, path, file, out);
}
