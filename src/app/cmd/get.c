/* get - fetches a model of the Hub, one file of it, or the file at a URL. Nothing else in hone touches the network.
 *
 * Of a model's repository it takes what hone opens: the configuration, the tokenizer and the safetensors of the top folder, all of the
 * commit that the list was made for. Pickles (.pt, .pkl, pytorch_model.bin …) run code when they are opened and are refused.
 * Names that the server gives are file names or nothing. The token comes from HF_TOKEN or from the file where the Hub's own tools
 * keep it; it is sent to HF_ENDPOINT alone and never told. Source: huggingface.co/docs/hub/api. */
#include "app/app.h"
#include "app/fetch.h"
#include <fnmatch.h>
#include <stdlib.h>

typedef struct flags {
    const char *revision, *sha256;
    int64_t tries;
    double max_wait;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, revision, .def = "main", .doc = "branch, tag or commit of a hf: repository"),
    HN_PARAM(flags, sha256, .doc = "checksum that a single file must have (64 hexadecimal digits)"),
    HN_PARAM(flags, tries, .def = "5", .min = 1, .max = 1000, .doc = "give up after so many tries in a row that brought nothing"),
    HN_PARAM(flags, max_wait, .def = "300", .min = 0, .max = 86400,
             .doc = "longest wait in seconds before another try; a server that asks for more is given up"),
};
static const char *const wanted[] = { "config.json",         "generation_config.json",
                                      "tokenizer*",          "vocab.json",
                                      "vocab.txt",           "merges.txt",
                                      "added_tokens.json",   "special_tokens_map.json",
                                      "chat_template.jinja", "adapter_config.json",
                                      "*.safetensors",       "*.safetensors.index.json" };
static const char *const pickles[] = {
    "*.pt", "*.pth", "*.pkl", "*.pickle", "*.ckpt", "pytorch_model*.bin", "adapter_model.bin", "training_args.bin"
};
enum { LIST_BYTES = 16 << 20, TOKEN_BYTES = 4096, NAME = 255 };
#define OF_NAMES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static bool matches(const char *const *v, int64_t n, const char *name) {
    for (int64_t i = 0; i < n; i++)
        if (!fnmatch(v[i], name, 0)) return true;
    return false;
}
static bool is_pickle(const char *path) { return matches(pickles, HN_LEN(pickles), hn_path_base(path)); }

/* A relative path that stays where it is put: no "..", no empty or hidden part, no backslash, nothing unprintable. */
static bool is_path(const char *s) {
    if (!*s || strlen(s) > 1024) return false;
    for (const char *p = s;;) {
        size_t n = strcspn(p, "/");
        if (!n || n > NAME || *p == '.') return false;
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)p[i] < 32 || p[i] == 127 || p[i] == '\\') return false;
        if (!p[n]) return true;
        p += n + 1;
    }
}

static const char *escaped(hn_arena *a, const char *s) {
    hn_buf b = { 0 };
    for (; *s; s++)
        if (strchr(OF_NAMES "/", *s)) hn_buf_put(a, &b, s, 1);
        else hn_buf_fmt(a, &b, "%%%02X", (unsigned char)*s);
    return hn_buf_str(a, &b);
}

/* HF_TOKEN, or the file that `huggingface-cli login` writes. *out NULL: none. */
static bool find_token(hn_arena *a, const char **out) {
    const char *env = getenv("HF_TOKEN"), *path = getenv("HF_TOKEN_PATH"), *hub = getenv("HF_HOME"), *home = getenv("HOME");
    hn_bytes b = { (const uint8_t *)env, env ? (int64_t)strlen(env) : 0 };
    *out = NULL;
    if (!b.n) {
        if (!path || !*path)
            path = hub && *hub ? hn_path_join(a, hub, "token") : home && *home ? hn_path_join(a, home, ".cache/huggingface/token") : NULL;
        if (!path || !hn_path_exists(path)) return true;
        if (!hn_file_read(a, path, TOKEN_BYTES, &b)) return false;
    }
    while (b.n && b.p[b.n - 1] <= 32) b.n--;
    while (b.n && *b.p <= 32) b.p++, b.n--;
    for (int64_t i = 0; i < b.n; i++)
        if (b.p[i] <= 32 || b.p[i] > 126)
            return HN_FAIL(a, HONE_E_USAGE, .what = "the access token holds a character that none has",
                           .where = env && *env ? "HF_TOKEN" : path, .hint = "copy it again from huggingface.co/settings/tokens");
    if (b.n) *out = hn_strndup(a, (const char *)b.p, b.n);
    return true;
}

typedef struct job {
    hn_cmd_call *c;
    const char *home, *token, *repo, *revision;
    int64_t files, bytes;
} job;

