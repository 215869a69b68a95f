/* show.c - results: a JSON object a line, or tables with a heading for each group. */
#include "app/bench/bench.h"
#include <math.h>

/* A filter names what it lets through by any part of the name; "machine" is always measured, for the shares. */
bool bench_wants(const bench *b, const char *name) {
    for (int64_t i = 0; i < b->filter.n; i++) {
        const char *part = b->filter.v[i];
        size_t n = strlen(part), whole = strlen(name);
        if (n && part[n - 1] == '$' ? whole + 1 >= n && !strncmp(name + whole + 1 - n, part, n - 1) : strstr(name, part) != NULL) return true;
    }
    return !b->filter.n;
}

static const char *times(hn_arena *a, const bench_stat *s) {
    double unit = s->median < 1e-3 ? 1e-6 : s->median < 1 ? 1e-3 : 1;
    const char *name = s->median < 1e-3 ? "us" : s->median < 1 ? "ms" : "s ";
    return hn_fmt(a, "%8.4g %s [%.4g-%.4g]", s->median / unit, name, s->min / unit, s->max / unit);
}

/* "12.3", or empty where there is nothing to tell. */
static const char *number(hn_arena *a, double x) { return isfinite(x) && x > 0 ? hn_fmt(a, x < 99.95 ? "%.1f" : "%.0f", x) : ""; }

static void heading(bench *b, const char *name) {
    const char *slash = strchr(name, '/');
    const char *group = hn_strndup(b->a, name, slash ? slash - name : (int64_t)strlen(name));
    if (b->group && !strcmp(b->group, group)) return;
    b->group = group;
    hn_out("\n%-44s %-28s %7s %6s %7s %6s %9s %9s\n", group, "time, median [range]", "GF/s", "% peak", "GB/s", "% read", "tokens/s",
           "memory");
}

static void row(bench *b, const bench_line *l) {
    hn_arena *a = hn_arena_new(b->a);
    double s = l->seconds.median, gf = l->flops / s, gb = l->bytes / s;
    heading(b, l->name);
    hn_out("%-44s %-28s %7s %6s %7s %6s %9s %9s\n%s%s%s", strchr(l->name, '/') ? strchr(l->name, '/') + 1 : l->name, times(a, &l->seconds),
           number(a, gf / 1e9), number(a, 100 * gf / b->machine.flops[1]), number(a, gb / 1e9), number(a, 100 * gb / b->machine.read[1]),
           number(a, l->tokens / s), l->rss ? hn_human_bytes(a, (double)l->rss) : "", l->note ? "    " : "",
           l->note ? l->note : "", l->note ? "\n" : "");
    hn_arena_free(a);
}

static json_t *rate(double amount, double seconds) { return amount > 0 ? hn_json_real(amount / seconds) : json_null(); }

void bench_tell(bench *b, const bench_line *l) {
    double s = l->seconds.median;
    b->lines++;
    if (!b->c->json) {
        row(b, l);
        return;
    }
    json_t *o = hn_json_own(
        b->a, json_pack("{ss ss so so so so so so so}", "name", l->name, "config", l->config, "tokens_per_second", rate(l->tokens, s),
                        "gflops", rate(l->flops / 1e9, s), "percent_of_peak", rate(100 * l->flops / b->machine.flops[1], s),
                        "gbytes_per_second", rate(l->bytes / 1e9, s), "percent_of_read", rate(100 * l->bytes / b->machine.read[1], s),
                        "peak_rss_bytes", l->rss ? json_integer(l->rss) : json_null(), "seconds", bench_stat_json(&l->seconds)));
    if (l->more) json_object_update(o, l->more);
    hn_out_json(b->a, o);
}

void bench_skip(bench *b, const char *name, const char *why) {
    b->lines++;
    if (!b->c->json) hn_out("%-44s not measured: %s\n", name, why);
    else
        hn_out_json(b->a, hn_json_own(b->a, json_pack("{ss ss so so so so ss}", "name", name, "config", "", "tokens_per_second", json_null(),
                                                      "gflops", json_null(), "percent_of_peak", json_null(), "peak_rss_bytes", json_null(),
                                                      "not_measured", why)));
}

void bench_tell_machine(bench *b, const char *commit) {
    const bench_machine *m = &b->machine;
    int threads = hn_pool_threads(hn_job_pool(b->a->job));
    const char *cpu = hn_cpu_describe(b->a), *isa = hn_isa_name(hn_cpu_isa());
    if (!b->c->json) {
        hn_out("%s; %s kernels, %d thread%s%s%s\n", cpu, isa, threads, threads == 1 ? "" : "s", *commit ? "; commit " : "", commit);
        hn_out("f32 multiply-add  %6.0f GF/s one thread, %6.0f all\n", m->flops[0] / 1e9, m->flops[1] / 1e9);
        hn_out("read from memory  %6.1f GB/s one thread, %6.1f all\n", m->read[0] / 1e9, m->read[1] / 1e9);
        return;
    }
    hn_out_json(b->a, hn_json_own(b->a, json_pack("{ss ss so sf sf so so ss ss ss si sf sf sf sf ss}", "name", "machine", "config", cpu,
                                                  "tokens_per_second", json_null(), "gflops", m->flops[1] / 1e9, "percent_of_peak", 100.0,
                                                  "peak_rss_bytes", json_null(), "commit", *commit ? json_string(commit) : json_null(),
                                                  "version", hone_version(), "cpu", cpu, "isa", isa, "threads", threads,
                                                  "gflops_one_thread", m->flops[0] / 1e9, "gflops_all_threads", m->flops[1] / 1e9,
                                                  "read_gbytes_one_thread", m->read[0] / 1e9, "read_gbytes_all_threads",
                                                  m->read[1] / 1e9, "utc", hn_time_utc(b->a))));
}
