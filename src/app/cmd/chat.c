/* chat - talk with a model: each line of stdin is a message, the answer streams to stdout.
 *
 * The talk goes through the model's own chat template (chat_template.jinja, or "chat_template" of tokenizer_config.json), else through
 * "role: content" lines, where a new "user:" line ends the answer. The whole talk is read again for every answer; when it leaves no
 * room in the context, the oldest question and answer go, the system prompt stays. What a message says is text for the tokenizer,
 * so one that spells out a special token of the model is read as that token. */
#include "app/app.h"
#include "data/chat/chat.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 1 << 12, MAX_MESSAGE = 16 << 20 };

typedef struct flags {
    const char *system;
    int64_t max_tokens;
    double temperature;
    int64_t top_k;
    double top_p, min_p;
    hn_strs stop;
    const char *cache;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, system, .doc = "the system prompt: how the model should answer"),
    HN_PARAM(flags, max_tokens, .def = "512", .min = 1, .max = 1e9, .doc = "the longest answer, in tokens"),
    HN_PARAM(flags, temperature, .def = "0.7", .min = 0, .max = 100, .doc = "0: always the likeliest token; above 1: bolder"),
    HN_PARAM(flags, top_k, .def = "0", .min = 0, .max = 1e9, .doc = "choose among the k likeliest tokens; 0: off"),
    HN_PARAM(flags, top_p, .def = "0.95", .min = 0, .max = 1,
             .doc = "choose among the likeliest tokens that make up this probability; 0: off"),
    HN_PARAM(flags, min_p, .def = "0", .min = 0, .max = 1, .doc = "leave out tokens less likely than this share of the likeliest; 0: off"),
    HN_PARAM(flags, stop, .doc = "text that ends an answer; may be given several times"),
    HN_PARAM(flags, cache, .def = "f32", .choices = "f32|bf16", .doc = "what keys and values of the talk are kept as; bf16: half the memory"),
};

typedef struct talk {
    hn_cmd_call *c;
    const flags *f;
    hone_model *m;
    const hn_chat *chat;
    json_t *messages;
    hone_sampling s;
    hn_buf in; /* read, but not yet taken */
    bool ended, at_terminal;
} talk;

static volatile sig_atomic_t interrupted;
static void on_interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

/* A talk without a template ends where the other's line would begin. */
static bool open_template(talk *k, const char *dir) {
    hn_arena *a = k->c->a;
    if (!(k->chat = hn_chat_open(a, k->m->tok, NULL))) return false;
    if (!k->chat->plain) return true;
    hn_log(a, "%s has no chat template: the model reads lines \"role: content\"", dir);
    int64_t own = k->f->stop.n;
    const char **stop = hn_new_n(a, const char *, own + HN_LEN(hn_chat_plain_stop));
    for (int64_t i = 0; i < own; i++) stop[i] = k->f->stop.v[i];
    for (int64_t i = 0; i < HN_LEN(hn_chat_plain_stop); i++) stop[own + i] = hn_chat_plain_stop[i];
    k->s.stop = stop;
    k->s.n_stop = own + HN_LEN(hn_chat_plain_stop);
    return true;
}

/* ---- the talk ---- */
static bool say(talk *k, const char *role, const char *text, int64_t n) {
    json_t *message = json_pack("{ss ss%}", "role", role, "content", text, (size_t)n);
    return (message && !json_array_append_new(k->messages, message)) ||
           HN_FAIL(k->c->a, HONE_E_MEMORY, .what = "no memory for the talk");
}

static bool start_over(talk *k) {
    json_array_clear(k->messages);
    return !*k->f->system || say(k, "system", k->f->system, (int64_t)strlen(k->f->system));
}

