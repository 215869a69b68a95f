/* learn.c - byte-level BPE from text, and the pairs of WordPiece: the pair of neighbours that occurs most often becomes a token, again and again.
 *
 * Counts of pairs are kept, not made anew: joining a pair touches the words that hold it and changes their neighbours' counts
 * (the idea of `subword-nmt` and of `tokenizers`). A heap gives the most frequent pair; its stale entries are mended when met.
 * Of equal counts the pair of lowest ids goes first, as in `tokenizers`; or, with `greater`, the pair that is greater byte by byte.
 * Ids: special tokens, then the 256 bytes in the order of their stand-ins, then joined pairs. With a prefix symbols are characters, which
 * inside of a word bear it (learn_wordpiece.c): those by code point take the place of the bytes, as many of the most frequent as leave
 * room; others are as if they were not there. */
#include "data/token/part/part.h"
#include <stdlib.h>

typedef struct { int32_t left, right; int64_t count; HN_VEC(int32_t) words; bool touched; } pair;
typedef struct { int64_t count; int32_t pair; } waiting;
typedef struct { int64_t start; int32_t n; } spelled;                      /* of symbols */
typedef struct {
    hn_arena *a;
    hn_arena *slots_arena;
    const hn_learn *how;
    hn_counted words;
    int32_t *symbols;
    spelled *spelled;
    HN_VEC(pair) pairs;
    HN_VEC(waiting) heap;
    HN_VEC(int32_t) touched;                                                /* pairs that became more frequent by the last joining */
    int32_t *slots;                                                         /* of pairs: index + 1, 0: none */
    int64_t mask;
    HN_VEC(hn_bytes) tokens;
    hn_map *ids;                                                            /* of tokens */
    HN_VEC(int32_t) joined;                                                 /* left, right of each joining */
} learning;

/* ---- pairs ---- */
static int64_t slot_of(const learning *l, int32_t left, int32_t right) {
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    int64_t at = (int64_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 20) & l->mask;
    for (; l->slots[at]; at = (at + 1) & l->mask) {
        const pair *p = &l->pairs.v[l->slots[at] - 1];
        if (p->left == left && p->right == right) break;
    }
    return at;
}

static void widen(learning *l) {
    int64_t n = l->mask ? (l->mask + 1) * 2 : 1 << 14;
    hn_arena_reset(l->slots_arena);
    l->slots = hn_new_n(l->slots_arena, int32_t, n);
    l->mask = n - 1;
    for (int64_t i = 0; i < l->pairs.n; i++) l->slots[slot_of(l, l->pairs.v[i].left, l->pairs.v[i].right)] = (int32_t)i + 1;
}

static pair *pair_of(learning *l, int32_t left, int32_t right) {
    int64_t at = slot_of(l, left, right);
    if (!l->slots[at]) {
        if (2 * l->pairs.n >= l->mask) {
            widen(l);
            at = slot_of(l, left, right);
        }
        hn_push(l->a, &l->pairs, (pair){ .left = left, .right = right });
        l->slots[at] = (int32_t)l->pairs.n;
    }
    return &l->pairs.v[l->slots[at] - 1];
}

static void more(learning *l, int32_t left, int32_t right, int32_t word, int64_t count) {
    pair *p = pair_of(l, left, right);
    p->count += count;
    if (!p->words.n || p->words.v[p->words.n - 1] != word) hn_push(l->a, &p->words, word);
    if (p->touched) return;
    p->touched = true;
    hn_push(l->a, &l->touched, (int32_t)(p - l->pairs.v));
}

/* ---- the heap: most frequent first ---- */
static int compare_bytes(hn_bytes x, hn_bytes y) {
    int c = memcmp(x.p, y.p, (size_t)HN_MIN(x.n, y.n));
    return c ? c : (x.n > y.n) - (x.n < y.n);
}

static bool before(const learning *l, waiting x, waiting y) {
    if (x.count != y.count) return x.count > y.count;
    const pair *p = &l->pairs.v[x.pair], *q = &l->pairs.v[y.pair];
    if (l->how->greater) {
        int c = compare_bytes(l->tokens.v[p->left], l->tokens.v[q->left]);
        return (c ? c : compare_bytes(l->tokens.v[p->right], l->tokens.v[q->right])) > 0;
    }
    return p->left != q->left ? p->left < q->left : p->right < q->right;
}

static void offer(learning *l, waiting w) {
    hn_push(l->a, &l->heap, w);
    waiting *h = l->heap.v;
    int64_t i = l->heap.n - 1;
    for (; i && before(l, w, h[(i - 1) / 2]); i = (i - 1) / 2) h[i] = h[(i - 1) / 2];
    h[i] = w;
}

