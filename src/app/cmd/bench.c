/* bench - how fast this build is on this machine: operators, training steps, decoding, beside the limits measured in the same run. */
#include "app/bench/bench.h"

#ifndef HN_COMMIT
#define HN_COMMIT ""
#endif

typedef struct flags {
    hn_strs filter;
    double seconds;
    bool no_floor, compare;
    const char *tokenizer, *text;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, filter, .doc = "only cases whose name contains one of these: op/linear,train/baby; with $ at its end, whose name ends so"),
    HN_PARAM(flags, seconds, .def = "0.5", .min = 0.001, .max = 3600, .unit = "seconds", .doc = "time to spend on each case, at least"),
    HN_PARAM(flags, no_floor, .doc = "training steps without their floor, which takes as long again"),
    HN_PARAM(flags, tokenizer, .doc = "encode --text with this tokenizer, a file or a folder, and measure nothing else but what --filter names"),
    HN_PARAM(flags, text, .doc = "file of which each line is encoded"),
    HN_PARAM(flags, compare, .doc = "measure nothing: compare two files of earlier results, OLD.json NEW.json"),
};

extern const hn_cmd hn_cmd_bench;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    if (f->compare) {
        if (c->n_args != 2) return hn_usage(c, &hn_cmd_bench, "which two files of results?");
        return bench_compare(c, c->args[0], c->args[1]);
    }
    if (c->n_args) return hn_usage(c, &hn_cmd_bench, hn_fmt(c->a, "'%s' is not asked for", c->args[0]));
    bench *b = hn_new(c->a, bench);
    *b = (bench){ .a = c->a, .c = c, .seconds = f->seconds, .filter = f->filter, .no_floor = f->no_floor };
    if (f->tokenizer && *f->tokenizer) {
        static const char *only[] = { "encode/" };
        b->tokenizer = f->tokenizer;
        b->text = f->text && *f->text ? f->text : NULL;
        if (!b->filter.n) b->filter = (hn_strs){ only, 1 };
    } else if (f->text && *f->text) return hn_usage(c, &hn_cmd_bench, "--text wants --tokenizer too");
    bench_measure_machine(b);
    bench_tell_machine(b, HN_COMMIT);
    if (!bench_ops(b) || !bench_train(b) || !bench_decode(b) || !bench_encode(b)) return false;
    if (!b->lines)
        return HN_FAIL(c->a, HONE_E_USAGE, .what = "--filter finds no case", .hint = "Run `hone bench` without it to see all names.");
    if (hn_stopped(c->a->job)) return HN_FAIL(c->a, HONE_E_INTERRUPTED, .what = "stopped while measuring");
    return true;
}

const hn_cmd hn_cmd_bench = {
    HN_ITEM("bench", "measure how fast this build is on this machine", NULL, flags, params),
    .usage = "[--filter NAME,…] [--seconds S] [--tokenizer FILE --text FILE] | --compare OLD.json NEW.json",
    .run = run,
    .about = "Measures what the machine can do (multiply-adds and bytes read a second); every operator on shapes of transformer layers (op/);\n"
             "training steps of named configurations, by turns with their floor: the matrix products of the same step alone, through oneDNN in\n"
             "the fastest of several ways (train/); tokens with a cache (decode/); and, of files that --tokenizer and --text name, text to\n"
             "ids (encode/). Times are medians with their range; shares are of the\n"
             "limits measured in the same run.",
    .examples = "  hone bench --filter op/linear,op/attention\n  hone bench --filter train/baby --seconds 10\n  hone bench --json > new.json\n"
                "  hone bench --compare old.json new.json",
};
