/* deal.c - how often a useless lever is kept, with real trainings: the rates behind README's picture.
 *
 *     deal ROOT NAME=RUN …      RUN: the folder of a `hone improve` whose levers are placebo alone, with many confirm seeds
 *
 * Every training of such a run is of the same recipe, so whatever differs between two of them is chance. 10,000 times, twenty are dealt at
 * random, without replacement, to an incumbent and four levers that do nothing, four each, and hn_decide judges; beside it, the habit of
 * one run each, keep what is better. The trainings of a run are few (128) and come again in other hands, so a rate has the error of these
 * trainings besides that of dealing. Writes ROOT/docs/results/real-keeps.md and ROOT/docs/pictures/false-keeps.svg. */
#include <math.h>
#include <stdio.h>
#include "eval/eval.h"

enum { ARMS = 5, SEEDS = 4, DEALS = 10000, MOST = 8 };
typedef struct pool {
    const char *name, *metric;
    const double **x; /* (trainings) of (items) */
    int64_t trainings, items;
    double mean, seed_sd;
    double kept, harmful, one, four; /* shares of deals: any lever kept, any called harmful; one run: the first better, any of four */
} pool;

static bool gather(hn_arena *a, const char *dir, pool *p) {
    const char *path;
    int64_t run;
    hn_ledger *l;
    HN_VEC(const double *) v = { 0 };
    if (!hn_ledger_of(a, dir, &path, &run) || !(l = hn_ledger_open(a, path, true))) return false;
    if (!run) run = hn_ledger_latest(l);
    hn_row *r = hn_db_query(a, hn_ledger_db(l), "SELECT n_items, items FROM measurements WHERE run=? AND phase='confirm' AND set_name='confirm' AND state='done' ORDER BY arm, seed",
                            "i", run);
    while (r && hn_row_next(r)) {
        int64_t n = hn_row_i(r, 0);
        hn_bytes b = hn_row_b(a, r, 1);
        if (n < 2 || b.n != n * (int64_t)sizeof(double) || (v.n && n != p->items)) return HN_FAIL(a, HONE_E_DATA, .what = "trainings of different items", .where = path);
        p->items = n;
        hn_push(a, &v, (const double *)b.p);
    }
    r = r ? hn_db_query(a, hn_ledger_db(l), "SELECT metric FROM runs WHERE id=?", "i", run) : NULL;
    if (!r || !hn_row_next(r)) return false;
    p->metric = hn_row_s(a, r, 0);
    p->x = v.v;
    p->trainings = v.n;
    return v.n >= 2 * ARMS * SEEDS || HN_FAIL(a, HONE_E_DATA, .what = "too few trainings to deal", .where = path, .wanted = hn_fmt(a, "%d", 2 * ARMS * SEEDS),
                                              .found = hn_fmt(a, "%lld", (long long)v.n), .hint = "improve.levers=placebo improve.confirm_seeds=64");
}

static void deal(hn_arena *parent, pool *p, uint64_t seed) {
    hn_arena *a = hn_arena_new(parent);
    double *mean = hn_new_n(a, double, p->trainings), *x[ARMS];
    int64_t *card = hn_new_n(a, int64_t, p->trainings);
    hn_arm incumbents[ARMS], arms[ARMS];
    for (int64_t i = 0; i < p->trainings; i++) mean[i] = hn_mean(p->x[i], p->items), card[i] = i;
    p->mean = hn_mean(mean, p->trainings);
    p->seed_sd = sqrt(hn_var(mean, p->trainings));
    for (int k = 0; k < ARMS; k++) x[k] = hn_new_n(a, double, SEEDS * p->items);
    for (int k = 1; k < ARMS; k++) {
        incumbents[k - 1] = (hn_arm){ "incumbent", x[0], SEEDS };
        arms[k - 1] = (hn_arm){ "lever", x[k], SEEDS };
    }
    hn_arena *scratch = hn_arena_new(a);
    for (int64_t n = 0; n < DEALS; n++, hn_arena_reset(scratch)) {
        hn_rng rng = hn_rng_new(seed, HN_STREAM_TEST, (uint32_t)n);
        for (int64_t i = 0; i < ARMS * SEEDS; i++) {
            int64_t j = i + hn_rng_below(&rng, p->trainings - i), was = card[i];
            card[i] = card[j], card[j] = was;
            memcpy(x[i / SEEDS] + i % SEEDS * p->items, p->x[card[i]], (size_t)p->items * sizeof(double));
        }
        hn_decision d[ARMS];
        hn_decide(scratch, incumbents, arms, ARMS - 1, NULL, p->items, 0.05, d);
        bool kept = false, harmful = false, four = false;
        for (int k = 0; k < ARMS - 1; k++) {
            bool better = mean[card[(k + 1) * SEEDS]] < mean[card[0]];
            kept |= d[k].verdict == HN_KEPT;
            harmful |= d[k].verdict == HN_HARMFUL;
            four |= better;
            if (!k && better) p->one += 1.0 / DEALS;
        }
        p->kept += kept ? 1.0 / DEALS : 0;
        p->harmful += harmful ? 1.0 / DEALS : 0;
        p->four += four ? 1.0 / DEALS : 0;
    }
    hn_arena_free(a);
}