static waiting take(learning *l) {
    waiting *h = l->heap.v, top = h[0], w = h[--l->heap.n];
    int64_t i = 0;
    for (int64_t k; (k = 2 * i + 1) < l->heap.n; i = k) {
        if (k + 1 < l->heap.n && before(l, h[k + 1], h[k])) k++;
        if (!before(l, h[k], w)) break;
        h[i] = h[k];
    }
    h[i] = w;
    return top;
}

static void offer_touched(learning *l) {
    for (int64_t i = 0; i < l->touched.n; i++) {
        pair *p = &l->pairs.v[l->touched.v[i]];
        p->touched = false;
        if (p->count > 0) offer(l, (waiting){ p->count, l->touched.v[i] });
    }
    l->touched.n = 0;
}

/* ---- joining ---- */
static int32_t token(learning *l, hn_bytes left, hn_bytes right) {
    int64_t skip = l->how->prefix ? (int64_t)strlen(l->how->prefix) : 0;
    if (skip && right.n > skip && !memcmp(right.p, l->how->prefix, (size_t)skip)) right.p += skip, right.n -= skip;
    uint8_t *p = hn_new_n(l->a, uint8_t, left.n + right.n);
    memcpy(p, left.p, (size_t)left.n);
    memcpy(p + left.n, right.p, (size_t)right.n);
    int64_t id;
    if (hn_map_get(l->ids, p, left.n + right.n, &id)) return (int32_t)id;   /* other pairs can give the same text */
    id = l->tokens.n;
    hn_push(l->a, &l->tokens, (hn_bytes){ p, left.n + right.n });
    hn_map_put(l->ids, p, left.n + right.n, id);
    return (int32_t)id;
}

static void join_in(learning *l, int32_t word, int32_t left, int32_t right, int32_t both) {
    int32_t *s = l->symbols + l->spelled[word].start, n = l->spelled[word].n, out = 0;
    int64_t count = l->words.v[word].count;
    for (int32_t i = 0; i < n; i++) {
        if (i + 1 == n || s[i] != left || s[i + 1] != right) {
            s[out++] = s[i];
            continue;
        }
        if (out) {
            pair_of(l, s[out - 1], left)->count -= count;
            more(l, s[out - 1], both, word, count);
        }
        i++;
        if (i + 1 < n) {
            pair_of(l, right, s[i + 1])->count -= count;
            more(l, both, s[i + 1], word, count);
        }
        s[out++] = both;
    }
    l->spelled[word].n = out;
}

static void join(learning *l, int32_t which) {
    pair p = l->pairs.v[which];
    int32_t both = token(l, l->tokens.v[p.left], l->tokens.v[p.right]);
    hn_push(l->a, &l->joined, p.left);
    hn_push(l->a, &l->joined, p.right);
    l->pairs.v[which].words.n = 0;
    l->pairs.v[which].words.v = NULL;
    l->pairs.v[which].words.cap = 0;
    for (int64_t i = 0; i < p.words.n; i++) join_in(l, p.words.v[i], p.left, p.right, both);
    if (!l->pairs.v[which].words.n) l->pairs.v[which].count = 0;
    offer_touched(l);
}

/* ---- before and after ---- */
typedef struct { uint32_t cp; int64_t count; bool inside; } letter;

static int by_count(const void *x, const void *y) {
    const letter *p = x, *q = y;
    if (p->count != q->count) return p->count > q->count ? -1 : 1;
    return (p->cp > q->cp) - (p->cp < q->cp);
}
static int by_code(const void *x, const void *y) {
    const letter *p = x, *q = y;
    return (p->cp > q->cp) - (p->cp < q->cp);
}

static void add_letter(learning *l, const char *prefix, uint32_t cp) {
    uint8_t room[4];
    hn_buf b = { 0 };
    hn_buf_fmt(l->a, &b, "%s", prefix);
    hn_buf_put(l->a, &b, room, hn_utf8_put(cp, room));
    hn_map_put(l->ids, b.v, b.n, l->tokens.n);
    hn_push(l->a, &l->tokens, (hn_bytes){ (const uint8_t *)b.v, b.n });
}

