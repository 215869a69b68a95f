/* section.c - the rows of `train`, `optim` and `sched`. Their defaults are nanoGPT's configuration for a CPU:
 * config/train_shakespeare_char.py with the overrides of its README (github.com/karpathy/nanoGPT). */
#include "train/train.h"

static const hn_param train_rows[] = {
    HN_PARAM(hn_train_params, steps, .def = "2000", .min = 0, .max = 1e9, .search_lo = 100, .search_hi = 1e5, .scale = HN_LOG,
             .doc = "optimizer steps; 0: as many as train.flops pays for"),
    HN_PARAM(hn_train_params, flops, .def = "0", .min = 0, .max = 1e24, .doc = "training FLOPs to spend when train.steps is 0"),
    HN_PARAM(hn_train_params, batch, .def = "12", .min = 1, .max = 65536, .search_lo = 4, .search_hi = 256, .scale = HN_LOG,
             .unit = "windows", .doc = "windows of one context in a micro-batch"),
    HN_PARAM(hn_train_params, accumulate, .def = "1", .min = 1, .max = 65536,
             .doc = "micro-batches per step; the loss is divided by the tokens of all of them"),
    HN_PARAM(hn_train_params, clip, .def = "1", .min = 0, .max = 1e9, .doc = "largest global norm of the gradient; 0: off"),
    HN_PARAM(hn_train_params, label_smoothing, .def = "0", .min = 0, .max = 1, .search_lo = 0, .search_hi = 0.2,
             .doc = "share of each target spread over all tokens in the training loss; held-out losses stay plain"),
    HN_PARAM(hn_train_params, l1, .def = "0", .min = 0, .max = 1e6, .search_lo = 1e-4, .search_hi = 0.1, .scale = HN_LOG,
             .doc = "each weight of a matrix moves towards 0 by this share of the learning rate, and stays there; 0: off"),
    HN_PARAM(hn_train_params, max_norm, .def = "0", .min = 0, .max = 1e9, .search_lo = 0.5, .search_hi = 4, .scale = HN_LOG,
             .doc = "largest norm of the weights that come into one unit between hidden layers; 0: off"),
    HN_PARAM(hn_train_params, ema, .def = "0", .min = 0, .max = 0.9999999, .search_lo = 0.9, .search_hi = 0.9999,
             .doc = "decay of the moving average of the weights, which then is evaluated and shipped; 0: off"),
    HN_PARAM(hn_train_params, order, .def = "random", .choices = "random|epochs",
             .doc = "random: windows drawn with replacement; epochs: every window once per epoch, shuffled"),
    HN_PARAM(hn_train_params, mix, .def = "1", .min = 0, .max = 2, .search_lo = 0, .search_hi = 1,
             .doc = "weight of a source of text (a file): its size to this power; 1: by size, 0: every source alike"),
    HN_PARAM(hn_train_params, curriculum, .def = "0", .min = 0, .max = 1, .search_lo = 0, .search_hi = 1,
             .doc = "share of the steps in which text of frequent tokens comes first and harder text is admitted step by step; 0: off"),
    HN_PARAM(hn_train_params, eval_every, .def = "0", .min = 0, .max = 1e9, .unit = "steps",
             .doc = "steps between evaluations on held-out text; 0: at the end only"),
    HN_PARAM(hn_train_params, eval_tokens, .def = "0", .min = 0, .max = 1e15, .unit = "tokens",
             .doc = "held-out tokens of an evaluation while training; 0: all"),
    HN_PARAM(hn_train_params, patience, .def = "0", .min = 0, .max = 1e9, .unit = "evaluations",
             .doc = "stop after so many evaluations without a better one; 0: off"),
    HN_PARAM(hn_train_params, recompute, .def = "false",
             .doc = "keep only the input of each layer and compute the layer again in backward: less memory, a third more time, same numbers"),
    HN_PARAM(hn_train_params, dtype, .def = "f32", .choices = "f32|bf16",
             .doc = "type of the activations: bf16 takes half their memory and, where the CPU has bf16 products, runs those; weights, "
                    "gradients, optimizer and statistics stay f32"),
    HN_PARAM(hn_train_params, save_every, .def = "0", .min = 0, .max = 1e9, .unit = "steps",
             .doc = "steps between checkpoints; 0: at the end and when interrupted only"),
};
const hn_section hn_section_train = HN_SECTION("train", "how long, how much at once, what is kept", hn_train_params, train_rows);

static const hn_param optim_rows[] = {
    HN_PARAM(hn_optim_params, name, .def = "adamw", .kind = &hn_kind_optim, .doc = "optimizer"),
    HN_PARAM(hn_optim_params, groups,
             .doc = "weights with a rate or decay of their own: \"PATTERN lr=FACTOR weight_decay=VALUE\", such as "
                    "\"h.*.mlp.* lr=0.5 weight_decay=0\"; the first pattern that matches a weight's name holds"),
};
const hn_section hn_section_optim = HN_SECTION("optim", "the optimizer and its settings", hn_optim_params, optim_rows,
                                               .variant = "name", .scalar = "name");

static const hn_param sched_rows[] = {
    HN_PARAM(hn_sched_params, name, .def = "cosine", .kind = &hn_kind_sched, .doc = "course of the learning rate after the warm-up"),
    HN_PARAM(hn_sched_params, warmup, .def = "100", .min = 0, .max = 1e9, .search_lo = 0, .search_hi = 1000, .unit = "steps",
             .doc = "steps over which the learning rate rises linearly to optim.lr"),
    HN_PARAM(hn_sched_params, min_ratio, .def = "0.1", .min = 0, .max = 1, .search_lo = 0, .search_hi = 0.3,
             .doc = "last learning rate as a share of optim.lr"),
    HN_PARAM(hn_sched_params, steps, .def = "0", .min = 0, .max = 1e9, .unit = "steps",
             .doc = "length of the schedule; a longer training goes on at its end; 0: as long as the training"),
};
const hn_section hn_section_sched = HN_SECTION("sched", "the learning rate over time", hn_sched_params, sched_rows,
                                               .variant = "name", .scalar = "name");
