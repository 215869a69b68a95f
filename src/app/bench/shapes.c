/* shapes.c - the layers of the models that `hone bench` trains: nanoGPT's for a CPU (128 wide, 12 x 64 tokens), a baby GPT (384 wide,
 * 16 x 256), GPT-2 of 124M (768 wide, 4 x 256), a llama of 15M (288 wide, 8 x 256) and a small BERT (256 wide, 32 x 128). A table, a row each; an operator that this build lacks is passed over. */
#include "app/bench/shapes.h"

#define DIMS(...) (const int64_t[]) { __VA_ARGS__ }
static const hn_linear_attr conv1d = { .transposed = true }, conv1d_gelu = { .transposed = true, .act = HONE_ACT_GELU_TANH };
static const hn_linear_attr rows = { .transposed = false }, rows_gelu = { .act = HONE_ACT_GELU };
static const hn_rmsnorm_attr rms = { .eps = 1e-5f };
static const hn_rope_attr rope6 = { .heads = 6 };
static const hn_transpose_attr middle = { 1, 2 };
static const hn_layernorm_attr norm = { .eps = 1e-5f };
static const hn_activation_attr tanh_gelu = { HONE_ACT_GELU_TANH };
static const hn_softmax_attr softmax = { .log = false };
static const hn_matmul_attr b_turned = { .b_turned = true };
static const hn_transpose_attr heads = { 1, 2 }, turned = { 0, 1 };
static const hn_concat_attr side_by_side = { .dim = -1 };
static const hn_reduce_attr mean_of_rows = { .how = HONE_REDUCE_MEAN, .dim = 0 };
static const hn_pooling_attr mean_token = { HONE_POOL_MEAN };
static const hn_pointwise_loss_attr yes_or_no = { .kind = HONE_LOSS_BCE };
static const hn_dropout_attr drop = { .p = 0.1f };
static const hn_embedding_attr from_start = { .pos0 = 0 };
static const hn_linear_cross_entropy_attr mean = { .ignore = -1 };
static const hn_attention_attr heads4 = { .o = { .heads = 4, .causal = true, .scale = 0.1767767f } },
                               heads6x48 = { .o = { .heads = 6, .causal = true, .scale = 0.1443376f } },
                               every4 = { .o = { .heads = 4, .causal = false, .scale = 0.125f } },
                               heads6 = { .o = { .heads = 6, .causal = true, .scale = 0.125f } },
                               heads12 = { .o = { .heads = 12, .causal = true, .scale = 0.125f } };

#define LINEAR(NAME, B, T, K, N, ATTR) { "linear", { NAME, { DIMS(B, T, K), DIMS(K, N) }, { 3, 2 }, &ATTR } }
#define ATTENTION(NAME, B, T, C, ATTR) { "attention", { NAME, { DIMS(B, T, C), DIMS(B, T, C), DIMS(B, T, C) }, { 3, 3, 3 }, &ATTR } }
#define HEAD(NAME, B, T, C, V) { "linear_cross_entropy", { NAME, { DIMS(B, T, C), DIMS(V, C), DIMS(B, T) }, { 3, 2, 2 }, &mean, { 0, 0, V } } }

