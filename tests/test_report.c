/* The report of a run made up here: its numbers, that nothing from outside becomes markup, that the pictures are well-formed, and that
 * a run that was killed says so. HONE_KEEP=DIR keeps page and pictures for looking at. */
#include <stdlib.h>
#include <sys/stat.h>
#include "report_world.h"

/* The lever that changes nothing is called a gain: every layout says what that means, and no list counts it. */
static void placebo_kept(void **state) {
    int64_t run;
    hn_ledger *l = hn_ledger_open(a, hn_path_join(a, root, "suspect.sqlite"), false);
    assert_true(l && hn_ledger_run_begin(l, recipe, json("{\"alpha\":0.05,\"confirm_seeds\":4}"), json("{}"), 7, &run));
    decide(l, run, "confirm", "ema", HN_KEPT, 0.02, 0.01, "better");
    decide(l, run, "confirm", "placebo", HN_UNDECIDED, 0.001, 0.01, "nothing");
    assert_null(strstr(hn_report_text(a, l, run), "suspect"));
    assert_true(hn_ledger_run_begin(l, recipe, json("{\"alpha\":0.05,\"confirm_seeds\":4}"), json("{}"), 7, &run));
    decide(l, run, "confirm", "ema", HN_KEPT, 0.02, 0.01, "better");
    decide(l, run, "confirm", "placebo", HN_HARMFUL, -0.02, 0.01, "nothing");
    static const char words[] = "judging is suspect: placebo, which changes nothing, is called harmful; by chance alone this happens in at most 5 % of runs";
    assert_non_null(strstr(hn_report_text(a, l, run), words));
    assert_non_null(strstr(hn_report_markdown(a, l, run), words));
    assert_true(hn_ledger_run_end(l, run, "done", json("{\"start\":2.4,\"end\":2.3,\"gain\":0.1,\"ci95\":[-0.12,-0.08],\"levers\":[\"ema\"]}")));
    assert_non_null(strstr(hn_report_text(a, l, run), words));
    assert_non_null(strstr(hn_report_markdown(a, l, run), words));
    const char *path = hn_path_join(a, root, "suspect.html");
    hn_bytes b;
    assert_true(hn_report_html(a, l, run, path) && hn_file_read(a, path, 1 << 24, &b));
    assert_non_null(strstr((const char *)b.p, "judging is suspect"));
}

static int setup(void **state) {
    job = hone_open(NULL);
    a = job ? hn_job_arena(job) : NULL;
    return a && mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state) {
    int rc = hn_remove_tree(a, root) ? 0 : -1;
    hone_close(job);
    return rc;
}

static const char *page_of(hn_ledger *l, const char *name) {
    const char *keep = getenv("HONE_KEEP"), *path = hn_path_join(a, keep ? keep : root, name);
    hn_bytes b;
    if (!hn_report_html(a, l, 0, path)) fail_msg("%s", hone_error_message(job));
    assert_true(hn_file_read(a, path, 1 << 24, &b));
    return (const char *)b.p;
}

static void has(const char *text, const char *want) {
    if (!strstr(text, want)) fail_msg("wanted to read \"%s\"", want);
}
static void has_not(const char *text, const char *bad) {
    const char *at = strstr(text, bad);
    if (at) fail_msg("did not want to read \"%s\", but: %.120s", bad, at);
}

/* ---- well-formed: every element that opens closes, in order; attributes are quoted; no bare ampersand ---- */

static const char *const empty[] = { "meta", "br", "!doctype" };

static bool closes_itself(const char *name, int64_t n, bool slash) {
    for (int64_t i = 0; i < HN_LEN(empty); i++)
        if ((int64_t)strlen(empty[i]) == n && !strncmp(name, empty[i], (size_t)n)) return true;
    return slash;
}

