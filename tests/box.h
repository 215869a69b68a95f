/* box.h - a job and its arena for each test: setup, teardown. */
#ifndef TEST_BOX_H
#define TEST_BOX_H
#include <stdlib.h>
#include "hone/base.h"
#include "base/base.h"

typedef struct {
    hone_job *job;
    hn_arena *a;
} box;

static int setup(void **state) {
    box *b = malloc(sizeof *b);
    b->job = hone_open(&(hone_options){ .threads = 2 });
    b->a = hn_job_arena(b->job);
    *state = b;
    return 0;
}

static int teardown(void **state) {
    hone_close(((box *)*state)->job);
    free(*state);
    return 0;
}
#endif
