/* few.c - a product of few rows with a wide matrix, as in decoding: w comes from memory once and all rows use it while it is near.
 *
 * Whatever the number of rows and the columns asked for at once, an element is summed in the same order: over k vector by vector for w
 * (n,k), number by number for (k,n). So a row gets the same bits alone and among others. Numbers of 16 bits are widened in registers.
 * (k,n) is walked along its rows, which lie one after another in memory: some of them at a time, two vectors of columns. Zen 3, AVX2, one
 * thread, 768 x 3072 f32, huge pages: 8 rows 20.9 GB/s, 4 rows 21.4, 16 rows 19.0, one row 15.8, strips of 128 columns down all rows 11.5,
 * mere reading 18.9; pages of 4 KiB: 18.6, 17.7, 15.3, 13.2, 10.3 and 14.7.
 * Whichever rows are walked side by side, what comes after them is asked for in the order in which it lies in memory. Zen 4, two threads,
 * medians of mere reading 31 to 35 GB/s: (n,768) of bf16 by four rows 16, so 32 to 35; of f32 24, 24 to 27 (one row 31 to 35, too few sums at
 * once for AVX2); (768,3072) of bf16 in 1024 columns 20, whole rows 25, so 30; of f32 21, 25 and 29.
 * More than MANY rows of x go over w in more walks: 64 rows of w by 128 columns stay in the first cache meanwhile, and a line of what comes
 * next is asked for beside each row, in the first walk; all at once they would be waited for. Zen 5, one thread, (128,3072) from memory,
 * 16 rows: f32 102 GF/s with 32 rows of w and all lines at once, so 146; bf16 140, widened first, and 189. With AVX2, where sixteen rows are
 * four walks and eight columns half a line, those rows of w are copied first, as f32: bf16 78 without the copy, 92 so.
 * Compiled once per instruction set; rows and columns at once are bounded by the registers, sixteen but for AVX-512, which has 32. */
#include "tensor/cpu/few.h"
#include "tensor/cpu/vec.h"

enum { SLAB_MANY = 64, MANY = 4, BLOCK = 128 /* columns */, ROOMY = VW == 16, LATER = 128 /* columns */ };
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 8")

/* Rows of w (k,n) at once. */
INLINE int64_t slab_of(const hone_dtype type) { return type == HONE_F32 ? 4 : 8; }

INLINE vf w_load(const hone_dtype type, const void *w, int64_t i) {
    if (type == HONE_F32) return v_loadu((const float *)w + i);
    return type == HONE_BF16 ? v_bf16((const uint16_t *)w + i) : v_f16((const uint16_t *)w + i);
}
INLINE vf w_load_n(const hone_dtype type, const void *w, int64_t i, int64_t n) {
    if (n >= VW) return w_load(type, w, i);
    if (type == HONE_F32) return v_loadn((const float *)w + i, n);
    uint16_t some[VW] = { 0 };
    memcpy(some, (const uint16_t *)w + i, (size_t)n * sizeof *some);
    return w_load(type, some, 0);
}

/* Asks for `bytes` of memory from p + at on, if a line begins there. */
INLINE void ask(const void *p, int64_t at, int64_t bytes, const bool far) {
    if (at % 64) return;
    UNROLL for (int64_t i = 0; i < bytes; i += 64) {
        if (far) __builtin_prefetch((const char *)p + at + i, 0, 2);
        else __builtin_prefetch((const char *)p + at + i, 0, 3);
    }
}

