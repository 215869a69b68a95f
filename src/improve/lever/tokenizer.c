/* tokenizer.c - another size of the vocabulary, byte pairs learned on the same training text: fewer, longer tokens see more text in a context
 * and cost a larger embedding and head (Tao et al. 2024, arXiv:2407.13623). Judged in bits per byte of the same items. As many training
 * FLOPs, the larger head's among them, so other steps. Costs the learning of the tokenizer. */
#include "improve/improve.h"

#include <math.h>

typedef struct tokenizer_params {
    hn_strs sizes, factors;
} tokenizer_params;
static const hn_param params[] = {
    HN_PARAM(tokenizer_params, sizes, .def = "512,1024", .doc = "tokens, where the start's tokenizer is of characters or bytes"),
    HN_PARAM(tokenizer_params, factors, .def = "0.5,2", .doc = "multiples of data.vocab, where the start's tokenizer is bpe"),
};

static bool apply(hn_lever_call *c) {
    const hn_data_params *d = hn_settings_get(c->candidate, "data");
    const tokenizer_params *p = c->params;
    bool bpe = !strcmp(d->tokenizer, "bpe");
    const char *old = hn_strdup(c->a, d->tokenizer);
    double x;
    if (!hn_lever_from_scratch(c) || !hn_lever_variant(c, bpe ? &p->factors : &p->sizes, 0, &x)) return false;
    if (!bpe && !hn_kind_find(&hn_kind_token, old)) return hn_lever_misfit(c, "the tokenizer is a file, so its size is given");
    double vocab = fmax(floor(bpe ? x * (double)d->vocab + 0.5 : x), 257);
    c->did = hn_fmt(c->a, "data.tokenizer %s%s → bpe of %g tokens", old, bpe ? hn_fmt(c->a, " of %lld", (long long)d->vocab) : "", vocab);
    return hn_settings_set(c->candidate, c->a, "data.tokenizer", "bpe", c->name) && hn_lever_set(c, "data.vocab", vocab);
}
const hn_lever hn_lever_tokenizer = { HN_ITEM("tokenizer", "another size of the vocabulary", "arXiv:2407.13623", tokenizer_params, params),
                                      .item.note = "Costs: learning the tokenizer; training FLOPs: as the incumbent, so other steps.",
                                      .acts_on = "data", .apply = apply };
