/* hone/model.h - open a model folder, generate text, score text. */
#ifndef HONE_MODEL_H
#define HONE_MODEL_H
#include "hone/base.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef struct hone_model hone_model;

/* Opens a Hugging Face folder (config.json, model.safetensors, tokenizer.json). NULL on failure: ask the job. Lives as long as the job. */
HONE_API hone_model *hone_model_load(hone_job *job, const char *path) HONE_CHECK;
/* Writes such a folder, new files first, then renamed into place. */
HONE_API bool hone_model_save(hone_job *job, const hone_model *m, const char *path) HONE_CHECK;
HONE_API int64_t hone_model_parameters(const hone_model *m);

/* How tokens are chosen. All zero: the likeliest token each time, 256 of them. Order: temperature, top_k, top_p, min_p. A draw depends
 * on (seed, position) alone. */
typedef struct hone_sampling {
    int64_t max_tokens;         /* 0: 256 */
    double temperature;         /* 0: greedy */
    int64_t top_k;              /* 0: off */
    double top_p, min_p;        /* 0: off */
    uint64_t seed;
    const char *const *stop; int64_t n_stop;   /* texts that end the answer; not part of it */
    bool narrow_cache;          /* keys and values of what was read are kept in bf16: half their memory, seven bits of mantissa */
} hone_sampling;

typedef struct hone_generation {
    char *text; int64_t text_bytes;     /* the continuation; owned by the job */
    int64_t tokens;
    double tokens_per_second;
    const char *finish_reason;          /* "stop" or "length" */
} hone_generation;

/* Continues prompt (s may be NULL: all zero). When the context is full, its last half is read again and generation goes on.
 * on_piece (may be NULL) gets each new piece of valid UTF-8 as soon as it is complete; returning false stops. Several jobs may
 * generate with one model at the same time. */
HONE_API bool hone_generate(hone_job *job, hone_model *m, const char *prompt, const hone_sampling *s,
                            bool (*on_piece)(void *user, const char *piece, int64_t bytes), void *user, hone_generation *out) HONE_CHECK;

/* Continues n prompts, up to 16 of any lengths side by side: each weight is read once for all of them. Every text is the one that
 * hone_generate makes of its prompt with its own sampling s[i]. on_done (may be NULL) is told of each as it is finished, in any order;
 * returning false stops: E_INTERRUPTED. out (n); texts are owned by the job, tokens_per_second counts from the start of all. */
HONE_API bool hone_generate_many(hone_job *job, hone_model *m, int64_t n, const char *const *prompts, const hone_sampling *s,
                                 bool (*on_done)(void *user, int64_t i, const hone_generation *g), void *user, hone_generation *out) HONE_CHECK;

typedef struct hone_score {
    int32_t *ids; double *logprobs; int64_t n;   /* natural logs; logprobs[0] is NaN without a BOS */
    double sum, bits_per_byte;
} hone_score;
/* Log-probability of every token of text; longer than the context: windows that overlap by half. */
HONE_API bool hone_score_text(hone_job *job, hone_model *m, const char *text, int64_t bytes, hone_score *out) HONE_CHECK;

#ifdef __cplusplus
}
#endif
#endif
