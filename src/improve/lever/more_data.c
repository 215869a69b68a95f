/* more_data.c - learn from more text, improve.more_data, at the same training FLOPs: fewer repeats of the text at hand, more variety (Hoffmann
 * et al. 2022, arXiv:2203.15556; what repeats are worth: Muennighoff et al. 2023, arXiv:2305.16264). What overlaps held-out items is left
 * out, and the items stay. The second setting gives the new text the weight of its square root's share, so that a large foreign text does
 * not drown the one that is judged. Costs the text; as many training FLOPs. */
#include "improve/improve.h"

typedef struct more_data_params {
    hn_strs exponents;
} more_data_params;
static const hn_param params[] = {
    HN_PARAM(more_data_params, exponents, .def = "1,0.5", .doc = "weight of a source: size^exponent"),
};

static bool apply(hn_lever_call *c) {
    const hn_improve_params *p = hn_settings_get(c->candidate, "improve");
    double exponent;
    hn_buf names = { 0 };
    if (!hn_lever_variant(c, &((const more_data_params *)c->params)->exponents, -1, &exponent)) return false;
    if (!p->more_data.n) return hn_lever_misfit(c, "improve.more_data names no text");
    const char *old = hn_settings_value(c->a, c->candidate, "data.extra");
    hn_buf_fmt(c->a, &names, "%s", old ? old : "");
    for (int64_t i = 0; i < p->more_data.n; i++) hn_buf_fmt(c->a, &names, "%s%s", names.n ? "," : "", p->more_data.v[i]);
    c->did = hn_fmt(c->a, "data.extra: %s%s%s", p->more_data.v[0], p->more_data.n > 1 ? " and others" : "",
                    exponent == 1 ? "" : hn_fmt(c->a, ", sources by size^%g", exponent));
    return hn_settings_set(c->candidate, c->a, "data.extra", hn_buf_str(c->a, &names), c->name) && hn_lever_set(c, "train.mix", exponent);
}
const hn_lever hn_lever_more_data = { HN_ITEM("more-data", "learn from more text", "arXiv:2305.16264", more_data_params, params),
                                      .item.note = "Costs: the text; training FLOPs: as the incumbent.", .acts_on = "data", .apply = apply };
