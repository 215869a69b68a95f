/* open.c - from settings to a runner: data, item sets, start model, ledger; a new run with a fixed plan, or the one that was killed. */
#include "data/gym/gym.h"
#include "improve/run.h"

#include <math.h>
#include <stdio.h>

/* Held out as items: improve.held_out of the text, but no more than held_out_bytes. A first look at the files' sizes is enough. */
static double held_out_share(hn_runner *r, const hn_corpus *c) {
    double cap = (double)r->p->held_out_bytes / (double)HN_MAX(1, c->text.n);
    return fmax(fmin(r->p->held_out, cap), 0.005);
}

static bool load_data(hn_runner *r) {
    const hn_model_params *mp = hn_settings_get(r->base, "model");
    hn_data_params d = *(const hn_data_params *)hn_settings_get(r->base, "data");
    int64_t context = 0;
    if (*mp->path) {
        r->start = hn_model_load(r->a, mp->path);
        if (!r->start) return false;
        context = r->start->context;
        /* levers see what the start is, and the ledger tells it */
        if (!hn_model_describe(r->a, r->base, r->start, mp->path) || !hn_settings_set(r->base, r->a, "data.tokenizer", mp->path, "improve"))
            return false;
    } else {
        double c;
        const char *text = hn_settings_value(r->a, r->base, "model.context");
        if (!text || !hn_parse_f64(text, &c)) return HN_FAIL(r->a, HONE_E_VALUE, .what = "this architecture has no context length");
        context = (int64_t)c;
    }
    if (!hn_gym_held_out(r, &d)) return false;
    if (!d.valid.n) {
        hn_corpus c;
        if (!hn_dataset_read(r->a, &d, r->start ? r->start->tok : NULL, &c)) return false;
        if (!hn_settings_is_set(r->base, "data.valid_fraction") &&
            !hn_settings_set(r->base, r->a, "data.valid_fraction", hn_num(r->a, held_out_share(r, &c)), "improve"))
            return false;
        if (!hn_settings_is_set(r->base, "data.split") && !hn_settings_set(r->base, r->a, "data.split", "auto", "improve")) return false;
    }
    if (!hn_settings_set(r->base, r->a, "data.decontaminate", "true", "improve")) return false;
    /* Looking at held-out text while training is a lever of its own. */
    if (!hn_settings_set(r->base, r->a, "train.eval_every", "0", "improve") ||
        !hn_settings_set(r->base, r->a, "train.patience", "0", "improve"))
        return false;
    hn_strs valid = d.valid;
    d = *(const hn_data_params *)hn_settings_get(r->base, "data");
    d.valid = valid;
    if (!hn_dataset_load(r->a, &d, context, r->seed, r->start ? r->start->tok : NULL, &r->data)) return false;
    r->context = context;
    const hn_train_params *tp = hn_settings_get(r->base, "train");
    r->batch_tokens = (d.max_length ? HN_MIN(d.max_length, context) : context) * tp->batch * HN_MAX(1, tp->accumulate);
    return true;
}

/* The run's levers, placebo last and once. */
static bool name_levers(hn_runner *r, const hn_strs *names) {
    r->levers = hn_new_n(r->a, const hn_lever *, names->n + 1);
    for (int64_t i = 0; i < names->n; i++) {
        const hn_lever *l = (const hn_lever *)hn_kind_find(&hn_kind_lever, names->v[i]);
        const char *near = l ? NULL : hn_kind_nearest(&hn_kind_lever, names->v[i]);
        if (!l)
            return HN_FAIL(r->a, HONE_E_VALUE, .what = hn_fmt(r->a, "improve.levers: unknown lever '%s'", names->v[i]),
                           .hint = near ? hn_fmt(r->a, "Did you mean '%s'?", near) : "hone list lever shows all.");
        bool twice = !strcmp(l->item.name, "placebo");
        for (int64_t k = 0; k < r->n_levers; k++) twice |= r->levers[k] == l;
        if (!twice) r->levers[r->n_levers++] = l;
    }
    r->levers[r->n_levers++] = (const hn_lever *)hn_kind_find(&hn_kind_lever, "placebo");
    return true;
}

