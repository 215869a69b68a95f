/* test_adapter.c - adapters against the PEFT library's numbers: logits, merged logits, ten steps of training; folders written, read,
 * stacked and refused; what a training of an adapter leaves alone, keeps, and goes on from. */
#include "train_world.h"
#include "model/peft.h"

static json_t *read_json(hn_arena *a, const char *path)
{
    hn_bytes text;
    assert_true(hn_file_read(a, path, 1 << 24, &text));
    return hn_json_parse(a, path, text.p, text.n, HONE_E_DATA);
}
static hone_model *must_load(world *w, const char *path)
{
    hone_model *m = hn_model_load(w->a, path);
    if (!m) fail_msg("%s", hone_error_message(w->job));
    return m;
}
static const char *golden(world *w, const char *name) { return hn_fmt(w->a, GOLDEN "/peft_%s", name); }
static void told(world *w, hone_code code, const char *one, const char *two)
{
    const char *want[] = { one, two };
    for (int i = 0; i < 2; i++)
        if (!strstr(hone_error_message(w->job), want[i])) fail_msg("'%s' is not in: %s", want[i], hone_error_message(w->job));
    assert_int_equal(hone_error_code(w->job), code);
    hone_error_clear(w->job);
}

enum { T = 16, V = 65 };
static float *logits(world *w, hone_model *m, const int32_t *ids)
{
    float *out = hn_new_n(w->a, float, T * V);
    hone_tape *t = hone_tape_new(w->job, NULL);
    if (!t || !hn_model_logits(t, m, ids, 1, T, true, out)) fail_msg("%s", hone_error_message(w->job));
    hone_tape_free(t);
    return out;
}
static double apart(const float *x, const float *y)
{
    double most = 0;
    for (int i = 0; i < T * V; i++) most = fmax(most, fabs((double)x[i] - (double)y[i]));
    return most;
}
static void ids_of(const json_t *g, int32_t *ids)
{
    for (size_t i = 0; i < T; i++) ids[i] = (int32_t)json_integer_value(json_array_get(json_array_get(json_object_get(g, "ids"), 0), i));
}

static void peft_logits(void **state)
{
    static const char *const names[] = { "gpt2", "llama", "mistral" };
    world w;
    open_world(&w, 2);
    for (int64_t k = 0; k < HN_LEN(names); k++) {
        const json_t *g = read_json(w.a, hn_fmt(w.a, "%s.json", golden(&w, names[k]))), *rows = json_array_get(json_object_get(g, "logits"), 0);
        float want[T * V];
        int32_t ids[T];
        ids_of(g, ids);
        for (int i = 0; i < T * V; i++) want[i] = (float)json_number_value(json_array_get(json_array_get(rows, (size_t)(i / V)), (size_t)(i % V)));
        hone_model *m = must_load(&w, golden(&w, names[k]));
        const float *with = logits(&w, m, ids), *merged = logits(&w, hn_model_merged(w.a, m), ids);
        const float *without = logits(&w, must_load(&w, hn_fmt(w.a, GOLDEN "/%s_tiny", names[k])), ids);
        print_message("%s: logits differ from peft's by %.2e, merged by %.2e; without the adapter by %.2g\n", names[k], apart(with, want),
                      apart(merged, want), apart(without, want));
        assert_true(apart(with, want) < 2e-5 && apart(merged, want) < 2e-5 && apart(without, want) > 0.1);
    }
    close_world(&w);
}

static const char *const targets[][2] = { { "gpt2", "c_attn,c_proj,c_fc" }, { "mistral", "all-linear" } };

/* A training of the adapter in folder `golden`, from its factors. */
static hn_trainer *on_golden(world *w, const char *name, const char *target)
{
    hone_model *start = must_load(w, hn_fmt(w->a, GOLDEN "/%s_tiny", name)), *with = must_load(w, golden(w, name));
    set(w, "adapter", "lora");
    set(w, "adapter.rank", hn_fmt(w->a, "%lld", (long long)with->adapter->p.rank));
    set(w, "adapter.alpha", hn_num(w->a, with->adapter->p.alpha));
    set(w, "adapter.targets", target);
    hn_trainer *t = hn_trainer_new(w->a, w->s, &w->d, start, 1);
    if (!t) fail_msg("%s", hone_error_message(w->job));
    assert_int_equal(t->n_w, with->adapter->n_w);
    for (int64_t i = 0; i < t->n_w; i++) {
        assert_string_equal(t->w[i].t->name, with->adapter->w[i].t->name);
        memcpy(t->w[i].t->data, with->adapter->w[i].t->data, (size_t)hn_count(t->w[i].t) * sizeof(float));
    }
    return t;
}

