/* checkpoint.c - everything a training needs to go on bit for bit, in one file: out/checkpoint/state.safetensors.
 *
 * Tensors: weight.NAME, state0.NAME …, average.NAME, best.NAME. The header's metadata holds the rest as one JSON text ("state") and
 * its XXH3 ("state_hash"); the text holds an XXH3 of every tensor. Random numbers and batches need no state of their own: they are
 * functions of (seed, step). The file is written beside, synced and renamed over the old one, so at any moment, also when the process
 * is killed during the save or the disk is full, exactly one whole checkpoint stands there; a half-written neighbour is never read
 * and is swept away later. The tokenizer stands beside it, for people and other programs.
 * A checkpoint of another recipe, seed or data is refused: going on from it would be neither run. */
#include "train/trainer.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <unistd.h>

#define FILE_NAME "state.safetensors"
enum { VERSION = 1 };

static char *hex(hn_arena *a, uint64_t x) { return hn_fmt(a, "%016llx", (unsigned long long)x); }

/* ---- what the run was: each setting that changes the numbers ---- */
typedef struct settings_walk { hn_arena *a; const hn_settings *s; json_t *out; } settings_walk;

static void add_setting(void *user, const hn_section *sec, const hn_item *variant, const hn_param *row)
{
    settings_walk *w = user;
    static const char *const keys[] = { "model", "train", "optim", "sched", "adapter" };
    bool mine = false;
    for (int64_t i = 0; i < HN_LEN(keys); i++) mine |= !strcmp(sec->key, keys[i]);
    const char *key = hn_fmt(w->a, "%s.%s", sec->key, row->name), *value;
    if (!strcmp(key, "train.save_every") || !strcmp(key, "train.recompute")) return;        /* these change no number */
    if (!strcmp(sec->key, "adapter") && !hn_adapter_wanted(w->a, w->s)) return;
    if (!mine || !(value = hn_settings_value(w->a, w->s, key))) return;
    json_object_set_new(w->out, key, json_string(value));
}

static json_t *run_identity(hn_arena *a, const hn_trainer *t)
{
    json_t *id = hn_json_own(a, json_object());
    hn_settings_walk(t->s, add_setting, &(settings_walk){ a, t->s, id });
    json_object_set_new(id, "seed", json_string(hn_fmt(a, "%llu", (unsigned long long)t->seed)));
    if (t->T != t->m->context) json_object_set_new(id, "data.max_length", json_string(hn_fmt(a, "%lld", (long long)t->T)));
    if (hn_trainer_packs(t->s)) json_object_set_new(id, "data.pack", json_string("true"));
    json_object_set_new(id, "training text", json_string(hex(a, t->d->train.hash)));
    json_object_set_new(id, "held-out text", json_string(hex(a, t->d->valid.hash)));
    json_object_set_new(id, "tokenizer", json_string(hex(a, hn_tokenizer_hash(a, t->d->tok))));
    if (t->base_hash) json_object_set_new(id, "base model", json_string(hex(a, t->base_hash)));
    json_object_set_new(id, "steps", json_string(hn_fmt(a, "%lld", (long long)t->steps)));
    return id;
}

/* ---- the tensors, in one order for saving and loading ---- */
typedef struct slot { const char *name; float *p; int dims; int64_t shape[HONE_MAX_DIMS]; } slot;
typedef HN_VEC(slot) slots;

static slot like(const char *name, const hone_tensor *w, float *p)
{
    slot s = { name, p, w->dims, { 0 } };
    memcpy(s.shape, w->shape, sizeof s.shape);
    return s;
}

/* An optimizer's state has its weight's shape, or is a list where it has another size. */
static slot state_slot(const char *name, const hn_trainer *t, int64_t weight, int k)
{
    const hn_weight *w = &t->w[weight];
    float *p = t->state[weight * t->optim->states + k];
    int64_t n = hn_optim_count(t->optim, t->optim_params, w, k);
    return n == hn_count(w->t) ? like(name, w->t, p) : (slot){ name, p, 1, { n } };
}

