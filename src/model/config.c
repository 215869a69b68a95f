/* config.c - the keys of config.json, believed only when they are what the architecture can be. */
#include "model/config.h"

bool hn_config_bad(const hn_config *c, const char *key, const char *wanted) {
    const json_t *found = json_object_get(c->v, key);
    return HN_FAIL(c->a, HONE_E_MODEL, .what = hn_fmt(c->a, "'%s' is not what %s can be", key, c->arch), .where = c->where,
                   .wanted = wanted, .found = found ? hn_json_text(c->a, found, false) : "nothing",
                   .hint = hn_fmt(c->a, "check that config.json belongs to a %s model", c->arch));
}

static const json_t *given(const hn_config *c, const char *key) {
    const json_t *v = json_object_get(c->v, key);
    return json_is_null(v) ? NULL : v;
}

bool hn_config_size(const hn_config *c, const char *key, int64_t max, int64_t *out) {
    const json_t *v = given(c, key);
    if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > max)
        return hn_config_bad(c, key, hn_fmt(c->a, "a whole number, 1 … %lld", (long long)max));
    *out = json_integer_value(v);
    return true;
}
bool hn_config_some(const hn_config *c, const char *key, int64_t max, int64_t *out) {
    return !given(c, key) || hn_config_size(c, key, max, out);
}

bool hn_config_real(const hn_config *c, const char *key, double min, double max, double *out) {
    const json_t *v = given(c, key);
    if (!v) return true;
    if (!json_is_number(v) || !(json_number_value(v) >= min && json_number_value(v) <= max))
        return hn_config_bad(c, key, hn_fmt(c->a, "a number, %g … %g", min, max));
    *out = json_number_value(v);
    return true;
}

bool hn_config_bool(const hn_config *c, const char *key, bool *out) {
    const json_t *v = given(c, key);
    if (!v) return true;
    if (!json_is_boolean(v)) return hn_config_bad(c, key, "true or false");
    *out = json_is_true(v);
    return true;
}

bool hn_config_is(const hn_config *c, const char *key, const char *one, const char *other) {
    const json_t *v = given(c, key);
    const char *s = json_is_string(v) ? json_string_value(v) : json_is_boolean(v) ? (json_is_true(v) ? "true" : "false") : "?";
    if (!v || !strcmp(s, one) || (other && !strcmp(s, other))) return true;
    return hn_config_bad(c, key, other ? hn_fmt(c->a, "%s or %s", one, other) : one);
}
