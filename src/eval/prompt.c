/* prompt.c - the texts of an item: description, examples, question, choices, targets; put together as the harness does.
 *
 *     description · (text · target_delimiter · answer · fewshot_delimiter)* · text
 *
 * Where doc_to_text is a number, the choices are prompts of their own and what is scored is the target behind each ("partial evaluation").
 * Examples depend on (seed, item) alone, so a limit does not change them; the harness draws them in a row from one generator. */
#include "eval/task.h"
#include <stdlib.h>

hn_filling hn_pack_filling(hn_arena *a, const hn_sheet *rows, int64_t i) {
    return (hn_filling){ rows->v[i].fields, rows->known, hn_fmt(a, "%s:%lld", rows->path, (long long)rows->v[i].line) };
}

static bool number_of(const json_t *v, int64_t *i) {
    if (json_is_integer(v)) return *i = json_integer_value(v), true;
    if (json_is_boolean(v)) return *i = json_is_true(v), true;
    const char *s = json_string_value(v);
    return s && *s && strspn(s, "0123456789") == strlen(s) && hn_parse_i64(s, i);
}

static bool refuse(hn_arena *a, const hn_filling *f, const hn_pack_text *t, const char *what, const char *found) {
    return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "%s %s", t->key, what), .where = f->where, .found = found,
                   .hint = hn_fmt(a, "The key stands in %s:%lld.", t->file, (long long)t->line));
}

static bool choices_of(hn_arena *a, const hn_pack *p, const hn_filling *f, const char ***out, int64_t *n) {
    *n = 0;
    if (p->choices.n || !p->choice.text) return *out = p->choices.v, *n = p->choices.n, true;
    const json_t *v = hn_pack_text_value(a, &p->choice, f);
    if (!v) return false;
    if (json_is_string(v) && json_string_value(v)[0] == '[') { /* a list as text: JSON is, and what Python prints is so too but for its quotes */
        json_error_t e;
        json_t *list = json_loads(json_string_value(v), JSON_REJECT_DUPLICATES, &e);
        if (list) v = hn_json_own(a, list);
    }
    if (!json_is_array(v) || !json_array_size(v)) return refuse(a, f, &p->choice, "gives no list of choices", hn_fmt(a, "%.120s", hn_value_text(a, v)));
    *n = (int64_t)json_array_size(v);
    *out = hn_new_n(a, const char *, *n);
    for (int64_t i = 0; i < *n; i++) (*out)[i] = hn_value_text(a, json_array_get(v, (size_t)i));
    return true;
}

/* Numbers of the right choices: a number, a text that is a choice, or a list of either. */
static bool gold_of(hn_arena *a, const json_t *v, bool bare, const char **choice, int64_t n, int64_t *gold, int64_t *n_gold) {
    int64_t i, at = -1;
    bool digits = number_of(v, &i);
    for (int64_t k = 0; k < n && at < 0 && json_is_string(v); k++)
        if (!strcmp(choice[k], json_string_value(v))) at = k;
    if (digits && !(bare && json_is_string(v) && at >= 0)) at = i < n ? i : -1;
    if (at >= 0) gold[(*n_gold)++] = at;
    return at >= 0;
}

/* The text of an example's answer. */
static bool answer_of(hn_arena *a, const hn_pack *p, const hn_filling *f, const char **choice, int64_t n, const char **out) {
    const json_t *v = hn_pack_text_value(a, &p->target, f);
    int64_t i;
    if (!v) return false;
    if (n && number_of(v, &i)) {
        if (i < 0 || i >= n) return refuse(a, f, &p->target, "is no choice's number", hn_value_text(a, v));
        return *out = choice[i], true;
    }
    if (json_is_array(v)) v = json_array_get(v, 0);
    return *out = v ? hn_value_text(a, v) : "", true;
}

static bool is_blank_at(const char *s, bool end) {
    int64_t n = (int64_t)strlen(s), from = 0, to = n;
    hn_strip(s, &from, &to, end ? 2 : 1);
    return end ? to < n : from > 0;
}
/* prefix and suffix with a delimiter between where neither has white space there. */
static const char *joined(hn_arena *a, const char *prefix, const char *suffix, const char *delimiter) {
    bool bare = !*prefix || !*suffix || is_blank_at(prefix, true) || is_blank_at(suffix, false);
    return hn_fmt(a, "%s%s%s", prefix, bare ? "" : delimiter, suffix);
}

static bool gen_prefix(hn_arena *a, const hn_pack *p, const hn_filling *f, const char **out) {
    *out = p->gen_prefix.text ? hn_pack_text_filled(a, &p->gen_prefix, f) : "";
    return *out != NULL;
}

/* One example, with what parts it from the next. */
static bool example(hn_arena *a, const hn_pack *p, int64_t i, hn_buf *b) {
    hn_filling f = hn_pack_filling(a, &p->shots, i);
    const json_t *q = hn_pack_text_value(a, &p->text, &f);
    const char **choice, *prefix = "", *answer = "", *text;
    int64_t n, k;
    if (!q || !choices_of(a, p, &f, &choice, &n) || !gen_prefix(a, p, &f, &prefix)) return false;
    bool inputs = n && number_of(q, &k);
    if (inputs && (k < 0 || k >= n)) return refuse(a, &f, &p->text, "is no choice's number", hn_value_text(a, q));
    text = inputs ? choice[k] : hn_value_text(a, q);
    if (!answer_of(a, p, &f, inputs ? NULL : choice, inputs ? 0 : n, &answer)) return false;
    const char *between = *prefix && (is_blank_at(text, true) || is_blank_at(prefix, false) || !*text) ? "" : p->p.target_delimiter;
    hn_buf_fmt(a, b, "%s%s%s%s", text, between, joined(a, prefix, answer, " "), p->p.fewshot_delimiter);
    return true;
}

