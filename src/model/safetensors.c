/* safetensors.c - the file format of weights: 8 bytes of header length, a JSON header, raw tensors.
 *
 * Nothing is believed before it is checked: the length against the file, each tensor's range against the data and its shape,
 * and the ranges together against the data, without overlap or hole (the reference implementation refuses those too). Nothing
 * is allocated by a number from the file; the header is parsed in place and tensors point into the file.
 * Limits: little-endian machines; at most HONE_MAX_DIMS dimensions; element types that hone cannot use are listed with dtype
 * HONE_DTYPE_COUNT, so that only he who needs such a tensor fails.
 * Source: https://github.com/huggingface/safetensors (format section). */
#include "model/model.h"
#include <stdlib.h>

enum { HEADER_MAX = 100000000 }; /* the reference implementation's limit */

static const struct {
    const char *name;
    hone_dtype dtype;
    int bytes;
} types[] = {
    {"F32", HONE_F32, 4},
    {"BF16", HONE_BF16, 2},
    {"F16", HONE_F16, 2},
    {"I32", HONE_I32, 4},
    {"I64", HONE_I64, 8},
    {"U8", HONE_U8, 1},
    {"BOOL", HONE_U8, 1},
    {"F64", HONE_DTYPE_COUNT, 8},
    {"U64", HONE_DTYPE_COUNT, 8},
    {"U32", HONE_DTYPE_COUNT, 4},
    {"U16", HONE_DTYPE_COUNT, 2},
    {"I16", HONE_DTYPE_COUNT, 2},
    {"I8", HONE_DTYPE_COUNT, 1},
    {"F8_E4M3", HONE_DTYPE_COUNT, 1},
    {"F8_E5M2", HONE_DTYPE_COUNT, 1},
};

static bool bad(hn_arena *a, const char *where, int64_t offset, const char *what) {
    return HN_FAIL(a, HONE_E_MODEL, .what = what, .where = hn_fmt(a, "%s: offset %lld", where, (long long)offset),
                   .hint = "the file is damaged, cut short, or no safetensors file; fetch or write it again");
}

static bool read_index(const json_t *v, int64_t *out) {
    if (!json_is_integer(v) || json_integer_value(v) < 0) return false;
    *out = json_integer_value(v);
    return true;
}

/* One entry of the header. at: offset of the data in the file, room: bytes of data. */
static bool parse_tensor(hn_arena *a, const char *where, hn_bytes file, int64_t at, const char *name, const json_t *entry,
                         hn_st_tensor *t) {
    const json_t *dtype = json_object_get(entry, "dtype"), *shape = json_object_get(entry, "shape"),
                 *range = json_object_get(entry, "data_offsets");
    if (!json_is_string(dtype) || !json_is_array(shape) || !json_is_array(range) || json_array_size(range) != 2)
        return bad(a, where, 8, hn_fmt(a, "tensor '%s' lacks dtype, shape or data_offsets", name));
    int64_t type = 0;
    while (type < HN_LEN(types) && strcmp(types[type].name, json_string_value(dtype))) type++;
    if (type == HN_LEN(types)) return bad(a, where, 8, hn_fmt(a, "tensor '%s' has the unknown dtype '%s'", name, json_string_value(dtype)));
    if (json_array_size(shape) > HONE_MAX_DIMS)
        return bad(a, where, 8, hn_fmt(a, "tensor '%s' has %zu dimensions, more than %d", name, json_array_size(shape), HONE_MAX_DIMS));
    *t = (hn_st_tensor){.name = name, .dtype = types[type].dtype, .dims = (int)json_array_size(shape)};
    int64_t want = types[type].bytes, from, to;
    for (int i = 0; i < t->dims; i++)
        if (!read_index(json_array_get(shape, (size_t)i), &t->shape[i]) || !hn_mul(want, t->shape[i], &want))
            return bad(a, where, 8, hn_fmt(a, "the shape of tensor '%s' is no shape", name));
    if (!read_index(json_array_get(range, 0), &from) || !read_index(json_array_get(range, 1), &to) || from > to || to > file.n - at)
        return bad(
            a, where, 8,
            hn_fmt(a, "the data_offsets of tensor '%s' lie outside of the file's %lld bytes of data", name, (long long)(file.n - at)));
    if (to - from != want)
        return bad(a, where, at + from,
                   hn_fmt(a, "tensor '%s' has %lld bytes, its shape and dtype need %lld", name, (long long)(to - from), (long long)want));
    t->p = file.p + at + from;
    t->bytes = want;
    return true;
}