static bool plan_incumbent(hn_runner *r) {
    hn_plan plan;
    if (!hn_plan_make(r->a, r->base, &r->data, r->data.tok->vocab, r->start, &plan)) return false;
    r->flops_step = plan.flops_step;
    int64_t need = plan.bytes_peak * r->side, have = hn_memory_available();
    if (need > have)
        return HN_FAIL(r->a, HONE_E_MEMORY, .what = "the plan is larger than memory",
                       .wanted = hn_fmt(r->a, "%lld MB", (long long)(need >> 20)),
                       .found = hn_fmt(r->a, "%lld MB free", (long long)(have >> 20)),
                       .hint = "Set improve.side_by_side=1, a smaller model or a smaller batch.");
    return true;
}

static json_t *machine(hn_runner *r) {
    return hn_json_own(r->a, json_pack("{s:s,s:i,s:s,s:s,s:I}", "cpu", hn_cpu_describe(r->a), "cores", hn_cpu_cores(), "isa",
                                       hn_isa_name(hn_cpu_isa()), "version", HONE_VERSION, "memory_available",
                                       (json_int_t)hn_memory_available()));
}

/* Length and hash of data file i; of made items, those of the text that they are: its documents stand side by side. */
static bool look_at(hn_runner *r, int64_t i, int64_t *n, uint64_t *hash) {
    const hn_corpus *c = &r->data.corpus;
    hn_bytes b = { 0 };
    if (hn_gym_is_source(c->files[i])) {
        for (int64_t k = 0; k < c->n_docs; k++) {
            if (c->docs[k].source != i) continue;
            if (!b.n) b.p = c->text.p + c->docs[k].start;
            b.n += c->docs[k].bytes;
        }
    } else if (!hn_file_map(r->a, c->files[i], &b)) return false;
    *n = b.n, *hash = hn_file_hash(b);
    return true;
}

static bool note_files(hn_runner *r) {
    for (int64_t i = 0; i < r->data.corpus.n_files; i++) {
        const char *path = r->data.corpus.files[i];
        int64_t n;
        uint64_t hash;
        if (!look_at(r, i, &n, &hash) || !hn_ledger_file(r->ledger, r->run, path, n, hash, "text")) return false;
    }
    return true;
}

static bool text_changed(hn_runner *r, const char *where) {
    return HN_FAIL(r->a, HONE_E_DATA, .what = "the text changed since the unfinished run in this folder began", .where = where,
                   .hint = "Choose another out folder, or restore the text.");
}

/* A run that was killed in this folder saw these very bytes. */
static bool same_files(hn_runner *r) {
    for (int64_t i = 0; i < r->data.corpus.n_files; i++) {
        bool changed;
        int64_t n;
        uint64_t hash;
        const char *path = r->data.corpus.files[i];
        if (!look_at(r, i, &n, &hash) || !hn_ledger_file_changed(r->ledger, r->run, path, hash, &changed)) return false;
        if (changed) return text_changed(r, path);
    }
    return true;
}

/* What the killed run had planned is what is done now. */
static bool take_up(hn_runner *r, const json_t *plan) {
    const json_t *levers = json_object_get(plan, "levers"), *steps = json_object_get(plan, "steps"), *sets = json_object_get(plan, "sets");
    const char *sealed = json_string_value(json_object_get(json_object_get(sets, "sealed"), "hash"));
    if (!json_is_array(levers) || !json_is_integer(steps) || !sealed)
        return HN_FAIL(r->a, HONE_E_MODEL, .what = "the ledger holds no plan to go on from", .where = r->ledger_path,
                       .hint = "Choose another out folder.");
    if (strcmp(sealed, r->set[HN_SET_SEALED].hash)) return text_changed(r, r->out);
    hn_strs names = { hn_new_n(r->a, const char *, json_array_size(levers)), 0 };
    for (size_t i = 0; i < json_array_size(levers); i++) {
        const char *name = json_string_value(json_array_get(levers, i));
        if (name) names.v[names.n++] = hn_strdup(r->a, name);
    }
    r->n_levers = 0;
    r->steps = json_integer_value(steps);
    return name_levers(r, &names) && hn_settings_set(r->base, r->a, "train.steps", hn_fmt(r->a, "%lld", (long long)r->steps), "ledger");
}

/* Where the ledger is says nothing about the experiment, and may hold a password: no recipe that is written down has it. */
static bool place_ledger(hn_runner *r) {
    int64_t run;
    if (*r->p->ledger && !hn_db_is_url(r->p->ledger))
        return HN_FAIL(r->a, HONE_E_VALUE, .what = "'improve.ledger' is no URL of a server", .wanted = "postgresql://USER@HOST:PORT/DATABASE",
                       .hint = "Without it the ledger is a file in the run folder.");
    if (*r->p->ledger) r->ledger_at = hn_strdup(r->a, r->p->ledger);
    else if (!hn_ledger_of(r->a, r->out, &r->ledger_at, &run)) return false;
    return hn_settings_set(r->base, r->a, "improve.ledger", "", "improve");
}

