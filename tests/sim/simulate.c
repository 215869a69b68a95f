/* simulate.c - how often the decision of `improve` is wrong when no lever works, and how often it finds what it says it could.
 *
 *     simulate [--worlds N] [ROOT]      prints the table; with ROOT also writes ROOT/docs/results/simulation.md and
 *                                       ROOT/docs/pictures/simulated-keeps.svg
 * Every world goes through hn_decide itself. Seeds are fixed: the same table on every machine. */
#include "sim/world.c"
#include <stdio.h>
#include <stdlib.h>

/* bits per byte; a small character model has about 0.02, 0.004 and 0.02. */
static const world worlds[] = {
    { "balanced", 4, 80, 0.02, 0.004, 0.02, { 1, 1, 1, 1, 1 }, 1 },
    { "few items", 4, 60, 0.02, 0.002, 0.02, { 1, 1, 1, 1, 1 }, 1 },
    { "items decide", 4, 200, 0.04, 0.001, 0.02, { 1, 1, 1, 1, 1 }, 1 },
    { "seeds decide", 4, 60, 0.005, 0.02, 0.02, { 1, 1, 1, 1, 1 }, 1 },
    { "items in fours", 4, 120, 0.03, 0.004, 0.02, { 1, 1, 1, 1, 1 }, 4 },
    { "a lever ×3", 4, 100, 0.01, 0.01, 0.02, { 1, 3, 1, 1, 1 }, 1 },
    { "levers ×½, ×1, ×2", 4, 100, 0.01, 0.01, 0.02, { 1, 0.5, 1, 2, 1 }, 1 },
    { "incumbent ×½", 4, 100, 0.01, 0.01, 0.02, { 0.5, 1, 1, 1, 1 }, 1 },
    { "incumbent ×1.5", 4, 100, 0.01, 0.01, 0.02, { 1.5, 1, 1, 1, 1 }, 1 },
    { "incumbent ×2", 4, 100, 0.01, 0.01, 0.02, { 2, 1, 1, 1, 1 }, 1 },
    { "incumbent ×3", 4, 100, 0.01, 0.01, 0.02, { 3, 1, 1, 1, 1 }, 1 },
    { "a fixed model", 4, 100, 0.01, 0.01, 0.02, { 1, 1, 1, 1, 1 }, 1, .fixed = true },
    { "fixed, items decide", 4, 200, 0.04, 0.001, 0.02, { 1, 1, 1, 1, 1 }, 1, .fixed = true },
    { "fixed, seeds decide", 4, 60, 0.005, 0.02, 0.02, { 1, 1, 1, 1, 1 }, 1, .fixed = true },
    { "fixed, a lever ×3", 4, 100, 0.01, 0.01, 0.02, { 1, 3, 1, 1, 1 }, 1, .fixed = true },
};
enum { N_WORLDS = HN_LEN(worlds) };
static const double BOUND = 0.057; /* 5 % and three standard errors of a rate measured in 10,000 worlds */

static double worst_arm(const tally *t) {
    double worst = 0;
    for (int k = 1; k < WORLD_ARMS; k++) worst = HN_MAX(worst, t->arm_kept[k]);
    return worst;
}

static void table(hn_arena *a, hn_buf *b, const tally *t) {
    hn_buf_fmt(
        a, b,
        "| world | items | sd item / seed / noise | any false keep | worst arm | any false harm | interval covers | power at `detectable` |"
        " one run, one lever | one run, four levers |\n|---|--:|---|--:|--:|--:|--:|--:|--:|--:|\n");
    for (int64_t i = 0; i < N_WORLDS; i++) {
        const world *w = &worlds[i];
        hn_buf_fmt(a, b, "| %s | %lld | %g / %g / %g | %s%.1f %%%s | %.1f %% | %.1f %% | %.1f %% | %.0f %% | %.0f %% | %.0f %% |\n",
                   w->name, (long long)w->items, w->item_sd, w->seed_sd, w->noise_sd, t[i].any_kept > BOUND ? "**" : "",
                   100 * t[i].any_kept, t[i].any_kept > BOUND ? "**" : "", 100 * worst_arm(&t[i]), 100 * t[i].any_harmful,
                   100 * t[i].covered, 100 * t[i].power, 100 * t[i].naive, 100 * t[i].naive_any);
    }
}

static const char *page(hn_arena *a, const tally *t, int64_t n) {
    hn_buf b = { 0 };
    hn_buf_fmt(a, &b,
               "# How often the decision is wrong\n\n"
               "Written by `make simulate`: %lld worlds for each row, all judged by the decision code of `improve` itself "
               "(`src/eval/decide.c`). A world has an\n"
               "incumbent, three levers and placebo, 4 seeds each. **No lever works**, so whatever is kept is kept falsely. Losses are "
               "made of the item, an effect of\n"
               "the arm on the item, the seed and noise, all normal, with the spreads given (bits per byte); ×2 means that this arm's "
               "seeds spread twice as far. *fixed*: the incumbent is a model as it is, which nothing trained: one measurement, and no seeds "
               "that spread.\n\n",
               (long long)n);
    table(a, &b, t);
    hn_buf_fmt(a, &b,
               "\n- *any false keep*, *any false harm*: share of worlds in which at least one of the four arms was called kept, or "
               "harmful. Wanted: at most 5 %%;\n"
               "  with three standard errors of %lld worlds, 5.7 %%. *worst arm*: the same for the arm that was kept most often.\n"
               "- *interval covers*: how often the two-level 95 %% interval held the truth.\n"
               "- *power at `detectable`*: in each world, the first lever was given exactly the gain that this run called the smallest it "
               "could have seen, and judged again.\n"
               "- *one run*: train once, keep what looks better. One useless lever is kept by a coin's throw; of four, one or more nearly "
               "always.\n\n![The same as a picture](../pictures/simulated-keeps.svg)\n\n",
               (long long)n);
    int64_t over = 0;
    for (int64_t i = 0; i < N_WORLDS; i++) over += t[i].any_kept > BOUND;
    if (over > 0)
        hn_buf_fmt(a, &b, "Rows in bold exceed 5.7 %%: %lld of %lld.\n", (long long)over, (long long)N_WORLDS);
    return hn_buf_str(a, &b);
}

