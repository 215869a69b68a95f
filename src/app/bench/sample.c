/* sample.c - times of repeats, told as median, least and most. */
#include "app/bench/bench.h"
#include <math.h>
#include <stdlib.h>

void bench_add(bench_sample *s, double seconds) {
    if (s->n < BENCH_MAX_SAMPLE) s->v[s->n++] = seconds;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bench_stat bench_stat_of(const bench_sample *s) {
    bench_sample sorted = *s;
    int n = s->n;
    if (!n) return (bench_stat){ 0, NAN, NAN, NAN, NAN, NAN };
    qsort(sorted.v, (size_t)n, sizeof *sorted.v, by_size);
    return (bench_stat){ n, (sorted.v[(n - 1) / 2] + sorted.v[n / 2]) / 2, sorted.v[0], sorted.v[n - 1], sorted.v[n / 4],
                         sorted.v[n - 1 - n / 4] };
}

json_t *bench_stat_json(const bench_stat *s) {
    if (!s->n) return json_null();
    return json_pack("{sf sf sf sf sf si}", "median", s->median, "min", s->min, "max", s->max, "q1", s->q1, "q3", s->q3, "n", s->n);
}
