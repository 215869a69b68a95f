/* lever.c - the kind `lever`, and what its members share: reading and scaling a setting of the candidate. */
#include "improve/improve.h"

#include <math.h>

#define LEVER(n) extern const hn_lever hn_lever_##n;
#include "improve/lever/levers.def"
#undef LEVER
static const hn_item *const items[] = {
#define LEVER(n) &hn_lever_##n.item,
#include "improve/lever/levers.def"
};
const hn_kind hn_kind_lever = { "lever", "what may make a model smarter", items, HN_LEN(items) };

bool hn_lever_set(hn_lever_call *c, const char *key, double value) {
    return hn_settings_set(c->candidate, c->a, key, hn_num(c->a, value), c->name);
}

bool hn_lever_variant(hn_lever_call *c, const hn_strs *values, double above, double *out) {
    if (c->variant < values->n && hn_parse_f64(values->v[c->variant], out) && *out > above) return true;
    return HN_FAIL(c->a, HONE_E_VALUE,
                   .what = hn_fmt(c->a, "lever %s needs %d settings, each a number above %g", c->name, HN_LEVER_VARIANTS, above));
}

bool hn_lever_misfit(hn_lever_call *c, const char *why) {
    return HN_FAIL(c->a, HONE_E_VALUE, .what = hn_fmt(c->a, "the lever does not apply: %s", why));
}

bool hn_lever_get(hn_lever_call *c, const char *key, double *out) {
    const char *text = hn_settings_value(c->a, c->candidate, key);
    return (text && hn_parse_f64(text, out)) || hn_lever_misfit(c, hn_fmt(c->a, "the model has no setting '%s'", key));
}

bool hn_lever_from_scratch(hn_lever_call *c) {
    const hn_model_params *m = hn_settings_get(c->candidate, "model");
    return !*m->path || hn_lever_misfit(c, "it changes the shape, and the weights that training starts from would not fit");
}
