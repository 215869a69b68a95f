/* groups.c - rates and decay of single weights: `optim.groups`, a list of "PATTERN lr=FACTOR weight_decay=VALUE".
 *
 * A pattern is a shell glob over the weight's name, in full or without the architecture's prefix: "h.*.mlp.*", "*.bias". The first
 * pattern that matches a weight decides, for what it does not name the optimizer's own holds. lr is a factor of every rate of the
 * optimizer; weight_decay replaces its value, also for vectors, which otherwise have none. A pattern without any weight is an error. */
#include "train/trainer.h"
#include <fnmatch.h>
#include <math.h>

typedef struct group { const char *pattern; double lr, decay /* NaN: not named */; } group;

static bool bad(hn_arena *a, const char *text, const char *what)
{
    return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "optim.groups: %s in '%s'", what, text),
                   .wanted = "PATTERN lr=FACTOR weight_decay=VALUE, one or both", .hint = "such as \"h.*.mlp.* lr=0.5 weight_decay=0\"");
}

static bool parse(hn_arena *a, const char *text, group *out)
{
    char *save = NULL, *word = strtok_r(hn_strdup(a, text), " \t", &save);
    *out = (group){ .pattern = word, .lr = 1, .decay = NAN };
    if (!word) return bad(a, text, "no pattern");
    int named = 0;
    for (; (word = strtok_r(NULL, " \t", &save)); named++) {
        double *to = !strncmp(word, "lr=", 3) ? &out->lr : !strncmp(word, "weight_decay=", 13) ? &out->decay : NULL;
        if (!to) return bad(a, text, hn_fmt(a, "unknown word '%s'", word));
        if (!hn_parse_f64(strchr(word, '=') + 1, to) || !(*to >= 0 && *to <= 1e6))
            return bad(a, text, hn_fmt(a, "'%s' is not a number from 0 to 1e6", word));
    }
    return named || bad(a, text, "neither lr nor weight_decay");
}

static bool matches(const hone_model *m, const char *pattern, const char *name)
{
    const char *prefix = m->arch->prefix;
    size_t n = prefix ? strlen(prefix) : 0;
    return !fnmatch(pattern, name, 0) || (n && !strncmp(name, prefix, n) && !fnmatch(pattern, name + n, 0));
}

static bool nothing_matches(hn_arena *a, const hone_model *m, const char *pattern)
{
    const hn_weights all = hn_model_trained(m);
    const char **names = hn_new_n(a, const char *, all.n + 1);
    for (int64_t i = 0; i < all.n; i++) names[i] = all.v[i].t->name;
    const char *near = hn_nearest(pattern, names, all.n);
    return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "optim.groups: no weight is named like '%s'", pattern),
                   .hint = near ? hn_fmt(a, "did you mean '%s'?", near) : hn_fmt(a, "a weight is named %s", names[all.n / 2]));
}

bool hn_trainer_rules(hn_arena *a, const hn_settings *s, const hone_model *m, hn_weight_rule *rule)
{
    const hn_item *item;
    const void *params = hn_settings_variant(s, "optim", &item);
    const hn_optim *o = (const hn_optim *)item;
    const hn_strs *list = &((const hn_optim_params *)hn_settings_get(s, "optim"))->groups;
    double decay = *(const double *)((const char *)params + o->decay_offset);
    const hn_weights all = hn_model_trained(m);
    group *g = hn_new_n(a, group, list->n + 1);
    for (int64_t k = 0; k < list->n; k++) {
        int64_t hits = 0;
        if (!parse(a, list->v[k], &g[k])) return false;
        for (int64_t i = 0; i < all.n; i++) hits += matches(m, g[k].pattern, all.v[i].t->name);
        if (!hits) return nothing_matches(a, m, g[k].pattern);
    }
    for (int64_t i = 0; i < all.n; i++) {
        const hn_weight *w = &all.v[i];
        rule[i] = (hn_weight_rule){ .lr = 1, .decay = w->decay ? decay : 0, .whole = o->takes_whole && o->takes_whole(params, w) };
        for (int64_t k = 0; k < list->n; k++) {
            if (!matches(m, g[k].pattern, w->t->name)) continue;
            rule[i].lr = g[k].lr;
            if (!isnan(g[k].decay)) rule[i].decay = g[k].decay;
            break;
        }
    }
    return true;
}