/* ---- w (n,k): R rows of x with J rows of w; meanwhile `step` bytes from next on (NULL: nothing) are asked for beside each vector ---- */
INLINE void dots(const hone_dtype type, float *y, int64_t ldy, const float *x, int64_t ldx, const void *w, int64_t ldw, int64_t k,
                 const int R, const int J, const void *next, const int64_t step) {
    vf s[4][4];
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int j = 0; j < J; j++) s[r][j] = v_set(0);
    int64_t i = 0;
    for (; i + VW <= k; i += VW) {
        vf b[4];
        UNROLL for (int j = 0; j < J; j++) b[j] = w_load(type, w, j * ldw + i);
        if (step && next) ask(next, i / VW * step, step, R > 1);
        UNROLL for (int r = 0; r < R; r++) {
            vf a = v_loadu(x + r * ldx + i);
            UNROLL for (int j = 0; j < J; j++) s[r][j] = v_fma(a, b[j], s[r][j]);
        }
    }
    for (; i < k; i += VW)
        for (int r = 0; r < R; r++)
            for (int j = 0; j < J; j++) s[r][j] = v_fma(v_ld(x + r * ldx + i, k - i), w_load_n(type, w, j * ldw + i, k - i), s[r][j]);
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int j = 0; j < J; j++) y[r * ldy + j] = v_sum(s[r][j]);
}
/* `wide` rows of w from column n0 of y on, with all rows of x: two beside four of w (four where there is room), four beside one or two. */
INLINE void rows_with(const hone_dtype type, const hn_few *f, const void *w, int64_t ldw, int64_t n0, int64_t wide, const uint8_t *next,
                      int64_t bytes) {
    int64_t r = 0, many = wide == 4 && !ROOMY ? 2 : 4, some = f->k / VW * 64;
#define ASKING(R, J, from, step) dots(type, f->y + r * f->ldy + n0, f->ldy, f->x + r * f->ldx, f->ldx, w, ldw, f->k, R, J, from, step)
#define ROWS(R, J) ASKING(R, J, NULL, 0)
    if (next && f->rows == 1 && wide == 4) {
        ASKING(1, 4, next, 4 * VW * (type == HONE_F32 ? 4 : 2));
        return;
    }
    for (; r + many <= f->rows; r += many) {
        const uint8_t *part = next && r / many * some < bytes ? next + r / many * some : NULL;
        if (wide == 4 && ROOMY) ASKING(4, 4, part, 64);
        else if (wide == 4) ASKING(2, 4, part, 64);
        else if (wide == 2) ROWS(4, 2);
        else ROWS(4, 1);
    }
    for (; r < f->rows; r++) {
        if (wide == 4) ROWS(1, 4);
        else if (wide == 2) ROWS(1, 2);
        else ROWS(1, 1);
    }
#undef ROWS
#undef ASKING
}
INLINE void rows_nk(const hone_dtype type, const hn_few *f, int64_t n0, int64_t n) {
    for (int64_t j = 0, wide; j < n; j += wide) {
        const void *w = hn_few_at(f->w, type, (n0 + j) * f->ldw);
        wide = n - j >= 4 ? 4 : n - j >= 2 ? 2 : 1;
        const void *next = f->ldw == f->k && j + 8 <= n ? hn_few_at(w, type, wide * f->ldw) : NULL;
        rows_with(type, f, w, f->ldw, n0 + j, wide, next, wide * f->k * (type == HONE_F32 ? 4 : 2));
    }
}

/* What to ask for meanwhile, beside row i of w: `bytes` bytes at next + i · apart. */
typedef struct {
    const char *next; /* NULL: nothing */
    int64_t apart, bytes;
} later;
/* ---- w (k,n): R rows of x with two vectors of columns, over one slab of k ---- */
INLINE void strip(const hone_dtype type, float *y, int64_t ldy, const float *x, int64_t ldx, const void *w, int64_t ldw, int64_t k,
                  const int R, const later l) {
    vf s[8][2];
    UNROLL for (int r = 0; r < R; r++) s[r][0] = v_loadu(y + r * ldy), s[r][1] = v_loadu(y + r * ldy + VW);
    UNROLL for (int64_t i = 0; i < k; i++) {
        vf b = w_load(type, w, i * ldw), c = w_load(type, w, i * ldw + VW);
        if (l.next)
            for (int64_t at = 0; at < l.bytes; at += 64) __builtin_prefetch(l.next + i * l.apart + at, 0, 2);
        UNROLL for (int r = 0; r < R; r++) {
            vf a = v_set(x[r * ldx + i]);
            s[r][0] = v_fma(a, b, s[r][0]);
            s[r][1] = v_fma(a, c, s[r][1]);
        }
    }
    UNROLL for (int r = 0; r < R; r++) v_storeu(y + r * ldy, s[r][0]), v_storeu(y + r * ldy + VW, s[r][1]);
}
INLINE void edge(const hone_dtype type, float *y, const float *x, const void *w, int64_t ldw, int64_t k, int64_t left) {
    vf s = v_ld(y, left);
    for (int64_t i = 0; i < k; i++) s = v_fma(v_set(x[i]), w_load_n(type, w, i * ldw, left), s);
    v_st(y, s, left);
}
/* Columns n0 … n0 + n of y, whose part of the slab begins at w. l: what comes after these columns, two vectors' at a time (of numbers of
 * `size` bytes, if w holds what was widened); asked for beside the first rows of x, a little at each row of w: asked for all at once, it
 * would be waited for. */
