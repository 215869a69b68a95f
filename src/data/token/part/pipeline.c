/* pipeline.c - a tokenizer.json put together: added tokens are cut out, what lies between becomes words, words become ids.
 *
 * Bytes that are no UTF-8, which `tokenizers` never sees, go to the model as words of their own. What a file asks for and is not
 * known here is refused by name when it is read, so a tokenizer that loads gives the ids that its authors meant. */
#include "data/token/part/part.h"
#include <ctype.h>

/* ---- loading ---- */
static int32_t id_of_text(const hn_pipeline *pipe, const hn_vocab *vocab, const char *text) {
    for (int64_t i = 0; text && i < pipe->list.n; i++)
        if (!strcmp((const char *)pipe->list.v[i].text.p, text)) return pipe->list.v[i].id;
    for (int64_t id = 0; text && id < vocab->n; id++)
        if (vocab->key[id] && !strcmp(vocab->key[id], text)) return (int32_t)id;
    return -1;
}

/* The first and last tokens that a template puts around one text. */
static void template_ends(const json_t *v, const char **first, const char **last) {
    const json_t *single = json_object_get(v, "single");
    bool seen = false;
    for (size_t i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i);
        const char *special = json_string_value(json_object_get(json_object_get(item, "SpecialToken"), "id"));
        if (json_object_get(item, "Sequence")) seen = true;
        else if (special && !seen && !*first) *first = special;
        else if (special && seen && !*last) *last = special;
    }
}

static bool post(hn_arena *a, const json_t *v, const char *where, int depth, const char **first, const char **last) {
    const char *type = json_string_value(json_object_get(v, "type"));
    if (!v || json_is_null(v) || (type && !strcmp(type, "ByteLevel"))) return true;
    if (type && !strcmp(type, "TemplateProcessing")) return template_ends(v, first, last), true;
    if (type && (!strcmp(type, "BertProcessing") || !strcmp(type, "RobertaProcessing"))) {
        *first = json_string_value(json_array_get(json_object_get(v, "cls"), 0));
        *last = json_string_value(json_array_get(json_object_get(v, "sep"), 0));
        return true;
    }
    if (!type || strcmp(type, "Sequence") || depth > 8)
        return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "post_processor \"%.40s\" is not known here", type ? type : "without a type"),
                       .where = where, .wanted = "Sequence, ByteLevel, TemplateProcessing, BertProcessing or RobertaProcessing");
    const json_t *list = json_object_get(v, "processors");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!post(a, json_array_get(list, i), where, depth + 1, first, last)) return false;
    return true;
}

/* A file without a template still has a token that ends texts, known by its name. */
static int32_t end_by_name(const hn_pipeline *pipe) {
    static const char *const names[] = { "<|endoftext|>", "</s>", "<|end_of_text|>", "<eos>", "<|im_end|>" };
    for (int64_t k = 0; k < HN_LEN(names); k++)
        for (int64_t i = 0; i < pipe->list.n; i++)
            if (!strcmp((const char *)pipe->list.v[i].text.p, names[k])) return pipe->list.v[i].id;
    return -1;
}

static void fill_pieces(hn_arena *a, hn_tokenizer *t, const hn_pipeline *pipe, const hn_vocab *vocab) {
    t->vocab = vocab->n;
    t->pieces = hn_new_n(a, hn_bytes, vocab->n);
    t->bare_start = pipe->decoder.bare_start;
    for (int64_t id = 0; id < vocab->n; id++) {
        const char *key = vocab->key[id] ? vocab->key[id] : "";
        int64_t n = (int64_t)strlen(key), m;
        uint8_t *bytes = hn_new_n(a, uint8_t, n);
        if (pipe->words.bytes && hn_unshow_bytes(key, n, bytes, &m)) t->pieces[id] = (hn_bytes){ bytes, m };
        else t->pieces[id] = vocab->key[id] ? hn_decoder_piece(a, &pipe->decoder, key) : (hn_bytes){ bytes, 0 };
    }
    for (int64_t i = 0; pipe->words.bytes && i < pipe->list.n; i++) t->pieces[pipe->list.v[i].id] = pipe->list.v[i].text;   /* in clear */
}

/* ---- cutting long texts: at a line end between two visible ASCII signs, where all parts are known to look no further ---- */
static bool looks_no_further(const hn_pipeline *pipe) {
    for (int64_t i = 0; i < pipe->changes.n; i++)
        if (pipe->changes.change[i].kind > HN_BERT) return false;
    const hn_words *w = &pipe->words;
    bool lines = w->n == 1 && w->step[0].pattern && !w->step[0].invert && !w->step[0].prefix && !w->step[0].space &&
                 hn_pattern_ends_lines(w->step[0].pattern) && w->step[0].how == HN_SPLIT_ISOLATED;
    bool spaces = w->n && w->step[0].pattern && hn_pattern_is_space(w->step[0].pattern) && w->step[0].how <= HN_SPLIT_ISOLATED && !w->step[0].invert &&
                  !w->step[0].prefix && !w->step[0].space;
    for (int64_t i = 1; spaces && i < w->n; i++) spaces = !w->step[i].prefix_first_only;
    return lines || spaces;
}

/* Signs that added tokens begin or end with, in either case, so that none, nor the blanks it takes with it, reaches over a cut; with
 * white space inside: never. */
