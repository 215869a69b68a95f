/* hub.c - fuzz target: any bytes as a Hub's answers to `hone get`: headers, redirects, lists of files, ranges, bodies.
 *
 * The first byte chooses what is asked for and what an earlier run has left; the rest are answers, a line "%%" between two. A thread
 * plays the server. It is the proxy of all schemes, so no input leads anywhere else, and an answer ends when the connection does.
 * Beside what every target promises: nothing lies outside of the folder that was named, nor under a name that is not asked for. */
#include "app/app.h"
#include "target.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

extern const hn_cmd hn_cmd_get;

static struct {
    pthread_mutex_t lock;
    const uint8_t *p;
    size_t n;
} answers = { PTHREAD_MUTEX_INITIALIZER, NULL, 0 };
static char folder[] = "/tmp/hone-fuzz-XXXXXX";

static bool asked(int fd) {
    char b[8192];
    for (size_t n = 0; n < sizeof b - 1;) {
        ssize_t k = recv(fd, b + n, sizeof b - 1 - n, 0);
        if (k <= 0) return false;
        b[n += (size_t)k] = 0;
        if (strstr(b, "\r\n\r\n")) return true;
    }
    return false;
}

static void *serve(void *arg) {
    for (int from = (int)(intptr_t)arg;;) {
        int fd = accept(from, NULL, NULL);
        if (fd < 0) continue;
        if (asked(fd)) {
            pthread_mutex_lock(&answers.lock);
            const uint8_t *p = answers.p, *end = answers.n ? memmem(p, answers.n, "\n%%\n", 4) : NULL;
            size_t n = end ? (size_t)(end - p) : answers.n, past = end ? n + 4 : n;
            for (size_t at = 0; at < n;) {
                ssize_t k = send(fd, p + at, n - at, MSG_NOSIGNAL);
                if (k <= 0) break;
                at += (size_t)k;
            }
            answers.p += past, answers.n -= past;
            pthread_mutex_unlock(&answers.lock);
        }
        close(fd);
    }
    return NULL;
}

static void give(const uint8_t *p, size_t n) {
    pthread_mutex_lock(&answers.lock);
    answers.p = p, answers.n = n;
    pthread_mutex_unlock(&answers.lock);
}

static void leave(void) { rmdir(folder); }
static void begin(void) {
    static bool begun;
    if (begun) return;
    begun = true;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    pthread_t t;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), null = open("/dev/null", O_WRONLY);
    char proxy[64];
    HN_ASSERT(fd >= 0 && null >= 0 && !bind(fd, (void *)&at, n) && !listen(fd, 64) && !getsockname(fd, (void *)&at, &n));
    HN_ASSERT(mkdtemp(folder) && !atexit(leave) && !pthread_create(&t, NULL, serve, (void *)(intptr_t)fd));
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", ntohs(at.sin_port));
    setenv("http_proxy", proxy, 1), setenv("https_proxy", proxy, 1);
    unsetenv("no_proxy"), unsetenv("NO_PROXY");
    setenv("HF_ENDPOINT", "http://hub.test", 1), setenv("HF_TOKEN", "hf_x", 1);
    signal(SIGPIPE, SIG_IGN);
    dup2(null, 1);
    close(null);
}

/* Of a model's repository: what a name may begin with, its parts and tags included; weights may be called anything. */
static bool of_model(const char *name) {
    static const char *const begin[] = { "config.json",
                                         "generation_config.json",
                                         "tokenizer",
                                         "vocab.",
                                         "merges.txt",
                                         "added_tokens.json",
                                         "special_tokens_map.json",
                                         "chat_template.jinja",
                                         "adapter_config.json" };
    for (int64_t i = 0; i < HN_LEN(begin); i++)
        if (!strncmp(name, begin[i], strlen(begin[i]))) return true;
    return strstr(name, ".safetensors") != NULL;
}
static bool of_top(const char *name) { return !strncmp(name, "a.bin", 5); }

/* Empties a folder, where nothing may lie but files of such names. */
static void empty(const char *dir, bool (*may_be)(const char *name)) {
    DIR *d = opendir(dir);
    char path[4096];
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        HN_ASSERT(may_be(e->d_name) && snprintf(path, sizeof path, "%s/%s", dir, e->d_name) < (int)sizeof path && !unlink(path));
    }
    if (d) closedir(d);
}

static bool parse(void *arg) {
    input *in = arg;
    static const char *const sources[] = { "hf:o/n", "hf:o/n/a.bin", "http://any.test/a.bin", "https://any.test/a.bin" };
    int what = in->file.n ? in->file.p[0] : 0;
    const char *to = hn_path_join(in->a, folder, what & 3 ? "a.bin" : "n"), *args[] = { sources[what & 3], to };
    if (what & 4) {
        const char *file = what & 3 ? to : hn_path_join(in->a, to, "model.safetensors");
        if (!hn_mkdirs(in->a, what & 3 ? folder : to) || !hn_file_write(in->a, hn_fmt(in->a, "%s.part", file), "half", 4)) return false;
        if (!hn_file_write(in->a, hn_fmt(in->a, "%s.part.tag", file), "\"v1\"", 4)) return false;
    }
    void *flags = hn_alloc(in->a, 1, hn_cmd_get.item.size, 16);
    hn_params_defaults(in->a, hn_cmd_get.item.params, hn_cmd_get.item.n_params, flags);
    for (int64_t i = 0; i < hn_cmd_get.item.n_params; i++) {
        const hn_param *row = &hn_cmd_get.item.params[i];
        const char *v = !strcmp(row->name, "tries") ? "2" : !strcmp(row->name, "max_wait") ? "0" : NULL;
        if (v && !hn_params_set(in->a, row, flags, v, row->name, "fuzz")) return false;
    }
    return hn_cmd_get.run(&(hn_cmd_call){ .a = in->a, .args = args, .n_args = 2, .flags = flags, .json = what & 8, .quiet = true });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char model[64];
    begin();
    give(size ? data + 1 : data, size ? size - 1 : 0);
    fuzz_one(data, (int64_t)size, parse);
    give(NULL, 0);
    snprintf(model, sizeof model, "%s/n", folder);
    empty(model, of_model);
    rmdir(model);
    empty(folder, of_top);
    return 0;
}