static int by_place(const void *x, const void *y) {
    const hn_st_tensor *a = x, *b = y;
    if (a->p != b->p) return a->p < b->p ? -1 : 1;
    return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}
static int by_name(const void *x, const void *y) { return strcmp(((const hn_st_tensor *)x)->name, ((const hn_st_tensor *)y)->name); }

bool hn_st_parse(hn_arena *a, const char *where, hn_bytes file, hn_st *out) {
    *out = (hn_st){0};
    uint64_t length = 0;
    if (file.n < 8) return bad(a, where, 0, hn_fmt(a, "%lld bytes are too few for a safetensors file", (long long)file.n));
    memcpy(&length, file.p, 8);
    if (length > (uint64_t)(file.n - 8) || length > HEADER_MAX)
        return bad(a, where, 0,
                   hn_fmt(a, "the header claims %llu bytes, the file has %lld", (unsigned long long)length, (long long)file.n));
    if (!length || file.p[8] != '{') return bad(a, where, 8, "the header is not a JSON object");
    json_t *header = hn_json_parse(a, hn_fmt(a, "%s: header", where), file.p + 8, (int64_t)length, HONE_E_MODEL);
    if (!header) return false;
    if (!json_is_object(header)) return bad(a, where, 8, "the header is not a JSON object");
    int64_t at = 8 + (int64_t)length;
    out->v = hn_new_n(a, hn_st_tensor, (int64_t)json_object_size(header));
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry) {
        if (!strcmp(name, "__metadata__")) {
            if (!json_is_object(entry)) return bad(a, where, 8, "__metadata__ is not an object");
            out->metadata = entry;
        } else if (!json_is_object(entry)) {
            return bad(a, where, 8, hn_fmt(a, "the entry of tensor '%s' is not an object", name));
        } else if (!parse_tensor(a, where, file, at, name, entry, &out->v[out->n++])) {
            return false;
        }
    }
    if (out->n) qsort(out->v, (size_t)out->n, sizeof *out->v, by_place);
    const uint8_t *end = file.p + at;
    for (int64_t i = 0; i < out->n; end = out->v[i].p + out->v[i].bytes, i++)
        if (out->v[i].p != end)
            return bad(a, where, out->v[i].p - file.p,
                       hn_fmt(a, "tensor '%s' %s", out->v[i].name,
                              out->v[i].p < end ? "overlaps another" : "is preceded by bytes that belong to none"));
    if (end != file.p + file.n)
        return bad(a, where, end - file.p, hn_fmt(a, "%lld bytes follow the last tensor", (long long)(file.p + file.n - end)));
    if (out->n) qsort(out->v, (size_t)out->n, sizeof *out->v, by_name);
    return true;
}

bool hn_st_open(hn_arena *a, const char *path, hn_st *out) {
    hn_bytes file;
    return hn_file_map(a, path, &file) && hn_st_parse(a, path, file, out);
}

const hn_st_tensor *hn_st_find(const hn_st *s, const char *name) {
    const hn_st_tensor key = {.name = name};
    return s->n ? bsearch(&key, s->v, (size_t)s->n, sizeof key, by_name) : NULL;
}

