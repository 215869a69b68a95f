/* driver.c - replays a corpus without libFuzzer: every file of the folders (or every file) named on the command line goes
 * through LLVMFuzzerTestOneInput once, and so does the empty input. `make test` runs each target this way. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) return fprintf(stderr, "fuzz: cannot open %s\n", path), 0;
    /* A block of exactly the input's size, so that a sanitizer sees a read past its end. */
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    int ok = data && fread(data, 1, (size_t)size, f) == (size_t)size;
    fclose(f);
    if (ok) LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    return ok;
}

static int run_path(const char *path) {
    struct stat st;
    char file[4096];
    int n = 0;
    if (stat(path, &st) != 0) return fprintf(stderr, "fuzz: no such file: %s\n", path), -1;
    if (!S_ISDIR(st.st_mode)) return run_file(path) ? 1 : -1;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.' || snprintf(file, sizeof file, "%s/%s", path, e->d_name) >= (int)sizeof file) continue;
        if (!run_file(file)) return closedir(d), -1;
        n++;
    }
    if (d) closedir(d);
    return n;
}

int main(int argc, char **argv) {
    int total = 0;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        int n = run_path(argv[i]);
        if (n < 0) return 1;
        total += n;
    }
    printf("%d inputs replayed\n", total);
    return total > 0 ? 0 : 1;
}
