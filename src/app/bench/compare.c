/* compare.c - two files of `hone bench --json`, case by case: which became faster or slower by more than the noise.
 *
 * The noise of a case is half the distance of the quartiles of its times over their median, the larger of both files. A change counts when
 * the medians differ by more than 3 % and the quartiles do not meet; by more than 20 % where a file has less than three times. Cases of
 * one file alone are counted. Limit: a machine that slows down between the two files looks like a change; where it matters make both
 * files anew, by turns. */
#include "app/bench/bench.h"
#include <math.h>

#define LEAST_CHANGE 0.03
#define LEAST_IF_FEW 0.2

typedef struct side {
    const char *path;
    hn_map *by_name;            /* → place in lines */
    HN_VEC(json_t *) lines;
} side;

static bool read_side(hn_arena *a, const char *path, side *s) {
    hn_bytes text;
    if (!hn_path_exists(path))
        return HN_FAIL(a, HONE_E_DATA, .what = "there is no such file or folder", .where = path, .hint = "Make it by `hone bench --json > FILE`.");
    *s = (side){ .path = path, .by_name = hn_map_new(a) };
    if (!hn_file_read(a, path, 64 << 20, &text)) return false;
    for (int64_t at = 0, line = 1, n; at < text.n; at += n + 1, line++) {
        const uint8_t *end = memchr(text.p + at, '\n', (size_t)(text.n - at));
        n = end ? end - text.p - at : text.n - at;
        if (!n) continue;
        const char *where = hn_fmt(a, "%s:%lld", path, (long long)line);
        json_t *o = hn_json_parse(a, where, text.p + at, n, HONE_E_DATA);
        if (!o) return false;
        const char *name = json_string_value(json_object_get(o, "name"));
        if (!name) return HN_FAIL(a, HONE_E_DATA, .what = "this is no result of hone bench", .where = where, .wanted = "an object with a name",
                                  .hint = "Make the file by `hone bench --json > FILE`.");
        hn_map_put(s->by_name, name, (int64_t)strlen(name), s->lines.n);
        hn_push(a, &s->lines, o);
    }
    return s->lines.n || HN_FAIL(a, HONE_E_DATA, .what = "there are no results in it", .where = path,
                                 .hint = "Make the file by `hone bench --json > FILE`.");
}

static bench_stat stat_of(const json_t *o) {
    const json_t *s = json_object_get(o, "seconds");
    if (!json_is_object(s)) return (bench_stat){ .median = NAN };
    double v[5];
    static const char *const keys[] = { "median", "min", "max", "q1", "q3" };
    for (int i = 0; i < 5; i++) v[i] = json_number_value(json_object_get(s, keys[i]));
    return (bench_stat){ (int)json_integer_value(json_object_get(s, "n")), v[0], v[1], v[2], v[3], v[4] };
}

/* -1 faster, 1 slower, 0 within the noise. */
static int verdict(const bench_stat *x, const bench_stat *y, double *noise) {
    *noise = HN_MAX((x->q3 - x->q1) / (2 * x->median), (y->q3 - y->q1) / (2 * y->median));
    double change = fabs(y->median / x->median - 1);
    bool few = x->n < 3 || y->n < 3, apart = x->q3 < y->q1 || y->q3 < x->q1;
    if (!(change > (few ? LEAST_IF_FEW : LEAST_CHANGE)) || (!few && !apart)) return 0;
    return y->median < x->median ? -1 : 1;
}

static void tell(hn_cmd_call *c, const char *name, const bench_stat *x, const bench_stat *y, int64_t count[3]) {
    static const char *const words[] = { "faster", "", "SLOWER" };
    double noise, ratio = y->median / x->median;
    int v = verdict(x, y, &noise);
    count[v + 1]++;
    if (c->json)
        hn_out_json(c->a, hn_json_own(c->a, json_pack("{ss sf sf sf sf ss}", "name", name, "old_seconds", x->median, "new_seconds", y->median,
                                                      "ratio", ratio, "noise", noise, "verdict", v < 0 ? "faster" : v ? "slower" : "same")));
    else
        hn_out("%-56s %10.4g ms %10.4g ms  %6.3f  +-%4.0f %%  %s\n", name, 1e3 * x->median, 1e3 * y->median, ratio, 100 * noise, words[v + 1]);
}

bool bench_compare(hn_cmd_call *c, const char *old_path, const char *new_path) {
    side o, n;
    int64_t count[3] = { 0 }, alone = 0;
    if (!read_side(c->a, old_path, &o) || !read_side(c->a, new_path, &n)) return false;
    if (!c->json) hn_out("%-56s %13s %13s  %6s  %7s\n", "", "old", "new", "ratio", "noise");
    for (int64_t i = 0; i < o.lines.n; i++) {
        const char *name = json_string_value(json_object_get(o.lines.v[i], "name"));
        bench_stat x = stat_of(o.lines.v[i]), y;
        int64_t at;
        if (!(x.median > 0)) continue;
        if (!hn_map_get(n.by_name, name, (int64_t)strlen(name), &at)) {
            alone++;
            continue;
        }
        y = stat_of(n.lines.v[at]);
        if (y.median > 0) tell(c, name, &x, &y, count);
    }
    for (int64_t i = 0; i < n.lines.n; i++) {
        const char *name = json_string_value(json_object_get(n.lines.v[i], "name"));
        alone += stat_of(n.lines.v[i]).median > 0 && !hn_map_get(o.by_name, name, (int64_t)strlen(name), NULL);
    }
    if (!c->json)
        hn_out("%lld faster, %lld slower, %lld within the noise, %lld in one file only\n", (long long)count[0], (long long)count[2],
               (long long)count[1], (long long)alone);
    return true;
}
