/* llama2c.c - the checkpoints of llama2.c, reading only: a llama in one file, its vocabulary in another beside it.
 *
 * Two layouts: the first ("v0", seven int32 and then the weights, the head tied where the vocabulary size is positive) and v1 (a header of
 * 256 bytes with a magic number, norms first). v2 is quantised and refused. The length of a file must be what its header comes to,
 * exactly. There, rotary positions turn neighbouring channels (2i, 2i+1); the rows of queries and keys are put in Hugging Face's order
 * here, each head's even rows first, so that what is saved opens elsewhere. The vocabulary is tokenizer.bin in the same folder, or
 * tokN.bin of the vocabulary's size N. Source: github.com/karpathy/llama2.c, export.py and run.c. */
#include "model/llama.h"
#include <math.h>

enum { MAGIC = 0x616b3432, HEADER_V1 = 256, WORDS = 7 };
extern const hn_arch hn_arch_llama;

typedef struct { int64_t dim, hidden, layers, heads, kv_heads, vocab, context, data, floats; bool tied, v1; } header;

static bool bad(hn_arena *a, const char *where, int64_t offset, const char *what, const char *hint) {
    return HN_FAIL(a, HONE_E_MODEL, .what = what, .where = hn_fmt(a, "%s: offset %lld", where, (long long)offset), .hint = hint);
}

static int32_t word(const uint8_t *p) {
    int32_t v;
    memcpy(&v, p, 4);
    return v;
}

/* 0: no such file; 1: a checkpoint that hone reads; 2: one of its kind that it does not. Sizes are bounded, so that nothing overflows. */
static int look(const uint8_t *p, int64_t bytes, header *h) {
    *h = (header){ 0 };
    if (bytes < WORDS * 4) return 0;
    h->v1 = word(p) == MAGIC;
    if (h->v1 && (bytes < HEADER_V1 || word(p + 4) != 1)) return 2;
    h->data = h->v1 ? HEADER_V1 : WORDS * 4;
    const uint8_t *w = h->v1 ? p + 8 : p;
    int64_t *const to[WORDS] = { &h->dim, &h->hidden, &h->layers, &h->heads, &h->kv_heads, &h->vocab, &h->context };
    static const int64_t most[WORDS] = { 65536, 1 << 24, 1024, 1024, 1024, INT32_MAX, 1048576 };
    for (int i = 0; i < WORDS; i++) {
        int64_t v = word(w + 4 * i);
        if (i == 5) h->tied = h->v1 ? p[8 + 4 * WORDS] != 0 : v > 0, v = v < 0 ? -v : v;
        if (v < 1 || v > most[i]) return 0;
        *to[i] = v;
    }
    if (h->dim % h->heads || h->heads % h->kv_heads || h->dim / h->heads % 2) return 0;
    double C = (double)h->dim, K = C / (double)h->heads * (double)h->kv_heads, L = (double)h->layers, V = (double)h->vocab;
    double floats = V * C + L * (2 * C + 2 * C * C + 2 * K * C + 3 * C * (double)h->hidden) + C + (h->tied ? 0 : V * C);
    if (!h->v1) floats += (double)h->context * (C / (double)h->heads); /* tables of the rotary positions, which nobody reads */
    if (floats * 4 + (double)h->data != (double)bytes) return h->v1 ? 2 : 0;
    h->floats = (int64_t)floats;
    return 1;
}

static bool detect(const char *path) {
    size_t n = strlen(path);
    return n > 4 && !strcmp(path + n - 4, ".bin") && hn_path_exists(path) && !hn_path_is_dir(path);
}

/* ---- weights ---- */
typedef struct { hn_arena *a; const char *where; hone_model *m; const uint8_t *p; int64_t at; } reading;

/* The next numbers of the file become the weight of that name; head_size > 0: rows of each head in the other order. */
static bool take(reading *r, const char *name, int64_t head_size) {
    hone_tensor *t = NULL;
    for (int64_t j = 0; j < r->m->n_w && !t; j++)
        if (!strcmp(r->m->w[j].t->name, name)) t = r->m->w[j].t;
    HN_ASSERT(t);
    int64_t rows = hn_rows(t), cols = hn_cols(t), D = head_size;
    for (int64_t i = 0; i < rows; i++) {
        int64_t in_head = D ? i % D : 0, from = D ? i - in_head + (in_head < D / 2 ? 2 * in_head : 2 * (in_head - D / 2) + 1) : i;
        float *out = (float *)t->data + i * cols;
        memcpy(out, r->p + r->at + from * cols * 4, (size_t)cols * 4);
        for (int64_t k = 0; k < cols; k++)
            if (!isfinite(out[k]))
                return bad(r->a, r->where, r->at + (from * cols + k) * 4, hn_fmt(r->a, "%s holds a number that is not finite", name),
                           "its training went wrong; take an earlier checkpoint");
    }
    r->at += rows * cols * 4;
    return true;
}

