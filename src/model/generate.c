/* generate.c - continues texts token by token, up to SLOTS of them side by side.
 *
 * Keys and values of what was read stay in the tape's cache, a row of it (slot) for each text, so a token costs one row through the model,
 * and several texts read its weights once for all of them. A prompt is read alone, then joins the others (Yu et al. 2022, Orca); who is
 * done leaves its slot to the next. Rows do not meet in any product of few rows, so a text has the same bits alone and among others. When
 * the context is full, the last half of it is read again from position 0 and generation goes on: a model with learned positions knows no
 * others, and half leaves room for as many new tokens at once. A prompt longer than the context begins with its last `context` tokens.
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
enum { SLOTS = 16 /* rows that share a reading of the weights: few.h */ };
static const int64_t cache_most = (int64_t)1 << 30; /* bytes that a second and further slots may take */

typedef struct {
    hone_job *job;
    hone_model *m;
    int64_t n;
    const char *const *prompts;
    const hone_sampling *s;
    piece_fn on_piece; /* of a single text */
    bool (*on_done)(void *user, int64_t i, const hone_generation *g);
    void *user;
    hone_generation *out;
    hone_tape *tape;
    double start;
} call;

/* A text on its way. */
typedef struct {
    int64_t i;   /* its number; -1: the slot is free */
    hn_arena *a; /* of ids alone */
    hn_ids ids;
    flow f;
    int64_t made, max;
    int32_t at;     /* tokens in the cache */
    float *logits;  /* after the last of ids */
    int32_t choice; /* the next token */
    hn_sample_room room;
} row;
typedef struct {
    call *c;
    hn_arena *a;
    hone_model *m;
    const hn_ids *prompt; /* (n) as tokens */
    int64_t V, slots; /* V: rows of the head that stand for a token; those that pad it stand for nothing */
    row *r;
    float *logits; /* (slots, vocab) */
    int64_t todo[SLOTS], n_todo; /* slots whose next token is to be chosen */
} many;

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

static int64_t wanted(const hone_sampling *s) { return s->max_tokens ? s->max_tokens : 256; }

/* Reads the last n tokens of a text from position 0 on, alone. */
static bool read_alone(many *w, int64_t slot, int64_t n) {
    row *r = &w->r[slot];
    hn_tape_cache_place(w->c->tape, 1, &(int32_t){(int32_t)slot}, &(int32_t){0});
    if (!hn_model_logits(w->c->tape, w->m, r->ids.v + r->ids.n - n, 1, n, false, w->logits)) return false;
    memcpy(r->logits, w->logits, (size_t)w->m->vocab * sizeof(float));
    r->at = (int32_t)n;
    return true;
}

static bool open_row(many *w, int64_t slot, int64_t i) {
    row *r = &w->r[slot];
    const call *c = w->c;
    hn_arena *result = hn_job_arena(c->job);
    *r = (row){.i = i, .a = hn_arena_new(w->a), .max = wanted(&c->s[i]), .logits = r->logits, .room = r->room,
               .f = {.a = result, .s = &c->s[i], .on_piece = c->on_piece, .user = c->user}};
    hn_vec_grow(r->a, &r->ids, w->prompt[i].n + HN_MIN(r->max, 1 << 20));
    for (int64_t k = 0; k < w->prompt[i].n; k++) hn_push(r->a, &r->ids, w->prompt[i].v[k]);
    return read_alone(w, slot, HN_MIN(r->ids.n, w->m->context));
}

static bool close_row(many *w, row *r) {
    call *c = w->c;
    double seconds = hn_now() - c->start;
    hone_generation *g = &c->out[r->i];
    finish(&r->f);
    *g = (hone_generation){.text = (char *)hn_buf_str(r->f.a, &r->f.text), .text_bytes = r->f.text.n, .tokens = r->made,
                           .tokens_per_second = seconds > 0 ? (double)r->made / seconds : 0, .finish_reason = r->f.stopped ? "stop" : "length"};
    hn_arena_free(r->a);
    int64_t i = r->i;
    r->i = -1;
    return !c->on_done || c->on_done(c->user, i, g) || HN_FAIL(w->a, HONE_E_INTERRUPTED, .what = "stopped while generating");
}

static bool all_finite(const float *v, int64_t n) {
    bool ok = true;
    for (int64_t i = 0; i < n; i++) ok &= isfinite(v[i]) != 0;
    return ok;
}

static void choose(void *arg, int64_t task, int worker) {
    many *w = arg;
    row *r = &w->r[w->todo[task]];
    r->choice = all_finite(r->logits, w->V) ? hn_sample(&r->room, r->logits, w->V, &w->c->s[r->i], r->ids.n) : -1;
}

/* The chosen token becomes part of the text. */
static bool take(many *w, row *r) {
    const hn_tokenizer *tok = w->m->tok;
    int32_t id = r->choice;
    if (id < 0)
        return hn_model_finite(w->a, w->m) &&
               HN_FAIL(w->a, HONE_E_NUMERIC, .what = hn_fmt(w->a, "the model's output after %lld tokens is not a number", (long long)r->ids.n),
                       .hint = "its weights are damaged or too large");
    if (id == tok->eos) {
        r->f.stopped = true;
        return true;
    }
    hn_push(r->a, &r->ids, id);
    r->made++;
    hn_bytes piece = tok->pieces[id];
    bool skip = r->made == 1 && !*w->c->prompts[r->i] && tok->bare_start && piece.n && piece.p[0] == ' '; /* as hn_decode of the whole */
    for (int64_t i = skip; i < piece.n; i++) take_byte(&r->f, piece.p[i]);
    tell(&r->f, false);
    return true;
}

