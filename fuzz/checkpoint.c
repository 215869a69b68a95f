/* checkpoint.c - fuzz target: any bytes as a checkpoint's file. */
#include "target.h"
#include "train/trainer.h"

static bool parse(void *arg)
{
    input *in = arg;
    hn_checkpoint c = { 0 };
    return hn_checkpoint_parse(in->a, "checkpoint", in->file, &c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, parse); }