/* The characters of the words, then those that occur inside of words. */
static void start_letters(learning *l) {
    hn_arena *scratch = hn_arena_new(l->a);
    hn_map *index = hn_map_new(scratch);
    HN_VEC(letter) v = { 0 };
    for (int64_t i = 0; i < l->words.n; i++) {
        const hn_counted_word *w = &l->words.v[i];
        for (int64_t at = 0, used, k; at < w->n; at += used) {
            uint32_t cp;
            used = hn_utf8_next(w->p + at, w->n - at, &cp);
            if (!hn_map_get(index, w->p + at, used, &k)) {
                hn_map_put(index, w->p + at, used, k = v.n);
                hn_push(scratch, &v, (letter){ .cp = cp });
            }
            v.v[k].count += w->count;
            v.v[k].inside |= at > 0;
        }
    }
    int64_t room = (l->how->vocab - l->tokens.n) * 9 / 10, n = 0;
    if (v.n) qsort(v.v, (size_t)v.n, sizeof *v.v, by_count);
    while (n < v.n && (room -= 1 + v.v[n].inside) >= 0) n++;
    if (n) qsort(v.v, (size_t)n, sizeof *v.v, by_code);
    for (int64_t i = 0; i < n; i++) add_letter(l, "", v.v[i].cp);
    for (int64_t i = 0; i < n; i++)
        if (v.v[i].inside) add_letter(l, l->how->prefix, v.v[i].cp);
    hn_arena_free(scratch);
}

static void start_tokens(learning *l) {
    l->ids = hn_map_new(l->a);
    for (int64_t i = 0; i < l->how->special.n; i++)
        hn_push(l->a, &l->tokens, (hn_bytes){ (const uint8_t *)l->how->special.v[i], (int64_t)strlen(l->how->special.v[i]) });
    if (l->how->prefix) return start_letters(l);
    for (uint32_t cp = 0; cp < 512; cp++) {
        int byte = hn_stand_in_byte(cp);
        if (byte < 0) continue;
        uint8_t *p = hn_new(l->a, uint8_t);
        *p = (uint8_t)byte;
        hn_map_put(l->ids, p, 1, l->tokens.n);
        hn_push(l->a, &l->tokens, (hn_bytes){ p, 1 });
    }
}

/* The symbols that a word begins with; how many. */
static int32_t spell(const learning *l, const hn_counted_word *w, int32_t *out) {
    int32_t n = 0;
    int64_t id, prefix = l->how->prefix ? (int64_t)strlen(l->how->prefix) : 0;
    uint8_t room[32];
    for (int64_t at = 0, used; at < w->n; at += used) {
        uint32_t cp;
        used = prefix ? hn_utf8_next(w->p + at, w->n - at, &cp) : 1;
        bool marked = prefix && at;
        if (marked) {
            memcpy(room, l->how->prefix, (size_t)prefix);
            memcpy(room + prefix, w->p + at, (size_t)used);
        }
        if (hn_map_get(l->ids, marked ? room : w->p + at, marked ? prefix + used : used, &id)) out[n++] = (int32_t)id;
    }
    return n;
}

static bool start_words(learning *l) {
    int64_t total = 0, at = 0;
    for (int64_t i = 0; i < l->words.n; i++) total += l->words.v[i].n;
    if (l->words.n > INT32_MAX || total > (int64_t)INT32_MAX * 4)
        return HN_FAIL(l->a, HONE_E_DATA, .what = "too many different words to train a tokenizer on", .found = hn_fmt(l->a, "%lld", (long long)l->words.n),
                       .hint = "train it on a part of the text");
    l->symbols = hn_new_n(l->a, int32_t, total);
    l->spelled = hn_new_n(l->a, spelled, l->words.n);
    for (int64_t i = 0; i < l->words.n; i++) {
        const hn_counted_word *w = &l->words.v[i];
        int32_t n = spell(l, w, l->symbols + at);
        l->spelled[i] = (spelled){ at, n };
        for (int32_t k = 1; k < n; k++) more(l, l->symbols[at + k - 1], l->symbols[at + k], (int32_t)i, w->count);
        at += n;
    }
    offer_touched(l);
    return true;
}

/* Joins until the vocabulary is full or no pair is frequent enough. */
static bool learn(learning *l) {
    hn_arena *a = l->a;
    if (!start_words(l)) return false;
    while (l->tokens.n < l->how->vocab && l->heap.n) {
        waiting w = take(l);
        int64_t now = l->pairs.v[w.pair].count;
        if (now != w.count) {
            if (now > 0) offer(l, (waiting){ now, w.pair });
            continue;
        }
        if (now < HN_MAX(l->how->min_count, 1)) break;
        if (hn_stopped(a->job)) return HN_FAIL(a, HONE_E_INTERRUPTED, .what = "stopped while training the tokenizer");
        join(l, w.pair);
    }
    return true;
}

bool hn_learn_tokens(hn_arena *a, const hn_learn *how, const hn_counted *words, hn_learned *out) {
    learning *l = hn_new(a, learning);
    *l = (learning){ .a = a, .slots_arena = hn_arena_new(a), .how = how, .words = *words };
    start_tokens(l);
    widen(l);
    if (how->vocab < l->tokens.n)
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "a vocabulary of %lld is too small", (long long)how->vocab),
                       .wanted = hn_fmt(a, "at least %lld", (long long)l->tokens.n));
    if (!learn(l)) return false;
    *out = (hn_learned){ l->tokens.v, l->tokens.n };
    return true;
}

