/* tokenizer.c - the kind `token`: train or load a tokenizer, save it as Hugging Face does, text to ids and back. */
#include "data/token/part/part.h"

#define TOKEN(n) extern const hn_token_item hn_token_##n;
#include "data/token/tokens.def"
#undef TOKEN
static const hn_item *const items[] = {
#define TOKEN(n) &hn_token_##n.item,
#include "data/token/tokens.def"
#undef TOKEN
};
const hn_kind hn_kind_token = { "token", "tokenizers", items, HN_LEN(items) };

enum { MAX_FILE = 256 << 20 };

const char *hn_tokenizer_part(const json_t *root, const char *key) {
    const char *type = json_string_value(json_object_get(json_object_get(root, key), "type"));
    return type ? type : "";
}

bool hn_tokenizer_plain(const json_t *root) {
    const json_t *norm = json_object_get(root, "normalizer"), *post = json_object_get(root, "post_processor");
    return (!norm || json_is_null(norm)) && (!post || json_is_null(post)) && json_array_size(json_object_get(root, "added_tokens")) == 0;
}

bool hn_tokenizer_vocab(hn_arena *a, const json_t *root, const char *where, const char ***keys, int64_t *n) {
    json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    const char *key;
    json_t *value;
    *n = (int64_t)json_object_size(vocab);
    if (!*n)
        return HN_FAIL(a, HONE_E_MODEL, .what = "the tokenizer has no vocabulary", .where = where,
                       .wanted = "model.vocab as an object of texts and ids");
    *keys = hn_new_n(a, const char *, *n);
    json_object_foreach(vocab, key, value) {
        int64_t id = json_is_integer(value) ? (int64_t)json_integer_value(value) : -1;
        if (id < 0 || id >= *n)
            return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "vocabulary entry \"%.40s\" has no usable id", key), .where = where,
                           .wanted = hn_fmt(a, "a whole number from 0 to %lld", (long long)*n - 1),
                           .found = json_is_integer(value) ? hn_fmt(a, "%lld", (long long)json_integer_value(value)) : "something else");
        if ((*keys)[id])
            return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "two vocabulary entries have the id %lld", (long long)id), .where = where,
                           .found = hn_fmt(a, "\"%.40s\" and \"%.40s\"", (*keys)[id], key));
        (*keys)[id] = key;
    }
    return true;
}

int hn_utf8_put(uint32_t cp, uint8_t out[4]) {
    if (cp < 0x80) return out[0] = (uint8_t)cp, 1;
    if (cp < 0x800) return out[0] = (uint8_t)(0xC0 | cp >> 6), out[1] = (uint8_t)(0x80 | (cp & 63)), 2;
    if (cp < 0x10000)
        return out[0] = (uint8_t)(0xE0 | cp >> 12), out[1] = (uint8_t)(0x80 | (cp >> 6 & 63)), out[2] = (uint8_t)(0x80 | (cp & 63)), 3;
    out[0] = (uint8_t)(0xF0 | cp >> 18), out[1] = (uint8_t)(0x80 | (cp >> 12 & 63)), out[2] = (uint8_t)(0x80 | (cp >> 6 & 63)),
    out[3] = (uint8_t)(0x80 | (cp & 63));
    return 4;
}

static hn_tokenizer *blank(hn_arena *a, const hn_token_item *kind) {
    hn_tokenizer *t = hn_new(a, hn_tokenizer);
    *t = (hn_tokenizer){ .kind = kind, .bos = -1, .eos = -1, .unk = -1 };
    return t;
}

hn_tokenizer *hn_tokenizer_train_with(hn_arena *a, const char *name, const hn_token_params *p, const hn_corpus *c, const hn_split *s) {
    const hn_token_item *kind = (const hn_token_item *)hn_kind_find(&hn_kind_token, name);
    if (!kind || !kind->train) {
        const char *near = hn_kind_nearest(&hn_kind_token, name);
        (void)!HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "there is no tokenizer '%s'", name),
                       .wanted = "char, byte, bpe, unigram, wordpiece, or the path of a tokenizer.json",
                       .hint = near ? hn_fmt(a, "did you mean '%s'?", near) : NULL);
        return NULL;
    }
    hn_tokenizer *t = blank(a, kind);
    return kind->train(a, t, p, c, s) ? t : NULL;
}