const bench_shape bench_shapes[] = {
    LINEAR("nanogpt 768x128x384", 12, 64, 128, 384, conv1d),
    LINEAR("nanogpt 768x128x512 gelu", 12, 64, 128, 512, conv1d_gelu),
    LINEAR("nanogpt 768x512x128", 12, 64, 512, 128, conv1d),
    LINEAR("baby 4096x384x1152", 16, 256, 384, 1152, conv1d),
    LINEAR("baby 4096x384x1536 gelu", 16, 256, 384, 1536, conv1d_gelu),
    LINEAR("baby 4096x1536x384", 16, 256, 1536, 384, conv1d),
    LINEAR("gpt2 1024x768x2304", 4, 256, 768, 2304, conv1d),
    LINEAR("gpt2 1024x768x768", 4, 256, 768, 768, conv1d),
    LINEAR("gpt2 1024x768x3072 gelu", 4, 256, 768, 3072, conv1d_gelu),
    LINEAR("gpt2 1024x3072x768", 4, 256, 3072, 768, conv1d),
    { "linear", { "llama15m 2048x288x768", { DIMS(8, 256, 288), DIMS(768, 288) }, { 3, 2 }, &rows } },
    { "linear", { "llama15m 2048x768x288", { DIMS(8, 256, 768), DIMS(288, 768) }, { 3, 2 }, &rows } },
    { "linear", { "bertmini 4096x256x1024 gelu", { DIMS(32, 128, 256), DIMS(1024, 256) }, { 3, 2 }, &rows_gelu } },
    { "linear", { "bertmini 4096x1024x256", { DIMS(32, 128, 1024), DIMS(256, 1024) }, { 3, 2 }, &rows } },
    LINEAR("gpt2 one row 768x3072", 1, 1, 768, 3072, conv1d),
    ATTENTION("nanogpt 12 x 4 heads of 32, 64 long", 12, 64, 128, heads4),
    ATTENTION("baby 16 x 6 heads of 64, 256 long", 16, 256, 384, heads6),
    ATTENTION("gpt2 4 x 12 heads of 64, 256 long", 4, 256, 768, heads12),
    ATTENTION("gpt2 1 x 12 heads of 64, 1024 long", 1, 1024, 768, heads12),
    ATTENTION("llama15m 8 x 6 heads of 48, 256 long", 8, 256, 288, heads6x48),
    ATTENTION("bertmini 32 x 4 heads of 64, 128 long, every key", 32, 128, 256, every4),
    HEAD("llama15m 2048x288x32000", 8, 256, 288, 32000),
    HEAD("nanogpt 768x128x65", 12, 64, 128, 65),
    HEAD("baby 4096x384x65", 16, 256, 384, 65),
    HEAD("gpt2 1024x768x50257", 4, 256, 768, 50257),
    { "layernorm", { "gpt2 1024x768", { DIMS(4, 256, 768), DIMS(768), DIMS(768) }, { 3, 1, 1 }, &norm } },
    { "rmsnorm", { "llama15m 2048x288", { DIMS(8, 256, 288), DIMS(288) }, { 3, 1 }, &rms } },
    { "rope", { "llama15m 2048x288", { DIMS(8, 256, 288), DIMS(256, 48) }, { 3, 2 }, &rope6 } },
    { "mul", { "gpt2 1024x768", { DIMS(4, 256, 768), DIMS(4, 256, 768) }, { 3, 3 }, NULL } },
    { "transpose", { "gpt2 4x256x12x64", { DIMS(4, 256, 12, 64) }, { 4 }, &middle } },
    { "activation", { "gpt2 gelu 1024x3072", { DIMS(4, 256, 3072) }, { 3 }, &tanh_gelu } },
    { "swiglu", { "llama15m 2048x768", { DIMS(8, 256, 768), DIMS(8, 256, 768) }, { 3, 3 }, NULL } },
    { "softmax", { "gpt2 1024x768", { DIMS(4, 256, 768) }, { 3 }, &softmax } },
    { "dropout", { "gpt2 1024x768", { DIMS(4, 256, 768) }, { 3 }, &drop } },
    { "add", { "gpt2 1024x768", { DIMS(4, 256, 768), DIMS(4, 256, 768) }, { 3, 3 }, NULL } },
    { "add", { "gpt2 1024x768 and a row", { DIMS(4, 256, 768), DIMS(768) }, { 3, 1 }, NULL } },
    { "mul", { "gpt2 1024x768", { DIMS(4, 256, 768), DIMS(4, 256, 768) }, { 3, 3 }, NULL } },
    { "matmul", { "gpt2 48 heads, scores of 256x64x256", { DIMS(4, 12, 256, 64), DIMS(4, 12, 256, 64) }, { 4, 4 }, &b_turned } },
    { "transpose", { "gpt2 heads, 4x256x12x64", { DIMS(4, 256, 12, 64) }, { 4 }, &heads } },
    { "transpose", { "gpt2 matrix, 1024x768", { DIMS(1024, 768) }, { 2 }, &turned } },
    { "concat", { "two halves, 1024x768", { DIMS(1024, 384), DIMS(1024, 384) }, { 2, 2 }, &side_by_side } },
    { "reduce", { "mean over 1024 of 768", { DIMS(1024, 768) }, { 2 }, &mean_of_rows } },
    { "pooling", { "bert mean, 32x128x256", { DIMS(32, 128, 256) }, { 3 }, &mean_token } },
    { "pointwise_loss", { "bce 1024x768", { DIMS(1024, 768), DIMS(1024, 768) }, { 2, 2 }, &yes_or_no } },
    { "embedding", { "gpt2 1024 of 50257x768", { DIMS(4, 256), DIMS(50257, 768), DIMS(256, 768) }, { 2, 2, 2 }, &from_start, { 50257 } } },
};
const int64_t bench_n_shapes = HN_LEN(bench_shapes);