/* The talk as the model reads it. The oldest exchange goes while there is no room for an answer. */
static bool prompt_of(talk *k, hn_arena *a, const char **out) {
    size_t first = *k->f->system ? 1 : 0;
    int64_t room = HN_MAX(k->m->context - HN_MIN(k->s.max_tokens, k->m->context / 2), 1);
    for (bool told = false;; told = true) {
        hn_rendered r;
        hn_ids ids = {0};
        if (!hn_chat_render(a, k->chat, k->messages, NULL, true, (double)time(NULL), &r)) return false;
        const char *bos = k->chat->bos; /* generation puts its own before the prompt */
        size_t skip = bos && k->m->tok->bos >= 0 && !strncmp(r.text, bos, strlen(bos)) ? strlen(bos) : 0;
        *out = r.text + skip;
        if (!hn_encode(k->m->tok, a, *out, (int64_t)strlen(*out), &ids)) return false;
        if (ids.n <= room || json_array_size(k->messages) < first + 3) return true;
        if (!told) hn_log(k->c->a, "the talk outgrows the context of %lld tokens: its oldest part is left out", (long long)k->m->context);
        json_array_remove(k->messages, first);
        json_array_remove(k->messages, first);
    }
}

static bool on_piece(void *user, const char *piece, int64_t bytes) {
    const talk *k = user;
    if (!k->c->json) hn_out_bytes(piece, bytes);
    fflush(stdout);
    return !interrupted && !hn_out_broken();
}

static bool answer(talk *k, hn_arena *a) {
    const char *prompt;
    hone_generation g;
    interrupted = 0;
    if (!prompt_of(k, a, &prompt) || !hone_generate(k->c->a->job, k->m, prompt, &k->s, on_piece, k, &g)) return false;
    k->s.seed++; /* the same question twice may be answered in two ways */
    if (k->c->json)
        hn_out_json(a, hn_json_own(a, json_pack("{ss ss% sI ss}", "role", "assistant", "content", g.text, (size_t)g.text_bytes, "tokens",
                                                (json_int_t)g.tokens, "finish_reason", interrupted ? "interrupted" : g.finish_reason)));
    else if (!g.text_bytes || g.text[g.text_bytes - 1] != '\n') hn_out("\n");
    fflush(stdout);
    return say(k, "assistant", g.text, g.text_bytes);
}

/* At a terminal, what a message or the template made impossible is told, the message is taken back, and the talk goes on. */
static bool take_message(talk *k, hn_arena *a, const char *line, int64_t n) {
    hn_arena *c = k->c->a;
    int64_t bad;
    size_t before = json_array_size(k->messages);
    bool ok = true;
    if (memchr(line, 0, (size_t)n)) ok = HN_FAIL(c, HONE_E_DATA, .what = "the message holds a zero byte", .where = "stdin");
    else if (!hn_utf8_valid((const uint8_t *)line, n, &bad))
        ok = HN_FAIL(c, HONE_E_DATA, .what = "the message is not valid UTF-8", .where = hn_fmt(a, "stdin: offset %lld", (long long)bad));
    ok = ok && say(k, "user", line, n) && answer(k, a);
    if (ok || !k->at_terminal || hone_error_code(c->job) != HONE_E_DATA) return ok;
    hn_warn(c, "%s", hone_error_message(c->job));
    hone_error_clear(c->job);
    while (json_array_size(k->messages) > before) json_array_remove(k->messages, json_array_size(k->messages) - 1);
    return true;
}

/* ---- lines of stdin, as they come ---- */
static bool next_line(talk *k, hn_arena *a, const char **line, int64_t *n) {
    hn_arena *c = k->c->a;
    char chunk[CHUNK];
    for (;;) {
        char *nl = k->in.n ? memchr(k->in.v, '\n', (size_t)k->in.n) : NULL;
        if (nl || (k->ended && k->in.n)) {
            *n = nl ? nl - k->in.v : k->in.n;
            *line = hn_strndup(a, k->in.v, *n);
            k->in.n -= *n + (nl ? 1 : 0);
            if (nl) memmove(k->in.v, nl + 1, (size_t)k->in.n);
            while (*n && (*line)[*n - 1] == '\r') --*n;
            return true;
        }
        *line = NULL;
        if (k->ended) return true;
        if (k->in.n > MAX_MESSAGE) return HN_FAIL(c, HONE_E_DATA, .what = "a message of more than 16 MiB", .where = "stdin");
        ssize_t got = read(STDIN_FILENO, chunk, sizeof chunk);
        if (got < 0 && errno != EINTR) return hn_fail_errno(c->job, "read", "stdin");
        if (hn_stopped(c->job)) return HN_FAIL(c, HONE_E_INTERRUPTED, .what = "stopped while reading stdin");
        if (got < 0) {
            if (k->at_terminal) fputs("\n/quit or Ctrl-D leaves\n> ", stderr);
            else k->ended = true; /* nobody is there to go on */
        }
        if (!got) k->ended = true;
        if (got > 0) hn_buf_put(c, &k->in, chunk, got);
    }
}

