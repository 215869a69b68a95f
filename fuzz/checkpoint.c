/* checkpoint.c - fuzz target: any bytes as a checkpoint's file. */
#include "train/trainer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
typedef struct input { hn_arena *a; hn_bytes file; } input;

static bool parse(void *arg)
{
    input *in = arg;
    hn_checkpoint c = { 0 };
    return hn_checkpoint_parse(in->a, "checkpoint", in->file, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hone_job *job = hone_open(&(hone_options){ .threads = 1 });
    if (!job) return 0;
    input in = { hn_job_arena(job), { data, (int64_t)size } };
    (void)!hn_try(job, parse, &in);
    hone_close(job);
    return 0;
}
