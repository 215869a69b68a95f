/* chat.c - the chat template of a tokenizer: found, read, and run over messages.
 *
 * While learning, templates see no clock: the same file gives the same text on any day. Source: transformers'
 * apply_chat_template, which gives messages, tools, add_generation_prompt and the special tokens by name. */
#include "data/chat/chat.h"

enum { MAX_FILE = 16 << 20 };
static const char plain[] = "{% for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}"
                            "{% if add_generation_prompt %}assistant:{% endif %}";
const char *const hn_chat_plain_stop[3] = { "\nuser:", "\nsystem:", "\nassistant:" };

static bool fail(hn_arena *a, const void *env, const hn_template_fault *f) {
    return HN_FAIL(a, f->reading ? HONE_E_MODEL : HONE_E_DATA, .what = f->reading ? f->what : hn_fmt(a, "the chat template: %s", f->what),
                   .where = hn_fmt(a, "%s:%d", f->where, f->line),
                   .hint = f->reading && !f->hint ? "hone renders the part of Jinja that published chat templates use" : f->hint);
}
const hn_template_rules hn_chat_rules = { .talk = true, .fail = fail };

static const char *text_of(const json_t *v) { return json_string_value(json_is_object(v) ? json_object_get(v, "content") : v); }

/* "chat_template" is a text, or a list of named ones of which "default" is for talking. */
static const json_t *template_of(const json_t *config) {
    const json_t *v = json_object_get(config, "chat_template"), *one;
    size_t i;
    if (json_is_string(v)) return v;
    json_array_foreach(v, i, one) {
        const char *name = json_string_value(json_object_get(one, "name"));
        if (name && !strcmp(name, "default")) return json_object_get(one, "template");
    }
    return NULL;
}

hn_chat *hn_chat_open(hn_arena *a, const hn_tokenizer *tok, const char *file) {
    hn_chat *c = hn_new(a, hn_chat);
    const json_t *text = tok && tok->config ? template_of(tok->config) : NULL;
    const char *p = NULL;
    int64_t n = 0;
    *c = (hn_chat){ 0 };
    if (tok && tok->config) {
        c->bos = text_of(json_object_get(tok->config, "bos_token"));
        c->eos = text_of(json_object_get(tok->config, "eos_token"));
    }
    if (file && *file) {
        hn_bytes b;
        if (!hn_file_read(a, file, MAX_FILE, &b)) return NULL;
        c->where = file, p = (const char *)b.p, n = b.n;
    } else if (tok && tok->chat) c->where = "chat_template.jinja", p = tok->chat, n = (int64_t)strlen(tok->chat);
    else if (json_is_string(text))
        c->where = "tokenizer_config.json: chat_template", p = json_string_value(text), n = (int64_t)json_string_length(text);
    else c->where = "the plain template", c->plain = true, p = plain, n = sizeof plain - 1;
    c->t = hn_template_parse(a, &hn_chat_rules, c->where, p, n);
    return c->t ? c : NULL;
}

bool hn_chat_render(hn_arena *a, const hn_chat *c, const json_t *messages, const json_t *tools, bool answer, double now,
                    hn_rendered *out) {
    json_t *vars = hn_json_own(a, json_pack("{sO sb}", "messages", messages, "add_generation_prompt", answer));
    bool ok = (!tools || !json_object_set(vars, "tools", (json_t *)(uintptr_t)tools)) &&
              (!c->bos || !json_object_set_new(vars, "bos_token", json_string(c->bos))) &&
              (!c->eos || !json_object_set_new(vars, "eos_token", json_string(c->eos)));
    if (!ok) return HN_FAIL(a, HONE_E_MEMORY, .what = "no memory for the talk");
    return hn_template_render(a, c->t, vars, now, out);
}
