/* section.c - the `model` section of a recipe, and the kinds of this room.
 *
 *     model: DIR                    start from the weights in DIR
 *     model: {arch: gpt2, layers: 4, heads: 4, width: 128}        from scratch; the architecture's own rows belong to the section */
#include "model/model.h"

#define ARCH(n) extern const hn_arch hn_arch_##n;
#include "model/arch/archs.def"
#undef ARCH
static const hn_item *const archs[] = {
#define ARCH(n) &hn_arch_##n.item,
#include "model/arch/archs.def"
#undef ARCH
};
const hn_kind hn_kind_arch = {"arch", "architectures", archs, HN_LEN(archs)};

#define FORMAT(n) extern const hn_format hn_format_##n;
#include "model/format/formats.def"
#undef FORMAT
static const hn_item *const formats[] = {
#define FORMAT(n) &hn_format_##n.item,
#include "model/format/formats.def"
#undef FORMAT
};
const hn_kind hn_kind_format = {"format", "model formats", formats, HN_LEN(formats)};

#define SAMPLER(n) extern const hn_sampler hn_sampler_##n;
#include "model/sample/samplers.def"
#undef SAMPLER
static const hn_item *const samplers[] = {
#define SAMPLER(n) &hn_sampler_##n.item,
#include "model/sample/samplers.def"
#undef SAMPLER
};
const hn_kind hn_kind_sample = {"sample", "samplers, applied in this order", samplers, HN_LEN(samplers)};

static const hn_param rows[] = {
    HN_PARAM(hn_model_params, path, .doc = "folder of a model to start from; empty: from scratch"),
    HN_PARAM(hn_model_params, from,
             .doc = "folder of another model: weights of the same name and shape begin as there, the others fresh"),
    HN_PARAM(hn_model_params, from_share, .def = "1", .min = 0, .max = 1,
             .doc = "how much of those weights is taken; the rest is of the fresh beginning"),
    HN_PARAM(hn_model_params, arch, .def = "gpt2", .kind = &hn_kind_arch, .doc = "architecture of a model made from scratch"),
};
const hn_section hn_section_model =
    HN_SECTION("model", "the model: a folder to start from, or a shape", hn_model_params, rows, .variant = "arch", .scalar = "path");

bool hn_model_describe(hn_arena *a, hn_settings *s, const hone_model *start, const char *path) {
    const hn_item *arch = &start->arch->item;
    if (!hn_settings_set(s, a, "model.arch", arch->name, path)) return false;
    for (int64_t i = 0; i < arch->n_params; i++) {
        const char *key = hn_fmt(a, "model.%s", arch->params[i].name);
        if (!strncmp(arch->params[i].name, "dropout", 7) && hn_settings_is_set(s, key)) continue;
        if (!hn_settings_set(s, a, key, hn_params_text(a, &arch->params[i], start->params), path)) return false;
    }
    return true;
}