void hn_pipeline_borders(hn_pipeline *pipe) {
    pipe->cuts = looks_no_further(pipe);
    for (int64_t i = 0; i < pipe->list.n; i++) {
        hn_bytes t = pipe->list.v[i].text;
        for (int k = 0; k < 4; k++) {
            uint8_t sign = k & 1 ? t.p[t.n - 1] : t.p[0];
            pipe->border[k & 2 ? toupper(sign) : tolower(sign)] = true;
        }
        for (int64_t k = 0; k < t.n; k++)
            if (t.p[k] <= ' ') pipe->cuts = false;
    }
}

int64_t hn_pipeline_cut(const hn_pipeline *pipe, const uint8_t *p, int64_t n, int64_t from) {
    for (int64_t i = HN_MAX(from, 2); pipe->cuts && i < n; i++) {
        const uint8_t *end = memchr(p + i - 1, '\n', (size_t)(n - i));
        if (!end) break;
        i = end - p + 1;
        uint8_t x = p[i - 2], y = p[i];
        if (x > ' ' && x < 0x7F && y > ' ' && y < 0x7F && !pipe->border[x] && !pipe->border[y]) return i;
    }
    return n;
}

bool hn_pipeline_load(hn_arena *a, hn_tokenizer *t, json_t *root, const char *where, hn_vocab *vocab, hn_pipeline *out) {
    const char *first = NULL, *last = NULL, *unk = json_string_value(json_object_get(json_object_get(root, "model"), "unk_token"));
    *out = (hn_pipeline){ .root = root };
    if (!hn_changes_load(a, json_object_get(root, "normalizer"), where, &out->changes) ||
        !hn_decoder_load(a, json_object_get(root, "decoder"), where, &out->decoder))
        return false;
    if (!hn_words_load(a, json_object_get(root, "pre_tokenizer"), where, &out->words) ||
        !hn_added_load(a, json_object_get(root, "added_tokens"), where, &out->list) ||
        !hn_vocab_load(a, root, where, &out->list, vocab) ||
        !post(a, json_object_get(root, "post_processor"), where, 0, &first, &last))
        return false;
    if (out->changes.n && out->changes.change[0].kind == HN_SENTENCEPIECE) {
        out->spm = json_object_get(json_object_get(root, "normalizer"), "sentencepiece");
        out->controls.v = hn_new_n(a, hn_added_token, out->list.n);
        for (int64_t i = 0; i < out->list.n; i++)
            if (out->list.v[i].special) out->controls.v[out->controls.n++] = out->list.v[i];
        out->raw = hn_added_new(a, &out->controls, false);
    } else {
        out->raw = hn_added_new(a, &out->list, false);
        out->normal = hn_added_new(a, &out->list, true);
    }
    fill_pieces(a, t, out, vocab);
    t->bos = id_of_text(out, vocab, first);
    t->eos = id_of_text(out, vocab, last);
    t->unk = id_of_text(out, vocab, unk);
    if (t->eos < 0) t->eos = end_by_name(out);
    hn_pipeline_borders(out);
    return true;
}

/* ---- encoding ---- */
hn_work *hn_work_new(hn_arena *a, const hn_tokenizer *t, const hn_pipeline *pipe) {
    hn_work *w = hn_new(a, hn_work);
    *w = (hn_work){ .a = a, .t = t, .pipe = pipe, .matcher = hn_matcher_new(a) };
    w->scratch = hn_arena_new(a);
    return w;
}

/* Valid text, normalized; added tokens that are searched in such text are cut out, the rest goes to the words. */
static bool text(hn_work *w, hn_bytes s, bool first) {
    int64_t at = 0, start, end;
    int32_t id;
    s = hn_changes_apply(&w->pipe->changes, w, s);
    while (w->pipe->normal && hn_added_find(w->pipe->normal, s.p, s.n, at, &start, &end, &id)) {
        if (start > at && !hn_words_cut(&w->pipe->words, w, s.p + at, start - at, first && at == 0, w->pipe->word)) return false;
        hn_work_put(w, id);
        at = end;
    }
    return at == s.n || hn_words_cut(&w->pipe->words, w, s.p + at, s.n - at, first && at == 0, w->pipe->word);
}

/* Valid text on its way, other bytes to the model as they are. SentencePiece's normalizer takes all. */
static bool between(hn_work *w, const uint8_t *p, int64_t n, bool first) {
    if (w->pipe->spm) return text(w, (hn_bytes){ p, n }, first);
    for (int64_t at = 0, good; at < n;) {
        if (hn_utf8_valid(p + at, n - at, &good)) good = n - at;
        if (good && !text(w, (hn_bytes){ p + at, good }, first && at == 0)) return false;
        at += good;
        int64_t bad = at + (at < n);
        for (uint32_t cp; bad < n && p[bad] >= 0x80 && hn_utf8_next(p + bad, n - bad, &cp) == 1;) bad++;
        if (bad > at && !w->pipe->word(w, p + at, bad - at)) return false;
        at = bad;
    }
    return true;
}

bool hn_pipeline_encode(hn_work *w, hn_arena *a, const uint8_t *p, int64_t n, hn_ids *out) {
    int64_t at = 0, start, end, had = out->n;
    int32_t id;
    bool ok = true;
    const hn_added *raw = w->pipe->spm && !w->t->marked ? NULL : w->pipe->raw;
    w->out = out;
    w->out_arena = a;
    while (ok && raw && hn_added_find(raw, p, n, at, &start, &end, &id)) {
        ok = start == at || between(w, p + at, start - at, at == 0);
        hn_work_put(w, id);
        at = end;
    }
    ok = ok && (at == n || between(w, p + at, n - at, at == 0));
    if (!ok) out->n = had;
    hn_arena_reset(w->scratch);
    return ok;
}
