/* folder.h - a folder of the target's own, gone when the program ends, for parsers that want files. */
#ifndef FUZZ_FOLDER_H
#define FUZZ_FOLDER_H
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char fuzz_folder[] = "/tmp/hone-fuzz-XXXXXX";

static inline void fuzz_leave(void) {
    hone_job *job = hone_open(&(hone_options){ .threads = 1 });
    if (job && !hn_remove_tree(hn_job_arena(job), fuzz_folder)) fprintf(stderr, "fuzz: %s is left behind\n", fuzz_folder);
    hone_close(job);
}

/* Not synced, unlike hn_file_write: a search has nothing to lose. */
static inline void fuzz_put(hn_arena *a, const char *name, hn_bytes text) {
    static bool made;
    if (!made) HN_ASSERT(mkdtemp(fuzz_folder) && !atexit(fuzz_leave));
    made = true;
    FILE *f = fopen(hn_path_join(a, fuzz_folder, name), "wb");
    HN_ASSERT(f && fwrite(text.p, 1, (size_t)text.n, f) == (size_t)text.n && !fclose(f));
}
#endif