static slots all_slots(hn_arena *a, const hn_trainer *t)
{
    slots v = { 0 };
    for (int64_t i = 0; i < t->n_w; i++) {
        const hone_tensor *w = t->w[i].t;
        hn_push(a, &v, like(hn_fmt(a, "weight.%s", w->name), w, w->data));
        for (int k = 0; k < t->optim->states; k++)
            if (t->state[i * t->optim->states + k]) hn_push(a, &v, state_slot(hn_fmt(a, "state%d.%s", k, w->name), t, i, k));
        if (t->average) hn_push(a, &v, like(hn_fmt(a, "average.%s", w->name), w, t->average[i]));
        if (t->best) hn_push(a, &v, like(hn_fmt(a, "best.%s", w->name), w, t->best[i]));
    }
    return v;
}

/* ---- numbers ---- */
enum { COUNT, NUMBER, FLAG };
static const struct { const char *name; int type; int64_t offset; } fields[] = {
#define FIELD(type, f) { #f, type, offsetof(hn_progress_state, f) }
    FIELD(COUNT, step), FIELD(COUNT, tokens), FIELD(COUNT, best_step), FIELD(COUNT, evals_without_better), FIELD(COUNT, sum_steps),
    FIELD(NUMBER, flops), FIELD(NUMBER, seconds), FIELD(NUMBER, best_loss), FIELD(NUMBER, sum_loss), FIELD(NUMBER, last_loss),
    FIELD(FLAG, stopped_early),
};

static bool is_number(const json_t *v) { return json_is_number(v) || json_is_null(v); }
static double number_of(const json_t *v) { return json_is_number(v) ? json_number_value(v) : NAN; }

static json_t *numbers_write(const hn_progress_state *s)
{
    json_t *o = json_object();
    for (int64_t i = 0; i < HN_LEN(fields); i++) {
        const void *p = (const char *)s + fields[i].offset;
        json_object_set_new(o, fields[i].name, fields[i].type == COUNT ? json_integer(*(const int64_t *)p)
                                             : fields[i].type == FLAG  ? json_boolean(*(const bool *)p) : hn_json_real(*(const double *)p));
    }
    return o;
}

/* out NULL: only looks whether all is there. */
static bool numbers_read(const json_t *o, hn_progress_state *out)
{
    for (int64_t i = 0; i < HN_LEN(fields); i++) {
        const json_t *v = json_object_get(o, fields[i].name);
        void *p = out ? (char *)out + fields[i].offset : NULL;
        switch (fields[i].type) {
        case COUNT:
            if (!json_is_integer(v) || json_integer_value(v) < 0) return false;
            if (p) *(int64_t *)p = json_integer_value(v);
            break;
        case FLAG:
            if (!json_is_boolean(v)) return false;
            if (p) *(bool *)p = json_is_true(v);
            break;
        default:
            if (!is_number(v)) return false;
            if (p) *(double *)p = number_of(v);
        }
    }
    return true;
}

static bool curve_ok(const json_t *curve)
{
    if (!json_is_array(curve)) return false;
    for (size_t i = 0; i < json_array_size(curve); i++) {
        const json_t *c = json_array_get(curve, i);
        if (json_array_size(c) != 4 || !json_is_integer(json_array_get(c, 0))) return false;
        for (size_t j = 1; j < 4; j++)
            if (!is_number(json_array_get(c, j))) return false;
    }
    return true;
}

/* ---- saving ---- */

