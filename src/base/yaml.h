/* yaml.h - a strict subset of YAML as a small tree that knows its lines; recipes and task packs are read through it. */
#ifndef HN_YAML_H
#define HN_YAML_H
#include "base/base.h"

/* ---- text → tree, no anchors, tags or second documents, no key twice in a mapping ---- */
typedef enum hn_yaml_type { HN_YAML_SCALAR, HN_YAML_LIST, HN_YAML_MAP } hn_yaml_type;
typedef struct hn_yaml hn_yaml;
struct hn_yaml {
    hn_yaml_type type;
    const char *key;       /* in a mapping; "" in a list */
    const char *text;      /* of a scalar */
    bool null;             /* plain scalar: empty, ~ or null */
    int64_t line;          /* from 1; of the key where there is one */
    hn_yaml *first, *next; /* children of a list or mapping; the next sibling */
};
enum { HN_YAML_MAX_BYTES = 1 << 20, HN_YAML_MAX_DEPTH = 16 };
/* NULL with no error: an empty document. */
bool hn_yaml_parse(hn_arena *a, const char *where, hn_bytes text, hn_yaml **root) HN_CHECK;
const char *hn_yaml_quote(hn_arena *a, const char *s); /* s as a scalar of one line that reads back the same */
/* Sets the row that node's key names, in the struct that rows describe; prefix ("filter.") stands before the key in messages. */
bool hn_yaml_set(hn_arena *a, const hn_param *rows, int64_t n, void *out, const hn_yaml *node, const char *prefix,
                 const char *file) HN_CHECK;
#endif
