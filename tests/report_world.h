/* report_world.h - a run made up for tests of the report: every kind of arm, decision and note, and text that would like to be markup. */
#ifndef REPORT_WORLD_H
#define REPORT_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include "eval/report.h"

static char root[] = "/tmp/hone-report-XXXXXX";
static hone_job *job;
static hn_arena *a;

enum { SEEDS = 4, ITEMS = 60, POINTS = 150 };
static const char evil[] = "</pre><script>alert('x')</script> & \"quotes\"";

/* ---- a made-up run ---- */

typedef struct made {
    const char *phase, *arm, *set;
    double mean, cost, end_loss;
    int seeds;
    const char *error, *recipe;
} made;

static const char recipe[] = "model:\n  layers: 3\n  width: 96\noptim:\n  lr: 0.002\n  name: adamw\ntrain:\n  steps: 400\n";
static const made arms[] = {
    { "tune", "lr x0.5", "screen", 2.52, 1, 1.7, 1, NULL, recipe },
    { "tune", "lr x1", "screen", 2.46, 1, 1.66, 1, NULL, recipe },
    { "screen", "incumbent", "screen", 2.46, 1, 1.66, 2, NULL, recipe },
    { "screen", "incumbent x2", "screen", 2.40, 2, 1.62, 2, NULL, recipe },
    { "screen", "deeper.0", "screen", 2.42, 1, 1.64, 2, NULL,
      "model:\n  layers: 4\n  width: 96\noptim:\n  lr: 0.002\n  name: adamw\ntrain:\n  steps: 310\n" },
    { "screen", "wider.0", "screen", 2.44, 1, 1.64, 2, NULL,
      "model:\n  layers: 3\n  width: 128\noptim:\n  lr: 0.002\n  name: adamw\ntrain:\n  steps: 260\n" },
    { "screen", "more-steps.1", "screen", 2.37, 2, 1.58, 2, NULL,
      "model:\n  layers: 3\n  width: 96\noptim:\n  lr: 0.002\n  name: adamw\ntrain:\n  steps: 800\n" },
    { "screen", "dropout.0", "screen", 0, 1, 0, 2, evil, recipe },
    { "confirm", "incumbent", "confirm", 2.4600, 1, 1.66, SEEDS, NULL, recipe },
    { "confirm", "incumbent x2", "confirm", 2.4000, 2, 1.62, SEEDS, NULL, recipe },
    { "confirm", "more-steps", "confirm", 2.3500, 2, 1.57, SEEDS, NULL, recipe },
    { "confirm", "deeper", "confirm", 2.4290, 1, 1.63, SEEDS, NULL, recipe },
    { "confirm", "wider", "confirm", 2.4930, 1, 1.69, SEEDS, NULL, recipe },
    { "confirm", "ema", "confirm", 2.4550, 1, 1.655, SEEDS, NULL, recipe },
    { "confirm", "placebo", "confirm", 2.4612, 1, 1.661, SEEDS, NULL, recipe },
    { "stack", "all", "confirm", 2.3300, 2, 1.55, SEEDS, NULL, recipe },
    { "stack", "all less deeper", "confirm", 2.3500, 2, 1.57, SEEDS, NULL, recipe },
    { "seal", "start", "sealed", 2.4700, 1, 1.66, SEEDS, NULL, recipe },
    { "seal", "end", "sealed", 2.3400, 2, 1.55, SEEDS, NULL, recipe },
};

static void put_arm(hn_ledger *l, int64_t run, const made *m, int64_t index) {
    double *items = hn_new_n(a, double, ITEMS), *curve = hn_new_n(a, double, 3 * POINTS);
    for (int64_t s = 0; s < m->seeds; s++) {
        double sum = 0, luck = 0.006 * ((double)((s * 7 + index * 3) % 5) - 2), steps = 400 * m->cost;
        hn_rng rng = hn_rng_new(1, HN_STREAM_TEST, (uint32_t)(index * 16 + s));
        for (int64_t i = 0; i < ITEMS; i++) sum += items[i] = 0.2 * sin((double)i) + 0.01 * hn_rng_normal(&rng);
        for (int64_t i = 0; i < ITEMS; i++) items[i] += m->mean + luck - sum / ITEMS;
        for (int64_t i = 0; i < POINTS; i++) {
            double step = 1 + floor((steps - 1) * (double)i / (POINTS - 1));
            curve[3 * i] = step;
            curve[3 * i + 1] = m->end_loss + 2.6 * exp(-step / 12) + 0.5 * exp(-step / 90) + 0.03 * hn_rng_normal(&rng) + luck;
            curve[3 * i + 2] = NAN;
        }
        hn_measure x = { .phase = m->phase,
                         .arm = m->arm,
                         .set_name = m->set,
                         .seed = index * 100 + s,
                         .state = m->error ? "failed" : "done",
                         .error = m->error,
                         .recipe = m->recipe,
                         .seconds = 3.1 * m->cost + 0.11 * (double)index,
                         .flops = 4e11 * m->cost,
                         .peak_rss = 42000000,
                         .steps = (int64_t)steps,
                         .tokens = 300000,
                         .loss = m->mean * 0.69,
                         .accuracy = !strcmp(m->arm, "end") ? 0.5125 : 0.4875,
                         .train_loss = m->end_loss,
                         .items = items,
                         .n_items = m->error ? 0 : ITEMS,
                         .curve = curve,
                         .n_curve = m->error ? 0 : POINTS };
        assert_true(hn_ledger_put(l, run, &x));
    }
}

