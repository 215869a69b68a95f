/* train - one training from a recipe: from scratch, or going on from given weights.
 *
 * A folder that holds a training is never overwritten: --resume goes on with it, another out= begins a new one. */
#include "app/app.h"
#include <math.h>

typedef struct flags {
    const char *resume;
    bool plan;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, resume, .doc = "run folder of an interrupted training: go on from its checkpoint, bit for bit"),
    HN_PARAM(flags, plan, .doc = "say what the training will need (parameters, FLOPs, memory) and stop"),
};
static const hn_section *const sections[] = { &hn_section_run,   &hn_section_model, &hn_section_adapter, &hn_section_data,
                                              &hn_section_train, &hn_section_optim, &hn_section_sched };

/* ---- plan ---- */

static void tell_plan(hn_cmd_call *c, const hn_plan *p) {
    int64_t there = hn_memory_available() + hn_rss_now();
    if (c->json) {
        hn_out_json(c->a, hn_json_own(c->a, json_pack("{sI sI sI so so sI sI sI sI sI sI sI sI}", "parameters", (json_int_t)p->parameters,
                                                      "steps", (json_int_t)p->steps, "tokens_per_step", (json_int_t)p->tokens_per_step,
                                                      "flops_step", hn_json_real(p->flops_step), "flops", hn_json_real(p->flops_total),
                                                      "bytes_weights", (json_int_t)p->bytes_weights, "bytes_gradients",
                                                      (json_int_t)p->bytes_grads, "bytes_optimizer", (json_int_t)p->bytes_states,
                                                      "bytes_activations", (json_int_t)p->bytes_activations, "bytes_data",
                                                      (json_int_t)p->bytes_data, "bytes_program", (json_int_t)p->bytes_base,
                                                      "peak_rss_bytes", (json_int_t)p->bytes_peak, "memory_bytes", (json_int_t)there)));
        return;
    }
    hn_out("parameters   %lld (%s)\n", (long long)p->parameters, hn_human(c->a, (double)p->parameters));
    hn_out("steps        %lld of %s tokens\n", (long long)p->steps, hn_human(c->a, (double)p->tokens_per_step));
    hn_out("FLOPs        %.3g a step, %.3g in all\n", p->flops_step, p->flops_total);
    hn_out("memory       weights      %s\n", hn_human_bytes(c->a, (double)p->bytes_weights));
    hn_out("             gradients    %s\n", hn_human_bytes(c->a, (double)p->bytes_grads));
    hn_out("             optimizer    %s\n", hn_human_bytes(c->a, (double)p->bytes_states));
    hn_out("             activations  %s\n", hn_human_bytes(c->a, (double)p->bytes_activations));
    hn_out("             data         %s\n", hn_human_bytes(c->a, (double)p->bytes_data));
    hn_out("             program      %s\n", hn_human_bytes(c->a, (double)p->bytes_base));
    hn_out("             peak         %s of %s\n", hn_human_bytes(c->a, (double)p->bytes_peak), hn_human_bytes(c->a, (double)there));
}

/* ---- the training ---- */

/* Of samples, the share of the tokens that is learned. */
static const char *learned(hn_arena *a, const hn_tokens *t) {
    int64_t n = 0;
    if (!t->learn) return "";
    for (int64_t i = 0; i < t->n_spans; i++)
        for (int64_t k = 0; k < t->spans[i].n; k++) n += t->learn[t->spans[i].start + k];
    return hn_fmt(a, " (%lld samples; %s tokens of them are learned)", (long long)t->n_spans, hn_human(a, (double)n));
}

