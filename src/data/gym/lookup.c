/* lookup.c - a table is given, one cell of it is asked for: row by its name, column by its name where there are several. The order of
 * the rows does not make another question. */
#include "data/gym/gym.h"
#include <stdlib.h>

enum { ROWS = 12, COLUMNS = 5, LETTERS = 26, LINE = 64 };
/* in_order: the rows are a, b, c …, so that a name tells the place. */
static const struct { int64_t rows, columns, below; bool in_order; } levels[] = {
    { 3, 1, 10, true }, { 4, 1, 100 }, { 6, 1, 100 }, { 4, 2, 100 }, { 6, 3, 100 }, { 8, 3, 1000 }, { 10, 4, 1000 }, { ROWS, COLUMNS, 1000 },
};

static int by_text(const void *x, const void *y) { return strcmp(x, y); }

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    int64_t rows = levels[level - 1].rows, columns = levels[level - 1].columns, name[ROWS], asked = 0;
    char line[ROWS][LINE];
    if (levels[level - 1].in_order)
        for (int64_t r = 0; r < rows; r++) name[r] = r;
    else hn_gym_pick_some(d, name, rows, LETTERS);
    int64_t row = hn_gym_pick(d, rows), column = hn_gym_pick(d, columns);
    hn_gym_put(&out->prompt, "table");
    for (int64_t c = 0; columns > 1 && c < columns; c++) hn_gym_put(&out->prompt, " %c", (char)('A' + c));
    for (int64_t r = 0; r < rows; r++) {
        hn_gym_text t = { .n = 0 };
        hn_gym_put(&t, "; %c", (char)('a' + name[r]));
        for (int64_t c = 0; c < columns; c++) {
            int64_t value = hn_gym_pick(d, levels[level - 1].below);
            if (r == row && c == column) asked = value;
            hn_gym_put(&t, " %lld", (long long)value);
        }
        HN_ASSERT(t.n < LINE);
        memcpy(line[r], t.v, (size_t)t.n + 1);
        hn_gym_put(&out->prompt, "%s", t.v);
    }
    qsort(line, (size_t)rows, sizeof *line, by_text);
    for (int64_t r = 0; r < rows; r++) hn_gym_put(&out->question, "%s", line[r]);
    hn_gym_text ask = { .n = 0 };
    hn_gym_put(&ask, "? %c", (char)('a' + name[row]));
    if (columns > 1) hn_gym_put(&ask, " %c", (char)('A' + column));
    hn_gym_put(&out->question, "%s", ask.v);
    hn_gym_put(&out->prompt, "%s=", ask.v);
    hn_gym_put(&out->answer, "%lld", (long long)asked);
    return true;
}

const hn_gym_task hn_gym_task_lookup = { HN_ITEM0("lookup", "find a cell of a given table", NULL),
                                         .dial = "rows in order or not (3 … 12), columns (1 … 5) and digits of a cell (1 … 3)",
                                         .levels = HN_LEN(levels), .form = HN_GYM_NUMBER, .make = make };
