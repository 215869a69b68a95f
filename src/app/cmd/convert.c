/* convert - the same model in another form: number type, shards, from a format that is read into one that is written. */
#include "app/app.h"
#include "model/peft.h"
#include <math.h>

typedef struct flags {
    const char *dtype;
    double shard_gigabytes;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, dtype, .def = "f32", .choices = "f32|bf16|f16", .doc = "type of the weights' numbers; halves are rounded to the nearest"),
    HN_PARAM(flags, shard_gigabytes, .def = "5", .min = 1e-6, .max = 1e6, .doc = "the weights of a file at most, in gigabytes; more files and an index if need be"),
};

extern const hn_cmd hn_cmd_convert;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    double apart;
    if (c->n_args != 2) return hn_usage(c, &hn_cmd_convert, c->n_args > 2 ? "convert takes a model and a folder" : c->n_args ? "where to?" : "which model?");
    const char *from = c->args[0], *to = c->args[1];
    const hn_save how = { .dtype = !strcmp(f->dtype, "bf16") ? HONE_BF16 : !strcmp(f->dtype, "f16") ? HONE_F16 : HONE_F32,
                          .shard_bytes = (int64_t)HN_MAX(llround(f->shard_gigabytes * 1e9), 1) };
    if (hn_is_peft(from))
        return HN_FAIL(c->a, HONE_E_USAGE, .what = "an adapter is no model by itself", .where = from, .hint = "hone merge puts it on its model");
    hone_model *m = hn_model_load(c->a, from);
    if (!m || !hn_model_is_one(c->a, m, "converted")) return false;
    if (hn_path_exists(hn_path_join(c->a, to, "config.json")))
        return HN_FAIL(c->a, HONE_E_USAGE, .what = "this folder already holds a model", .where = to, .hint = "choose another folder");
    if (!hn_model_save_as(c->a, m, to, &how) || !hn_export_check(c->a, m, to, how.dtype == HONE_F32, &apart)) return false;
    if (c->json)
        hn_out_json(c->a, hn_json_own(c->a, json_pack("{ss ss sI so}", "out", to, "dtype", f->dtype, "parameters", (json_int_t)hn_model_count(m),
                                                      "largest_log_prob_difference", hn_json_real(apart))));
    else hn_out("written to %s as %s; read back, its log-probabilities differ by %.2g at most\n", to, f->dtype, apart);
    return true;
}

const hn_cmd hn_cmd_convert = {
    HN_ITEM("convert", "write a model in another form, and check that it says the same", NULL, flags, params),
    .usage = "MODEL OUT [--dtype f32|bf16|f16] [--shard-gigabytes G]",
    .run = run,
    .about = "MODEL is a Hugging Face folder or a llama2.c checkpoint (.bin); OUT becomes a Hugging Face folder. config.json,\n"
             "generation_config.json and the tokenizer go with it. The folder is read back, and the log-probabilities of a few prompts are\n"
             "compared with the model's: in f32 they must be the same.",
    .examples = "  hone convert stories260K.bin stories/\n  hone convert gpt2/ gpt2-bf16/ --dtype bf16\n  hone convert big/ parts/ --shard-gigabytes 2",
};