bool hn_runner_open(hn_runner *r, const hn_settings *s) {
    hn_arena *a = r->a;
    r->base = hn_settings_clone(a, s);
    r->p = hn_settings_get(r->base, "improve");
    r->budget = hn_settings_get(r->base, "budget");
    const char *text = hn_settings_value(a, s, "seed");
    if (text && !hn_parse_u64(text, &r->seed)) r->seed = 0;
    r->side = (int)(r->p->side_by_side ? r->p->side_by_side : hn_pool_threads(hn_job_pool(a->job)));
    int lock = -1;
    if (!place_ledger(r)) return false;
    if (!name_levers(r, &r->p->levers) || !hn_mkdirs(a, r->out)) return false;
    if (!(r->join ? hn_lock_dir_join(a, r->out) : hn_lock_dir_first(a, r->out, &lock))) return false;
    if (!load_data(r) || !hn_corpus_set_aside(a, &r->data.corpus, r->out) || !(r->gym ? hn_gym_sets(r) : hn_sets_make(r)) || !plan_incumbent(r)) return false;
    for (int k = 0; k < r->n_sets; k++)
        hn_log(a, "%s: %lld items of %lld pieces, %lld bytes", r->set[k].name, (long long)r->set[k].n, (long long)r->set[k].clusters,
               (long long)r->set[k].tokens.bytes);
    r->data.valid = (hn_tokens){ .width = r->data.valid.width, .vocab = r->data.valid.vocab };
    if (!(r->ledger = hn_ledger_open(a, r->ledger_at, false))) return false;
    r->ledger_path = hn_ledger_name(r->ledger);
    json_t *plan = NULL;
    /* What was decided while the data were read stands in the recipe: whoever reads it again decides the same. */
    const char *recipe = hn_settings_write_yaml(a, r->base);
    if (!hn_ledger_run_unfinished(a, r->ledger, recipe, &r->run, &plan) || !same_files(r)) return false;
    if (!r->run && r->join) {
        r->ended = true;
        return hn_ledger_run_newest(a, r->ledger, recipe, &r->run) &&
               (r->run || HN_FAIL(a, HONE_E_VALUE, .what = "there is no run to join", .where = r->ledger_path,
                                  .wanted = "a run with the recipe of this folder", .hint = "Begin it with `hone improve`."));
    }
    bool same = false;
    int64_t finished = 0;
    if (!r->run && !hn_ledger_run_finished(a, r->ledger, recipe, &finished, &same, &r->finished)) return false;
    if (finished && !same)
        return HN_FAIL(a, HONE_E_USAGE, .what = "this folder already holds a finished run with another recipe", .where = r->out,
                       .hint = hn_fmt(a, "Choose another folder with out=DIR; `hone ledger show %s` tells what was found.", r->out));
    if (finished) {
        hn_warn(a, "run %lld of %s is finished: this is its result; another out=DIR begins a new run", (long long)finished, r->ledger_path);
        return true;
    }
    if (!hn_claims_open(r)) return false;
    if (r->run) {
        if (!r->join && !hn_ledger_of_put(a, r->out, r->ledger, r->run)) return false;
        if (!r->join) hn_lock_dir_share(lock);
        hn_log(a, "going on with run %lld of %s", (long long)r->run, r->ledger_path);
        return take_up(r, plan);
    }
    hn_speed speed;
    if (!hn_speed_measure(r, &speed) || !hn_plan_fix(r, &speed)) return false;
    hn_log(a, "plan: %lld levers, %lld steps a training, %.2g FLOPs each, %d side by side", (long long)r->n_levers, (long long)r->steps,
           r->flops_step * (double)r->steps, r->side);
    if (!hn_ledger_run_begin(r->ledger, recipe, hn_plan_json(r, &speed), machine(r), r->seed, &r->run) || !note_files(r) ||
        !hn_ledger_of_put(a, r->out, r->ledger, r->run) || !hn_file_write(a, hn_path_join(a, r->out, "recipe.yaml"), recipe, (int64_t)strlen(recipe)))
        return false;
    hn_lock_dir_share(lock); /* the plan stands: others may join */
    return true;
}
