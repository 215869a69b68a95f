/* eval - the loss of a model on text files; against a second model, the difference item by item.
 *
 * Every token of a document but its first is predicted once, in windows that do not overlap, or slide by --stride; of samples (prompts
 * with answers, talks) the answers alone. With --against both models see the same pieces of text: whole documents where they share a tokenizer, else blocks, for
 * pieces of tokens would not be the same text; samples always whole. */
#include "app/eval_task.h"
#include "data/row/row.h"
#include <math.h>

typedef struct flags {
    hn_strs data, task;
    const char *against, *samples, *ledger, *format, *learn, *chat_template;
    int64_t batch, context, stride, item_tokens, limit, num_fewshot, repeats;
    double detect, temperature;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, data, .doc = "text file or folder (.txt, .jsonl; also .gz, .zst); may be given several times, each gives a line"),
    HN_PARAM(flags, against, .doc = "a second model: adds the paired difference MODEL - MODEL2 with interval and p"),
    HN_PARAM(flags, context, .def = "0", .min = 0, .max = 1e7, .unit = "tokens", .doc = "window length; 0: the model's"),
    HN_PARAM(flags, stride, .def = "0", .min = 0, .max = 1e7, .unit = "tokens",
             .doc = "how far a window moves on; 0: by its length. Less: each token is predicted from at least window - stride before it, in window / stride times the time"),
    HN_PARAM(flags, batch, .def = "16", .min = 1, .max = 65536, .doc = "windows computed at once"),
    HN_PARAM(flags, item_tokens, .def = "512", .min = 16, .max = 1e9, .unit = "tokens",
             .doc = "documents are cut into items of this length for the standard error"),
    HN_PARAM(flags, format, .def = "auto", .doc = "what the objects of .jsonl and .json files are (hone list row); auto: as the fields say"),
    HN_PARAM(flags, learn, .def = "answers", .choices = "answers|all", .doc = "what is measured of samples: the answers, or every word"),
    HN_PARAM(flags, chat_template, .doc = "file with the chat template that writes talks; empty: each model's own"),
    HN_PARAM(flags, task, .doc = "task pack: a folder with task.yaml, or the name of one, or gym:NAME[:LEVEL[-LEVEL]]; may be given several times. --data is then its items"),
    HN_PARAM(flags, limit, .def = "0", .min = 0, .max = 1e12, .doc = "items of a task at most, from its first on; 0: all. Of a gym task: so many, 0: 300, or as many as there are"),
    HN_PARAM(flags, num_fewshot, .def = "-1", .min = -1, .max = 1000, .doc = "examples before each item of a task; -1: as the pack says"),
    HN_PARAM(flags, repeats, .def = "1", .min = 1, .max = 1000,
             .doc = "answers sampled for each item of a task that generates; more than one: scored by majority (self-consistency), and the first alone"),
    HN_PARAM(flags, temperature, .def = "0.7", .min = 0, .max = 100, .doc = "of these answers"),
    HN_PARAM(flags, samples, .doc = "file for what the model did with each item of a task or document of a text, a JSON object a line"),
    HN_PARAM(flags, ledger, .doc = "ledger that each item's value is written to"),
    HN_PARAM(flags, detect, .def = "0", .min = 0, .max = 1e12, .doc = "a difference: tells how many items would show it four times in five"),
};
enum { BLOCK_BYTES = 2048 };

/* Pieces of text to be read on their own: documents, or blocks of them that end at a character. */
static void whole_split(hn_arena *a, const hn_corpus *c, int64_t block, hn_split *out) {
    HN_VEC(hn_piece) v = { 0 };
    for (int64_t d = 0; d < c->n_docs; d++) {
        int64_t at = c->docs[d].start, end = at + c->docs[d].bytes;
        while (at < end) {
            int64_t stop = block && end - at > block + block / 2 ? at + block : end;
            while (stop < end && (c->text.p[stop] & 0xC0) == 0x80) stop++;
            hn_push(a, &v, (hn_piece){ at, stop - at, (int32_t)d, true });
            at = stop;
        }
    }
    *out = (hn_split){ .v = v.v, .n = v.n, .valid_bytes = c->text.n, .how = "whole" };
}

typedef struct measured {
    hn_lm_result r;
    hn_items items;
    double seconds;
} measured;

