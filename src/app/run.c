/* run.c - the top level of every recipe: where results go, the seed, threads, the device. Also --out, --seed, --threads, --device. */
#include "app/app.h"

static const hn_param rows[] = {
    HN_PARAM(hn_run_params, out, .doc = "run folder for everything that is written; empty: runs/ and the name of the recipe"),
    HN_PARAM(hn_run_params, seed, .def = "1",
             .doc = "seed of every random choice; the same seed gives the same bits for any number of threads"),
    HN_PARAM(hn_run_params, threads, .def = "0", .min = 0, .max = 1024, .doc = "threads; 0: one per core"),
    HN_PARAM(hn_run_params, device, .def = "cpu", .choices = "cpu|cuda", .doc = "where to compute; this build has cpu"),
};
const hn_section hn_section_run = HN_SECTION("", "where results go and what makes a run repeatable", hn_run_params, rows);
