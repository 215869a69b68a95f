/* encode.c - text to ids: each line of a file a text of its own, as a data set of short texts is encoded; on all threads of the run.
 *
 * Only where --tokenizer and --text name files. Told beside the time: a checksum of the ids (SHA-256 over them as 32-bit little-endian
 * numbers), by which another program's ids can be compared without writing them out. */
#include "app/bench/bench.h"
#include "data/data.h"

enum { MAX_TEXT = 1 << 30, MIN_ROUNDS = 3 };

static int64_t lines_of(hn_arena *a, hn_bytes file, hn_bytes **out) {
    HN_VEC(hn_bytes) line = { 0 };
    for (int64_t at = 0; at < file.n;) {
        const uint8_t *end = memchr(file.p + at, '\n', (size_t)(file.n - at));
        int64_t n = (end ? end - file.p : file.n) - at;
        hn_push(a, &line, (hn_bytes){ file.p + at, n });
        at += n + 1;
    }
    *out = line.v;
    return line.n;
}

bool bench_encode(bench *b) {
    if (!b->tokenizer) return true;
    hn_arena *a = hn_arena_new(b->a);
    const char *name = hn_fmt(b->a, "encode/%s %s", hn_path_base(b->tokenizer), b->text ? hn_path_base(b->text) : "");
    if (!bench_wants(b, name)) return true;
    if (!b->text) return HN_FAIL(a, HONE_E_USAGE, .what = "--tokenizer wants --text too: the file to encode");
    hn_bytes file, *line;
    double began = hn_now();
    hn_tokenizer *t = hn_tokenizer_load(a, b->tokenizer);
    double loaded = hn_now() - began;
    if (!t || !hn_file_read(a, b->text, MAX_TEXT, &file)) return false;
    int64_t n = lines_of(a, file, &line), *ends = hn_new_n(a, int64_t, n);
    if (!n) return HN_FAIL(a, HONE_E_DATA, .what = "there is no text to encode", .where = b->text);
    hn_ids ids = { 0 };
    bench_sample sample = { 0 };
    for (began = hn_now(); sample.n < MIN_ROUNDS || hn_now() - began < b->seconds;) {
        double from = hn_now();
        ids.n = 0;
        if (!hn_encode_many(a, t, line, n, &ids, ends)) return false;
        bench_add(&sample, hn_now() - from);
        if (sample.n == BENCH_MAX_SAMPLE || hn_stopped(a->job)) break;
    }
    hn_sha256 sum = hn_sha256_new();
    char hex[65];
    hn_sha256_add(&sum, ids.n ? (const void *)ids.v : "", ids.n * (int64_t)sizeof *ids.v);
    hn_sha256_hex(sum, hex);
    bench_stat s = bench_stat_of(&sample);
    bench_tell(b, &(bench_line){ .name = name, .config = hn_fmt(a, "%s, %lld lines, %lld bytes", t->kind->item.name, (long long)n, (long long)file.n),
                                 .seconds = s, .bytes = (double)file.n, .tokens = (double)ids.n,
                                 .more = hn_json_own(a, json_pack("{sI sf ss}", "tokens", (json_int_t)ids.n, "load_seconds", loaded, "sha256", hex)) });
    hn_arena_free(a);
    return true;
}
