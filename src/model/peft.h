/* peft.h - an adapter folder as others write it: what commands and the fuzz target need of format/peft.c. */
#ifndef HN_PEFT_H
#define HN_PEFT_H
#include "model/adapter.h"

typedef struct hn_peft {
    hn_adapter_params p;
    const char *base;           /* base_model_name_or_path; "" where it is not said */
    const json_t *alphas;       /* alpha_pattern: regular expression → alpha; may be NULL */
    const char *dir, *weights;  /* the folder, and its file of tensors */
    hn_st tensors;
} hn_peft;
bool hn_is_peft(const char *dir);                                                             /* a folder with an adapter and no model */
bool hn_peft_config(hn_arena *a, const char *where, const void *p, int64_t n, hn_peft *out) HN_CHECK;   /* adapter_config.json; the fuzz target */
bool hn_peft_open(hn_arena *a, const char *dir, hn_peft *out) HN_CHECK;                       /* the whole folder; its base need not be here */
/* Puts the folder's adapter on m. Not made for such a model: E_MODEL naming the tensor. */
bool hn_peft_attach(hone_model *m, const char *dir) HN_CHECK;
#endif