static json_t *pre_tokenizer(hn_arena *a, const char *pattern) {
    bool gpt2 = !strcmp(pattern, hn_pattern_named("gpt2"));
    json_t *bytes = hn_json_own(a, json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1,
                                             "use_regex", gpt2));
    if (gpt2) return bytes;
    return hn_json_own(a, json_pack("{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, O]}", "type", "Sequence", "pretokenizers", "type", "Split", "pattern",
                                    "Regex", pattern, "behavior", "Isolated", "invert", 0, bytes));
}

static json_t *to_json(learning *l, hn_arena *a, const char *pattern) {
    hn_arena *scratch = hn_arena_new(a);
    json_t *vocab = hn_json_own(a, json_object()), *merges = hn_json_own(a, json_array()), *added = hn_json_own(a, json_array());
    hn_buf text = { 0 };
    for (int64_t i = 0; i < l->tokens.n; i++, text.n = 0) {
        if (i < l->how->special.n) {
            hn_buf_put(scratch, &text, l->tokens.v[i].p, l->tokens.v[i].n);
            json_array_append_new(added, hn_added_json(i, hn_buf_str(scratch, &text), true));
        } else hn_show_bytes(scratch, l->tokens.v[i].p, l->tokens.v[i].n, &text);
        json_object_set_new(vocab, hn_buf_str(scratch, &text), json_integer(i));
    }
    for (int64_t i = 0; i < l->joined.n; i += 2, text.n = 0) {
        hn_bytes left = l->tokens.v[l->joined.v[i]], right = l->tokens.v[l->joined.v[i + 1]];
        hn_show_bytes(scratch, left.p, left.n, &text);
        hn_buf_put(scratch, &text, " ", 1);
        hn_show_bytes(scratch, right.p, right.n, &text);
        json_array_append_new(merges, json_stringn(text.v, (size_t)text.n));
    }
    hn_arena_free(scratch);
    return hn_json_own(a, json_pack("{s:s, s:n, s:n, s:O, s:n, s:O, s:n, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:O, "
                                    "s:O}}",
                                    "version", "1.0", "truncation", "padding", "added_tokens", added, "normalizer", "pre_tokenizer",
                                    pre_tokenizer(a, pattern), "post_processor", "decoder", "type", "ByteLevel", "add_prefix_space", 1,
                                    "trim_offsets", 1, "use_regex", 1, "model", "type", "BPE", "dropout", "unk_token",
                                    "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 0, "ignore_merges", 0,
                                    "vocab", vocab, "merges", merges));
}

static const char *pattern_of(hn_arena *a, const char *name) {
    static const char *const names[] = { "gpt2", "cl100k", "gpt4", "llama3", "qwen2" };
    const char *known = hn_pattern_named(*name ? name : "gpt2");
    if (known || strpbrk(name, "\\[(|+*?.")) return known ? known : name;
    const char *near = hn_nearest(name, names, HN_LEN(names));
    (void)HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "there is no expression '%s' that cuts text into words", name),
                  .wanted = "gpt2, cl100k, llama3, qwen2 or a regular expression", .hint = near ? hn_fmt(a, "did you mean '%s'?", near) : NULL);
    return NULL;
}

json_t *hn_learn_bpe(hn_arena *a, const hn_learn *how, const hn_corpus *c, const hn_split *s) {
    hn_arena *own = hn_arena_new(a);
    learning *l = hn_new(own, learning);
    *l = (learning){ .a = own, .slots_arena = hn_arena_new(own), .how = how };
    const char *text = pattern_of(a, how->pattern ? how->pattern : "gpt2");
    hn_pattern *pattern = text ? hn_pattern_new(own, "data.words", text, false) : NULL;
    if (!pattern) return NULL;
    start_tokens(l);
    if (how->vocab < l->tokens.n)
        return (void)HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "a vocabulary of %lld is too small", (long long)how->vocab),
                             .wanted = hn_fmt(a, "at least %lld: the 256 bytes and special tokens", (long long)l->tokens.n)), NULL;
    hn_added_list list = { hn_new_n(own, hn_added_token, how->special.n), how->special.n };
    for (int64_t i = 0; i < list.n; i++) list.v[i] = (hn_added_token){ .text = l->tokens.v[i], .id = (int32_t)i };
    widen(l);
    if (!hn_count_words(own, pattern, hn_added_new(own, &list, false), c, s, &l->words) || !learn(l)) return NULL;
    json_t *root = to_json(l, a, text);
    hn_arena_free(own);
    return root;
}
