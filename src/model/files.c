/* files.c - the tensors that a model's files hold, whatever model they make: for looking at, one by one, where they are mapped. */
#include "model/model.h"
#include <dirent.h>
#include <stdlib.h>

static int by_text(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }

static bool is_weights(const char *name) {
    size_t n = strlen(name);
    return n > 12 && !strcmp(name + n - 12, ".safetensors");
}

bool hn_tensors_open(hn_arena *a, const char *path, hn_tensors *out) {
    HN_VEC(const char *) files = { 0 };
    HN_VEC(hn_st_tensor) v = { 0 };
    HN_VEC(const char *) where = { 0 };
    if (hn_path_is_dir(path)) {
        DIR *d = opendir(path);
        for (struct dirent *e; d && (e = readdir(d));)
            if (is_weights(e->d_name)) hn_push(a, &files, hn_path_join(a, path, e->d_name));
        if (d) closedir(d);
    } else if (is_weights(path)) hn_push(a, &files, path);
    if (!files.n)
        return HN_FAIL(a, HONE_E_MODEL, .what = "there are no tensors to look at", .where = path, .wanted = "a .safetensors file, or a folder that has some");
    qsort(files.v, (size_t)files.n, sizeof *files.v, by_text);
    for (int64_t i = 0; i < files.n; i++) {
        hn_st st;
        if (!hn_st_open(a, files.v[i], &st)) return false;
        for (int64_t k = 0; k < st.n; k++) {
            hn_push(a, &v, st.v[k]);
            hn_push(a, &where, files.v[i]);
        }
    }
    *out = (hn_tensors){ v.v, where.v, v.n };
    return true;
}
