/* config.h - how an architecture reads the keys of config.json: what is missing, of the wrong kind or out of range is refused by name. */
#ifndef HN_MODEL_CONFIG_H
#define HN_MODEL_CONFIG_H
#include "model/model.h"

typedef struct hn_config { hn_arena *a; const char *arch, *where; const json_t *v; } hn_config;   /* v: an object; where: the file */

bool hn_config_bad(const hn_config *c, const char *key, const char *wanted);                     /* always false */
bool hn_config_size(const hn_config *c, const char *key, int64_t max, int64_t *out) HN_CHECK;    /* 1 … max, must be there */
/* These leave *out as it is where the key is absent or null. */
bool hn_config_some(const hn_config *c, const char *key, int64_t max, int64_t *out) HN_CHECK;    /* 1 … max */
bool hn_config_real(const hn_config *c, const char *key, double min, double max, double *out) HN_CHECK;
bool hn_config_bool(const hn_config *c, const char *key, bool *out) HN_CHECK;
/* The key is absent, null, or one of two texts (for booleans: "true", "false"). */
bool hn_config_is(const hn_config *c, const char *key, const char *one, const char *other) HN_CHECK;
#endif