hn_tokenizer *hn_tokenizer_train(hn_arena *a, const char *name, const hn_corpus *c, const hn_split *s) {
    return hn_tokenizer_train_with(a, name, &(hn_token_params){ .vocab = 4096, .words = "gpt2" }, c, s);
}

static hn_tokenizer *from_root(hn_arena *a, const char *where, json_t *root) {
    for (int64_t i = 0; i < hn_kind_token.n; i++) {
        const hn_token_item *kind = (const hn_token_item *)hn_kind_token.items[i];
        hn_tokenizer *t = blank(a, kind);
        if (kind->load(a, t, root, where)) return t;
        if (hone_error_code(a->job) != HONE_OK) return NULL;
    }
    (void)!HN_FAIL(a, HONE_E_MODEL, .what = "no tokenizer here reads this file", .where = where,
                   .wanted = "a model BPE, WordPiece, Unigram, or WordLevel over single characters",
                   .found = hn_fmt(a, "model \"%.40s\", pre_tokenizer \"%.40s\"", hn_tokenizer_part(root, "model"),
                                   hn_tokenizer_part(root, "pre_tokenizer")));
    return NULL;
}

hn_tokenizer *hn_tokenizer_parse(hn_arena *a, const char *where, const void *p, int64_t n) {
    json_t *root = hn_json_parse(a, where, p, n, HONE_E_MODEL);
    return root ? from_root(a, where, root) : NULL;
}

/* What lies beside a tokenizer.json: the end of a text as tokenizer_config.json names it, for files without a template of their own, and
 * how a talk is written. A tokenizer_config.json that cannot be read is as good as none. */
static void take_neighbours(hn_arena *a, hn_tokenizer *t, const char *dir) {
    const char *path = hn_path_join(a, dir, "tokenizer_config.json"), *chat = hn_path_join(a, dir, "chat_template.jinja");
    hn_bytes file;
    if (hn_path_exists(chat) && hn_file_read(a, chat, MAX_FILE, &file)) t->chat = hn_strndup(a, (const char *)file.p, file.n);
    t->marked = t->chat != NULL;
    hone_error_clear(a->job);
    if (!hn_path_exists(path) || !hn_file_read(a, path, MAX_FILE, &file)) return hone_error_clear(a->job);
    json_t *config = hn_json_parse(a, path, file.p, file.n, HONE_E_MODEL);
    if (!config || !json_is_object(config)) return hone_error_clear(a->job);
    t->config = config;
    t->marked |= json_object_get(config, "chat_template") != NULL;
    const json_t *v = json_object_get(config, "eos_token");
    const char *eos = json_string_value(json_is_object(v) ? json_object_get(v, "content") : v);
    int64_t n = eos ? (int64_t)strlen(eos) : 0;
    for (int64_t id = 0; n && id < t->vocab; id++)
        if (t->pieces[id].n == n && !memcmp(t->pieces[id].p, eos, (size_t)n)) t->eos = (int32_t)id;
}

static json_t *llama2c(hn_arena *a, const char *path, hn_bytes file) { return hn_llama2c_tokenizer(a, path, file, 0); }

/* Files of a tokenizer alone, by how their name ends. */
static const struct {
    const char *ending;
    json_t *(*read)(hn_arena *a, const char *path, hn_bytes file);
} foreign[] = { { ".gguf", hn_gguf_tokenizer }, { ".model", hn_spm_tokenizer }, { ".bin", llama2c } };

static bool from_foreign(hn_arena *a, const char *path, hn_tokenizer **out) {
    size_t length = strlen(path);
    for (int64_t i = 0; i < HN_LEN(foreign); i++) {
        size_t n = strlen(foreign[i].ending);
        if (length <= n || strcmp(path + length - n, foreign[i].ending) || hn_path_is_dir(path) || !hn_path_exists(path)) continue;
        hn_bytes file;
        json_t *root = hn_file_map(a, path, &file) ? foreign[i].read(a, path, file) : NULL;
        *out = root ? from_root(a, path, root) : NULL;
        return true;
    }
    return false;
}

bool hn_tokenizer_is_in(hn_arena *a, const char *dir) {
    return hn_path_exists(hn_path_join(a, dir, "tokenizer.json")) || hn_path_exists(hn_path_join(a, dir, "tokenizer.model")) ||
           (hn_path_exists(hn_path_join(a, dir, "vocab.json")) && hn_path_exists(hn_path_join(a, dir, "merges.txt")));
}

