/* shapes.h - shapes of the layers of named transformers, in the form of the operators' own cases. */
#ifndef HN_BENCH_SHAPES_H
#define HN_BENCH_SHAPES_H
#include "tensor/tensor.h"

typedef struct bench_shape {
    const char *op;
    hn_op_case c; /* doc is the name */
} bench_shape;
extern const bench_shape bench_shapes[];
extern const int64_t bench_n_shapes;
#endif
