/* vec_math.h - the functions of vec.h, written once for one vector and for four side by side: vec.h includes this with V_T, a type, and V_,
 * what its operations begin with. */

/* eˣ = 2ⁿ·eʳ, |r| ≤ ln2/2, eʳ by the polynomial of Cephes' expf. */
static inline V_T V_(exp)(V_T x) {
    V_T y = V_(min)(V_(set)(88.3762626647949f), V_(max)(V_(set)(-87.3365478515625f), x));
    V_T n = V_(round)(V_(mul)(y, V_(set)(1.44269504088896341f)));
    V_T r = V_(fnma)(n, V_(set)(-2.12194440e-4f), V_(fnma)(n, V_(set)(0.693359375f), y));
    V_T p = V_(fma)(V_(set)(1.9875691500e-4f), r, V_(set)(1.3981999507e-3f));
    p = V_(fma)(p, r, V_(set)(8.3334519073e-3f));
    p = V_(fma)(p, r, V_(set)(4.1665795894e-2f));
    p = V_(fma)(p, r, V_(set)(1.6666665459e-1f));
    p = V_(fma)(p, r, V_(set)(5.0000001201e-1f));
    p = V_(add)(V_(fma)(p, V_(mul)(r, r), r), V_(set)(1));
    return V_(where_lt)(x, V_(set)(-87.3365478515625f), V_(set)(0), V_(ldexp)(p, n));
}
static inline V_T V_(neg)(V_T x) { return V_(sub)(V_(set)(0), x); }

/* gelu in the tanh form is x·σ(2u), u = √(2/π)(x + 0.044715x³): no cancellation anywhere. */
static inline V_T V_(gelu_tanh_exp)(V_T x) /* exp(−2u), finite */
{
    return V_(exp)(V_(mul)(x, V_(fma)(V_(mul)(x, x), V_(set)(-2 * 0.7978845608f * 0.044715f), V_(set)(-2 * 0.7978845608f))));
}
static inline V_T V_(gelu_tanh)(V_T x) { return V_(div)(x, V_(add)(V_(set)(1), V_(gelu_tanh_exp)(x))); }
static inline V_T V_(gelu_tanh_grad)(V_T x) {
    V_T e = V_(gelu_tanh_exp)(x), s = V_(div)(V_(set)(1), V_(add)(V_(set)(1), e)); /* 1 − σ = e·σ without cancellation */
    V_T du = V_(fma)(V_(mul)(x, x), V_(set)(6 * 0.7978845608f * 0.044715f), V_(set)(2 * 0.7978845608f));
    return V_(fma)(V_(mul)(V_(mul)(x, s), V_(mul)(e, s)), du, s);
}
/* Φ(x); *e = exp(−x²/2). Φ(−a) = *e·P(a)/Q(a) for a ≥ 0: P/Q is fitted to exp(a²/2)·Φ(−a) on 0 … 13.3 for the least relative error,
 * 5e-9, by reweighted least squares. Further out *e is 0. Both tails keep their relative accuracy, and the exponential serves gelu's
 * derivative, Φ + x·φ, as well. */
static inline V_T V_(normal_cdf)(V_T x, V_T *e) {
    V_T zero = V_(set)(0), a = V_(min)(V_(set)(13.5f), V_(max)(V_(neg)(x), x)), p, q;
    p = V_(fma)(V_(set)(0.00402020012f), a, V_(set)(0.039984239f)), q = V_(fma)(V_(set)(0.0100770041f), a, V_(set)(0.100233005f));
    p = V_(fma)(p, a, V_(set)(0.181306958f)), q = V_(fma)(q, a, V_(set)(0.464380858f));
    p = V_(fma)(p, a, V_(set)(0.435686588f)), q = V_(fma)(q, a, V_(set)(1.19448504f));
    p = V_(fma)(p, a, V_(set)(0.5f)), q = V_(fma)(V_(fma)(q, a, V_(set)(1.66925809f)), a, V_(set)(1));
    *e = V_(exp)(V_(mul)(V_(mul)(V_(set)(-0.5f), a), a));
    a = V_(div)(V_(mul)(*e, p), q);
    return V_(where_lt)(x, zero, a, V_(sub)(V_(set)(1), a));
}
static inline V_T V_(gelu)(V_T x) {
    V_T e;
    return V_(mul)(x, V_(normal_cdf)(x, &e));
}
static inline V_T V_(gelu_grad)(V_T x) {
    V_T e, cdf = V_(normal_cdf)(x, &e);
    return V_(fma)(V_(mul)(x, V_(set)(0.3989422804f)), e, cdf);
}

/* σ(x) = 1/(1 + e⁻ˣ); e = e⁻ˣ stays finite. silu'(x) = σ(1 + x(1 − σ)), 1 − σ = e·σ without cancellation. */
static inline V_T V_(sigmoid_exp)(V_T x, V_T *e) {
    *e = V_(exp)(V_(neg)(x));
    return V_(div)(V_(set)(1), V_(add)(V_(set)(1), *e));
}
static inline V_T V_(sigmoid)(V_T x) {
    V_T e;
    return V_(sigmoid_exp)(x, &e);
}
static inline V_T V_(sigmoid_grad)(V_T x) {
    V_T e, s = V_(sigmoid_exp)(x, &e);
    return V_(mul)(s, V_(mul)(e, s));
}
static inline V_T V_(silu_grad)(V_T x) {
    V_T e, s = V_(sigmoid_exp)(x, &e);
    return V_(fma)(V_(mul)(x, s), V_(mul)(e, s), s);
}
/* tanh: odd, (1 − e)/(1 + e) with e = exp(−2|x|); near 0, where that cancels, its series. */
static inline V_T V_(tanh)(V_T x) {
    V_T one = V_(set)(1), a = V_(max)(V_(neg)(x), x), q = V_(mul)(x, x);
    V_T e = V_(exp)(V_(mul)(V_(set)(-2), a)), t = V_(div)(V_(sub)(one, e), V_(add)(one, e));
    V_T p = V_(fma)(q, V_(fma)(q, V_(fma)(q, V_(set)(-0.05396825397f), V_(set)(0.13333333333f)), V_(set)(-0.33333333333f)), one);
    return V_(where_lt)(a, V_(set)(0.15f), V_(mul)(x, p), V_(where_lt)(x, V_(set)(0), V_(neg)(t), t));
}