hn_tokenizer *hn_tokenizer_load(hn_arena *a, const char *path) {
    hn_bytes file;
    hn_tokenizer *t = NULL;
    if (from_foreign(a, path, &t)) return t;
    const char *dir = hn_path_is_dir(path) ? path : NULL, *json = dir ? hn_path_join(a, path, "tokenizer.json") : path;
    if (hn_path_exists(json)) t = hn_file_read(a, json, MAX_FILE, &file) ? hn_tokenizer_parse(a, json, file.p, file.n) : NULL;
    else if (dir && hn_path_exists(hn_path_join(a, dir, "vocab.json")) && hn_path_exists(hn_path_join(a, dir, "merges.txt"))) {
        json_t *root = hn_gpt2_files(a, dir, &json);
        t = root ? from_root(a, json, root) : NULL;
    } else if (dir && hn_path_exists(hn_path_join(a, dir, "tokenizer.model"))) (void)from_foreign(a, hn_path_join(a, dir, "tokenizer.model"), &t);
    else (void)!HN_FAIL(a, HONE_E_MODEL, .what = "there is no tokenizer.json", .where = json);
    if (t && dir) take_neighbours(a, t, dir);
    return t;
}

static void put_end(const hn_tokenizer *t, json_t *config, const char *key, int32_t id) {
    const json_t *had = json_object_get(config, key);
    if (id >= 0 && (!had || json_is_null(had)))
        json_object_set_new(config, key, json_stringn((const char *)t->pieces[id].p, (size_t)t->pieces[id].n));
}

bool hn_tokenizer_save(hn_arena *a, const hn_tokenizer *t, const char *dir) {
    hn_arena *s = hn_arena_new(a);
    const char *text = hn_json_text(s, t->kind->save(s, t), true);
    json_t *more = t->config ? json_deep_copy(t->config)
                             : json_pack("{s:s, s:b, s:b}", "tokenizer_class", "PreTrainedTokenizerFast", "clean_up_tokenization_spaces", 0,
                                         "add_prefix_space", 0);
    more = hn_json_own(s, more);
    put_end(t, more, "bos_token", t->bos);
    put_end(t, more, "eos_token", t->eos);
    const char *config = hn_json_text(s, more, true);
    bool ok = hn_mkdirs(s, dir) && hn_file_write(s, hn_path_join(s, dir, "tokenizer.json"), text, (int64_t)strlen(text)) &&
              hn_file_write(s, hn_path_join(s, dir, "tokenizer_config.json"), config, (int64_t)strlen(config)) &&
              (!t->chat || hn_file_write(s, hn_path_join(s, dir, "chat_template.jinja"), t->chat, (int64_t)strlen(t->chat)));
    hn_arena_free(s);
    return ok;
}

hn_encoder hn_encoder_new(hn_arena *a, const hn_tokenizer *t) {
    return (hn_encoder){ t, t->kind->begin ? t->kind->begin(a, t) : NULL };
}

bool hn_encoder_put(const hn_encoder *e, hn_arena *a, const void *p, int64_t n, hn_ids *out) {
    return e->t->kind->encode(e->t, a, e->work, p, n, out);
}

bool hn_encode(const hn_tokenizer *t, hn_arena *a, const void *p, int64_t n, hn_ids *out) {
    hn_arena *work = hn_arena_new(a);
    hn_encoder e = hn_encoder_new(work, t);
    bool ok = hn_encoder_put(&e, a, p, n, out);
    hn_arena_free(work);
    return ok;
}

void hn_decode(const hn_tokenizer *t, hn_arena *a, const int32_t *ids, int64_t n, hn_buf *out) {
    for (int64_t i = 0; i < n; i++) {
        bool known = ids[i] >= 0 && ids[i] < t->vocab;
        hn_bytes piece = known ? t->pieces[ids[i]] : (hn_bytes){ (const uint8_t *)"\xEF\xBF\xBD", 3 };
        bool skip = i == 0 && t->bare_start && piece.n && piece.p[0] == ' ';
        hn_buf_put(a, out, piece.p + skip, piece.n - skip);
    }
}

uint64_t hn_tokenizer_hash(hn_arena *a, const hn_tokenizer *t) {
    hn_arena *s = hn_arena_new(a);
    const char *text = hn_json_text(s, t->kind->save(s, t), false);
    uint64_t h = hn_hash(text, (int64_t)strlen(text), 0);
    hn_arena_free(s);
    return h;
}