static bool load_data(hn_cmd_call *c, hone_model **start, hn_dataset *d) {
    const hn_model_params *mp = hn_settings_get(c->settings, "model");
    const hn_data_params *dp = hn_settings_get(c->settings, "data");
    const hn_run_params *run = hn_settings_get(c->settings, "");
    if (!dp->train.n)
        return HN_FAIL(c->a, HONE_E_VALUE, .what = "'data.train' is missing", .wanted = "a text file or folder",
                       .hint = "Add data.train=FILE to the command line, or to the recipe.");
    int64_t context = 0;
    if (*mp->path) {
        if (!(*start = hn_model_load(c->a, mp->path))) return false;
        if (!(*start)->tok && !hn_settings_is_set(c->settings, "data.tokenizer"))
            return HN_FAIL(c->a, HONE_E_MODEL, .what = "the model has no tokenizer", .where = mp->path,
                           .hint = "Put the tokenizer.json that it was trained with into its folder, or name it with data.tokenizer=FILE.");
        context = (*start)->context;
    } else {
        const char *text = hn_settings_value(c->a, c->settings, "model.context");
        if (!text || !hn_parse_i64(text, &context)) return HN_FAIL(c->a, HONE_E_VALUE, .what = "this architecture has no context length");
    }
    hn_tokenizer *tok = NULL;
    if (*start && (!hn_settings_is_set(c->settings, "data.tokenizer") || !strcmp(dp->tokenizer, mp->path))) tok = (*start)->tok;
    /* The recipe that is written says what was done, so that going on by it does the same. */
    if (tok && !hn_settings_set(c->settings, c->a, "data.tokenizer", mp->path, mp->path)) return false;
    if (*start && !hn_model_describe(c->a, c->settings, *start, mp->path)) return false;
    return hn_dataset_load(c->a, dp, context, run->seed, tok, d);
}

static bool claim(hn_cmd_call *c, const char *out, bool resume) {
    if (!hn_mkdirs(c->a, out) || !hn_lock_dir(c->a, out)) return false;
    static const char *const marks[] = { "checkpoint/state.safetensors", "best/config.json", "best/adapter_config.json", "ledger.sqlite" };
    bool has_run = false;
    for (int64_t i = 0; i < HN_LEN(marks); i++) has_run = has_run || hn_path_exists(hn_path_join(c->a, out, marks[i]));
    if (has_run && !resume)
        return HN_FAIL(c->a, HONE_E_USAGE, .what = "this folder already holds a run", .where = out,
                       .hint = hn_fmt(c->a, "Go on with `hone train --resume %s`, or choose another folder with out=DIR.", out));
    return hn_term_log_to(c->a, c->term, hn_path_join(c->a, out, "log.jsonl"));
}

/* Only once it is known that the training can go on: a refused --resume must not change what the next one reads. */
static bool note(hn_cmd_call *c, const char *out, const hn_corpus *corpus) {
    const char *recipe = hn_path_join(c->a, out, "recipe.yaml"), *text = hn_settings_write_yaml(c->a, c->settings);
    return hn_file_write(c->a, recipe, text, (int64_t)strlen(text)) && hn_corpus_set_aside(c->a, corpus, out);
}

static void tell(hn_cmd_call *c, const char *out, const hn_train_result *r, double apart) {
    if (c->json) {
        hn_out_json(
            c->a, hn_json_own(c->a, json_pack("{sI sI so so so so so so sI so ss so}", "step", (json_int_t)r->step, "tokens",
                                              (json_int_t)r->tokens, "train_loss", hn_json_real(r->train_loss), "valid_loss",
                                              hn_json_real(r->valid_loss), "bits_per_byte", hn_json_real(r->bits_per_byte),
                                              "accuracy", hn_json_real(r->accuracy), "tokens_per_second",
                                              hn_json_real(r->tokens_per_second), "seconds", hn_json_real(r->seconds), "peak_rss_bytes",
                                              (json_int_t)r->peak_rss, "flops", hn_json_real(r->flops), "out", out, "export_difference",
                                              hn_json_real(apart))));
        return;
    }
    hn_out("steps        %lld%s, %s tokens, %s tok/s\n", (long long)r->step, r->stopped_early ? " (stopped early)" : "",
           hn_human(c->a, (double)r->tokens), isnan(r->tokens_per_second) ? "-" : hn_human(c->a, r->tokens_per_second));
    hn_out("train loss   %.4f\n", r->train_loss);
    if (!isnan(r->valid_loss))
        hn_out("valid loss   %.4f (%.4f bits per byte), %.1f %% of the next tokens guessed right\n", r->valid_loss, r->bits_per_byte,
               100 * r->accuracy);
    hn_out("time         %s, peak memory %s\n", hn_human_seconds(c->a, r->seconds), hn_human_bytes(c->a, (double)r->peak_rss));
    hn_out("model        %s; read back, its log-probabilities differ by %.2g at most\n", hn_path_join(c->a, out, "best"), apart);
}