static const char *page(hn_arena *a, const pool *p, int64_t n) {
    hn_buf b = { 0 };
    hn_buf_fmt(a, &b,
               "# How often a useless lever is kept, with real trainings\n\n"
               "Written by `deal` (tests/sim/deal.c). Each row is one `hone improve` whose levers were placebo alone, so all its trainings are of the same\n"
               "recipe. %d times, twenty of them were dealt at random to an incumbent and four levers that do nothing, four trainings each, and judged by\n"
               "the decision of `improve` itself; beside it, one training each and keep what is better. Whatever is kept is kept falsely.\n\n"
               "| trainings | how many | items | mean | spread of seeds | hone: any of four kept | called harmful | one run: the lever kept | one run: any of four kept |\n"
               "|---|--:|--:|--:|--:|--:|--:|--:|--:|\n", DEALS);
    for (int64_t i = 0; i < n; i++)
        hn_buf_fmt(a, &b, "| %s | %lld | %lld | %.4f | %.4f | **%.1f %%** | %.1f %% | %.0f %% | %.0f %% |\n", p[i].name, (long long)p[i].trainings, (long long)p[i].items,
                   p[i].mean, p[i].seed_sd, 100 * p[i].kept, 100 * p[i].harmful, 100 * p[i].one, 100 * p[i].four);
    hn_buf_fmt(a, &b,
               "\nA coin decides what one run keeps, whatever the task: two trainings of the same recipe, one of which must be better. The trainings of a row are few\n"
               "and come again in other hands, so a rate has the error of these very trainings besides that of dealing. Rates in worlds of many kinds, whose\n"
               "truth is known: [simulation.md](simulation.md).\n\n## How to repeat\n\n"
               "    hone improve recipes/start.yaml improve.levers=placebo improve.confirm_seeds=64 improve.confirm_worst=false budget.seconds=1200 out=runs/tasks\n"
               "    hone improve recipes/text.yaml data.train=stories_a.txt improve.levers=placebo improve.confirm_seeds=64 improve.tune=false \\\n"
               "         model.layers=2 model.width=64 train.batch=8 budget.steps=120 improve.item_tokens=100000 budget.seconds=1200 out=runs/text\n"
               "    make deal ARGS=\"'four gym tasks, error rate=runs/tasks' 'stories, bits per byte=runs/text'\"\n\n"
               "`stories_a.txt` is a megabyte of TinyStories. On two cores the first takes five minutes, the second three.\n");
    return hn_buf_str(a, &b);
}

