/* op.c - what several operators' files need and is not small enough for op.h. */
#include "tensor/op/op.h"

bool hn_id_fail(const hn_call *c, const char *what, const int32_t *ids, int64_t i, int64_t lo, int64_t hi) {
    return hn_tape_fail(c->t, HONE_E_SHAPE,
                        &(hn_why){.what = hn_fmt(c->a, "%s: id %d at index %lld is not in %lld … %lld", what, ids[i], (long long)i,
                                                 (long long)lo, (long long)hi - 1),
                                  .hint = "the data was made with another tokenizer than the model's"});
}
bool hn_ids_in_range(const hn_call *c, const char *what, const int32_t *ids, int64_t n, int64_t lo, int64_t hi) {
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < lo || ids[i] >= hi) return hn_id_fail(c, what, ids, i, lo, hi);
    return true;
}
bool hn_indices_in_range(const hn_call *c, const char *what, const int32_t *ids, int64_t n, int64_t end) {
    for (int64_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= end)
            return HN_MISFIT(c, "%s: index %d at %lld, but there are %lld rows", what, ids[i], (long long)i, (long long)end);
    return true;
}