static bool fetch(job *j, const hn_fetch *f) {
    hn_cmd_call *c = j->c;
    hn_fetched got;
    double began = hn_now();
    if (!hn_fetch_file(c->a, f, &got)) return false;
    j->files++;
    j->bytes += got.bytes;
    if (!c->json)
        return hn_out("%s  %s%s%s\n", f->to, hn_human_bytes(c->a, (double)got.bytes), got.verified ? ", checksum right" : "",
                      got.here      ? ", was here already"
                      : got.resumed ? hn_fmt(c->a, ", of which %s were here", hn_human_bytes(c->a, (double)got.resumed))
                                    : ""),
               true;
    hn_out_json(c->a, hn_json_own(c->a, json_pack("{ss sI sI ss sb sb so}", "file", f->to, "bytes", (json_int_t)got.bytes, "resumed",
                                                  (json_int_t)got.resumed, "sha256", got.sha256, "verified", got.verified, "here", got.here,
                                                  "seconds", hn_json_real(hn_now() - began))));
    return true;
}

static const char *file_url(job *j, const char *name) {
    hn_arena *a = j->c->a;
    return hn_fmt(a, "%s/%s/resolve/%s/%s", j->home, j->repo, escaped(a, j->revision), escaped(a, name));
}

static const char *in_place(hn_arena *a, const char *out, const char *name) {
    return !out ? name : hn_path_is_dir(out) || out[strlen(out) - 1] == '/' ? hn_path_join(a, out, name) : out;
}

static bool get_file(job *j, const char *url, const char *name, bool hub, const char *out) {
    hn_arena *a = j->c->a;
    const flags *f = j->c->flags;
    const char *to = in_place(a, out, name), *slash = strrchr(to, '/');
    if (slash && slash > to && !hn_mkdirs(a, hn_strndup(a, to, slash - to))) return false;
    return fetch(j, &(hn_fetch){ .url = url,
                                 .home = j->home,
                                 .token = j->token,
                                 .to = to,
                                 .sha256 = *f->sha256 ? f->sha256 : NULL,
                                 .size = -1,
                                 .hub = hub,
                                 .tries = f->tries,
                                 .max_wait = f->max_wait });
}

static bool get_repo(job *j, const char *out) {
    hn_arena *a = j->c->a;
    const flags *f = j->c->flags;
    const char *url = hn_fmt(a, "%s/api/models/%s/revision/%s?blobs=true", j->home, j->repo, escaped(a, f->revision));
    if (!strcmp(f->revision, "main")) url = hn_fmt(a, "%s/api/models/%s?blobs=true", j->home, j->repo);
    hn_bytes text;
    if (!hn_fetch_bytes(
            a, &(hn_fetch){ .url = url, .home = j->home, .token = j->token, .size = -1, .tries = f->tries, .max_wait = f->max_wait },
            LIST_BYTES, &text))
        return false;
    const char *where = hn_fmt(a, "the file list of %s", j->repo);
    json_t *list = hn_json_parse(a, where, text.p, text.n, HONE_E_DATA), *files = json_object_get(list, "siblings"), *file;
    if (!list) return false;
    const char *commit = json_string_value(json_object_get(list, "sha"));
    if (commit && strlen(commit) == 40 && strspn(commit, "0123456789abcdef") == 40) j->revision = commit;
    HN_VEC(hn_fetch) take = { 0 };
    size_t i;
    int64_t weights = 0;
    json_array_foreach(files, i, file) {
        const char *name = json_string_value(json_object_get(file, "rfilename"));
        json_t *lfs = json_object_get(file, "lfs"), *size = json_object_get(file, "size");
        const char *sum = json_string_value(json_object_get(lfs, "sha256"));
        if (!name || *name == '/' || strstr(name, "..") || strchr(name, '\\'))
            return HN_FAIL(a, HONE_E_DATA, .what = "the server names a file that would lie outside of the folder", .where = where,
                           .found = name ? name : "no name", .hint = "nothing was fetched; is this server to be trusted?");
        if (!is_path(name) || strchr(name, '/') || !matches(wanted, HN_LEN(wanted), name) || is_pickle(name)) continue;
        bool weight = !fnmatch("*.safetensors", name, 0);
        weights += weight;
        if (sum && (strlen(sum) != 64 || strspn(sum, "0123456789abcdef") != 64)) sum = NULL;
        hn_push(a, &take,
                (hn_fetch){ .url = file_url(j, name),
                            .home = j->home,
                            .token = j->token,
                            .to = hn_path_join(a, out, name),
                            .sha256 = sum,
                            .size = json_is_integer(size) && json_integer_value(size) >= 0 ? (int64_t)json_integer_value(size) : -1,
                            .hub = true,
                            .tries = f->tries,
                            .max_wait = f->max_wait });
    }
    if (!weights)
        return HN_FAIL(
            a, HONE_E_MODEL, .what = "this repository holds no safetensors at its top", .where = j->repo,
            .hint = "pickled weights run code when they are opened and are not fetched; look for a converted copy, or name one file");
    if (!hn_mkdirs(a, out)) return false;
    for (int64_t k = 0; k < take.n; k++)
        if (!fetch(j, &take.v[k])) return false;
    if (j->c->json)
        hn_out_json(a, hn_json_own(a, json_pack("{ss ss ss sI sI}", "out", out, "repository", j->repo, "revision", j->revision, "files",
                                                (json_int_t)j->files, "bytes", (json_int_t)j->bytes)));
    else hn_out("%s: %lld files, %s, revision %s\n", out, (long long)j->files, hn_human_bytes(a, (double)j->bytes), j->revision);
    return true;
}