static void well_formed(const char *text) {
    hn_bytes open[64];
    int depth = 0, elements = 0;
    for (const char *s = text; *s;) {
        if (*s == '&') {
            int64_t n = (int64_t)strspn(s + 1, "abcdefghijklmnopqrstuvwxyz#0123456789");
            if (!n || s[n + 1] != ';') fail_msg("a bare ampersand: %.40s", s);
        }
        if (*s != '<') {
            s++;
            continue;
        }
        bool end = s[1] == '/';
        const char *name = s + 1 + end, *e = name;
        int64_t n = (int64_t)strspn(name, "!abcdefghijklmnopqrstuvwxyz0123456789");
        if (!n) fail_msg("a bare <: %.40s", s);
        for (bool quoted = false; *e && (quoted || *e != '>'); e++) {
            if (*e == '"') quoted = !quoted;
            if (!quoted && *e == '<') fail_msg("< inside a tag: %.60s", s);
        }
        assert_int_equal(*e, '>');
        if (end) {
            if (!depth || open[depth - 1].n != n || strncmp((const char *)open[depth - 1].p, name, (size_t)n))
                fail_msg("</%.*s> closes <%.*s>: %.60s", (int)n, name, depth ? (int)open[depth - 1].n : 0,
                         depth ? (const char *)open[depth - 1].p : "", s);
            depth--;
        } else if (!closes_itself(name, n, e[-1] == '/')) {
            assert_true(depth < 64);
            open[depth++] = (hn_bytes){ (const uint8_t *)name, n };
        }
        elements++;
        s = e + 1;
    }
    assert_int_equal(depth, 0);
    assert_true(elements > 5);
    assert_true(hn_utf8_valid((const uint8_t *)text, (int64_t)strlen(text), NULL));
    has_not(text, "nan"), has_not(text, "inf\"");
}

/* ---- tests ---- */

/* Where answers are judged, the screen and the tuning still compare bits: their tables say so. */
static void the_screen_has_its_own_unit(void **state) {
    int64_t run;
    hn_ledger *l = hn_ledger_open(a, hn_path_join(a, root, "answers.sqlite"), false);
    assert_true(l && hn_ledger_run_begin(l, recipe, json("{\"metric\":\"error_rate\",\"alpha\":0.05,\"confirm_seeds\":4}"), json("{}"), 7, &run));
    for (int64_t i = 0; i < HN_LEN(arms); i++)
        if (!strcmp(arms[i].phase, "tune") || !strcmp(arms[i].phase, "screen")) put_arm(l, run, &arms[i], i);
    decide(l, run, "confirm", "ema", HN_KEPT, 0.02, 0.01, "better");
    const char *page = page_of(l, "answers.html");
    has(page, "<th>arm</th><th>bits per byte</th>");
    has(page, "<th>setting</th><th>bits per byte</th>");
    has(page, "gain in error rate");
    has_not(page, "<th>error rate</th>");
}

static void numbers_and_escaping(void **state) {
    const char *page = page_of(make("done.sqlite", true), "done.html");
    well_formed(page);
    has(page, "<title>2.4700 → 2.3400 bits per byte · hone</title>");
    has(page, "Proven: the model is better by 0.1300 bits per byte (5.3 %)");
    has(page, "+0.1090 … +0.1510");
    has(page, "guessed right: 48.8 % → 51.2 %");
    has(page, "48.8 % of the next tokens guessed right, 48.8 % without it");
    has(page, "<td data-l=\"right\">48.8 %</td>");
    has(page, "opened twice, this run included");
    has(page, "had been opened once before");
    has(page, "<td data-l=\"gain\">+0.0310</td><td data-l=\"95 %\">+0.0158 … +0.0462</td><td data-l=\"p\">0.0012</td><td data-l=\"seen "
              "from\">0.0213</td>");
    has(page, "0.0071 (worse)");
    has(page, "a true gain of up to 0.0205 could hide");
    has(page, "model.layers 3 → 4, train.steps 400 → 310");
    has(page, "<td class=\"name\">more-steps.1</td><td data-l=\"scores\">2.3");
    has(page, "<b>heads</b>: the budget of 9 s would have left 41 &lt;steps&gt;.");
    has(page, "<dt>seconds per step measured</dt><dd>0.0151</dd>");
    has(page, "<td class=\"name\">deeper</td><td data-l=\"alone\">+0.0310</td><td data-l=\"with the others\">+0.0200</td>");
    has(page, "<td class=\"name\">more-steps before deeper</td><td data-l=\"alone\">–</td><td data-l=\"with the others\">+0.0031</td>");
    has(page, "the other order gives other settings and a loss higher by 0.0031");
    has(page, "<p>more-steps and deeper both change &lt;train.steps&gt;</p>");
    has(page, "<summary>The curves of the screen</summary>"), has(page, "<summary>The curves of start and end</summary>");
    has(page, "1234abcd5678ef00");
    has(page, "a &amp; b &lt;c&gt;.txt");
    has(page, "A &lt;Fast&gt; CPU");
    has(page, "&lt;/pre&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quotes&quot;");
    has(page, "\xef\xbf\xbd ill-formed");
    has_not(page, "<script"), has_not(page, "http://www.w3.org/1999"), has_not(page, "src="), has_not(page, "url("),
        has_not(page, "https:");
}

