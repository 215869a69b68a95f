/* placebo.c - changes nothing. It goes through screen and confirm like any lever, with as many settings and as many seeds; if it is
 * ever kept more often than alpha says, the judging is broken. */
#include "improve/improve.h"

static bool apply(hn_lever_call *c) {
    c->did = "nothing (other random seeds only)";
    return true;
}
const hn_lever hn_lever_placebo = { HN_ITEM0("placebo", "changes nothing: a check on the judging", NULL), .item.note = "Costs: nothing.",
                                    .acts_on = "recipe", .apply = apply };