extern const hn_cmd hn_cmd_get;
static bool run(hn_cmd_call *c) {
    hn_arena *a = c->a;
    const flags *f = c->flags;
    if (c->n_args < 1 || c->n_args > 2)
        return hn_usage(c, &hn_cmd_get, c->n_args ? "get takes one source and one place for it" : "get what?");
    if (*f->sha256 && (strlen(f->sha256) != 64 || strspn(f->sha256, "0123456789abcdefABCDEF") != 64))
        return hn_usage(c, &hn_cmd_get, "--sha256 wants 64 hexadecimal digits");
    const char *source = c->args[0], *out = c->n_args == 2 && *c->args[1] ? c->args[1] : NULL, *home = getenv("HF_ENDPOINT");
    if (!home || !*home) home = "https://huggingface.co";
    if (strncmp(home, "https://", 8) && strncmp(home, "http://", 7))
        return hn_usage(c, &hn_cmd_get, "HF_ENDPOINT must begin with https:// or http://");
    size_t n = strlen(home);
    while (n && home[n - 1] == '/') n--;
    job j = { .c = c, .home = hn_strndup(a, home, (int64_t)n), .revision = f->revision };
    if (!find_token(a, &j.token)) return false;
    if (!strncmp(source, "http://", 7) || !strncmp(source, "https://", 8)) {
        char *path = hn_strdup(a, strchr(source, ':') + 3);
        path[strcspn(path, "?#")] = 0;
        const char *name = strchr(path, '/') ? hn_path_base(path) : "";
        if (is_pickle(name)) return hn_usage(c, &hn_cmd_get, "pickles run code when they are opened and are not fetched");
        if (!is_path(name) && (!out || hn_path_is_dir(out)))
            return hn_usage(c, &hn_cmd_get, "the URL ends in no file name: say which file to write");
        return get_file(&j, source, name, false, out);
    }
    if (strncmp(source, "hf:", 3)) return hn_usage(c, &hn_cmd_get, "a source is hf:owner/name, hf:owner/name/file or a URL");
    source += 3;
    const char *slash = strchr(source, '/'), *file = slash ? strchr(slash + 1, '/') : NULL;
    j.repo = file ? hn_strndup(a, source, file - source) : source;
    if (!slash || !is_path(j.repo) || strspn(j.repo, OF_NAMES "/") != strlen(j.repo) || !is_path(f->revision))
        return hn_usage(c, &hn_cmd_get, "a source is hf:owner/name, hf:owner/name/file or a URL");
    if (!file) {
        if (*f->sha256) return hn_usage(c, &hn_cmd_get, "--sha256 is for a single file");
        return get_repo(&j, out ? out : slash + 1);
    }
    if (!is_path(++file)) return hn_usage(c, &hn_cmd_get, "this is no name of a file in a repository");
    if (is_pickle(file)) return hn_usage(c, &hn_cmd_get, "pickles run code when they are opened and are not fetched");
    return get_file(&j, file_url(&j, file), hn_path_base(file), true, out);
}

const hn_cmd hn_cmd_get = {
    HN_ITEM("get", "download a model of the Hub, or a file", NULL, flags, params), .usage = "hf:OWNER/NAME[/FILE] | URL [OUT]", .run = run,
    .about =
        "Of a repository: configuration, tokenizer and safetensors, never pickles. What was cut short goes on where it stopped; lengths "
        "and "
        "SHA-256 checksums are checked where the server tells them. HF_ENDPOINT names another Hub; HF_TOKEN, or the file that the Hub's "
        "own tools keep, opens what is not public and is sent to that host alone. Without OUT it goes to ./NAME.",
    .examples = "  hone get hf:openai-community/gpt2\n  hone get hf:openai-community/gpt2/config.json a/\n"
                "  hone get https://example.org/text.txt.gz data/text.txt.gz"
};