static bool measure(hn_arena *a, hone_model *m, hn_corpus *c, int64_t block, const flags *f, measured *out) {
    hn_split split;
    hn_tokens tokens;
    hn_cut cut = { 0 };
    whole_split(a, c, block, &split);
    if (!hn_tokens_make(a, m->tok, c, &split, true, &tokens)) return false;
    int64_t context = f->context ? HN_MIN(f->context, m->context) : m->context;
    if (f->stride > context)
        return HN_FAIL(a, HONE_E_USAGE, .what = "--stride is longer than the window", .where = "command line",
                       .wanted = hn_fmt(a, "at most %lld", (long long)context), .found = hn_fmt(a, "%lld", (long long)f->stride));
    hn_tokens_limit(a, c, context, &tokens, &cut);
    if (cut.cut)
        hn_warn(a, "%lld of %lld samples are longer than %lld tokens and are cut: %lld tokens lost, %lld samples left out", (long long)cut.cut,
                (long long)cut.samples, (long long)context, (long long)cut.tokens_lost, (long long)cut.left_out);
    *out = (measured){ .items.item_tokens = block ? 0 : f->item_tokens, .items.stride = f->stride };
    double start = hn_now();
    bool ok = hn_eval_lm(a, m, &tokens, context, f->batch, &out->r, &out->items);
    out->seconds = hn_now() - start;
    return ok;
}

/* Talks are written by the model's own template. */
static bool read(hn_arena *a, const char *path, const hone_model *m, const flags *f, hn_corpus *out) {
    hn_row_how how = { .learn_all = !strcmp(f->learn, "all"), .chat = hn_chat_open(a, m->tok, f->chat_template) };
    const hn_strs one = { &path, 1 };
    return how.chat && hn_row_form(a, f->format, &how.form) && hn_corpus_read_as(a, &one, NULL, 0, &how, out);
}

static void compare(hn_arena *a, json_t *line, const measured *x, const measured *y) {
    hn_interval d = hn_paired(x->items.bits_per_byte, y->items.bits_per_byte, x->items.cluster, x->items.n, 0.95);
    double t = d.se > 0 ? d.mean / d.se : NAN, p = isnan(t) ? (d.mean == 0 ? 1 : NAN) : 2 * hn_t_cdf(-fabs(t), d.df);
    json_object_set_new(line, "against_bits_per_byte", hn_json_real(y->r.bits_per_byte));
    json_object_set_new(line, "against_accuracy", hn_json_real(y->r.accuracy));
    json_object_set_new(line, "difference", hn_json_real(d.mean));
    json_object_set_new(line, "ci95", isfinite(d.lo) && isfinite(d.hi) ? json_pack("[f,f]", d.lo, d.hi) : json_null());
    json_object_set_new(line, "p_value", hn_json_real(p));
    json_object_set_new(line, "test", json_string("paired t over items"));
    json_object_set_new(line, "items", json_integer(x->items.n));
    (void)a;
}

static void show(hn_arena *a, const json_t *l, bool first) {
    const char *name = json_string_value(json_object_get(l, "name"));
    if (first) hn_out("%-28s %9s %9s %11s %11s %7s %10s\n", "data", "bits/byte", "+- s.e.", "loss", "perplexity", "right", "tokens");
    hn_out("%-28s %9.5f %9.5f %11.5f %11.4f %6.2f%% %10lld\n", name, json_number_value(json_object_get(l, "bits_per_byte")),
           json_number_value(json_object_get(l, "stderr")), json_number_value(json_object_get(l, "loss")),
           json_number_value(json_object_get(l, "perplexity")), 100 * json_number_value(json_object_get(l, "accuracy")),
           (long long)json_integer_value(json_object_get(l, "tokens")));
    const json_t *d = json_object_get(l, "difference"), *ci = json_object_get(l, "ci95"), *p = json_object_get(l, "p_value");
    if (!d) return;
    hn_out("  against: %+.5f bits per byte", json_number_value(d));
    if (json_is_array(ci))
        hn_out(" (95 %% %+.5f … %+.5f)", json_number_value(json_array_get(ci, 0)), json_number_value(json_array_get(ci, 1)));
    if (json_is_number(p)) hn_out(", p %.3g", json_number_value(p));
    hn_out("; below 0 the first model is better\n");
    (void)a;
}

/* ---- where results go beside the terminal ---- */
typedef struct sink { hn_writer *samples; hn_ledger *ledger; int64_t run; json_t *lines; } sink;

