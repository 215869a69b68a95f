/* yaml.c - door to libyaml: a strict subset of YAML as a small tree that knows its lines.
 *
 * Taken: one document of mappings, lists and scalars, block or flow style. Refused with file:line:column: anchors and aliases
 * (a short text could grow without bound), tags, keys that are no scalars, a key twice, more than 16 levels, more than 1 MiB.
 * The parser's memory is libyaml's; it is released when the scratch arena goes, also when memory is refused half-way. */
#include "base/settings_priv.h"
#include <yaml.h>

typedef struct reader {
    hn_arena *a; /* of the tree and the messages */
    const char *where;
    yaml_parser_t parser;
    yaml_event_t event;
    bool parser_open, event_open;
} reader;

static void reader_close(void *p) {
    reader *r = p;
    if (r->event_open) yaml_event_delete(&r->event);
    if (r->parser_open) yaml_parser_delete(&r->parser);
    r->event_open = r->parser_open = false;
}

static bool refuse_at(reader *r, size_t line, size_t column, const char *what, const char *hint) {
    return HN_FAIL(r->a, HONE_E_SYNTAX, .what = what, .where = hn_fmt(r->a, "%s:%zu:%zu", r->where, line + 1, column + 1), .hint = hint);
}
static bool refuse(reader *r, const char *what, const char *hint) {
    return refuse_at(r, r->event.start_mark.line, r->event.start_mark.column, what, hint);
}

static bool next(reader *r) {
    if (r->event_open) yaml_event_delete(&r->event);
    r->event_open = false;
    if (yaml_parser_parse(&r->parser, &r->event)) return r->event_open = true;
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) return HN_FAIL(r->a, HONE_E_MEMORY, .what = "no memory left while reading YAML", .where = r->where);
    const char *problem = p->problem ? p->problem : "cannot be read";
    if (p->error == YAML_READER_ERROR)
        return HN_FAIL(r->a, HONE_E_SYNTAX, .what = hn_fmt(r->a, "broken YAML: %s", problem),
                       .where = hn_fmt(r->a, "%s: offset %zu", r->where, p->problem_offset));
    const char *what = p->context ? hn_fmt(r->a, "broken YAML: %s, %s", p->context, problem) : hn_fmt(r->a, "broken YAML: %s", problem);
    return refuse_at(r, p->problem_mark.line, p->problem_mark.column, what, NULL);
}

static hn_yaml *node_new(reader *r, hn_yaml_type type) {
    hn_yaml *n = hn_new(r->a, hn_yaml);
    n->type = type;
    n->key = n->text = "";
    n->line = (int64_t)r->event.start_mark.line + 1;
    return n;
}

/* The text of the scalar event at hand. */
static bool scalar_text(reader *r, const char **out) {
    const char *p = (const char *)r->event.data.scalar.value;
    size_t n = r->event.data.scalar.length;
    if (memchr(p, 0, n)) return refuse(r, "a text holds a zero byte", NULL);
    *out = hn_strndup(r->a, p, (int64_t)n);
    return true;
}

static bool is_null(const yaml_event_t *e, const char *text) {
    return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || !strcmp(text, "~") || !strcmp(text, "null") || !strcmp(text, "Null") || !strcmp(text, "NULL"));
}

static bool plain_tag(reader *r) {
    const char *no_tags = "tags are not used here", *no_anchors = "anchors and aliases are not used here";
    const yaml_event_t *e = &r->event;
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return refuse(r, no_anchors, "Write the value out.");
    case YAML_SCALAR_EVENT:
        if (e->data.scalar.anchor) return refuse(r, no_anchors, "Write the value out.");
        return e->data.scalar.tag ? refuse(r, no_tags, "Remove it; types come from the keys.") : true;
    case YAML_SEQUENCE_START_EVENT:
        if (e->data.sequence_start.anchor) return refuse(r, no_anchors, "Write the value out.");
        return e->data.sequence_start.tag ? refuse(r, no_tags, "Remove it; types come from the keys.") : true;
    case YAML_MAPPING_START_EVENT:
        if (e->data.mapping_start.anchor) return refuse(r, no_anchors, "Write the value out.");
        return e->data.mapping_start.tag ? refuse(r, no_tags, "Remove it; types come from the keys.") : true;
    default:
        return true;
    }
}

static bool read_node(reader *r, int depth, hn_yaml **out);

static bool read_list(reader *r, int depth, hn_yaml *list) {
    hn_yaml **tail = &list->first;
    for (;;) {
        if (!next(r)) return false;
        if (r->event.type == YAML_SEQUENCE_END_EVENT) return true;
        if (!read_node(r, depth + 1, tail)) return false;
        tail = &(*tail)->next;
    }
}