static bool take_all(reading *r, const header *h) {
    static const struct { const char *part; bool turned; } maps[] = {
        { "self_attn.q_proj", true }, { "self_attn.k_proj", true }, { "self_attn.v_proj", false }, { "self_attn.o_proj", false },
        { "mlp.gate_proj", false }, { "mlp.down_proj", false }, { "mlp.up_proj", false } };
    enum { EMBED = -1, NORM_1 = -2, NORM_2 = -3, NORM = -4, HEAD = -5 };
    static const int v0[] = { EMBED, NORM_1, 0, 1, 2, 3, NORM_2, 4, 5, 6, NORM }, v1[] = { NORM_1, NORM_2, NORM, EMBED, 0, 1, 2, 3, 4, 5, 6, HEAD };
    const int *order = h->v1 ? v1 : v0;
    for (int64_t i = 0, n = h->v1 ? HN_LEN(v1) : HN_LEN(v0); i < n; i++) {
        int what = order[i];
        bool each = what >= 0 || what == NORM_1 || what == NORM_2;
        if (what == HEAD && h->tied) continue;
        for (int64_t l = 0; l < (each ? h->layers : 1); l++) {
            const char *part = what >= 0 ? maps[what].part : what == NORM_1 ? "input_layernorm" : "post_attention_layernorm";
            const char *name = each            ? hn_fmt(r->a, "model.layers.%lld.%s.weight", (long long)l, part)
                               : what == EMBED ? "model.embed_tokens.weight"
                               : what == NORM  ? "model.norm.weight"
                                               : "lm_head.weight";
            if (!take(r, name, what >= 0 && maps[what].turned ? h->dim / h->heads : 0)) return false;
        }
    }
    if (h->v1 || h->tied) return true;
    r->at += h->context * (h->dim / h->heads) * 4;
    return take(r, "lm_head.weight", 0);
}

static bool vocabulary(hn_arena *a, hone_model *m, const char *path) {
    const char *slash = strrchr(path, '/'), *dir = slash ? hn_strndup(a, path, slash - path + 1) : "";
    const char *names[] = { "tokenizer.bin", hn_fmt(a, "tok%lld.bin", (long long)m->vocab) };
    for (int64_t i = 0; i < HN_LEN(names) && !m->tok; i++) {
        const char *file = hn_fmt(a, "%s%s", dir, names[i]);
        if (!hn_path_exists(file)) continue;
        if (!(m->tok = hn_tokenizer_load(a, file))) return false;
        if (m->tok->vocab != m->vocab)
            return HN_FAIL(a, HONE_E_MODEL, .what = "the vocabulary does not fit the model", .where = file,
                           .wanted = hn_fmt(a, "%lld pieces", (long long)m->vocab), .found = hn_fmt(a, "%lld", (long long)m->tok->vocab));
    }
    return true;
}

hone_model *hn_llama2c_read(hn_arena *a, const char *path, hn_bytes file) {
    header h;
    int kind = look(file.p, file.n, &h);
    if (kind == 2)
        return (void)bad(a, path, 4, "a llama2.c checkpoint of a layout that hone does not read, or cut short",
                         "export it as float32 (--version 0 or 1), or fetch it again"), NULL;
    if (!kind)
        return (void)bad(a, path, 0, "this is no llama2.c checkpoint: its length is not what its first numbers come to",
                         "give a model's folder, or fetch the file again (pytorch_model.bin can run code and is not read)"), NULL;
    llama *p = hn_alloc(a, 1, (int64_t)sizeof *p, 16);
    hn_params_defaults(a, hn_arch_llama.item.params, hn_arch_llama.item.n_params, p);
    p->layers = h.layers, p->heads = h.heads, p->kv_heads = h.kv_heads, p->width = h.dim, p->hidden = h.hidden, p->context = h.context, p->tied = h.tied;
    hone_model *m = hn_model_new(a, &hn_arch_llama, p, h.vocab, false);
    reading r = { a, path, m, file.p, h.data };
    bool ok = m && take_all(&r, &h) && vocabulary(a, m, path);
    return ok ? m : NULL;
}

static hone_model *load(hn_arena *a, const char *path) {
    hn_bytes file;
    return hn_file_map(a, path, &file) ? hn_llama2c_read(a, path, file) : NULL;
}

static bool save(hn_arena *a, const hone_model *m, const char *path, const hn_save *how) {
    return HN_FAIL(a, HONE_E_VALUE, .what = "llama2.c's checkpoints are read, not written", .where = path, .hint = "save a folder");
}

const hn_format hn_format_llama2c = { HN_ITEM0("llama2c", "llama2.c checkpoint (.bin), reading", "https://github.com/karpathy/llama2.c"),
                                      .detect = detect, .load = load, .save = save };