static bool sink_open(hn_cmd_call *c, const flags *f, sink *out) {
    hn_arena *a = c->a;
    json_t *plan = hn_json_own(a, json_pack("{ss ss}", "command", "eval", "model", c->args[0])),
           *machine = hn_json_own(a, json_pack("{ss}", "cpu", hn_cpu_describe(a)));
    *out = (sink){ .lines = hn_json_own(a, json_array()) };
    if (*f->samples && !(out->samples = hn_writer_open(a, f->samples))) return false;
    if (!*f->ledger) return true;
    return (out->ledger = hn_ledger_open(a, f->ledger, false)) &&
           hn_ledger_run_begin(out->ledger, hn_fmt(a, "model: %s\n", hn_yaml_quote(a, c->args[0])), plan, machine, c->seed, &out->run);
}

/* A line for each document; its first words tell which it is. */
static bool documents(hn_arena *a, const char *path, const hn_corpus *c, const hn_items *x, hn_writer *w) {
    enum { WORDS = 60 };
    for (int64_t i = 0, next; i < x->n; i = next) {
        double nats = 0, right = 0;
        int64_t tokens = 0, bytes = 0;
        for (next = i; next < x->n && x->doc[next] == x->doc[i]; next++) {
            if (!x->tokens[next]) continue;
            nats += x->loss[next] * (double)x->tokens[next], right += x->accuracy[next] * (double)x->tokens[next];
            tokens += x->tokens[next], bytes += x->bytes[next];
        }
        const hn_doc *d = &c->docs[x->doc[i]];
        const char *text = (const char *)c->text.p + d->start;
        int64_t n = HN_MIN(d->bytes, WORDS);
        while (n > 0 && n < d->bytes && (text[n] & 0xC0) == 0x80) n--;
        double loss = tokens ? nats / (double)tokens : NAN;
        json_t *o = hn_json_own(a, json_pack("{ss sI ss sI sI so so so so}", "name", path, "doc_id", (json_int_t)x->doc[i], "begins", hn_strndup(a, text, n),
                                             "tokens", (json_int_t)tokens, "bytes", (json_int_t)bytes, "loss", hn_json_real(loss), "perplexity",
                                             hn_json_real(exp(loss)), "bits_per_byte", hn_json_real(bytes ? nats / M_LN2 / (double)bytes : NAN),
                                             "accuracy", hn_json_real(tokens ? right / (double)tokens : NAN)));
        const char *line = hn_fmt(a, "%s\n", hn_json_text(a, o, false));
        if (!hn_write(w, line, (int64_t)strlen(line))) return false;
    }
    return true;
}

/* Bits per byte of each item, with the document that it is of. */
static bool keep(hn_arena *a, const sink *to, hn_cmd_call *c, const char *path, const char *phase, const char *model, const measured *x) {
    json_t *docs = json_array(), *extra = hn_json_own(a, json_pack("{so}", "document", docs));
    for (int64_t i = 0; i < x->items.n; i++) json_array_append_new(docs, json_integer(x->items.doc[i]));
    return hn_ledger_put(to->ledger, to->run,
                         &(hn_measure){ .phase = phase, .arm = model, .set_name = path, .seed = (int64_t)c->seed, .state = "done", .seconds = x->seconds,
                                        .peak_rss = hn_rss_peak(), .tokens = x->r.tokens, .loss = x->r.bits_per_byte, .accuracy = x->r.accuracy,
                                        .train_loss = NAN, .items = x->items.bits_per_byte, .n_items = x->items.n, .extra = extra });
}