/* Removes what saves that never ended left of our files. */
static void sweep(hn_arena *a, const char *dir)
{
    static const char *const ours[] = { FILE_NAME, "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "recipe.yaml" };
    DIR *d = opendir(dir);
    if (!d) return;
    for (struct dirent *e; (e = readdir(d));)
        for (int64_t i = 0; i < HN_LEN(ours); i++) {
            size_t n = strlen(ours[i]);
            if (!strncmp(e->d_name, ours[i], n) && !strncmp(e->d_name + n, ".tmp-", 5)) (void)unlink(hn_path_join(a, dir, e->d_name));
        }
    closedir(d);
}

static bool save_in(hn_arena *a, hn_trainer *t, const char *out_dir)
{
    const char *dir = hn_path_join(a, out_dir, "checkpoint");
    if (!hn_mkdirs(a, dir)) return false;
    if (!t->tokenizer_saved) {
        sweep(a, dir);
        sweep(a, out_dir);
        if (!hn_tokenizer_save(a, t->d->tok, dir)) return false;
        t->tokenizer_saved = true;
    }
    json_t *state = hn_json_own(a, json_object()), *hashes = json_object(), *curve = json_array();
    slots v = all_slots(a, t);
    hn_st_tensor *out = hn_new_n(a, hn_st_tensor, v.n + 1);
    for (int64_t i = 0; i < v.n; i++) {
        int64_t n = 1;
        for (int k = 0; k < v.v[i].dims; k++) n *= v.v[i].shape[k];
        out[i] = (hn_st_tensor){ .name = v.v[i].name, .dtype = HONE_F32, .dims = v.v[i].dims, .p = (const uint8_t *)v.v[i].p,
                                 .bytes = n * (int64_t)sizeof(float) };
        memcpy(out[i].shape, v.v[i].shape, sizeof out[i].shape);
        json_object_set_new(hashes, out[i].name, json_string(hex(a, hn_hash(out[i].p, out[i].bytes, 0))));
    }
    for (int64_t i = 0; i < t->curve.n; i++) {
        const hn_curve_point *c = &t->curve.v[i];
        json_array_append_new(curve, json_pack("[I,o,o,o]", (json_int_t)c->step, hn_json_real(c->train), hn_json_real(c->valid), hn_json_real(c->seconds)));
    }
    json_object_set_new(state, "version", json_integer(VERSION));
    json_object_set(state, "run", run_identity(a, t));
    json_object_set_new(state, "numbers", numbers_write(&t->now));
    json_object_set_new(state, "curve", curve);
    json_object_set_new(state, "hashes", hashes);
    const char *text = hn_json_text(a, state, false);
    json_t *meta = hn_json_own(a, json_object());
    json_object_set_new(meta, "hone_checkpoint", json_string(hn_fmt(a, "%d", VERSION)));
    json_object_set_new(meta, "state", json_string(text));
    json_object_set_new(meta, "state_hash", json_string(hex(a, hn_hash(text, (int64_t)strlen(text), 0))));
    return hn_st_write(a, hn_path_join(a, dir, FILE_NAME), out, v.n, meta);
}

bool hn_trainer_save(hn_trainer *t, const char *out_dir)
{
    hn_arena *a = hn_arena_new(t->a);
    bool ok = save_in(a, t, out_dir);
    hn_arena_free(a);
    return ok;
}

/* ---- loading ---- */
#define BAD(...) HN_FAIL(a, HONE_E_MODEL, .where = where, .hint = "start the training anew, or use the model in best/", __VA_ARGS__)

bool hn_checkpoint_parse(hn_arena *a, const char *where, hn_bytes file, hn_checkpoint *out)
{
    if (!hn_st_parse(a, where, file, &out->tensors)) return false;
    const char *version = json_string_value(json_object_get(out->tensors.metadata, "hone_checkpoint"));
    const char *text = json_string_value(json_object_get(out->tensors.metadata, "state"));
    const char *hash = json_string_value(json_object_get(out->tensors.metadata, "state_hash"));
    if (!version || !text || !hash) return BAD(.what = "not a checkpoint of hone", .wanted = "a header with the training's state");
    if (strcmp(version, hn_fmt(a, "%d", VERSION)))
        return BAD(.what = "checkpoint of another version", .wanted = hn_fmt(a, "%d", VERSION), .found = version);
    int64_t n = (int64_t)strlen(text);
    if (strcmp(hash, hex(a, hn_hash(text, n, 0)))) return BAD(.what = "the checkpoint is damaged: its state does not match its checksum");
    if (!(out->state = hn_json_parse(a, where, text, n, HONE_E_MODEL))) return false;
    const json_t *hashes = json_object_get(out->state, "hashes");
    if (!json_is_object(json_object_get(out->state, "run")) || !json_is_object(hashes) || !curve_ok(json_object_get(out->state, "curve")) ||
        !numbers_read(json_object_get(out->state, "numbers"), NULL))
        return BAD(.what = "the checkpoint's state is not as hone writes it");
    for (int64_t i = 0; i < out->tensors.n; i++) {
        const hn_st_tensor *v = &out->tensors.v[i];
        const char *want = json_string_value(json_object_get(hashes, v->name));
        if (v->dtype != HONE_F32) return BAD(.what = hn_fmt(a, "tensor %s is not f32", v->name));
        if (!want || strcmp(want, hex(a, hn_hash(v->p, v->bytes, 0))))
            return BAD(.what = hn_fmt(a, "the checkpoint is damaged: %s does not match its checksum", v->name));
    }
    return true;
}

static bool same_run(hn_arena *a, const char *where, const json_t *was, json_t *is)
{
    const char *key;
    json_t *now;
    json_object_foreach(is, key, now) {
        const json_t *then = json_object_get(was, key);
        if (json_equal(then, now)) continue;
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "the checkpoint was made with another %s", key), .where = where,
                       .wanted = json_is_string(then) ? json_string_value(then) : "none", .found = json_string_value(now),
                       .hint = "resume with the recipe, seed and data that the run began with, or start a new run in another folder");
    }
    return true;
}