/* n different numbers below `pool`, without `not`; drawn, or the first. */
static bool draw(hn_arena *a, const hn_pack *p, int64_t item, uint64_t seed, int64_t *out) {
    int64_t pool = p->shots.n, not = p->p.fewshot_data && *p->p.fewshot_data ? -1 : item, n = p->p.num_fewshot, k = 0;
    if (pool - (not >= 0) < n)
        return HN_FAIL(a, HONE_E_DATA, .what = "too few items to take examples from", .where = p->shots.path,
                       .wanted = hn_fmt(a, "%lld examples (num_fewshot)", (long long)n), .found = hn_fmt(a, "%lld other items", (long long)(pool - (not >= 0))));
    if (p->first_n) {
        for (int64_t i = 0; k < n; i++)
            if (i != not) out[k++] = i;
        return true;
    }
    int64_t *order = hn_new_n(a, int64_t, pool), m = 0;
    for (int64_t i = 0; i < pool; i++)
        if (i != not) order[m++] = i;
    hn_rng rng = hn_rng_new(seed, HN_STREAM_SHUFFLE, (uint32_t)item);
    for (; k < n; k++) {
        int64_t at = k + hn_rng_below(&rng, m - k), x = order[at];
        order[at] = order[k];
        out[k] = order[k] = x;
    }
    return true;
}

static bool before(hn_arena *a, const hn_pack *p, int64_t i, uint64_t seed, const hn_filling *f, hn_buf *b) {
    if (p->description.text && *p->description.text) {
        const char *s = hn_pack_text_filled(a, &p->description, f);
        if (!s) return false;
        hn_buf_fmt(a, b, "%s", s);
    }
    int64_t *shot = hn_new_n(a, int64_t, p->p.num_fewshot + 1);
    if (p->p.num_fewshot && !draw(a, p, i, seed, shot)) return false;
    for (int64_t k = 0; k < p->p.num_fewshot; k++)
        if (!example(a, p, shot[k], b)) return false;
    return true;
}

static bool ask(hn_arena *a, const hn_pack *p, const hn_filling *f, const char *head, const char *text, bool inputs, const char **out) {
    const char *prefix;
    if (!gen_prefix(a, p, f, &prefix)) return false;
    *out = *prefix ? hn_fmt(a, "%s%s", head, joined(a, text, prefix, inputs ? "" : p->p.target_delimiter)) : hn_fmt(a, "%s%s", head, text);
    return true;
}

bool hn_pack_prompt(hn_arena *a, const hn_pack *p, int64_t i, uint64_t seed, const char **out) {
    hn_filling f = hn_pack_filling(a, &p->rows, i);
    hn_buf b = { 0 };
    const char *text = hn_pack_text_filled(a, &p->text, &f);
    return text && before(a, p, i, seed, &f, &b) && ask(a, p, &f, hn_buf_str(a, &b), text, false, out);
}

bool hn_pack_question(hn_arena *a, const hn_pack *p, int64_t i, uint64_t seed, hn_question *q) {
    hn_filling f = hn_pack_filling(a, &p->rows, i);
    hn_buf b = { 0 };
    int64_t k;
    *q = (hn_question){ 0 };
    const json_t *text = hn_pack_text_value(a, &p->text, &f), *target = hn_pack_text_value(a, &p->target, &f);
    if (!text || !target || !choices_of(a, p, &f, &q->choice, &q->n) || !before(a, p, i, seed, &f, &b)) return false;
    bool inputs = number_of(text, &k);
    q->context = hn_new_n(a, const char *, q->n);
    q->continuation = hn_new_n(a, const char *, q->n);
    q->gold = hn_new_n(a, int64_t, q->n + json_array_size(target) + 1);
    for (int64_t c = 0; c < q->n; c++) {
        if (!ask(a, p, &f, hn_buf_str(a, &b), inputs ? q->choice[c] : hn_value_text(a, text), inputs, &q->context[c])) return false;
        q->continuation[c] = hn_fmt(a, "%s%s", p->p.target_delimiter, inputs ? hn_value_text(a, target) : q->choice[c]);
    }
    const hn_pack_text *from = inputs ? &p->text : &p->target;
    const json_t *right = inputs ? text : target;
    bool bare = json_object_get(f.fields, from->text) != NULL, known = false;
    if (!json_is_array(right)) known = gold_of(a, right, bare, q->choice, q->n, q->gold, &q->n_gold);
    for (size_t c = 0; c < json_array_size(right); c++) known |= gold_of(a, json_array_get(right, c), true, q->choice, q->n, q->gold, &q->n_gold);
    return known || refuse(a, &f, from, hn_fmt(a, "names none of the %lld choices", (long long)q->n), hn_fmt(a, "%.80s", hn_value_text(a, right)));
}

bool hn_pack_target(hn_arena *a, const hn_pack *p, int64_t i, const char ***out, int64_t *n) {
    hn_filling f = hn_pack_filling(a, &p->rows, i);
    const json_t *v = hn_pack_text_value(a, &p->target, &f);
    const char **choice;
    int64_t k, choices;
    if (!v || !choices_of(a, p, &f, &choice, &choices)) return false;
    bool list = json_is_array(v);
    *n = list ? (int64_t)json_array_size(v) : 1;
    *out = hn_new_n(a, const char *, *n + 1);
    for (int64_t c = 0; c < *n; c++) {
        const json_t *x = list ? json_array_get(v, (size_t)c) : v;
        bool pick = choices && number_of(x, &k) && k < choices;
        (*out)[c] = pick ? choice[k] : hn_value_text(a, x);
    }
    return *n || refuse(a, &f, &p->target, "gives no target", NULL);
}
