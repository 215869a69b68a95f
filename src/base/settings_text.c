/* settings_text.c - settings as a recipe and as JSON. What is written reads back to the same values, variants included. */
#include "base/settings_priv.h"

static const char *yaml_value(hn_arena *a, const hn_param *row, const void *in) {
    if (row->type == HN_STR) return hn_yaml_quote(a, hn_params_text(a, row, in));
    if (row->type != HN_STRS) return hn_params_text(a, row, in);
    const hn_strs *list = (const hn_strs *)((const char *)in + row->offset);
    hn_buf b = { 0 };
    hn_buf_fmt(a, &b, "[");
    for (int64_t i = 0; i < list->n; i++) hn_buf_fmt(a, &b, "%s%s", i ? ", " : "", hn_yaml_quote(a, list->v[i]));
    hn_buf_fmt(a, &b, "]");
    return hn_buf_str(a, &b);
}

static void write_rows(hn_arena *a, hn_buf *b, const char *indent, const hn_param *rows, int64_t n, const void *in) {
    for (int64_t i = 0; i < n; i++) hn_buf_fmt(a, b, "%s%s: %s\n", indent, rows[i].name, yaml_value(a, &rows[i], in));
}

const char *hn_settings_write_yaml(hn_arena *a, const hn_settings *s) {
    hn_buf b = { 0 };
    for (int top = 1; top >= 0; top--) /* keys without a section first: they cannot stand beneath one */
        for (int64_t i = 0; i < s->n; i++) {
            const hn_values *v = &s->v[i];
            if (top != !*v->sec->key) continue;
            const char *indent = top ? "" : "  ";
            if (!top) hn_buf_fmt(a, &b, "%s:\n", v->sec->key);
            write_rows(a, &b, indent, v->sec->rows, v->sec->n_rows, v->own);
            if (v->item) write_rows(a, &b, indent, v->item->params, v->item->n_params, v->variant);
        }
    return hn_buf_str(a, &b);
}

static json_t *json_value(hn_arena *a, const hn_param *row, const void *in) {
    const void *p = (const char *)in + row->offset;
    switch (row->type) {
    case HN_BOOL:
        return json_boolean(*(const bool *)p);
    case HN_INT:
        return json_integer(*(const int64_t *)p);
    case HN_U64:
        return *(const uint64_t *)p <= INT64_MAX ? json_integer((json_int_t) * (const uint64_t *)p)
                                                 : json_string(hn_params_text(a, row, in));
    case HN_REAL:
        return json_real(*(const double *)p);
    case HN_REAL32: {
        double d; /* 0.001, not 0.0010000000474974513 */
        return json_real(hn_parse_f64(hn_params_text(a, row, in), &d) ? d : (double)*(const float *)p);
    }
    case HN_STR:
        return json_string(hn_params_text(a, row, in));
    case HN_STRS:
        break;
    }
    const hn_strs *list = p;
    json_t *array = json_array();
    for (int64_t i = 0; i < list->n; i++) json_array_append_new(array, json_string(list->v[i]));
    return array;
}

static void json_rows(hn_arena *a, json_t *into, const hn_param *rows, int64_t n, const void *in) {
    for (int64_t i = 0; i < n; i++) json_object_set_new(into, rows[i].name, json_value(a, &rows[i], in));
}

json_t *hn_settings_json(hn_arena *a, const hn_settings *s) {
    json_t *root = hn_json_own(a, json_object());
    for (int64_t i = 0; i < s->n; i++) {
        const hn_values *v = &s->v[i];
        json_t *o = root;
        if (*v->sec->key) json_object_set_new(root, v->sec->key, o = json_object());
        json_rows(a, o, v->sec->rows, v->sec->n_rows, v->own);
        if (v->item) json_rows(a, o, v->item->params, v->item->n_params, v->variant);
    }
    return root;
}
