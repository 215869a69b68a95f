/* generate.c - continues a text token by token.
 *
 * Keys and values of what was read stay in the tape's cache, so a token costs one row through the model. When the context is full,
 * the last half of it is read again from position 0 and generation goes on: a model with learned positions knows no others, and
 * half leaves room for as many new tokens at once. A prompt longer than the context begins with its last `context` tokens.
 * Text comes out as valid UTF-8 only: bytes wait until their character is whole, bytes that are none become U+FFFD, and what might
 * be the beginning of a stop text waits until it is known. */
#include "model/model.h"
#include <math.h>

typedef bool (*piece_fn)(void *user, const char *piece, int64_t bytes);

/* ---- text that flows out ---- */
typedef struct {
    hn_arena *a;
    hn_buf text; /* valid UTF-8, up to where it is whole */
    uint8_t wait[4];
    int n_wait;   /* beginning of a character */
    int64_t told; /* bytes of text given to on_piece */
    const hone_sampling *s;
    piece_fn on_piece;
    void *user;
    bool stopped;
} flow;

/* Length of the character that p begins, if the bytes so far can begin one; 0: they cannot. */
static int char_length(const uint8_t *p, int n) {
    int want = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
    if (n > 1 &&
        ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)))
        return 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return want;
}

static void take_byte(flow *f, uint8_t b) {
    f->wait[f->n_wait++] = b;
    int want = char_length(f->wait, f->n_wait);
    if (!want) { /* what waited is no character; the byte itself may begin one */
        int lone = f->n_wait == 1;
        hn_buf_put(f->a, &f->text, "\xef\xbf\xbd", 3);
        f->n_wait = 0;
        if (!lone) take_byte(f, b);
    } else if (want == f->n_wait) {
        hn_buf_put(f->a, &f->text, f->wait, want);
        f->n_wait = 0;
    }
}

/* Cuts the text at the first stop text, which begins no earlier than what has not been told. */
static void look_for_stop(flow *f) {
    int64_t first = f->text.n;
    for (int64_t k = 0; k < f->s->n_stop; k++) {
        int64_t n = (int64_t)strlen(f->s->stop[k]);
        const char *at =
            n && f->text.n > f->told ? memmem(f->text.v + f->told, (size_t)(f->text.n - f->told), f->s->stop[k], (size_t)n) : NULL;
        if (at && at - f->text.v < first) {
            first = at - f->text.v;
            f->stopped = true;
        }
    }
    f->text.n = first;
}

/* Bytes at the end that may yet become a stop text. */
static int64_t held_back(const flow *f) {
    int64_t most = 0;
    for (int64_t k = 0; k < f->s->n_stop; k++)
        for (int64_t n = HN_MIN((int64_t)strlen(f->s->stop[k]) - 1, f->text.n - f->told); n > most; n--)
            if (!memcmp(f->text.v + f->text.n - n, f->s->stop[k], (size_t)n)) most = n;
    while (most && (f->text.v[f->text.n - most] & 0xc0) == 0x80) most++; /* a stop text that begins inside of a character */
    return most;
}

static void tell(flow *f, bool last) {
    look_for_stop(f);
    int64_t upto = f->text.n - (last || f->stopped ? 0 : held_back(f));
    if (upto > f->told && f->on_piece && !f->on_piece(f->user, f->text.v + f->told, upto - f->told)) f->stopped = true;
    f->told = HN_MAX(f->told, upto);
}

static void finish(flow *f) {
    if (f->n_wait && !f->stopped) hn_buf_put(f->a, &f->text, "\xef\xbf\xbd", 3);
    tell(f, true);
}

/* ---- tokens ---- */
typedef struct {
    hone_job *job;
    hone_model *m;
    const char *prompt;
    const hone_sampling *s;
    piece_fn on_piece;
    void *user;
    hone_generation *out;
    hone_tape *tape;
} call;

/* Logits after the last of ids, reading only what the cache lacks. */
static bool next_logits(hone_tape *t, hone_model *m, const hn_ids *ids, float *out) {
    int64_t cached = hone_tape_cache_length(t), fresh = cached ? 1 : HN_MIN(ids->n, m->context);
    if (cached + fresh > m->context) {
        fresh = HN_MAX(m->context / 2, 1);
        hone_tape_cache_reset(t, 0);
    }
    return hn_model_logits(t, m, ids->v + ids->n - fresh, 1, fresh, false, out);
}