static void peft_training(void **state)
{
    for (int64_t k = 0; k < HN_LEN(targets); k++) {
        world w;
        open_world(&w, 2);
        const json_t *g = json_object_get(read_json(w.a, hn_fmt(w.a, "%s.json", golden(&w, targets[k][0]))), "adamw");
        static const char *const same[] = { "lr", "beta1", "beta2", "eps", "weight_decay" };
        for (int64_t i = 0; i < HN_LEN(same); i++) set(&w, hn_fmt(w.a, "optim.%s", same[i]), hn_num(w.a, json_number_value(json_object_get(g, same[i]))));
        set(&w, "train.clip", "1");
        set(&w, "sched.name", "constant");
        set(&w, "sched.warmup", "0");
        set(&w, "train.recompute", k ? "true" : "false");
        hn_trainer *t = on_golden(&w, targets[k][0], targets[k][1]);
        const uint64_t before = hn_hash(t->m->w[3].t->data, hn_count(t->m->w[3].t) * 4, 0);
        for (size_t s = 0; s < 11; s++) {
            const json_t *batch = json_array_get(json_object_get(g, "batches"), s % 10);
            for (int b = 0; b < 4; b++)
                for (int i = 0; i < 17; i++) {
                    int32_t id = (int32_t)json_integer_value(json_array_get(json_array_get(batch, (size_t)b), (size_t)i));
                    if (i < 16) t->x[b * 16 + i] = id;
                    if (i > 0) t->y[b * 16 + i - 1] = id;
                }
            double loss, want = json_number_value(s < 10 ? json_array_get(json_object_get(g, "losses"), s) : json_object_get(g, "first_batch_after"));
            if (!hn_trainer_step_on(t, &loss)) fail_msg("%s", hone_error_message(w.job));
            assert_near(loss, want, 1e-5);
        }
        for (int64_t i = 0; i < t->m->n_w; i++) assert_true(!t->m->w[i].t->grad && !t->m->w[i].t->wants_grad);
        assert_true(before == hn_hash(t->m->w[3].t->data, hn_count(t->m->w[3].t) * 4, 0));
        close_world(&w);
    }
}

/* What is written comes back the same, with its base; two of the same add up to twice the difference. */
static void folders_and_stacks(void **state)
{
    static const char *const names[] = { "gpt2", "llama", "mistral" };
    world w;
    open_world(&w, 1);
    for (int64_t k = 0; k < HN_LEN(names); k++) {
        int32_t ids[T];
        ids_of(read_json(w.a, hn_fmt(w.a, "%s.json", golden(&w, names[k]))), ids);
        hone_model *m = must_load(&w, golden(&w, names[k])), *again;
        const char *dir = hn_path_join(w.a, w.dir, names[k]);
        m->adapter->base = hn_fmt(w.a, GOLDEN "/%s_tiny", names[k]);
        assert_true(hn_model_save(w.a, m, dir));
        again = must_load(&w, dir);
        assert_int_equal(again->adapter->n_w, m->adapter->n_w);
        for (int64_t i = 0; i < m->adapter->n_w; i++)
            assert_memory_equal(again->adapter->w[i].t->data, m->adapter->w[i].t->data, (size_t)hn_count(m->adapter->w[i].t) * 4);
        assert_true(apart(logits(&w, m, ids), logits(&w, again, ids)) == 0);
        hone_model *once = must_load(&w, golden(&w, names[k])), *twice = must_load(&w, golden(&w, names[k]));
        assert_true(hn_peft_attach(twice, dir));
        for (int64_t i = 0; i < once->adapter->n_w / 2; i++) once->adapter->map[i].scale *= 2;
        assert_true(apart(logits(&w, once, ids), logits(&w, twice, ids)) < 1e-4);
        assert_true(apart(logits(&w, hn_model_merged(w.a, once), ids), logits(&w, hn_model_merged(w.a, twice), ids)) < 1e-4);
        const char *stacked = hn_fmt(w.a, "%s-on-it", dir); /* an adapter whose base is an adapter */
        twice->adapter->base = dir;
        assert_true(hn_model_save(w.a, twice, stacked));
        assert_true(apart(logits(&w, must_load(&w, stacked), ids), logits(&w, twice, ids)) < 1e-6);
    }
    close_world(&w);
}

static void write_config(world *w, const char *dir, const char *key, json_t *value)
{
    json_t *c = read_json(w->a, hn_fmt(w->a, "%s/adapter_config.json", golden(w, "gpt2")));
    json_object_set_new(c, key, value);
    const char *text = hn_json_text(w->a, c, false);
    assert_true(hn_mkdirs(w->a, dir) && hn_file_write(w->a, hn_path_join(w->a, dir, "adapter_config.json"), text, (int64_t)strlen(text)));
    hn_bytes b;
    assert_true(hn_file_read(w->a, hn_fmt(w->a, "%s/adapter_model.safetensors", golden(w, "gpt2")), 1 << 20, &b) &&
                hn_file_write(w->a, hn_path_join(w->a, dir, "adapter_model.safetensors"), b.p, b.n));
}

