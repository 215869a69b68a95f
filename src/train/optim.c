/* optim.c - the list of optimizers. A new one is a file in optim/ and a row in optims.def. */
#include "train/train.h"

#define OPTIM(n) extern const hn_optim hn_optim_##n;
#include "train/optim/optims.def"
#undef OPTIM
static const hn_item *const items[] = {
#define OPTIM(n) &hn_optim_##n.item,
#include "train/optim/optims.def"
#undef OPTIM
};
const hn_kind hn_kind_optim = { "optim", "optimizers: from gradients to new weights", items, HN_LEN(items) };