/* One row a world, three dots: hone, one run with one lever, one run with four. Follows the reader's light or dark theme. */
static const char *picture(hn_arena *a, const tally *t, int64_t n) {
    hn_buf b = { 0 };
    const double left = 190, width = 520, top = 74, row = 26, height = top + row * N_WORLDS + 46;
    hn_buf_fmt(
        a, &b,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 %.0f\" width=\"760\" height=\"%.0f\" role=\"img\" aria-label=\"False "
        "keeps\">\n"
        "<style>text{font:13px "
        "system-ui,sans-serif;fill:#57606a}.t{font-size:16px;font-weight:600;fill:#24292f}.g{stroke:#8c959f;stroke-opacity:.3}"
        ".five{stroke:#8c959f;stroke-dasharray:3 3}.hone{fill:#1a7f64}.one{fill:#d4772c}.four{fill:none;stroke:#d4772c;stroke-width:2}\n"
        "@media(prefers-color-scheme:dark){text{fill:#9aa4af}.t{fill:#e6edf3}.hone{fill:#3fb68f}.one{fill:#e8935a}.four{stroke:#e8935a}}</"
        "style>\n"
        "<text class=\"t\" x=\"14\" y=\"24\">No lever works: how often is one kept all the same?</text>\n"
        "<circle class=\"hone\" cx=\"20\" cy=\"45\" r=\"5\"/><text x=\"31\" y=\"49\">hone, four levers</text>"
        "<circle class=\"one\" cx=\"180\" cy=\"45\" r=\"5\"/><text x=\"191\" y=\"49\">one run, keep if better: one lever</text>"
        "<circle class=\"four\" cx=\"424\" cy=\"45\" r=\"4.5\"/><text x=\"435\" y=\"49\">… four levers</text>\n",
        height, height);
    for (int p = 0; p <= 100; p += 25) {
        double x = left + width * p / 100;
        hn_buf_fmt(a, &b,
                   "<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%.1f\" y=\"%.1f\" "
                   "text-anchor=\"middle\">%d %%</text>\n",
                   x, x, top - 6, top + row * N_WORLDS, x, top + row * N_WORLDS + 17, p);
    }
    double five = left + width * 0.05;
    hn_buf_fmt(a, &b,
               "<line class=\"five\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">5 "
               "%%</text>\n",
               five, five, top - 6, top + row * N_WORLDS, five, top - 10);
    for (int64_t i = 0; i < N_WORLDS; i++) {
        double y = top + row * ((double)i + 0.5);
        hn_buf_fmt(a, &b,
                   "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%s</text><circle class=\"hone\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>"
                   "<circle class=\"one\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/><circle class=\"four\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"/>\n",
                   left - 14, y + 4.5, worlds[i].name, left + width * t[i].any_kept, y, left + width * t[i].naive, y,
                   left + width * t[i].naive_any, y);
    }
    hn_buf_fmt(a, &b, "<text x=\"14\" y=\"%.1f\">%lld simulated worlds a row; ×2: that arm's seeds spread twice as far.</text>\n</svg>\n",
               height - 10, (long long)n);
    return hn_buf_str(a, &b);
}

static bool write_page(hn_arena *a, const char *root, const char *folder, const char *name, const char *text) {
    const char *dir = hn_path_join(a, root, folder);
    return hn_mkdirs(a, dir) && hn_file_write(a, hn_path_join(a, dir, name), text, (int64_t)strlen(text));
}

int main(int argc, char **argv) {
    const char *root = NULL;
    int64_t n = 10000;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--worlds")) root = argv[i];
        else if (++i >= argc || !hn_parse_i64(argv[i], &n) || n < 2)
            return fprintf(stderr, "simulate: --worlds wants a number from 2\n"), 2;
    }
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    tally t[N_WORLDS];
    const double none[WORLD_ARMS] = { 0 };
    for (int64_t i = 0; i < N_WORLDS; i++) {
        t[i] = simulate(a, &worlds[i], none, n, 1000 + (uint64_t)i);
        fprintf(stderr, "%s: done\n", worlds[i].name);
    }
    hn_buf b = { 0 };
    table(a, &b, t);
    fputs(hn_buf_str(a, &b), stdout);
    bool ok = !root || (write_page(a, root, "docs/results", "simulation.md", page(a, t, n)) &&
                        write_page(a, root, "docs/pictures", "simulated-keeps.svg", picture(a, t, n)));
    if (!ok) fprintf(stderr, "simulate: %s\n", hone_error_message(job));
    hone_close(job);
    return ok ? 0 : 1;
}
