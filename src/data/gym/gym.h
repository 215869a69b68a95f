/* gym.h - tasks made from a seed whose answers can be checked: kind `gym`, one file and one row a task family.
 *
 * A family turns choices into a question and its answer. It asks for choices one by one (hn_gym_pick), and where they come from is not its
 * business: a counter-based generator when items are drawn, an odometer when all questions of a level are walked through to count
 * them. So a family has no second piece of code that enumerates it, and a count is exact.
 *
 * The split belongs to the question: a hash of the canonical question says to which split it belongs, whatever seed, level or index
 * made it, and a draw for another split passes it over. No training seed can therefore emit a question of a held-out split. Questions
 * that differ only in what does not matter (a+b and b+a, the order of given facts) have one canonical form where the family says so. */
#ifndef HN_GYM_H
#define HN_GYM_H
#include "data/data.h"

enum { HN_GYM_ROOM = 1024, HN_GYM_WHY = 512 };

typedef struct hn_gym_text { char v[HN_GYM_ROOM]; int64_t n; } hn_gym_text;      /* ended by a zero byte */
void hn_gym_put(hn_gym_text *t, const char *fmt, ...) HN_PRINTF(2, 3);           /* appends; too long is a bug of the family */

typedef struct hn_gym_task hn_gym_task;
typedef struct hn_gym_item {
    const hn_gym_task *task;
    int64_t level;
    uint64_t id;                 /* hash of task and canonical question */
    hn_gym_text prompt, answer;
    hn_gym_text question;        /* canonical; a family that leaves it empty means the prompt */
} hn_gym_item;

/* ---- choices ---- */
typedef struct hn_gym_walk hn_gym_walk;
typedef struct hn_gym_draw {
    hn_rng rng;
    hn_gym_walk *walk;           /* NULL: random */
    double ways;                 /* product of the choices met so far */
} hn_gym_draw;
int64_t hn_gym_pick(hn_gym_draw *d, int64_t n);                                  /* 0 ≤ x < n */
int64_t hn_gym_between(hn_gym_draw *d, int64_t lo, int64_t hi);                  /* lo ≤ x ≤ hi */
void hn_gym_pick_some(hn_gym_draw *d, int64_t *v, int64_t k, int64_t n);         /* k different numbers below n, in any order; n ≤ 1024 */

/* ---- families ---- */
typedef enum hn_gym_form {
    HN_GYM_WHOLE,                /* one name or word: right or wrong */
    HN_GYM_NUMBER,               /* credit for digits that stand at their place, counted from the right */
    HN_GYM_LETTERS,              /* credit for letters at their place */
    HN_GYM_WORDS,                /* credit for words at their place */
} hn_gym_form;
struct hn_gym_task {
    hn_item item;
    const char *dial;            /* what grows with the level */
    int64_t levels;              /* 1 … levels */
    hn_gym_form form;
    bool (*make)(hn_gym_draw *d, int64_t level, hn_gym_item *out) HN_CHECK;      /* false: these choices make no proper question */
    /* Appends to why what a person would say of a wrong answer beyond the difference; NULL: nothing. */
    void (*explain)(const char *prompt, const char *wanted, const char *found, hn_gym_text *why);
};
extern const hn_kind hn_kind_gym;
const hn_gym_task *hn_gym_find(hn_arena *a, const char *name) HN_CHECK;          /* NULL: E_VALUE that names the nearest */

/* ---- items ---- */
typedef enum hn_gym_split { HN_GYM_TRAIN, HN_GYM_VALID, HN_GYM_SCREEN, HN_GYM_CONFIRM, HN_GYM_SEALED, HN_GYM_SPLITS } hn_gym_split;
#define HN_GYM_SPLIT_NAMES "train|valid|screen|confirm|sealed"
const char *hn_gym_split_name(hn_gym_split s);
hn_gym_split hn_gym_split_named(const char *name);                               /* HN_GYM_SPLITS: there is none of that name */
hn_gym_split hn_gym_split_of(uint64_t id);                                       /* 80 % train, 5 % each of the others */
const char *hn_gym_id(hn_arena *a, const hn_gym_item *it);                       /* "sort-3-00f1…" */

/* Item `index` of an endless row, the same for the same five numbers; questions may come again. False, E_VALUE: no such level, or the
 * level has no question in this split. Allocates only to fail. */
bool hn_gym_at(hn_arena *a, const hn_gym_task *t, int64_t level, hn_gym_split s, uint64_t seed, int64_t index, hn_gym_item *out) HN_CHECK;
/* How many questions there are in this split at this level; −1: too many to count (over a million ways to choose). */
int64_t hn_gym_count(hn_arena *a, const hn_gym_task *t, int64_t level, hn_gym_split s);
/* Hands n different items to take, in an order that depends on the seed; those of a smaller n come first. More than there are:
 * E_VALUE with their number, after take has seen them. */
bool hn_gym_distinct(hn_arena *a, const hn_gym_task *t, int64_t level, hn_gym_split s, uint64_t seed, int64_t n,
                     void (*take)(void *user, const hn_gym_item *it), void *user) HN_CHECK;

/* ---- data files that are made (part/source.c) ----
 * What a recipe writes: gym:NAME[:LEVEL[-LEVEL]][*WEIGHT], NAME `all` for every task, no level for all of a task. What is read:
 * gym:NAME:LO-HI@SPLIT,N,SEED, which names its items as a path names a file: the same name, the same text. */
bool hn_gym_is_source(const char *path);
hn_strs hn_gym_only(hn_arena *a, const hn_strs *paths);                                            /* those among them */
typedef struct hn_gym_source { const hn_gym_task *task; int64_t lo, hi; hn_gym_split split; int64_t n; uint64_t seed; } hn_gym_source;
bool hn_gym_source_parse(hn_arena *a, const char *path, hn_gym_source *out) HN_CHECK;              /* of what is read */
/* paths with what recipes write replaced by what is read; all else stays. TRAIN: n items, shared out by weight. Held out: n of each
 * task, all different, levels in equal parts; n 0: 300, or as many as there are. E_VALUE: an unknown task or level. */
bool hn_gym_sources(hn_arena *a, const hn_strs *paths, hn_gym_split split, int64_t n, uint64_t seed, hn_strs *out) HN_CHECK;
/* Hands the source's items to take, levels by turns. Training items may come twice, held-out ones do not: E_VALUE if there are too few. */
bool hn_gym_source_items(hn_arena *a, const hn_gym_source *s, void (*take)(void *user, const hn_gym_item *it), void *user) HN_CHECK;
bool hn_gym_read(hn_arena *a, hn_intake *in) HN_CHECK;                                             /* samples: prompt, answer, line end */

/* ---- scoring ---- */
typedef struct hn_gym_verdict {
    bool right;
    double score;                /* 0 … 1; 1 only when right */
    char why[HN_GYM_WHY];        /* what is wrong, in words; empty when right */
} hn_gym_verdict;
/* Blanks around the answer, and how many stand between words, do not matter; all else does. A text that goes on after the answer is
 * wrong: callers stop at the end of the line. found need not be UTF-8 nor end in a zero byte. */
void hn_gym_score(const hn_gym_task *t, const char *prompt, const char *wanted, const char *found, int64_t n, hn_gym_verdict *out);
#endif