static bool fits(hn_arena *a, const char *where, const hn_st *st, const slot *s, const hn_st_tensor **found)
{
    const hn_st_tensor *v = *found = hn_st_find(st, s->name);
    if (!v) return BAD(.what = hn_fmt(a, "the checkpoint lacks %s", s->name));
    hone_tensor shape = { .dims = s->dims };
    memcpy(shape.shape, s->shape, sizeof shape.shape);
    bool same = v->dims == s->dims && !memcmp(v->shape, s->shape, (size_t)s->dims * sizeof *s->shape);
    return same || BAD(.what = hn_fmt(a, "%s has another shape", s->name), .wanted = hn_shape_text(a, &shape));
}

static bool load_in(hn_arena *a, hn_trainer *t, const char *out_dir)
{
    const char *dir = hn_path_join(a, out_dir, "checkpoint"), *where = hn_path_join(a, dir, FILE_NAME);
    hn_bytes file;
    hn_checkpoint c = { 0 };
    sweep(a, dir);
    sweep(a, out_dir);
    if (!hn_path_exists(where)) {
        if (!hn_path_exists(dir) && !hn_path_exists(hn_path_join(a, out_dir, "recipe.yaml")))
            return HN_FAIL(a, HONE_E_MODEL, .what = "there is no checkpoint to go on from", .where = where,
                           .hint = "start the training without --resume");
        hn_warn(a, "%s: stopped before its first checkpoint; beginning at step 0", out_dir);
        return true;
    }
    if (!hn_file_map(a, where, &file) || !hn_checkpoint_parse(a, where, file, &c)) return false;
    if (!same_run(a, where, json_object_get(c.state, "run"), run_identity(a, t))) return false;
    slots v = all_slots(a, t);
    const hn_st_tensor **from = hn_new_n(a, const hn_st_tensor *, v.n + 1);
    for (int64_t i = 0; i < v.n; i++)
        if (!fits(a, where, &c.tensors, &v.v[i], &from[i])) return false;
    for (int64_t i = 0; i < v.n; i++) memcpy(v.v[i].p, from[i]->p, (size_t)from[i]->bytes);      /* nothing fails from here on */
    HN_ASSERT(numbers_read(json_object_get(c.state, "numbers"), &t->now));
    const json_t *curve = json_object_get(c.state, "curve");
    t->curve.n = 0;
    for (size_t i = 0; i < json_array_size(curve); i++) {
        const json_t *p = json_array_get(curve, i);
        hn_push(t->a, &t->curve, (hn_curve_point){ json_integer_value(json_array_get(p, 0)), number_of(json_array_get(p, 1)),
                                                   number_of(json_array_get(p, 2)), number_of(json_array_get(p, 3)) });
    }
    t->loaded = true;
    return true;
}

bool hn_trainer_load(hn_trainer *t, const char *out_dir)
{
    hn_arena *a = hn_arena_new(t->a);
    bool ok = load_in(a, t, out_dir);
    hn_arena_free(a);
    return ok;
}