/* Each number of the page is the ledger's: where that changes, this changes. */
static void every_number_is_the_ledgers(void **state) {
    static const struct { const char *sql, *wants; } changed[] = {
        { "UPDATE runs SET result=replace(replace(replace(result, '2.47', '2.4777'), '2.34', '2.3444'), '-0.151', '-0.1555')",
          "<title>2.4777 → 2.3444 bits per byte" },
        { "UPDATE runs SET result=replace(result, '-0.151', '-0.1555')", "95 % interval +0.1090 … +0.1555" },
        { "UPDATE runs SET result=replace(result, '2.3321', '2.3222')", "The shipped model alone: 2.3222" },
        { "UPDATE decisions SET difference=0.0377 WHERE lever='deeper' AND phase='confirm'", "+0.0377  [+0.0158 … +0.0462]" },
        { "UPDATE decisions SET lo=0.0111 WHERE lever='deeper' AND phase='confirm'", "<td data-l=\"95 %\">+0.0111 … +0.0462</td>" },
        { "UPDATE decisions SET p_adjusted=0.0456 WHERE lever='deeper' AND phase='confirm'", "<td data-l=\"p\">0.046</td>" },
        { "UPDATE decisions SET hi=0.0888 WHERE lever='ema'", "a true gain of up to 0.0888 could hide" },
        { "UPDATE decisions SET detectable=0.0999 WHERE lever='ema'", "one of 0.0999 or more would have been kept" },
        { "UPDATE decisions SET data=replace(data, '9.4', '8.6')", "<td data-l=\"df\">8.6</td>" },
        { "UPDATE decisions SET data=replace(data, '\"seed_var\":', '\"seed_var\":0.04,\"was\":')", "<td data-l=\"seeds, sd\">0.2000</td>" },
        { "UPDATE decisions SET data=replace(data, '\"item_var\":', '\"item_var\":0.09,\"was\":')", "<td data-l=\"items, sd\">0.3000</td>" },
        { "UPDATE decisions SET difference=0.0222 WHERE lever='deeper' AND phase='stack'", "<td data-l=\"with the others\">+0.0222</td>" },
        { "UPDATE measurements SET seconds=77 WHERE arm='deeper'", "<td data-l=\"takes\">77 s</td>" },
        { "UPDATE measurements SET flops=8e11 WHERE arm='wider'", "<td data-l=\"FLOPs\">2 ×</td></tr>\n<tr class=\"why\"><td colspan=\"8\">model.width 96" },
        { "UPDATE decisions SET peak_rss=87000000 WHERE lever='wider'", "87.0 MB of memory at most" },
        { "UPDATE measurements SET accuracy=0.3333 WHERE arm='deeper'", "33.3 % of the next tokens guessed right" },
        { "UPDATE measurements SET items=(SELECT items FROM measurements WHERE arm='placebo' LIMIT 1) WHERE arm='lr x0.5'", NULL },
        { "UPDATE measurements SET curve=(SELECT curve FROM measurements WHERE arm='end' LIMIT 1) WHERE arm='deeper' AND phase='confirm'", NULL },
        { "UPDATE files SET bytes=2222222", "<td>2.22 MB</td>" },
        { "UPDATE files SET hash='feedfacecafebeef'", "<code>feedfacecafebeef</code>" },
        { "UPDATE runs SET machine='{\"cores\":3}'", "<dt>cores</dt><dd>3</dd>" },
        { "UPDATE runs SET plan=replace(plan, '44', '43')", "<td>55</td><td>43</td>" },
        { "UPDATE runs SET plan=replace(plan, 'would have left 41', 'would have left 17')", "would have left 17" },
        { "UPDATE runs SET sealed_hash='0123456789abcdef'", "Sealed set <code>0123456789abcdef</code>" },
        { "UPDATE runs SET recipe=replace(recipe, '400', '401')", "steps: 401" },
        { "UPDATE notes SET text='Nay, then' WHERE key='sample start'", "<pre>Nay, then</pre>" },
    };
    make("numbers.sqlite", true);
    const char *whole = page_of(hn_ledger_open(a, hn_path_join(a, root, "numbers.sqlite"), true), "numbers.html");
    for (int64_t i = 0; i < HN_LEN(changed); i++) {
        hn_arena *one = hn_arena_new(a);
        hn_ledger *l = hn_ledger_open(one, hn_path_join(a, root, "numbers.sqlite"), false);
        assert_non_null(l);
        assert_true(hn_db_begin(hn_ledger_db(l)) && hn_db_exec(hn_ledger_db(l), changed[i].sql, ""));
        const char *page = page_of(l, "numbers.html");
        if (changed[i].wants && strstr(whole, changed[i].wants)) fail_msg("nothing to see: %s", changed[i].wants);
        if (changed[i].wants ? !strstr(page, changed[i].wants) : !strcmp(page, whole)) fail_msg("%s does not reach the page: %s", changed[i].sql, changed[i].wants);
        hn_db_rollback(hn_ledger_db(l));
        hn_arena_free(one);
    }
}

