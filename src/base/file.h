/* file.h - what file.c, writer.c and reader.c share; for src/base only. */
#ifndef HN_FILE_H
#define HN_FILE_H
#include "base/base.h"

int64_t hn_sys_read(int fd, void *p, int64_t n);            /* ≥ 0, or -1 with errno; counts one fault */
bool hn_sys_write(int fd, const void *p, int64_t n);        /* all of it, or false with errno; counts one fault */
void hn_defer_fd(hn_arena *a, int fd);                      /* closed when a is freed */
char *hn_path_dir(hn_arena *a, const char *path);
#endif
