/* folder.h - writing a folder of files so that it is whole, the old or the new. */
#ifndef HN_FOLDER_H
#define HN_FOLDER_H
#include "model/model.h"

/* fill writes some of the named files into the folder `stage`; then they stand in path. A named file that fill did not write is gone
 * from path afterwards; other files there stay. */
bool hn_folder_replace(hn_arena *a, const char *path, const hn_strs *names, bool (*fill)(hn_arena *a, const char *stage, const void *arg),
                       const void *arg) HN_CHECK;
#endif
