/* csv.c - fuzz target: any bytes as a table, with commas and with tabs; refused with a reason, or rows of cells that are texts. */
#include "target.h"
#include "eval/task.h"

static bool body(void *arg) {
    input *in = arg;
    for (int i = 0; i < 2; i++) {
        hn_csv_row *rows;
        int64_t n;
        if (!hn_csv_parse(in->a, "fuzz", in->file, i ? '\t' : ',', &rows, &n)) return false;
        for (int64_t r = 0; r < n; r++)
            for (int64_t c = 0; c < rows[r].n; c++) HN_ASSERT(strlen(rows[r].cell[c]) <= (size_t)in->file.n);
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