/* A rank without a method would train the whole model, and say so nowhere. */
static void warn_idle_adapter(hn_cmd_call *c) {
    const hn_section *sec = &hn_section_adapter;
    if (hn_adapter_wanted(c->a, c->settings)) return;
    for (int64_t i = 0; i < sec->n_rows; i++) {
        const char *key = hn_fmt(c->a, "%s.%s", sec->key, sec->rows[i].name);
        if (!hn_settings_is_set(c->settings, key) || !strcmp(hn_settings_value(c->a, c->settings, key), sec->rows[i].def)) continue;
        hn_warn(c->a, "%s says how an adapter is made, but none is asked for: all weights of the model are trained. adapter=lora asks for one", key);
        return;
    }
}

static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    bool resume = *f->resume;
    if (resume && !c->recipe && !c->n_args && !hn_resume_settings(c, sections, HN_LEN(sections), f->resume)) return false;
    if (resume && (c->recipe || c->n_args) && !hn_settings_set(c->settings, c->a, "out", f->resume, "--resume")) return false;
    if (!hn_take_data_args(c) || !hn_settings_check(c->settings, c->a)) return false;
    const char *out = hn_run_folder(c);
    if (!out) out = hn_path_join(c->a, "runs", "train");
    if (!f->plan && !hn_settings_set(c->settings, c->a, "out", out, "command line")) return false;
    warn_idle_adapter(c);
    hone_model *start = NULL;
    hn_dataset d = { 0 };
    hn_train_result r = { 0 };
    if (f->plan) {
        hn_plan plan;
        if (!load_data(c, &start, &d) || !hn_plan_make(c->a, c->settings, &d, 0, start, &plan)) return false;
        tell_plan(c, &plan);
        return true;
    }
    if (!load_data(c, &start, &d)) return false;
    const hn_run_params *top = hn_settings_get(c->settings, "");
    hn_trainer *t = hn_trainer_new(c->a, c->settings, &d, start, top->seed);
    if (!t || !claim(c, out, resume) || (resume && !hn_trainer_load(t, out)) || !note(c, out, &d.corpus)) return false;
    const char *dtype = hn_train_dtype_note(hn_settings_get(c->settings, "train"));
    if (dtype) hn_log(c->a, "%s", dtype);
    hn_log(c->a, "%s parameters, %s training tokens%s, %s held out; writing to %s",
           hn_human(c->a, (double)hn_model_count(hn_trainer_model(t))), hn_human(c->a, (double)d.train.n), learned(c->a, &d.train),
           hn_human(c->a, (double)d.valid.n), out);
    double apart;
    if (!hn_trainer_run(t, out, &r) || !hn_export_check(c->a, hn_trainer_model(t), hn_path_join(c->a, out, "best"), true, &apart)) return false;
    tell(c, out, &r, apart);
    return true;
}

const hn_cmd hn_cmd_train = {
    HN_ITEM("train", "train or fine-tune a model", NULL, flags, params),
    .usage = "RECIPE.yaml [key.path=value …] | --resume RUN",
    .sections = sections,
    .n_sections = HN_LEN(sections),
    .takes_recipe = true,
    .run = run,
    .about = "Writes a run folder: recipe.yaml (as resolved), checkpoint/, best/ (the model), log.jsonl; and set-aside.jsonl, if rows of the data\n"
             "could not be read: source, line and why, the first 1000. Ctrl-C saves a checkpoint first;\n"
             "--resume goes on from it bit for bit. Arguments that are no recipe are training data, or a model folder to start from.\n"
             "Rows of .jsonl and .json may be texts, prompts with completions, talks (hone list row): of those the answers are learned; data.pack\n"
             "lays several into one row.",
    .examples = "  hone train recipes/shakespeare-char.yaml data.train=input.txt out=runs/a\n"
                "  hone train recipes/shakespeare-char.yaml data.train=input.txt --plan\n  hone train --resume runs/a"
};