static void refusals(void **state)
{
    world w;
    open_world(&w, 1);
    const char *dir = hn_path_join(w.a, w.dir, "bad");
    assert_false(hn_peft_attach(must_load(&w, GOLDEN "/llama_tiny"), golden(&w, "gpt2")));
    told(&w, HONE_E_MODEL, "h.0.attn.c_attn.lora_A.weight' has no place in this model", "made for ../gpt2_tiny");
    assert_false(hn_peft_attach(must_load(&w, GOLDEN "/gpt2_nobias"), golden(&w, "gpt2")));   /* the same names, another width */
    told(&w, HONE_E_MODEL, "does not fit transformer.h.0.attn.c_attn.weight", "wanted shape (3,16)");
    const struct { const char *key; json_t *value; const char *say; } bad[] = {
        { "use_dora", json_true(), "use_dora" }, { "peft_type", json_string("IA3"), "peft_type" }, { "bias", json_string("all"), "bias" },
        { "r", json_integer(0), "'r'" }, { "lora_alpha", json_string("x"), "lora_alpha" }, { "target_modules", json_pack("[i]", 1), "target_modules" },
        { "init_lora_weights", json_string("pissa"), "init_lora_weights" }, { "modules_to_save", json_pack("[s]", "lm_head"), "modules_to_save" },
        { "base_model_name_or_path", json_string("nobody/nothing"), "nobody/nothing" }, { "base_model_name_or_path", json_null(), "names no base" },
        { "base_model_name_or_path", json_string(dir), "stand on each other" }, { "alpha_pattern", json_pack("{s:i}", "(", 1), "" },
    };
    for (int64_t i = 0; i < HN_LEN(bad); i++) {
        write_config(&w, dir, bad[i].key, bad[i].value);
        if (!strcmp(bad[i].key, "alpha_pattern")) {
            assert_false(hn_peft_attach(must_load(&w, GOLDEN "/gpt2_tiny"), dir));
            told(&w, HONE_E_MODEL, "no regular expression", "adapter_config.json");
            continue;
        }
        assert_null(hn_model_load(w.a, dir));
        told(&w, HONE_E_MODEL, bad[i].say, "adapter_config.json");
    }
    set(&w, "adapter", "lora");
    assert_null(hn_trainer_new(w.a, w.s, &w.d, NULL, 1));
    told(&w, HONE_E_VALUE, "an adapter needs a model", "model: DIR");
    set(&w, "adapter.targets", "q_prj,v_proj");
    assert_null(hn_trainer_new(w.a, w.s, &w.d, must_load(&w, GOLDEN "/llama_tiny"), 1));
    told(&w, HONE_E_VALUE, "'q_prj'", "did you mean 'q_proj'");
    set(&w, "adapter.targets", "model.layers.(0");
    assert_null(hn_trainer_new(w.a, w.s, &w.d, must_load(&w, GOLDEN "/llama_tiny"), 1));
    told(&w, HONE_E_VALUE, "no regular expression", "adapter.targets");
    close_world(&w);
}

/* Five steps, a checkpoint, five more: the same bits as ten; and it is small, for the base is not in it. */
static void resume(void **state)
{
    world w;
    open_world(&w, 2);
    hone_model *start = must_load(&w, GOLDEN "/gpt2_tiny");
    set(&w, "adapter", "lora");
    set(&w, "adapter.dropout", "0.1");
    set(&w, "train.ema", "0.9");
    set(&w, "optim.lr", "0.01");
    double loss;
    hn_trainer *ten = hn_trainer_new(w.a, w.s, &w.d, start, 5), *five = hn_trainer_new(w.a, w.s, &w.d, start, 5);
    assert_true(ten && five);
    int32_t ids[T] = { 1, 2, 3 };
    assert_true(apart(logits(&w, ten->m, ids), logits(&w, start, ids)) == 0);   /* a fresh adapter changes nothing */
    for (int i = 0; i < 10; i++) assert_true(hn_trainer_step(ten, &loss));
    for (int i = 0; i < 5; i++) assert_true(hn_trainer_step(five, &loss));
    assert_true(hn_trainer_save(five, w.dir));
    hn_trainer *rest = hn_trainer_new(w.a, w.s, &w.d, start, 5);
    if (!hn_trainer_load(rest, w.dir)) fail_msg("%s", hone_error_message(w.job));
    for (int i = 0; i < 5; i++) assert_true(hn_trainer_step(rest, &loss));
    for (int64_t i = 0; i < ten->n_w; i++) {
        int64_t bytes = hn_count(ten->w[i].t) * 4;
        assert_memory_equal(ten->w[i].t->data, rest->w[i].t->data, (size_t)bytes);
        assert_memory_equal(ten->average[i], rest->average[i], (size_t)bytes);
    }
    hn_st st;
    assert_true(hn_st_open(w.a, hn_fmt(w.a, "%s/checkpoint/state.safetensors", w.dir), &st));
    for (int64_t i = 0; i < st.n; i++) assert_non_null(strstr(st.v[i].name, ".lora_"));
    ((float *)start->w[2].t->data)[0] += 1;   /* another model at the same path */
    assert_false(hn_trainer_load(hn_trainer_new(w.a, w.s, &w.d, start, 5), w.dir));
    told(&w, HONE_E_VALUE, "another base model", "resume");
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(peft_logits), cmocka_unit_test(peft_training), cmocka_unit_test(folders_and_stacks),
                                        cmocka_unit_test(refusals), cmocka_unit_test(resume) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
