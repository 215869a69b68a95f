/* interact.c - what kept levers do to each other: settings that two of them change, and whether their order matters.
 *
 * A conflict is said in words and judged by nothing: the leave-one-out table tells what each is worth beside the others. Where the first two
 * levers, pulled in the other order, give the same settings, nothing need be trained to know that the order does not matter. */
#include "improve/phase.h"

#include <math.h>

typedef struct keys {
    hn_runner *r;
    const hn_settings *base, *candidate;
    hn_strs changed;
} keys;

static void look(void *user, const hn_section *sec, const hn_item *variant, const hn_param *row) {
    keys *k = user;
    const char *key = *sec->key ? hn_fmt(k->r->a, "%s.%s", sec->key, row->name) : row->name;
    const char *old = hn_settings_value(k->r->a, k->base, key), *now = hn_settings_value(k->r->a, k->candidate, key);
    if (!old || !now || !strcmp(old, now) || !strcmp(key, "train.steps")) return; /* steps follow from the cost */
    const char **v = hn_new_n(k->r->a, const char *, k->changed.n + 1);
    for (int64_t i = 0; i < k->changed.n; i++) v[i] = k->changed.v[i];
    v[k->changed.n] = key;
    k->changed = (hn_strs){ v, k->changed.n + 1 };
}

/* The keys that a lever changes by itself. */
static hn_strs changed_by(hn_runner *r, const hn_choice *c) {
    hn_settings *s = hn_settings_clone(r->a, r->base);
    keys k = { .r = r, .base = r->base, .candidate = s };
    double cost = 1, inference = 1;
    const char *did;
    if (!hn_lever_pull(r, c->lever, c->variant, s, &cost, &inference, &did)) hone_error_clear(r->a->job);
    hn_settings_walk(r->base, look, &k);
    return k.changed;
}

static const char *common(hn_arena *a, const hn_strs *x, const hn_strs *y) {
    hn_buf b = { 0 };
    for (int64_t i = 0; i < x->n; i++)
        for (int64_t j = 0; j < y->n; j++)
            if (!strcmp(x->v[i], y->v[j])) hn_buf_fmt(a, &b, "%s%s", b.n ? ", " : "", x->v[i]);
    return hn_buf_str(a, &b);
}

const char *hn_conflicts(hn_runner *r, const hn_kept_levers *k) {
    hn_buf b = { 0 };
    hn_strs *of = hn_new_n(r->a, hn_strs, k->n + 1);
    for (int64_t i = 0; i < k->n; i++) of[i] = changed_by(r, k->v[i]);
    for (int64_t i = 0; i < k->n; i++)
        for (int64_t j = i + 1; j < k->n; j++) {
            const hn_lever *x = k->v[i]->lever, *y = k->v[j]->lever;
            const char *both = common(r->a, &of[i], &of[j]);
            if (*both)
                hn_buf_fmt(r->a, &b, "%s%s and %s both change %s: pulled after the other, each starts from what the other left.", b.n ? "\n" : "",
                           x->item.name, y->item.name, both);
            if (x->costs_more && y->costs_more)
                hn_buf_fmt(r->a, &b, "%s%s and %s both cost more training: together they cost the product of what each costs.", b.n ? "\n" : "",
                           x->item.name, y->item.name);
        }
    return hn_buf_str(r->a, &b);
}

/* The first two the other way round. *out NULL: the settings are the same. */
bool hn_arm_swapped(hn_runner *r, hn_arms *v, const hn_kept_levers *k, const hn_trial *all, int64_t seeds, hn_trial **out) {
    hn_kept_levers other = { 0 };
    for (int64_t i = 0; i < k->n; i++) hn_push(r->a, &other, k->v[i < 2 ? 1 - i : i]);
    hn_arms aside = { .next_index = v->next_index };
    hn_trial *t;
    *out = NULL;
    if (!hn_arm_stack(r, &aside, &other, -1, HN_STACK, "all, first two swapped", seeds, HN_SET_CONFIRM, &t)) return false;
    if (!strcmp(hn_settings_write_yaml(r->a, t->settings), hn_settings_write_yaml(r->a, all->settings))) return true;
    v->next_index = aside.next_index;
    hn_push(r->a, &v->all, t);
    *out = t;
    return true;
}

/* What the order is worth: as it is, less swapped. Descriptive. */
bool hn_swapped_tell(hn_runner *r, const hn_kept_levers *k, const hn_trial *all, const hn_trial *swapped) {
    const hn_set *s = &r->set[HN_SET_CONFIRM];
    const char *x = k->v[0]->lever->item.name, *y = k->v[1]->lever->item.name, *name = hn_fmt(r->a, "%s before %s", x, y), *why;
    hn_interval worth = { .mean = swapped ? NAN : 0, .lo = NAN, .hi = NAN, .se = NAN, .df = NAN };
    if (!swapped) why = hn_fmt(r->a, "%s before %s or %s before %s: the same settings", x, y, y, x);
    else if (hn_trial_ok(all) && hn_trial_ok(swapped)) {
        hn_arm from = hn_arm_measured(r, swapped, HN_SET_CONFIRM), to = hn_arm_measured(r, all, HN_SET_CONFIRM);
        worth = hn_two_level(r->a, &from, &to, s->cluster, s->n, 0.95);
        why = hn_fmt(r->a, "the other order, %s before %s, gives other settings and a loss %s by %.4f", y, x, worth.mean < 0 ? "lower" : "higher",
                     fabs(worth.mean));
    } else why = "a training of one order failed";
    hn_decision d = hn_from_interval(&worth, HN_UNDECIDED);
    return hn_record(r, HN_STACK, name, &d, why, swapped);
}
