/* adapter.h - making adapters: shared by adapter.c, which invents them, and format/peft.c, which reads them. */
#ifndef HN_ADAPTER_H
#define HN_ADAPTER_H
#include "model/model.h"

/* One map to adapt. */
typedef struct hn_adapted {
    int64_t weight;   /* of the model's list */
    int64_t rank;
    double alpha;
} hn_adapted;
bool hn_is_map(const hn_weight *w);                              /* a linear map between hidden layers: what can be adapted */
const char *hn_module_name(hn_arena *a, const hn_weight *w);     /* its name without ".weight", as PEFT names modules */
/* Puts an adapter on m, all its factors zero. p and base are copied. */
hn_adapter *hn_adapter_new(hone_model *m, const hn_adapter_params *p, const char *base, const hn_adapted *maps, int64_t n);
/* Does all of name match? limits on PCRE2's work hold; a pattern that does not compile fails with code. */
bool hn_whole_match(hn_arena *a, const char *pattern, const char *name, const char *where, hone_code code, bool *yes) HN_CHECK;
#endif