static void decide(hn_ledger *l, int64_t run, const char *phase, const char *lever, hn_verdict v, double gain, double half,
                   const char *why) {
    hn_decision d = { .difference = gain,
                      .lo = gain - half,
                      .hi = gain + half,
                      .se = half / 2.2,
                      .df = 9.4,
                      .t = NAN,
                      .p = NAN,
                      .p_adjusted = v == HN_KEPT ? 0.00123 : 0.41,
                      .p_harm = NAN,
                      .p_harm_adjusted = v == HN_HARMFUL ? 0.0071 : 0.9,
                      .detectable = 0.0213,
                      .seed_var = 0.0081 * 0.0081,
                      .item_var = 0.021 * 0.021,
                      .verdict = v };
    if (isnan(half)) d.seed_var = d.item_var = d.detectable = d.p_adjusted = NAN;
    assert_true(hn_ledger_decide(l, run, phase, lever, &d, why, 12.5, 1.6e12, 42000000));
}

static json_t *json(const char *text) {
    json_t *v = hn_json_parse(a, "test", text, (int64_t)strlen(text), HONE_E_MODEL);
    assert_non_null(v);
    return v;
}

static hn_ledger *make(const char *name, bool finish) {
    int64_t run, before;
    hn_ledger *l = hn_ledger_open(a, hn_path_join(a, root, name), false);
    assert_non_null(l);
    json_t *plan =
        json("{\"metric\":\"bits_per_byte\",\"levers\":[\"more-steps\",\"deeper\",\"wider\",\"ema\",\"dropout\",\"lr\",\"placebo\"],"
             "\"left_out\":[{\"lever\":\"heads\",\"why\":\"the budget of 9 s would have left 41 <steps>\"}],\"screen_seeds\":2,\"seconds_per_step_measured\":0.015104842670007201,"
             "\"confirm_seeds\":4,\"alpha\":0.05,\"test\":\"one-sided t\",\"steps\":400,\"flops_per_training\":4e11,\"seed\":7,\"sets\":{"
             "\"screen\":{\"items\":40,\"clusters\":30,\"bytes\":20000,\"hash\":\"00aa\"},\"confirm\":{\"items\":60,\"clusters\":50,"
             "\"bytes\":32000,\"hash\":\"00bb\"},"
             "\"sealed\":{\"items\":55,\"clusters\":44,\"bytes\":28000,\"hash\":\"9f86d081884c7d65\"}}}");
    assert_true(hn_ledger_run_begin(l, recipe, plan,
                                    json("{\"cpu\":\"A <Fast> CPU, 2 cores\",\"cores\":2,\"memory_available\":8000000000}"), 7, &run));
    assert_true(hn_ledger_file(l, run, "texts/a & b <c>.txt", 1115394, 0x1234abcd5678ef00u, "text"));
    for (int64_t i = 0; i < HN_LEN(arms) && (finish || strcmp(arms[i].phase, "stack")); i++) put_arm(l, run, &arms[i], i);
    decide(l, run, "screen", "dropout", HN_FAILED, NAN, NAN, evil);
    decide(l, run, "screen", "lr", HN_UNDECIDED, -0.004, NAN,
           "optim.lr 0.002 → 0.004: -0.0040 bits per byte better in the screen, not among the best 4; not judged");
    decide(l, run, "confirm", "more-steps", HN_KEPT, 0.05, 0.0141, "2 times the steps: better by 0.0500 bits per byte");
    decide(l, run, "confirm", "deeper", HN_KEPT, 0.031, 0.0152, "model.layers 3 → 4: better by 0.0310 bits per byte");
    decide(l, run, "confirm", "wider", HN_HARMFUL, -0.033, 0.0149, "model.width 96 → 128: worse by 0.0330 bits per byte");
    decide(l, run, "confirm", "ema", HN_UNDECIDED, 0.005, 0.0155, "average of the weights: within chance");
    decide(l, run, "confirm", "placebo", HN_UNDECIDED, -0.0012, 0.0143, "nothing: within chance");
    if (!finish) return l;
    decide(l, run, "stack", "more-steps", HN_KEPT, 0.061, 0.02, "with the others, it is worth 0.0610");
    decide(l, run, "stack", "deeper", HN_KEPT, 0.02, 0.017, "with the others, it is worth 0.0200");
    decide(l, run, "stack", "more-steps before deeper", HN_UNDECIDED, 0.0031, 0.0105, "the other order gives other settings and a loss higher by 0.0031");
    assert_true(hn_ledger_note(l, run, "conflicts", "more-steps and deeper both change <train.steps>"));
    assert_true(hn_ledger_seal_open(l, run, "9f86d081884c7d65", &before));
    decide(l, run, "seal", "end", HN_KEPT, 0.13, 0.021, "2 times the steps; model.layers 3 → 4");
    assert_true(hn_ledger_note(l, run, "sample start", "ROMEO:\nWhat the mand <b>of</b> thee\n\xff ill-formed"));
    assert_true(hn_ledger_note(l, run, "sample end", evil));
    assert_true(hn_ledger_run_end(
        l, run, "done",
        json("{\"best\":\"runs/x/"
             "best\",\"metric\":\"bits_per_byte\",\"start\":2.47,\"end\":2.34,\"difference\":-0.13,\"ci95\":[-0.151,-0.109],"
             "\"gain\":0.13,\"sealed_hash\":\"9f86d081884c7d65\",\"sealed_items\":55,\"sealed_opened_before\":1,\"levers\":[\"more-steps\","
             "\"deeper\"],"
             "\"what\":\"2 times the steps; model.layers 3 → "
             "4\",\"cost\":2,\"file\":{\"start\":2.4644,\"end\":2.3321,\"difference\":-0.1323,\"ci95\":[-0.14,-0.12]},\"out\":\"runs/"
             "x\"}")));
    return l;
}
#endif