static bool one_file(hn_cmd_call *c, const char *path, hone_model *m, hone_model *other, sink *to, bool first) {
    const flags *f = c->flags;
    hn_arena *a = hn_arena_new(c->a);
    hn_corpus corpus, theirs;
    measured x, y, plain;
    bool aligned = other && hn_tokenizer_hash(a, m->tok) == hn_tokenizer_hash(a, other->tok);
    int64_t block = other && !aligned ? BLOCK_BYTES : 0;
    bool ok = read(a, path, m, f, &corpus) && measure(a, m, &corpus, 0, f, &plain);
    bool samples = ok && corpus.n_samples > 0;
    if (samples) block = 0;                    /* an answer is the same text for both, whatever its tokens */
    if (ok && other) ok = block ? measure(a, m, &corpus, block, f, &x) : (x = plain, true);
    theirs = corpus;
    if (ok && other && samples) ok = read(a, path, other, f, &theirs);
    if (ok && other) ok = measure(a, other, &theirs, block, f, &y);
    if (ok) {
        const hn_lm_result *r = &plain.r;
        double scale = r->loss > 0 ? r->bits_per_byte / r->loss : NAN;
        json_t *line = hn_json_own(a, json_pack("{ss ss so so sI sb so so so so sI sI}", "name", path, "metric", "bits_per_byte", "value",
                                                hn_json_real(r->bits_per_byte), "stderr", hn_json_real(r->stderr_ * scale), "n",
                                                (json_int_t)plain.items.n, "higher_is_better", 0, "loss", hn_json_real(r->loss),
                                                "perplexity", hn_json_real(r->perplexity), "accuracy", hn_json_real(r->accuracy), "bits_per_byte",
                                                hn_json_real(r->bits_per_byte),
                                                "tokens", (json_int_t)r->tokens, "bytes", (json_int_t)r->bytes));
        if (other && x.items.n == y.items.n) compare(a, line, &x, &y);
        if (c->json) hn_out_json(a, line);
        else show(a, line, first);
        json_array_append(to->lines, line);
        ok = (!to->samples || documents(a, path, &corpus, &plain.items, to->samples)) &&
             (!to->ledger || (keep(a, to, c, path, "eval", c->args[0], other ? &x : &plain) && (!other || keep(a, to, c, path, "against", f->against, &y))));
    }
    hn_arena_free(a);
    return ok;
}

extern const hn_cmd hn_cmd_eval;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    if (!c->n_args) return hn_usage(c, &hn_cmd_eval, "which model?");
    if (!f->task.n && !f->data.n && c->n_args < 2) return hn_usage(c, &hn_cmd_eval, "on which data? --data FILE or --task NAME is needed");
    if (f->task.n && c->n_args > 1) return hn_usage(c, &hn_cmd_eval, "with --task, items are given by --data");
    for (int64_t i = 1; i < c->n_args; i++)
        if (hn_path_is_dir(c->args[i]) && hn_model_is_there(c->args[i]))
            return hn_usage(c, &hn_cmd_eval, hn_fmt(c->a, "'%.200s' is a model: compare with it by --against %.200s", c->args[i], c->args[i]));
    hone_model *m = hn_model_read(c->a, c->args[0]), *other = NULL;
    if (!m || (*f->against && !(other = hn_model_read(c->a, f->against)))) return false;
    if (!hn_model_finite(c->a, m) || (other && !hn_model_finite(c->a, other))) return false; /* before a figure is told */
    const hone_model *without = !m->tok ? m : other && !other->tok ? other : NULL;
    if (without)
        return HN_FAIL(c->a, HONE_E_MODEL, .what = "the model has no tokenizer", .where = without == m ? c->args[0] : f->against,
                       .hint = "Put its tokenizer.json into the folder.");
    if (f->task.n)
        return hn_eval_task_lines(c, &(hn_eval_tasks){ f->task, f->data, c->args[0], f->against, f->samples, f->ledger, f->limit, f->batch, f->num_fewshot,
                                                       c->seed, f->detect, f->repeats, f->temperature }, m, other);
    sink to;
    if (!sink_open(c, f, &to)) return false;
    int64_t done = 0;
    for (int64_t i = 0; i < f->data.n; i++)
        if (!one_file(c, f->data.v[i], m, other, &to, !done++)) return false;
    for (int64_t i = 1; i < c->n_args; i++)
        if (!one_file(c, c->args[i], m, other, &to, !done++)) return false;
    return (!to.samples || hn_writer_commit(to.samples)) && (!to.ledger || hn_ledger_run_end(to.ledger, to.run, "done", to.lines));
}

const hn_cmd hn_cmd_eval = {
    HN_ITEM("eval", "measure a model on held-out text, or against another model", NULL, flags, params),
    .usage = "MODEL --data FILE … | --task NAME|DIR … [--against MODEL2]", .run = run,
    .about = "Of texts: loss in nats per token, perplexity, the share of tokens that the model would have guessed right, and bits per byte,\n"
             "which models with different tokenizers can be compared by. Of tasks: their metrics; docs/TASKS.md tells how a pack is written.",
    .examples = "  hone eval runs/a/best --task gym:arithmetic:1-2 --samples answers.jsonl\n  hone eval runs/a/best --task arc_easy --data arc_easy.jsonl --limit 500\n  hone eval runs/a/best --data valid.txt\n  hone eval runs/b/best --data valid.txt --against runs/a/best --json\n"
                "  hone eval runs/a/best --data valid.txt --stride 16 --samples documents.jsonl"
};
