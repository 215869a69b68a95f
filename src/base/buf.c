/* buf.c - bytes that grow. Growth itself (hn_grow) lives with the arena, which takes the outgrown block back. */
#include "base/base.h"
#include <stdio.h>

void hn_buf_put(hn_arena *a, hn_buf *b, const void *p, int64_t n) {
    if (n <= 0) return;
    hn_vec_grow(a, b, n);
    memcpy(b->v + b->n, p, (size_t)n);
    b->n += n;
}

void hn_buf_fmt(hn_arena *a, hn_buf *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n <= 0) return;
    hn_vec_grow(a, b, n + 1);
    va_start(args, fmt);
    vsnprintf(b->v + b->n, (size_t)n + 1, fmt, args);
    va_end(args);
    b->n += n;
}

/* The zero stands behind the last byte and is not counted; more may be put afterwards. */
const char *hn_buf_str(hn_arena *a, hn_buf *b) {
    hn_vec_grow(a, b, 1);
    b->v[b->n] = 0;
    return b->v;
}