uint16_t hn_st_narrow(float x, hone_dtype dtype) {
    uint32_t u;
    memcpy(&u, &x, 4);
    uint32_t sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    if (a > 0x7f800000) return (uint16_t)(sign | (dtype == HONE_BF16 ? 0x7fc0 : 0x7e00));       /* NaN */
    if (dtype == HONE_BF16) return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
    if (a >= 0x477ff000) return (uint16_t)(sign | 0x7c00);                                        /* 65520 and more */
    if (a >= 0x38800000) return (uint16_t)(sign | ((a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13)); /* normal: 2^-14 and more */
    int32_t shift = 126 - (int32_t)(a >> 23);                                                     /* below: multiples of 2^-24 */
    if (shift > 24) return (uint16_t)sign;
    uint32_t m = (a & 0x7fffff) | 0x800000, whole = m >> shift, rest = m & ((1u << shift) - 1), tie = 1u << (shift - 1);
    return (uint16_t)(sign | (whole + (rest > tie || (rest == tie && (whole & 1)))));
}

/* Data in the file may stand at any address, so elements are copied out. */
float hn_st_number(const hn_st_tensor *t, int64_t i) {
    float f;
    uint16_t h;
    if (t->dtype == HONE_F32) {
        memcpy(&f, t->p + 4 * i, 4);
        return f;
    }
    memcpy(&h, t->p + 2 * i, 2);
    return t->dtype == HONE_BF16 ? hn_bf16_number(h) : hn_f16_number(h);
}

/* Wide elements first, then by name, as the reference implementation: every tensor is aligned to its element. */
static int by_width(const void *x, const void *y) {
    const hn_st_tensor *a = x, *b = y;
    int64_t wa = hone_dtype_bytes(a->dtype), wb = hone_dtype_bytes(b->dtype);
    return wa != wb ? (wa < wb) - (wa > wb) : strcmp(a->name, b->name);
}

static const char *type_name(hone_dtype dtype) {
    for (int64_t i = 0; i < HN_LEN(types); i++)
        if (types[i].dtype == dtype) return types[i].name;
    return "";
}

bool hn_st_write(hn_arena *a, const char *path, const hn_st_tensor *v, int64_t n, const json_t *metadata) {
    hn_arena *s = hn_arena_new(a);
    hn_st_tensor *sorted = hn_new_n(s, hn_st_tensor, n + 1);
    for (int64_t i = 0; i < n; i++) sorted[i] = v[i];
    qsort(sorted, (size_t)n, sizeof *sorted, by_width);
    json_t *header = hn_json_own(s, json_object());
    if (metadata) hn_json_put(s, header, "__metadata__", json_deep_copy(metadata));
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        json_t *shape = hn_json_own(s, json_array()), *entry = hn_json_own(s, json_object());
        for (int d = 0; d < sorted[i].dims; d++)
            if (json_array_append_new(shape, json_integer(sorted[i].shape[d]))) (void)hn_json_own(s, NULL);
        hn_json_put(s, entry, "dtype", json_string(type_name(sorted[i].dtype)));
        hn_json_put(s, entry, "shape", json_incref(shape));
        hn_json_put(s, entry, "data_offsets", json_pack("[I,I]", (json_int_t)at, (json_int_t)(at + sorted[i].bytes)));
        hn_json_put(s, header, sorted[i].name, json_incref(entry));
        at += sorted[i].bytes;
    }
    const char *text = hn_json_text(s, header, false);
    int64_t bytes = (int64_t)strlen(text), pad = -bytes & 7;
    uint64_t length = (uint64_t)(bytes + pad);
    hn_writer *w = hn_writer_open(s, path);
    bool ok = w && hn_write(w, &length, 8) && hn_write(w, text, bytes) && hn_write(w, "       ", pad);
    for (int64_t i = 0; ok && i < n; i++) ok = hn_write(w, sorted[i].p, sorted[i].bytes);
    ok = ok && hn_writer_commit(w);
    hn_arena_free(s);
    return ok;
}
