/* uppercase.c - every letter in upper case. */
#include "eval/task.h"
#include <utf8proc.h>

static bool apply(hn_arena *a, const void *params, hn_texts *x) {
    for (int64_t i = 0; i < x->n; i++) {
        hn_buf b = { 0 };
        const char *s = x->v[i];
        for (int64_t left = (int64_t)strlen(s), n; left > 0; s += n, left -= n) {
            uint32_t cp;
            utf8proc_uint8_t put[4];
            n = hn_utf8_next((const uint8_t *)s, left, &cp);
            hn_buf_put(a, &b, put, utf8proc_encode_char(utf8proc_toupper((int32_t)cp), put));
        }
        x->v[i] = hn_buf_str(a, &b);
    }
    return true;
}
const hn_filter hn_filter_uppercase = { HN_ITEM0("uppercase", "every letter in upper case", NULL), .apply = apply };