static bool read_map(reader *r, int depth, hn_yaml *map) {
    hn_yaml **tail = &map->first;
    hn_map *seen = hn_map_new(r->a);
    for (;;) {
        if (!next(r)) return false;
        if (r->event.type == YAML_MAPPING_END_EVENT) return true;
        if (!plain_tag(r)) return false;
        if (r->event.type != YAML_SCALAR_EVENT) return refuse(r, "a key must be a word", NULL);
        const char *key = "";
        int64_t line = (int64_t)r->event.start_mark.line + 1, before;
        if (!scalar_text(r, &key)) return false;
        if (!*key) return refuse(r, "a key is empty", NULL);
        if (hn_map_get(seen, key, (int64_t)strlen(key), &before))
            return refuse(r, hn_fmt(r->a, "key '%s' stands twice", key),
                          hn_fmt(r->a, "It is set on line %lld already.", (long long)before));
        hn_map_put(seen, key, (int64_t)strlen(key), line);
        if (!next(r) || !read_node(r, depth + 1, tail)) return false;
        (*tail)->key = key;
        (*tail)->line = line;
        tail = &(*tail)->next;
    }
}

/* Reads the node that begins with the event at hand. */
static bool read_node(reader *r, int depth, hn_yaml **out) {
    if (depth > HN_YAML_MAX_DEPTH) return refuse(r, "nested too deeply", NULL);
    if (!plain_tag(r)) return false;
    switch (r->event.type) {
    case YAML_SCALAR_EVENT:
        *out = node_new(r, HN_YAML_SCALAR);
        if (!scalar_text(r, &(*out)->text)) return false;
        (*out)->null = is_null(&r->event, (*out)->text);
        return true;
    case YAML_SEQUENCE_START_EVENT:
        return read_list(r, depth, *out = node_new(r, HN_YAML_LIST));
    case YAML_MAPPING_START_EVENT:
        return read_map(r, depth, *out = node_new(r, HN_YAML_MAP));
    default:
        return refuse(r, "broken YAML", NULL);
    }
}

static bool read_document(reader *r, hn_yaml **root) {
    if (!next(r) || !next(r)) return false; /* stream start, document start or stream end */
    if (r->event.type == YAML_STREAM_END_EVENT) return true;
    if (!next(r) || !read_node(r, 0, root)) return false;
    if (!next(r) || !next(r)) return false; /* document end, stream end */
    if (r->event.type != YAML_STREAM_END_EVENT) return refuse(r, "a second document begins", "A recipe is one document.");
    return true;
}

bool hn_yaml_parse(hn_arena *a, const char *where, hn_bytes text, hn_yaml **root) {
    *root = NULL;
    if (text.n > HN_YAML_MAX_BYTES) return HN_FAIL(a, HONE_E_SYNTAX, .what = "the recipe is larger than 1 MiB", .where = where);
    if (text.n >= 3 && !memcmp(text.p, "\xEF\xBB\xBF", 3)) text.p += 3, text.n -= 3;
    hn_arena *scratch = hn_arena_new(a);
    reader *r = hn_new(scratch, reader);
    r->a = a;
    r->where = where;
    hn_defer(scratch, reader_close, r);
    if (!yaml_parser_initialize(&r->parser)) {
        hn_arena_free(scratch);
        return HN_FAIL(a, HONE_E_MEMORY, .what = "no memory left while reading YAML", .where = where);
    }
    r->parser_open = true;
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, text.p ? text.p : (const uint8_t *)"", (size_t)text.n);
    bool ok = read_document(r, root);
    hn_arena_free(scratch);
    return ok;
}

/* ---- writing ---- */

static bool plain_is_safe(const char *s) {
    static const char *const words[] = { "~", "null", "Null", "NULL" };
    if (!*s || !(strchr("/._", *s) || (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z'))) return false;
    for (const char *p = s; *p; p++)
        if (!(strchr("/._-+", *p) || (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z'))) return false;
    for (int64_t i = 0; i < HN_LEN(words); i++)
        if (!strcmp(s, words[i])) return false;
    return strcmp(s, "...") != 0; /* alone on a line it would end the document */
}

const char *hn_yaml_quote(hn_arena *a, const char *s) {
    if (plain_is_safe(s)) return s;
    hn_buf b = { 0 };
    hn_buf_put(a, &b, "\"", 1);
    int64_t left = (int64_t)strlen(s);
    while (left) {
        uint32_t cp;
        int n = hn_utf8_next((const uint8_t *)s, left, &cp);
        if (cp == '"' || cp == '\\') hn_buf_fmt(a, &b, "\\%c", (char)cp);
        else if (cp < 0x20 || (cp >= 0x7F && cp <= 0xA0)) hn_buf_fmt(a, &b, "\\x%02X", cp);
        else if (cp == 0x2028 || cp == 0x2029 || cp == 0xFEFF || (cp >= 0xFFFE && cp <= 0xFFFF)) hn_buf_fmt(a, &b, "\\u%04X", cp);
        else hn_buf_put(a, &b, s, n);
        s += n;
        left -= n;
    }
    hn_buf_put(a, &b, "\"", 1);
    return hn_buf_str(a, &b);
}