static bool loop(talk *k) {
    hn_arena *a = hn_arena_new(k->c->a);
    for (bool ok = true; ok && !hn_out_broken(); hn_arena_reset(a)) {
        const char *line;
        int64_t n;
        if (k->at_terminal) fputs("> ", stderr);
        if (!next_line(k, a, &line, &n)) return false;
        if (!line) break;
        char *word = hn_strndup(a, line, n);
        if (!strcmp(word, "/quit") || !strcmp(word, "/exit")) break;
        if (!strcmp(word, "/reset")) ok = start_over(k);
        else if (n && strspn(word, " \t") < (size_t)n) ok = take_message(k, a, line, n);
        if (!ok) return hn_out_broken();
    }
    if (k->at_terminal) fputc('\n', stderr);
    return true;
}

extern const hn_cmd hn_cmd_chat;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    if (c->n_args != 1) return hn_usage(c, &hn_cmd_chat, c->n_args ? "chat takes one model" : "which model?");
    int64_t bad;
    if (!hn_utf8_valid((const uint8_t *)f->system, (int64_t)strlen(f->system), &bad))
        return HN_FAIL(c->a, HONE_E_DATA, .what = "the system prompt is not valid UTF-8",
                       .where = hn_fmt(c->a, "offset %lld", (long long)bad));
    talk k = { .c = c, .f = f, .at_terminal = isatty(STDIN_FILENO) };
    k.s = (hone_sampling){ .max_tokens = f->max_tokens,
                           .temperature = f->temperature,
                           .top_k = f->top_k,
                           .top_p = f->top_p,
                           .min_p = f->min_p,
                           .seed = c->seed,
                           .stop = f->stop.v,
                           .n_stop = f->stop.n,
                           .narrow_cache = !strcmp(f->cache, "bf16") };
    if (!(k.m = hn_model_read(c->a, c->args[0]))) return false;
    if (!k.m->tok)
        return HN_FAIL(c->a, HONE_E_MODEL, .what = "the model has no tokenizer", .where = c->args[0],
                       .hint = "put the tokenizer.json that it was trained with into its folder");
    k.messages = hn_json_own(c->a, json_array());
    if (!open_template(&k, c->args[0]) || !start_over(&k)) return false;
    struct sigaction was, act = { .sa_handler = on_interrupt }; /* stops an answer, not the program */
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, &was);
    bool ok = loop(&k);
    sigaction(SIGINT, &was, NULL);
    return ok;
}

const hn_cmd hn_cmd_chat = {
    HN_ITEM("chat", "talk with a model", NULL, flags, params),
    .usage = "MODEL [--system TEXT]",
    .run = run,
    .about = "Each line of stdin is a message; the answer streams to stdout, with --json as one object a line. /reset forgets the talk, /quit\n"
             "or the end of stdin leaves, Ctrl-C stops an answer. The model's own chat template is used; one without reads lines\n"
             "\"user: …\" and \"assistant: …\". When the talk outgrows the context, its oldest part is left out.",
    .examples = "  hone chat models/smol --system 'Answer in one sentence.'\n"
                "  printf 'Hello\\nAnd in French?\\n' | hone chat models/smol --temperature 0"
};