/* Two groups of bars a world: hone and one run. Follows the reader's light or dark theme. */
static const char *picture(hn_arena *a, const pool *p, int64_t n) {
    hn_buf b = { 0 };
    const double left = 236, width = 470, top = 78, row = 46, height = top + row * (double)n + 60;
    hn_buf_fmt(a, &b,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 %.0f\" width=\"760\" height=\"%.0f\" role=\"img\" aria-label=\"How often a useless lever is "
               "kept\">\n<style>text{font:13px system-ui,sans-serif;fill:#57606a}.t{font-size:16px;font-weight:600;fill:#24292f}.n{font-weight:600}.g{stroke:#8c959f;"
               "stroke-opacity:.3}.five{stroke:#8c959f;stroke-dasharray:3 3}.hone{fill:#1a7f64}.one{fill:#d4772c}\n@media(prefers-color-scheme:dark){text{fill:#9aa4af}"
               ".t{fill:#e6edf3}.hone{fill:#3fb68f}.one{fill:#e8935a}}</style>\n"
               "<text class=\"t\" x=\"14\" y=\"24\">A lever that does nothing: how often is it kept all the same?</text>\n"
               "<rect class=\"hone\" x=\"14\" y=\"38\" width=\"12\" height=\"12\" rx=\"2\"/><text x=\"32\" y=\"49\">hone: four levers, any of them kept</text>"
               "<rect class=\"one\" x=\"284\" y=\"38\" width=\"12\" height=\"12\" rx=\"2\"/><text x=\"302\" y=\"49\">one run, keep if better: one lever</text>\n",
               height, height);
    for (int q = 0; q <= 50; q += 10) {
        double x = left + width * q / 60;
        hn_buf_fmt(a, &b, "<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%d %%</text>\n", x, x, top - 6,
                   top + row * (double)n, x, top + row * (double)n + 17, q);
    }
    double five = left + width * 5 / 60;
    hn_buf_fmt(a, &b, "<line class=\"five\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">5 %%</text>\n", five, five,
               top - 6, top + row * (double)n, five, top - 11);
    for (int64_t i = 0; i < n; i++) {
        double y = top + row * (double)i, share[2] = { p[i].kept, p[i].one };
        hn_buf_fmt(a, &b, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left - 12, y + 22, p[i].name);
        for (int k = 0; k < 2; k++)
            hn_buf_fmt(a, &b, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" rx=\"2\"/><text class=\"n\" x=\"%.1f\" y=\"%.1f\">%.1f %%</text>\n",
                       k ? "one" : "hone", left, y + 2 + 17 * k, HN_MAX(width * share[k] / 0.6, 1), HN_MAX(left + width * share[k] / 0.6, five) + 6, y + 13.5 + 17 * k, 100 * share[k]);
    }
    int64_t all = 0;
    for (int64_t i = 0; i < n; i++) all += p[i].trainings;
    hn_buf_fmt(a, &b, "<text x=\"14\" y=\"%.1f\">%lld real trainings; dealt %d times a row to arms that differ in nothing.</text>\n</svg>\n", height - 12, (long long)all, DEALS);
    return hn_buf_str(a, &b);
}

static bool put(hn_arena *a, const char *root, const char *folder, const char *name, const char *text) {
    const char *dir = hn_path_join(a, root, folder);
    return hn_mkdirs(a, dir) && hn_file_write(a, hn_path_join(a, dir, name), text, (int64_t)strlen(text));
}

int main(int argc, char **argv) {
    if (argc < 3 || argc > 2 + MOST) return fprintf(stderr, "deal ROOT NAME=RUN …\n"), 2;
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    pool p[MOST] = { 0 };
    bool ok = true;
    int64_t n = argc - 2;
    for (int64_t i = 0; i < n && ok; i++) {
        const char *eq = strchr(argv[2 + i], '=');
        if (!eq) return fprintf(stderr, "deal: '%s' is not NAME=RUN\n", argv[2 + i]), 2;
        p[i].name = hn_strndup(a, argv[2 + i], eq - argv[2 + i]);
        ok = gather(a, eq + 1, &p[i]);
        if (ok) deal(a, &p[i], 1000 + (uint64_t)i);
    }
    ok = ok && put(a, argv[1], "docs/results", "real-keeps.md", page(a, p, n)) && put(a, argv[1], "docs/pictures", "false-keeps.svg", picture(a, p, n));
    if (ok) fputs(page(a, p, n), stdout);
    else fprintf(stderr, "deal: %s\n", hone_error_message(job));
    hone_close(job);
    return ok ? 0 : 1;
}
