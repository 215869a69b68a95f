/* sign.c - what + - * / // % ** ~ and `in` make of two values, as in Python. */
#include "data/template/jinja.h"
#include <math.h>

static jvalue integer(int64_t i) { return (jvalue){ J_INT, { .i = i } }; }
static bool is_whole(const jvalue *v) { return v->type == J_INT || v->type == J_BOOL; }
static bool is_number(const jvalue *v) { return is_whole(v) || v->type == J_FLOAT; }
static int64_t whole(const jvalue *v) { return v->type == J_BOOL ? v->b : v->i; }
static double real(const jvalue *v) { return v->type == J_FLOAT ? v->f : (double)whole(v); }

static bool joined(jrun *r, const jvalue *x, const jvalue *y, jvalue *out) {
    hn_buf b = { 0 };
    if (!hn_jinja_take(r, x->s.n + y->s.n)) return false;
    hn_buf_put(r->a, &b, x->s.p, x->s.n);
    hn_buf_put(r->a, &b, y->s.p, y->s.n);
    *out = hn_j_str(b.n ? b.v : "", b.n);
    return true;
}
static bool repeated(jrun *r, const jvalue *x, int64_t n, jvalue *out) {
    int64_t bytes;
    hn_buf b = { 0 };
    if (!hn_mul(x->s.n, HN_MAX(n, 0), &bytes) || bytes > HN_JINJA_OUT || !hn_jinja_take(r, bytes))
        return hn_jinja_fail(r, "a text grows too long");
    for (int64_t i = 0; x->s.n && i < n; i++) hn_buf_put(r->a, &b, x->s.p, x->s.n);
    *out = hn_j_str(b.n ? b.v : "", b.n);
    return true;
}

static bool whole_sum(jrun *r, int op, int64_t x, int64_t y, jvalue *out) {
    int64_t z = 0;
    bool over = false;
    if ((op == OP_FLOORDIV || op == OP_MOD) && !y) return hn_jinja_fail(r, "division by zero");
    if (op == OP_ADD) over = __builtin_add_overflow(x, y, &z);
    else if (op == OP_SUB) over = __builtin_sub_overflow(x, y, &z);
    else if (op == OP_MUL) over = __builtin_mul_overflow(x, y, &z);
    else if (x == INT64_MIN && y == -1) over = true;
    else { /* towards minus infinity, as Python */ int64_t q = x / y, m = x % y;
        if (m && (m < 0) != (y < 0)) q--, m += y;
        z = op == OP_MOD ? m : q;
    }
    *out = integer(z);
    return !over || hn_jinja_fail(r, "a number grows too large");
}

static bool whole_power(jrun *r, int64_t x, int64_t n, jvalue *out) {
    int64_t z = 1;
    bool over = false;
    for (; n > 0 && !over; n >>= 1) {
        if (n & 1) over = __builtin_mul_overflow(z, x, &z);
        if (n > 1) over |= __builtin_mul_overflow(x, x, &x);
    }
    *out = integer(z);
    return !over || hn_jinja_fail(r, "a number grows too large");
}

bool hn_j_binary(jrun *r, int op, const jvalue *x, const jvalue *y, jvalue *out) {
    if (op == OP_CONCAT) {
        jvalue a, b;
        return hn_j_text(r, x, &a) && hn_j_text(r, y, &b) && joined(r, &a, &b, out);
    }
    if (op == OP_ADD && x->type == J_STR && y->type == J_STR) return joined(r, x, y, out);
    if (op == OP_ADD && x->type == J_LIST && y->type == J_LIST) {
        HN_VEC(jvalue) v = { 0 };
        if (!hn_jinja_take(r, (x->l.n + y->l.n) * (int64_t)sizeof(jvalue))) return false;
        for (int64_t i = 0; i < x->l.n + y->l.n; i++) hn_push(r->a, &v, i < x->l.n ? x->l.v[i] : y->l.v[i - x->l.n]);
        *out = (jvalue){ J_LIST, { .l = { v.v, v.n } } };
        return true;
    }
    if (op == OP_MUL && x->type == J_STR && is_whole(y)) return repeated(r, x, whole(y), out);
    if (op == OP_MUL && y->type == J_STR && is_whole(x)) return repeated(r, y, whole(x), out);
    if (!is_number(x) || !is_number(y)) {
        const jvalue *u = x->type == J_UNDEFINED ? x : y->type == J_UNDEFINED ? y : NULL;
        return u ? hn_jinja_missing(r, u) : hn_jinja_fail(r, "%s and %s do not go together", hn_j_type(x), hn_j_type(y));
    }
    if (is_whole(x) && is_whole(y) && op == OP_POW && whole(y) >= 0) return whole_power(r, whole(x), whole(y), out);
    if (is_whole(x) && is_whole(y) && op != OP_DIV && op != OP_POW) return whole_sum(r, op, whole(x), whole(y), out);
    double a = real(x), b = real(y),
           z = op == OP_ADD   ? a + b
               : op == OP_SUB ? a - b
               : op == OP_MUL ? a * b
               : op == OP_POW ? pow(a, b)
                              : a / b;
    if ((op == OP_DIV || op == OP_FLOORDIV || op == OP_MOD) && b == 0) return hn_jinja_fail(r, "division by zero");
    if (op == OP_FLOORDIV) z = floor(z);
    if (op == OP_MOD) z = a - b * floor(a / b);
    *out = (jvalue){ J_FLOAT, { .f = z } };
    return true;
}

bool hn_j_contains(jrun *r, const jvalue *in, const jvalue *x, bool *yes) {
    *yes = false;
    if (in->type == J_STR) {
        if (x->type != J_STR) return hn_jinja_fail(r, "a text holds texts, not %s", hn_j_type(x));
        *yes = !x->s.n || memmem(in->s.p, (size_t)in->s.n, x->s.p, (size_t)x->s.n);
    } else if (in->type == J_LIST) {
        for (int64_t i = 0; i < in->l.n && !*yes; i++) *yes = hn_j_equal(r, &in->l.v[i], x);
    } else if (in->type == J_DICT || in->type == J_NAMESPACE) {
        for (int64_t i = 0; i < in->d->v.n && !*yes; i++) *yes = hn_j_equal(r, &in->d->v.v[i].key, x);
    } else if (in->type != J_UNDEFINED) return hn_jinja_fail(r, "%s holds nothing to look for", hn_j_type(in));
    return true;
}