INLINE void slab(const hone_dtype type, const hn_few *f, const float *x, const void *w, int64_t ldw, int64_t k, int64_t n0, int64_t n,
                 const later l, const int64_t size) {
    const later nothing = { 0 };
    for (int64_t j = 0; j < n;) {
        const void *wj = hn_few_at(w, type, j);
        float *y = f->y + n0 + j;
        int64_t r = 0, left = n - j;
#define ROWS(R, K, what) strip(type, y + r * f->ldy, f->ldy, x + r * f->ldx, f->ldx, wj, ldw, K, R, what)
        if (left >= 2 * VW) {
            later lj = { l.next && l.bytes == 0 && j * size % 64 == 0 ? l.next + j * size : NULL, l.apart, 2 * VW * size };
            for (; ROOMY && r + 8 <= f->rows; r += 8, lj.next = NULL) ROWS(8, k, lj);
            for (; r + 4 <= f->rows; r += 4, lj.next = NULL) ROWS(4, k, lj);
            for (; r < f->rows; r++) {
                if (k == slab_of(type) && l.next && l.bytes) ROWS(1, slab_of(type), ((later){ l.next + j * slab_of(type) * size, l.apart, l.bytes }));
                else if (k == slab_of(type)) ROWS(1, slab_of(type), nothing);
                else ROWS(1, k, nothing);
            }
            j += 2 * VW;
        } else {
            for (; r < f->rows; r++) edge(type, y + r * f->ldy, x + r * f->ldx, wj, ldw, k, left);
            j += VW;
        }
#undef ROWS
    }
}
static void widen(float *y, const void *w, hone_dtype type, int64_t n);
INLINE void rows_kn(const hone_dtype type, const hn_few *f, int64_t n0, int64_t n) {
    float near[SLAB_MANY * BLOCK];
    const int64_t size = type == HONE_F32 ? 4 : 2;
    int64_t deep = f->rows > MANY ? SLAB_MANY : slab_of(type);
    for (int64_t r = 0; r < f->rows; r++) memset(f->y + r * f->ldy + n0, 0, (size_t)n * sizeof(float));
    for (int64_t k0 = 0; k0 < f->k; k0 += deep) {
        int64_t k = f->k - k0 < deep ? f->k - k0 : deep;
        const char *w = hn_few_at(f->w, type, k0 * f->ldw + n0), *below = k0 + 2 * deep <= f->k ? w + k * f->ldw * size : NULL;
        later l = { 0 };
        for (int64_t j = 0; f->rows > MANY && j < n; j += BLOCK) {
            int64_t some = n - j < BLOCK ? n - j : BLOCK;
            l = (later){ j + BLOCK < n ? w + (j + BLOCK) * size : below, f->ldw * size, 0 };
            if (ROOMY) {
                slab(type, f, f->x + k0, w + j * size, f->ldw, k, n0 + j, some, l, size);
                continue;
            }
            for (int64_t i = 0; i < k; i++) widen(near + i * BLOCK, w + (i * f->ldw + j) * size, type, some);
            slab(HONE_F32, f, f->x + k0, near, BLOCK, k, n0 + j, some, l, size);
        }
        /* Whole rows by one row of x are asked for in the order in which they lie. */
        if (below && f->rows == 1 && n == f->ldw) l = (later){ below, 2 * VW * size, 2 * VW * size };
        if (f->rows <= MANY) slab(type, f, f->x + k0, w, f->ldw, k, n0, n, l, size);
    }
}

#define OF_TYPE(T)                                                                                                                         \
    if (f->transposed) rows_kn(T, f, n0, n);                                                                                               \
    else rows_nk(T, f, n0, n)
static void product(const hn_few *f, int64_t n0, int64_t n) {
    if (f->type == HONE_F32) {
        OF_TYPE(HONE_F32);
    } else if (f->type == HONE_BF16) {
        OF_TYPE(HONE_BF16);
    } else {
        OF_TYPE(HONE_F16);
    }
}

static void widen(float *y, const void *w, hone_dtype type, int64_t n) {
    if (type == HONE_F32) memcpy(y, w, (size_t)n * sizeof *y);
    else if (type == HONE_BF16)
        V_EACH(i, n) v_st(y + i, w_load_n(HONE_BF16, w, i, V_LEFT), V_LEFT);
    else
        V_EACH(i, n) v_st(y + i, w_load_n(HONE_F16, w, i, V_LEFT), V_LEFT);
}
static void to_bf16(uint16_t *y, const float *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, x + i, sizeof u);
        uint32_t nan = (u & 0x7fffffffu) > 0x7f800000u ? 0x400000u : 0; /* a quiet one, whichever bits are cut off */
        y[i] = (uint16_t)((nan ? u | nan : u + 0x7fffu + (u >> 16 & 1)) >> 16);
    }
}

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define TABLE PASTE(hn_few_, HN_ISA)
extern const hn_few_table TABLE;
const hn_few_table TABLE = { product, widen, to_bf16 };
