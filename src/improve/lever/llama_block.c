/* llama_block.c - the block of the llama family in place of GPT-2's: RMS norm, rotary positions, a gated MLP (Touvron et al. 2023,
 * arXiv:2302.13971; Shazeer 2020, arXiv:2002.05202). The MLP's width is two thirds of GPT-2's, so that its three matrices weigh as much
 * as the two; the table of positions falls away. As many training FLOPs. The second setting also norms queries and keys (qwen3). */
#include "improve/improve.h"

#include <math.h>

typedef struct llama_block_params {
    hn_strs families;
} llama_block_params;
static const hn_param params[] = {
    HN_PARAM(llama_block_params, families, .def = "llama,qwen3", .doc = "families to try; qwen3 norms queries and keys"),
};

static bool apply(hn_lever_call *c) {
    const hn_strs *families = &((const llama_block_params *)c->params)->families;
    double width, heads, layers, context, ratio, dropout;
    const char *tied = hn_settings_value(c->a, c->candidate, "model.tied");
    if (!hn_lever_from_scratch(c)) return false;
    if (strcmp(hn_settings_value(c->a, c->candidate, "model.arch"), "gpt2")) return hn_lever_misfit(c, "it replaces blocks of gpt2");
    if (c->variant >= families->n) return hn_lever_misfit(c, "it has fewer families than settings to try");
    if (!hn_lever_get(c, "model.width", &width) || !hn_lever_get(c, "model.heads", &heads) || !hn_lever_get(c, "model.layers", &layers) ||
        !hn_lever_get(c, "model.context", &context) || !hn_lever_get(c, "model.mlp_ratio", &ratio) ||
        !hn_lever_get(c, "model.dropout", &dropout))
        return false;
    if (fmod(width, 2 * heads) != 0) return hn_lever_misfit(c, "rotary positions turn pairs of channels: the head size must be even");
    double hidden = fmax(8 * floor(ratio * width * 2 / 3 / 8 + 0.5), 8);
    const char *family = families->v[c->variant];
    c->did = hn_fmt(c->a, "model.arch gpt2 → llama (%s), MLP of %g", family, hidden);
    return hn_settings_set(c->candidate, c->a, "model.arch", "llama", c->name) &&
           hn_settings_set(c->candidate, c->a, "model.family", family, c->name) &&
           hn_settings_set(c->candidate, c->a, "model.tied", tied, c->name) && hn_lever_set(c, "model.width", width) &&
           hn_lever_set(c, "model.heads", heads) && hn_lever_set(c, "model.layers", layers) && hn_lever_set(c, "model.context", context) &&
           hn_lever_set(c, "model.dropout", dropout) && hn_lever_set(c, "model.hidden", hidden);
}
const hn_lever hn_lever_llama_block = {
    HN_ITEM("llama-block", "RMS norm, rotary positions, gated MLP", "arXiv:2302.13971", llama_block_params, params),
    .item.note = "Costs: training FLOPs: as the incumbent, so other steps.", .acts_on = "recipe", .apply = apply
};