static bool check(hn_arena *a, const hone_sampling *s) {
    const struct {
        const char *name;
        double value, max;
    } v[] = {{"temperature", s->temperature, 1e6},
             {"top_p", s->top_p, 1},
             {"min_p", s->min_p, 1},
             {"top_k", (double)s->top_k, 1e18},
             {"max_tokens", (double)s->max_tokens, 1e15}};
    for (int64_t i = 0; i < HN_LEN(v); i++)
        if (!(v[i].value >= 0 && v[i].value <= v[i].max))
            return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "%s cannot be %g", v[i].name, v[i].value),
                           .wanted = hn_fmt(a, "0 … %g", v[i].max));
    return true;
}

static bool prompt_ids(hn_arena *a, const hone_model *m, const char *prompt, hn_ids *ids) {
    if (!m->tok)
        return HN_FAIL(a, HONE_E_MODEL, .what = "the model has no tokenizer",
                       .hint = "put the tokenizer.json that it was trained with into its folder");
    if (m->tok->bos >= 0) hn_push(a, ids, m->tok->bos);
    if (!hn_encode(m->tok, a, prompt, (int64_t)strlen(prompt), ids)) return false;
    return ids->n || HN_FAIL(a, HONE_E_VALUE, .what = "the prompt is empty",
                             .hint = "this model has no token that begins a text: give at least one character");
}

static bool all_finite(const float *v, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(v[i])) return false;
    return true;
}

static bool decode(call *c, hn_arena *a, hn_ids *ids, flow *f, int64_t *made) {
    const hn_tokenizer *tok = c->m->tok;
    hn_arena *scratch = hn_arena_new(a);
    float *logits = hn_new_n(a, float, c->m->vocab);
    int64_t V = HN_MIN(c->m->vocab, tok->vocab); /* rows that pad the embedding stand for nothing */
    for (int64_t max = c->s->max_tokens ? c->s->max_tokens : 256; *made < max && !f->stopped; hn_arena_reset(scratch)) {
        if (hn_stopped(c->job)) return HN_FAIL(a, HONE_E_INTERRUPTED, .what = "stopped while generating");
        if (!next_logits(c->tape, c->m, ids, logits)) return false;
        if (!all_finite(logits, V))
            return hn_model_finite(a, c->m) && HN_FAIL(a, HONE_E_NUMERIC, .what = hn_fmt(a, "the model's output after %lld tokens is not a number", (long long)ids->n),
                           .hint = "its weights are damaged or too large");
        int32_t id = hn_sample(scratch, logits, V, c->s, ids->n);
        if (id == tok->eos) {
            f->stopped = true;
            break;
        }
        hn_push(a, ids, id);
        ++*made;
        hn_bytes piece = tok->pieces[id];
        bool skip = *made == 1 && !*c->prompt && tok->bare_start && piece.n && piece.p[0] == ' '; /* as hn_decode of the whole */
        for (int64_t i = skip; i < piece.n; i++) take_byte(f, piece.p[i]);
        tell(f, false);
    }
    finish(f);
    return true;
}

static bool run(void *arg) {
    call *c = arg;
    hone_model *m = c->m;
    hn_arena *result = hn_job_arena(c->job), *a = hn_arena_new(result);
    flow f = {.a = result, .s = c->s, .on_piece = c->on_piece, .user = c->user};
    hn_ids ids = {0};
    int64_t made = 0;
    double start = hn_now();
    bool ok = check(a, c->s) && prompt_ids(a, m, c->prompt, &ids) && (c->tape = hone_tape_new(c->job, NULL)) &&
              hone_tape_cache(c->tape, m->layers, 1, m->context, m->kv_width) && decode(c, a, &ids, &f, &made);
    double seconds = hn_now() - start;
    if (ok)
        *c->out = (hone_generation){.text = (char *)hn_buf_str(result, &f.text),
                                    .text_bytes = f.text.n,
                                    .tokens = made,
                                    .tokens_per_second = seconds > 0 ? (double)made / seconds : 0,
                                    .finish_reason = f.stopped ? "stop" : "length"};
    hone_tape_free(c->tape);
    hn_arena_free(a);
    return ok;
}

bool hone_generate(hone_job *job, hone_model *m, const char *prompt, const hone_sampling *s,
                   bool (*on_piece)(void *user, const char *piece, int64_t bytes), void *user, hone_generation *out) {
    call c = {job, m, prompt ? prompt : "", s ? s : &(hone_sampling){0}, on_piece, user, out, NULL};
    *out = (hone_generation){0};
    return hn_try(job, run, &c);
}