/* The gain of a lever that was given twice the training is over the incumbent that was given as much. */
static void arms_and_incumbents(void **state) {
    hn_report r;
    hn_ledger *l = make("arms.sqlite", true);
    assert_true(hn_report_read(a, l, 0, &r));
    assert_int_equal(r.arms.n, HN_LEN(arms));
    for (int64_t i = 0; i < r.arms.n; i++) {
        const hn_report_arm *x = &r.arms.v[i];
        assert_string_equal(x->name, arms[i].arm);
        if (arms[i].error) {
            assert_int_equal(x->failed, 2);
            assert_int_equal(x->done, 0);
            continue;
        }
        double luck = 0;
        for (int64_t s = 0; s < arms[i].seeds; s++) luck += 0.006 * ((double)((s * 7 + i * 3) % 5) - 2) / arms[i].seeds;
        assert_true(fabs(x->mean - arms[i].mean - luck) < 1e-9);
        assert_true(fabs(x->cost - arms[i].cost) < 1e-9);
        const char *want = strstr(x->name, "incumbent") || !strcmp(x->name, "start") ? NULL
                           : !strcmp(x->phase, "seal")                               ? "start"
                           : strstr(x->name, "more-steps")                           ? "incumbent x2"
                                                                                     : "incumbent";
        if (!strcmp(x->phase, "tune") || !strcmp(x->phase, "stack")) want = NULL;
        if (!want) assert_null(x->incumbent);
        else assert_string_equal(x->incumbent->name, want);
    }
    assert_int_equal(r.n_judged, 6);
    static const char *const order[] = { "more-steps", "deeper", "ema", "placebo", "wider", "dropout", "lr" };
    for (int64_t i = 0; i < HN_LEN(order); i++) assert_string_equal(r.levers.v[i].name, order[i]);
}

static void colours(void **state) {
    static const struct { const char *phase, *arm, *class; } want[] = {
        { "screen", "incumbent", "c" }, { "screen", "incumbent x2", "c dash" }, { "screen", "deeper.0", "s0" }, { "screen", "wider.0", "s1" },
        { "screen", "more-steps.1", "s2 dash" }, { "confirm", "more-steps", "s0" }, { "confirm", "placebo", "s4" }, { "stack", "all", "c" },
        { "stack", "all less deeper", "s0" }, { "seal", "start", "c" }, { "seal", "end", "s0" },
    };
    hn_report r;
    assert_true(hn_report_read(a, make("colours.sqlite", true), 0, &r));
    for (int64_t k = 0; k < HN_LEN(want); k++)
        for (int64_t i = 0; i < r.arms.n; i++)
            if (!strcmp(r.arms.v[i].phase, want[k].phase) && !strcmp(r.arms.v[i].name, want[k].arm))
                assert_string_equal(hn_series_class(&r, &r.arms.v[i]), want[k].class);
}

