/* merge - make one model of a model and its adapters, which then needs neither of them. */
#include "app/app.h"
#include "model/peft.h"

typedef struct flags {
    hn_strs adapter;
    const char *out;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, adapter, .doc = "adapter folder to put on the model; may be given several times: they add up"),
    HN_PARAM(flags, out, .doc = "folder to write the merged model to"),
};

/* How far the merged model's numbers are from the adapted one's, on tokens that stand for a text: rounding alone should part them. */
static bool largest_difference(hn_arena *outer, hone_model *x, hone_model *y, double *out) {
    hn_arena *a = hn_arena_new(outer);
    int64_t T = HN_MIN(x->context, 32), n = T * x->vocab;
    int32_t *ids = hn_new_n(a, int32_t, T);
    float *lx = hn_new_n(a, float, n), *ly = hn_new_n(a, float, n);
    hn_rng r = hn_rng_new(1, HN_STREAM_SAMPLE, 0);
    for (int64_t i = 0; i < T; i++) ids[i] = (int32_t)hn_rng_below(&r, x->vocab);
    hone_tape *t = hone_tape_new(a->job, NULL);
    bool ok = t && hn_model_logits(t, x, ids, 1, T, true, lx) && hn_model_logits(t, y, ids, 1, T, true, ly);
    hone_tape_free(t);
    *out = 0;
    for (int64_t i = 0; ok && i < n; i++) {
        double d = (double)lx[i] - (double)ly[i];
        *out = HN_MAX(*out, d < 0 ? -d : d);
    }
    hn_arena_free(a);
    return ok;
}

extern const hn_cmd hn_cmd_merge;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    double apart;
    if (c->n_args != 1) return hn_usage(c, &hn_cmd_merge, c->n_args ? "merge takes one model" : "which model?");
    if (!*f->out) return hn_usage(c, &hn_cmd_merge, "where to? --out DIR is needed");
    hone_model *m = hn_model_load(c->a, c->args[0]);
    for (int64_t i = 0; m && i < f->adapter.n; i++) {
        if (!hn_path_exists(f->adapter.v[i])) return hn_no_file(c->a, HONE_E_MODEL, f->adapter.v[i]);
        if (!hn_peft_attach(m, f->adapter.v[i])) return false;
    }
    if (!m) return false;
    if (!m->adapter) return hn_usage(c, &hn_cmd_merge, "there is nothing to merge: give --adapter DIR, or the folder of an adapter");
    if (hn_path_exists(f->out) && hn_path_exists(hn_path_join(c->a, f->out, "config.json")))
        return HN_FAIL(c->a, HONE_E_USAGE, .what = "this folder already holds a model", .where = f->out, .hint = "choose another folder");
    hone_model *merged = hn_model_merged(c->a, m);
    if (!merged || !largest_difference(c->a, m, merged, &apart) || !hn_model_save(c->a, merged, f->out)) return false;
    if (c->json)
        hn_out_json(c->a, hn_json_own(c->a, json_pack("{ss sI so}", "out", f->out, "parameters", (json_int_t)hn_model_count(merged),
                                                      "largest_logit_difference", hn_json_real(apart))));
    else hn_out("merged into %s; logits differ by %.2g at most from those with the adapter\n", f->out, apart);
    return true;
}

const hn_cmd hn_cmd_merge = {
    HN_ITEM("merge", "make one model of a model and its adapters", NULL, flags, params),
    .usage = "MODEL [--adapter DIR …] --out DIR",
    .run = run,
    .about = "Adds low-rank adapters (LoRA) to the weights of their model. MODEL may be an adapter's folder: then its base is opened with\n"
             "it. The logits of both are compared before anything is written.",
    .examples = "  hone merge llama/ --adapter lora/ --out merged/\n  hone merge runs/a/best --out merged/",
};
