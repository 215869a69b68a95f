/* section.c - the `improve` and `budget` sections of a recipe. */
#include "improve/improve.h"

static const hn_param improve_rows[] = {
    HN_PARAM(hn_improve_params, levers, .def = "lr,wider,deeper,dropout,ema,more-steps",
             .doc = "levers to try, best bets first (a short budget drops from the end); placebo is always among them"),
    HN_PARAM(hn_improve_params, alpha, .def = "0.05", .min = 0.0001, .max = 0.5,
             .doc = "chance of keeping anything useless that is accepted, over all confirmed levers together"),
    HN_PARAM(hn_improve_params, tune, .def = "true",
             .doc = "tune the incumbent's learning rate first, so that no lever wins by its absence"),
    HN_PARAM(hn_improve_params, screen_seeds, .def = "2", .min = 1, .max = 64, .doc = "seeds of each arm in the screen"),
    HN_PARAM(hn_improve_params, confirm_seeds, .def = "4", .min = 2, .max = 64,
             .doc = "fresh seeds of each arm in confirm, stack and seal"),
    HN_PARAM(hn_improve_params, confirm_arms, .def = "3", .min = 1, .max = 32, .doc = "levers that go on from the screen, besides placebo"),
    HN_PARAM(hn_improve_params, side_by_side, .def = "0", .min = 0, .max = 1024,
             .doc = "trainings at once, one thread each; 0: one per core"),
    HN_PARAM(hn_improve_params, allow_cost, .def = "true",
             .doc = "keep levers that cost more training when they beat an incumbent given the same extra cost"),
    HN_PARAM(hn_improve_params, held_out, .def = "0.2", .min = 0.01, .max = 0.5,
             .doc = "share of the text held out as items; at most held_out_bytes"),
    HN_PARAM(hn_improve_params, held_out_bytes, .def = "262144", .min = 1024, .max = 1e12, .unit = "bytes",
             .doc = "no more text than this is held out"),
    HN_PARAM(hn_improve_params, item_tokens, .def = "512", .min = 16, .max = 1e6, .unit = "tokens",
             .doc = "a held-out piece longer than this makes several items, judged as one cluster"),
    HN_PARAM(hn_improve_params, warm_start, .doc = "model folder that the lever warm-start takes weights from"),
    HN_PARAM(hn_improve_params, more_data, .doc = "files or folders with text that the lever more-data adds to what is learned from"),
    HN_PARAM(hn_improve_params, ledger,
             .doc = "ledger on a PostgreSQL server, for machines that share the run folder: postgresql://USER@HOST/DATABASE (password by PGPASSWORD or ~/.pgpass); empty: "
                    "ledger.sqlite in the run folder"),
    HN_PARAM(hn_improve_params, metric, .def = "bits_per_byte", .choices = "bits_per_byte|error_rate",
             .doc = "what verdicts are of; error_rate: the share of gym questions whose whole answer is not right (the screen compares bits)"),
    HN_PARAM(hn_improve_params, primary,
             .doc = "the gym task that verdicts are of; a lever that harms another one is refused. none: all together, each guarded"),
    HN_PARAM(hn_improve_params, items, .def = "0", .min = 0, .max = 1e5,
             .doc = "questions of each gym task in each of screen, confirm and sealed; 0: 300, or as many as there are"),
    HN_PARAM(hn_improve_params, confirm_worst, .def = "false",
             .doc = "the lever that looked worst in the screen goes on too, so that harm is told with proof"),
    HN_PARAM(hn_improve_params, min_steps, .def = "100", .min = 1, .max = 1e9, .doc = "rather fewer levers than fewer steps than this"),
    HN_PARAM(hn_improve_params, max_steps, .def = "0", .min = 0, .max = 1e9,
             .doc = "no more steps than this however fast the machine is; as many as min_steps: the seconds decide how many levers are tried, and nothing else"),
};
const hn_section hn_section_improve = HN_SECTION("improve", "what is tried and how it is judged", hn_improve_params, improve_rows);

static const hn_param budget_rows[] = {
    HN_PARAM(hn_budget_params, seconds, .def = "600", .min = 1, .max = 1e8, .unit = "s",
             .doc = "wall-clock time to plan for; it fixes the plan before training, never a verdict"),
    HN_PARAM(hn_budget_params, steps, .def = "0", .min = 0, .max = 1e9, .doc = "optimizer steps of the incumbent; 0: as the seconds allow"),
};
const hn_section hn_section_budget = HN_SECTION("budget", "what may be spent", hn_budget_params, budget_rows);

static const hn_param finish_rows[] = {
    HN_PARAM(hn_finish_params, ensemble, .def = "1", .min = 1, .max = 64, .doc = "trainings that answer together, by the mean of their probabilities"),
    HN_PARAM(hn_finish_params, soup, .def = "1", .min = 1, .max = 64, .doc = "branches of a training whose weights' mean is the model"),
    HN_PARAM(hn_finish_params, branch, .def = "0.75", .min = 0, .max = 0.99,
             .doc = "share of the steps before the branches of a soup part; 0 only when training starts from a model"),
    HN_PARAM(hn_finish_params, calibrate, .def = "0", .min = 0, .max = 1,
             .doc = "how far towards the temperature that fits the screen items best; 0: not at all, 1: all the way"),
    HN_PARAM(hn_finish_params, votes, .def = "1", .min = 1, .max = 64,
             .doc = "answers sampled for each gym question, of which the one given most often counts; 1: the likeliest, token by token"),
    HN_PARAM(hn_finish_params, vote_temperature, .def = "0.7", .min = 0.01, .max = 10, .doc = "of these samples"),
};
const hn_section hn_section_finish = HN_SECTION("finish", "what is made of the trainings", hn_finish_params, finish_rows);