static void pictures(void **state) {
    hn_ledger *l = make("pictures.sqlite", true);
    hn_report r;
    const char *svg = hn_report_svg_levers(a, l, 0), *keep = getenv("HONE_KEEP");
    assert_non_null(svg);
    well_formed(svg);
    has(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    has(svg, "+0.0310  [+0.0158 … +0.0462]");
    has(svg, "gain in bits per byte");
    if (keep) assert_true(hn_file_write(a, hn_path_join(a, keep, "levers.svg"), svg, (int64_t)strlen(svg)));
    assert_true(hn_report_read(a, l, 0, &r));
    for (int width = 340; width < 800; width += 430) {
        const char *all[] = { hn_svg_forest(a, &r, width, false), hn_svg_curves(a, &r, "confirm", width), hn_svg_curves(a, &r, "screen", width),
                              hn_svg_seeds(a, &r, width),
                              hn_svg_cost(a, &r, width) };
        for (int64_t i = 0; i < HN_LEN(all); i++) well_formed(all[i]);
    }
    hn_file_write(a, hn_path_join(a, root, "levers.svg"), svg, (int64_t)strlen(svg)) ? (void)0 : fail();
    if (system("command -v python3 >/dev/null") == 0)
        assert_int_equal(system(hn_fmt(a, "python3 -c 'import sys, xml.etree.ElementTree as e; e.parse(sys.argv[1])' %s/levers.svg", root)),
                         0);
}

static void tables(void **state) {
    hn_ledger *l = make("tables.sqlite", true);
    const char *md = hn_report_markdown(a, l, 0), *text = hn_report_text(a, l, 0);
    assert_non_null(md), assert_non_null(text);
    if (getenv("HONE_KEEP")) print_message("%s\n%s", md, text);
    has(md, "**2.4700 → 2.3400 bits per byte** on sealed items of a &amp; b &lt;c&gt;.txt: gain +0.1300, 95 % interval +0.1090 … +0.1510; next tokens "
            "guessed right 48.8 % → 51.2 %. ");
    has(md, "| more-steps | **kept** | +0.0500 | +0.0359 … +0.0641 | 0.0012 | 0.0213 | 48.8 % | 2 | ");
    has(md, "| lr | not judged | −0.0040 | – | – | – | – | – |");
    has(md, "\nWorth beside the others: more-steps +0.0610 (95 % +0.0410 … +0.0810), deeper +0.0200 (95 % +0.0030 … +0.0370), more-steps before deeper");
    has(md, "\nNot tried: heads: the budget of 9 s");
    has(text, "  heads: not tried: the budget of 9 s");
    has(text, "more-steps  kept        +0.0500  +0.0359 .. +0.0641");
    has(text, "wider       harmful     -0.0330");
    has(text, "next tokens guessed right: 48.8 %, then 51.2 %\n");
    has(text, "start 2.4700, end 2.3400 bits per byte on the sealed items: gain +0.1300, 95 % +0.1090 .. +0.1510");
    has_not(text, "\xe2\x88\x92"), has_not(text, "\x1b");
    for (const char *s = md; (s = strchr(s, '\n')); s++) /* every row has as many cells as the head */
        if (s[1] == '|') {
            int bars = 0;
            for (const char *e = s + 1; *e && *e != '\n'; e++) bars += *e == '|' && e[-1] != '\\';
            assert_int_equal(bars, 10);
        }
}

static void unfinished_and_empty(void **state) {
    hn_ledger *l = make("killed.sqlite", false);
    const char *page = page_of(l, "killed.html");
    int64_t run;
    well_formed(page);
    has(page, "This run is not finished (running)");
    has(page, "<title>run 1, not finished · hone</title>");
    has_not(page, "Proven");
    assert_true(hn_ledger_run_begin(l, "a: 1\n", json("{}"), json("{}"), 1, &run)); /* killed before its first training */
    page = page_of(l, "empty.html");
    well_formed(page);
    has(page, "not finished");
    has(hn_report_text(a, l, 0), "not finished");
    has(hn_report_markdown(a, l, 0), "not finished");
    well_formed(hn_report_svg_levers(a, l, 0));
    assert_false(hn_report_html(a, l, 99, hn_path_join(a, root, "none.html")));
    has(hone_error_message(job), "the ledger has no run 99");
    hone_error_clear(job);
    assert_null(hn_report_text(a, l, 99));
    hone_error_clear(job);
    assert_false(hn_report_html(a, l, 1, hn_path_join(a, root, "no/such/folder.html")));
    assert_int_equal(hone_error_code(job), HONE_E_IO);
    hone_error_clear(job);
}

/* A start that nothing beat is shipped: no gain is claimed, and an interval of zeros is not printed as if it were measured. */
static void nothing_proven(void **state) {
    int64_t run;
    hn_ledger *l = hn_ledger_open(a, hn_path_join(a, root, "nothing.sqlite"), false);
    assert_true(hn_ledger_run_begin(l, recipe, json("{}"), json("{}"), 1, &run));
    assert_true(hn_ledger_run_end(l, run, "done",
                                  json("{\"start\":2.5,\"end\":2.5,\"difference\":0.0,\"ci95\":[0.0,0.0],\"gain\":0.0,\"what\":\"nothing "
                                       "was proven: the start is shipped\"}")));
    const char *page = page_of(l, "nothing.html");
    well_formed(page);
    has(page, "Nothing was proven: the start is shipped.");
    has(page, "the model is unchanged");
    has_not(page, "Proven:"), has_not(page, "+0.0000");
}

static void round_ticks(void **state) {
    static const struct {
        double lo, hi;
        int most, n, digits;
        double first, last;
    } t[] = {
        { -0.04, 0.07, 6, 6, 2, -0.04, 0.06 }, { 0, 10, 5, 6, 0, 0, 10 },     { 2.31, 2.51, 4, 4, 2, 2.35, 2.50 },
        { 1e-4, 9e-4, 4, 4, 4, 2e-4, 8e-4 },   { 0, 1234, 5, 3, 0, 0, 1000 },
    };
    for (int64_t i = 0; i < HN_LEN(t); i++) {
        double v[HN_TICKS_MAX];
        int n, digits;
        hn_ticks(t[i].lo, t[i].hi, t[i].most, v, &n, &digits);
        if (n != t[i].n || digits != t[i].digits || fabs(v[0] - t[i].first) > 1e-9 || fabs(v[n - 1] - t[i].last) > 1e-9)
            fail_msg("row %lld: %d places from %g to %g with %d digits", (long long)i, n, v[0], v[n - 1], digits);
    }
}

static void changes(void **state) {
    assert_string_equal(hn_report_changes(a, "model:\n  layers: 3\noptim:\n  lr: 0.001\nout: x\n",
                                          "model:\n  layers: 4\noptim:\n  lr: 0.001\n  ema: 0.9\nout: x\n"),
                        "model.layers 3 → 4, optim.ema 0.9");
    assert_string_equal(hn_report_changes(a, recipe, recipe), "");
    assert_string_equal(hn_report_changes(a, "optim:\n  lr: 0.002\n", "optim:\n  lr: 0.0013333333333333333\n"), "optim.lr 0.002 → 0.001333");
    assert_string_equal(hn_report_changes(a, "model:\n  arch: gpt2\n", "model:\n  arch: llama\n  a: 1\n  b: 2\n  c: 3\n  d: 4\n  e: 5\n"),
                        "model.arch gpt2 → llama, and 5 settings of its own");
    assert_string_equal(hn_escape(a, "a\x01<\xc3(\"&'"), "a\xef\xbf\xbd&lt;\xef\xbf\xbd(&quot;&amp;&#39;");
}

static const char *versus(hn_ledger *x, hn_ledger *y, const char *file) {
    const hn_side side[2] = { { "first", x, 0 }, { evil, y, 0 } };
    const char *keep = getenv("HONE_KEEP"), *path = hn_path_join(a, keep ? keep : root, file);
    hn_bytes b;
    if (!hn_versus_html(a, side, path)) fail_msg("%s", hone_error_message(job));
    assert_true(hn_file_read(a, path, 1 << 24, &b));
    well_formed((const char *)b.p);
    has_not((const char *)b.p, "<script");
    return (const char *)b.p;
}

/* Ends may be compared where the sealed items are the same; each number is one ledger's, or the difference of two such. */
static void two_runs(void **state) {
    hn_ledger *x = make("one.sqlite", true), *y = make("two.sqlite", true);
    hn_db *db = hn_ledger_db(y);
    const char *other = "model:\n  layers: 4\n  width: 96\noptim:\n  lr: 0.002\n  name: adamw\ntrain:\n  steps: 400\n";
    const char *result = "{\"start\":2.43,\"end\":2.3,\"difference\":-0.13,\"ci95\":[-0.14,-0.12],\"gain\":0.13,\"levers\":[\"more-steps\"],\"cost\":2}";
    assert_true(hn_db_exec(db, "UPDATE runs SET recipe=?, result=?", "ss", other, result));
    assert_true(hn_db_exec(db, "UPDATE decisions SET difference=0.02, verdict='undecided' WHERE phase='confirm' AND lever='deeper'", ""));
    assert_true(hn_db_exec(db, "DELETE FROM decisions WHERE lever='wider'", ""));
    const char *page = versus(x, y, "versus.html");
    has(page, "On the same sealed items &lt;/pre&gt;");                   /* a run's name is foreign text too */
    has(page, "ends lower, which is better, by 0.0400 bits per byte");
    has(page, "<td class=\"name\">start</td><td class=\"long\" data-l=\"first\">2.4700</td>");
    has(page, ">2.4300</td><td>−0.0400</td>");
    has(page, ">2.3000</td><td>−0.0400</td>");
    has(page, "<td class=\"long\" data-l=\"first\">more-steps, deeper</td>");
    has(page, ">+0.0310</td><td data-l=\"95 %\">+0.0158 … +0.0462</td>");
    has(page, "<td data-l=\"difference\">−0.0110</td>");                 /* deeper: 0.02 − 0.031 */
    has(page, "not tried");
    has(page, "model.layers 3 → 4");
    const hn_side side[2] = { { "first", x, 0 }, { "sec|ond", y, 0 } };
    const char *md = hn_versus_markdown(a, side);
    assert_non_null(md);
    has(md, "sec\\|ond ends lower");
    has(md, "| end | 2.3400 | 2.3000 | −0.0400 |");
    has(md, "| gain over its start | +0.1300 | +0.1300 | +0.0000 |");
    has(md, "| 95 % interval of the gain | +0.1090 … +0.1510 | +0.1200 … +0.1400 |  |");
    has(md, "| deeper | kept | +0.0310 | +0.0158 … +0.0462 | undecided | +0.0200 |");
    has(md, "| wider | harmful | −0.0330 | −0.0479 … −0.0181 | not tried | – | – | – |");
    has(md, "Recipes: model.layers 3 → 4");
    /* other items: gains beside each other, no difference of ends */
    assert_true(hn_db_exec(db, "UPDATE runs SET sealed_hash='00ff'", ""));
    has(versus(x, y, "versus.html"), "different sealed items");
    md = hn_versus_markdown(a, side);
    has(md, "| end | 2.3400 | 2.3000 |  |");
    has(md, "| gain over its start | +0.1300 | +0.1300 | +0.0000 |");
    /* one that is not finished */
    page = versus(x, make("half.sqlite", false), "versus.html");
    has(page, "is not finished: there are no two ends to compare yet");
    has(page, "not finished</span>");
    const hn_side none[2] = { { "first", x, 0 }, { "none", y, 7 } };
    assert_null(hn_versus_markdown(a, none));
    assert_non_null(strstr(hone_error_message(job), "no run 7"));
    hone_error_clear(job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_escaping),
        cmocka_unit_test(the_screen_has_its_own_unit),
        cmocka_unit_test(every_number_is_the_ledgers),
        cmocka_unit_test(arms_and_incumbents),
        cmocka_unit_test(colours),
        cmocka_unit_test(pictures),
        cmocka_unit_test(tables),
        cmocka_unit_test(unfinished_and_empty),
        cmocka_unit_test(nothing_proven),
        cmocka_unit_test(placebo_kept),
        cmocka_unit_test(round_ticks),
        cmocka_unit_test(changes),
        cmocka_unit_test(two_runs),
    };
    return cmocka_run_group_tests_name("report", tests, setup, teardown);
}
