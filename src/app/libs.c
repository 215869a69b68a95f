/* libs.c - which libraries this program runs with, and what it was built without. Versions are asked of the libraries themselves. */
#include "app/app.h"
#include "app/fetch.h"
#include <dnnl.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <sqlite3.h>
#include <utf8proc.h>
#include <xxhash.h>
#include <yaml.h>
#include <zlib.h>
#include <zstd.h>

int64_t hn_libs(hn_arena *a, const hn_lib **out) {
    const dnnl_version_t *dnn = dnnl_version();
    unsigned xx = XXH_versionNumber();
    char *pcre = hn_new_n(a, char, 64);             /* "10.42 2022-12-11" */
    if (pcre2_config(PCRE2_CONFIG_VERSION, NULL) < 64) pcre2_config(PCRE2_CONFIG_VERSION, pcre);
    pcre[strcspn(pcre, " ")] = 0;
    const hn_lib libs[] = {
        { "oneDNN", hn_fmt(a, "%d.%d.%d", dnn->major, dnn->minor, dnn->patch), "matrix products" },
        { "SQLite", sqlite3_libversion(), "ledger" },
        { "jansson", jansson_version_str(), "JSON" },
        { "libyaml", yaml_get_version_string(), "recipes" },
        { "utf8proc", utf8proc_version(), "Unicode" },
        { "PCRE2", pcre, "regular expressions of tokenizers" },
        { "xxHash", hn_fmt(a, "%u.%u.%u", xx / 10000, xx / 100 % 100, xx % 100), "checksums" },
        { "zlib", zlibVersion(), ".gz files" },
        { "zstd", ZSTD_versionString(), ".zst files" },
        { "CUDA", NULL, "training on NVIDIA GPUs (device: cuda)" },
        { "MPI", NULL, "one training over many machines" },
        { "libcurl", hn_fetch_version(a), "fetching data and models over HTTP" },
        { "libmicrohttpd", NULL, "serving a model over HTTP" },
        { "libpq", hn_db_server_library(a), "a ledger that several machines share" },
        { "libjpeg, libpng", NULL, "images" },
    };
    hn_lib *copy = hn_new_n(a, hn_lib, HN_LEN(libs));
    memcpy(copy, libs, sizeof libs);
    *out = copy;
    return HN_LEN(libs);
}

const char *hn_version_text(hn_arena *a) {
    const hn_lib *libs;
    int64_t n = hn_libs(a, &libs);
    hn_buf b = { 0 };
    hn_buf_fmt(a, &b, "hone %s\n", hone_version());
    hn_buf_fmt(a, &b, "cpu        %s\n", hn_cpu_describe(a));
    hn_buf_fmt(a, &b, "isa        %s\n", hn_isa_name(hn_cpu_isa()));
    hn_buf_fmt(a, &b, "libraries ");
    for (int64_t i = 0; i < n; i++)
        if (libs[i].version) hn_buf_fmt(a, &b, " %s %s", libs[i].name, libs[i].version);
    hn_buf_fmt(a, &b, "\nwithout   ");
    for (int64_t i = 0, k = 0; i < n; i++)
        if (!libs[i].version) hn_buf_fmt(a, &b, "%s %s", k++ ? "," : "", libs[i].name);
    hn_buf_fmt(a, &b, "\n");
    return hn_buf_str(a, &b);
}