/* Logits of all texts on their way, reading the one token of each that the cache lacks. */
static bool step(many *w) {
    int32_t slot[SLOTS], at[SLOTS], ids[SLOTS];
    int64_t n = 0;
    w->n_todo = 0;
    for (int64_t k = 0; k < w->slots; k++) {
        row *r = &w->r[k];
        if (r->i < 0) continue;
        w->todo[w->n_todo++] = k;
        if (r->at >= w->m->context) {
            if (!read_alone(w, k, HN_MAX(w->m->context / 2, 1))) return false;
            continue;
        }
        slot[n] = (int32_t)k, at[n] = r->at++, ids[n++] = r->ids.v[r->ids.n - 1];
    }
    if (!n) return true;
    hn_tape_cache_place(w->c->tape, n, slot, at);
    if (!hn_model_logits(w->c->tape, w->m, ids, n, 1, false, w->logits)) return false;
    for (int64_t b = 0; b < n; b++) memcpy(w->r[slot[b]].logits, w->logits + b * w->m->vocab, (size_t)w->m->vocab * sizeof(float));
    return true;
}

static bool generate(many *w) {
    call *c = w->c;
    int64_t next = 0, open = 0;
    while (next < c->n || open) {
        if (hn_stopped(c->job)) return HN_FAIL(w->a, HONE_E_INTERRUPTED, .what = "stopped while generating");
        if (open && !step(w)) return false;
        if (!open) w->n_todo = 0;
        for (int64_t k = 0; k < w->slots && next < c->n; k++) {
            if (w->r[k].i >= 0) continue;
            if (!open_row(w, k, next++)) return false;
            w->todo[w->n_todo++] = k;
            open++;
        }
        hn_pool_run(w->n_todo > 1 ? hn_job_pool(c->job) : NULL, w->n_todo, choose, w);
        for (int64_t k = 0; k < w->n_todo; k++) {
            row *r = &w->r[w->todo[k]];
            if (!take(w, r)) return false;
            if (!r->f.stopped && r->made < r->max) continue;
            if (!close_row(w, r)) return false;
            open--;
        }
    }
    return true;
}

/* Tokens that the longest text can come to, at most the context; slots that the cache may have of that length. */
static int64_t longest(const call *c, const hn_ids *prompt) {
    int64_t most = 1, context = c->m->context;
    for (int64_t i = 0; i < c->n; i++) most = HN_MAX(most, wanted(&c->s[i]) > context ? context : prompt[i].n + wanted(&c->s[i]));
    return HN_MIN(most, context);
}
static int64_t slots(const call *c, int64_t time) {
    double each = 8.0 * (double)c->m->layers * (double)time * (double)c->m->kv_width;
    int64_t n = HN_MIN(c->n, SLOTS);
    while (n > 1 && (double)n * each > (double)cache_most) n--;
    return n;
}

static bool run(void *arg) {
    call *c = arg;
    hn_arena *a = hn_arena_new(hn_job_arena(c->job));
    hn_ids *ids = hn_new_n(a, hn_ids, HN_MAX(c->n, 1));
    many w = {.c = c, .a = a, .m = c->m, .prompt = ids};
    hone_dtype type = HONE_F32;
    bool ok = true;
    c->start = hn_now();
    for (int64_t i = 0; i < c->n && ok; i++) {
        c->out[i] = (hone_generation){0};
        ok = check(a, &c->s[i]) && prompt_ids(a, c->m, c->prompts[i], &ids[i]);
        if (c->s[i].narrow_cache) type = HONE_BF16;
    }
    if (ok && c->n) {
        int64_t time = longest(c, ids);
        w.slots = slots(c, time);
        w.V = c->m->tok ? HN_MIN(c->m->vocab, c->m->tok->vocab) : 0;
        w.r = hn_new_n(a, row, w.slots);
        w.logits = hn_alloc_large(a, HN_MAX(2 * w.slots * c->m->vocab * (int64_t)sizeof(float), 1));
        for (int64_t k = 0; k < w.slots; k++)
            w.r[k] = (row){.i = -1, .logits = w.logits + (w.slots + k) * c->m->vocab, .room = hn_sample_room_new(a, w.V)};
        ok = (c->tape = hone_tape_new(c->job, NULL)) && hone_tape_cache_as(c->tape, type, c->m->layers, w.slots, time, c->m->kv_width) &&
             generate(&w);
    }
    hone_tape_free(c->tape);
    hn_arena_free(a);
    return ok;
}

bool hone_generate(hone_job *job, hone_model *m, const char *prompt, const hone_sampling *s,
                   bool (*on_piece)(void *user, const char *piece, int64_t bytes), void *user, hone_generation *out) {
    const char *one = prompt ? prompt : "";
    call c = {.job = job, .m = m, .n = 1, .prompts = &one, .s = s ? s : &(hone_sampling){0}, .on_piece = on_piece, .user = user, .out = out};
    *out = (hone_generation){0};
    return hn_try(job, run, &c);
}

bool hone_generate_many(hone_job *job, hone_model *m, int64_t n, const char *const *prompts, const hone_sampling *s,
                        bool (*on_done)(void *user, int64_t i, const hone_generation *g), void *user, hone_generation *out) {
    call c = {.job = job, .m = m, .n = n, .prompts = prompts, .s = s, .on_done = on_done, .user = user, .out = out};
    return hn_try(job, run, &c);
}
