/* jinja.h - the inside of the template interpreter: values, tree, and what its files share. See template.h for the outside. */
#ifndef HN_DATA_TEMPLATE_JINJA_H
#define HN_DATA_TEMPLATE_JINJA_H
#include "data/template/template.h"

enum { HN_JINJA_DEPTH = 200, HN_JINJA_STEPS = 5000000, HN_JINJA_BYTES = 256 << 20, HN_JINJA_OUT = 64 << 20 };
enum { HN_JINJA_NESTED = 2050 }; /* values in values; JSON has 2048 */

/* ---- values: immutable, but for namespaces ---- */
typedef enum jtype { J_UNDEFINED, J_NONE, J_BOOL, J_INT, J_FLOAT, J_STR, J_LIST, J_DICT, J_NAMESPACE, J_MACRO, J_BUILTIN, J_LOOP } jtype;
typedef struct jvalue jvalue;
typedef struct jpair jpair;
struct jvalue {
    jtype type;
    union {
        bool b;
        int64_t i;
        double f;
        struct {
            const char *p;
            int64_t n;
        } s;
        struct {
            const jvalue *v;
            int64_t n;
            bool tuple; /* told apart in printing alone */
        } l;
        struct jdict *d;
        const struct jnode *macro;
        struct {
            const char *name;                                         /* of a builtin function; of what is undefined */
            const struct jdict *among;                                /* what is undefined is a member of this table; NULL: of none */
            enum { J_PART, J_VARIABLE, J_MEMBER, J_NO_CASE } lacking; /* J_NO_CASE: `a if c` of a false c, which is never a fault */
        };
        const struct jloop *loop;
    };
};
typedef struct jloop {
    int64_t index, n;
    const jvalue *items;
    jvalue last_seen;
} jloop; /* index from 0 */
struct jpair {
    jvalue key, value;
};
typedef struct jdict {
    HN_VEC(jpair) v;
} jdict;

/* ---- the tree ---- */
typedef enum jkind {
    /* expressions */
    N_CONST,
    N_NAME,
    N_LIST,
    N_DICT,
    N_ATTR,
    N_ITEM,
    N_SLICE,
    N_CALL,
    N_FILTER,
    N_TEST,
    N_NOT,
    N_AND,
    N_OR,
    N_NEG,
    N_COMPARE,
    N_BINARY,
    N_COND,
    N_KEYWORD,
    /* statements */
    N_DATA,
    N_PRINT,
    N_FOR,
    N_IF,
    N_SET,
    N_SET_BLOCK,
    N_MACRO,
    N_BREAK,
    N_CONTINUE,
    N_GENERATION
} jkind;
typedef struct jnode jnode;
struct jnode {
    jkind kind;
    int line;
    int op; /* N_BINARY, N_COMPARE: the sign; N_TEST: 1 when `is not`; N_LIST: 1 for a tuple */
    const char *name;
    jvalue value;
    jnode *a, *b, *c;
    jnode *list, *other; /* children, chained by next; the other branch */
    jnode *next;
};
enum {
    OP_ADD = 1,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_FLOORDIV,
    OP_MOD,
    OP_POW,
    OP_CONCAT,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_NOT_IN
};

/* ---- lex.c ---- */
typedef enum jtoken_kind {
    T_DATA,
    T_NAME,
    T_STRING,
    T_INT,
    T_FLOAT,
    T_SIGN,
    T_BLOCK_BEGIN,
    T_BLOCK_END,
    T_PRINT_BEGIN,
    T_PRINT_END,
    T_END
} jtoken_kind;
typedef struct jtoken {
    jtoken_kind kind;
    int line;
    const char *p;
    int64_t n; /* of a string: its content */
} jtoken;
typedef HN_VEC(jtoken) jtokens;
struct hn_template {
    const hn_template_rules *rules;
    const char *where;
    jnode *body;
    bool marks; /* has generation blocks */
};
bool hn_jinja_lex(hn_arena *a, const hn_template *t, const char *text, int64_t n, jtokens *out) HN_CHECK;
bool hn_jinja_refuse(hn_arena *a, const hn_template *t, int line, const char *what, const char *hint); /* false */

/* ---- eval.c, run.c ---- */
typedef struct jframe {
    struct jframe *up;
    HN_VEC(struct jbinding {
        const char *name;
        jvalue value;
    })
    v;
} jframe;
typedef struct jrun {
    hn_arena *a;
    const hn_template *t;
    double now;
    hn_buf out;
    jframe *frame, *globals;
    int64_t steps, bytes;
    int nested;               /* how deep two values are being compared */
    int depth, line, in_text; /* in_text: what is written becomes a value first, so places in it are not yet known */
    bool leave, again;        /* break, continue */
    hn_rendered *result;
} jrun;
bool hn_jinja_fail(jrun *r, const char *fmt, ...) HN_PRINTF(2, 3); /* false; names the line */
bool hn_jinja_missing(jrun *r, const jvalue *v);                   /* false: this undefined value was used */
bool hn_jinja_need(jrun *r, const jvalue *v) HN_CHECK;             /* may v be used? Else hn_jinja_missing */
bool hn_jinja_eval(jrun *r, const jnode *n, jvalue *out) HN_CHECK;
bool hn_jinja_truth(jrun *r, const jnode *n, jvalue *v, bool *yes) HN_CHECK;
bool hn_jinja_tick(jrun *r, const jnode *n) HN_CHECK; /* one step */
bool hn_jinja_deeper(jrun *r) HN_CHECK;
bool hn_jinja_bind(jrun *r, const char *name, jvalue value) HN_CHECK;
jvalue hn_jinja_lookup(jrun *r, const char *name);
bool hn_jinja_run(jrun *r, const jnode *n) HN_CHECK; /* run.c: statements, chained */
bool hn_jinja_take(jrun *r, int64_t bytes) HN_CHECK; /* from what a rendering may allocate */
void hn_jinja_work(jrun *r, const jvalue *v);        /* steps for going through v once */

/* ---- value.c ---- */
jvalue hn_j_str(const char *p, int64_t n);
bool hn_j_true(const jvalue *v);
bool hn_j_equal(jrun *r, const jvalue *x, const jvalue *y); /* false too where it takes too long; the next step tells */
bool hn_j_compare(jrun *r, const jvalue *x, const jvalue *y, int *out) HN_CHECK;    /* numbers, strings, lists */
bool hn_j_text(jrun *r, const jvalue *v, jvalue *out) HN_CHECK;                     /* as Python's str(); undefined is empty */
bool hn_j_put(jrun *r, hn_buf *b, const jvalue *v, bool quote, int depth) HN_CHECK; /* str or repr */
bool hn_j_json(jrun *r, hn_buf *b, const jvalue *v, int64_t indent /* < 0: one line */, int depth) HN_CHECK;
bool hn_j_from_json(jrun *r, const json_t *v, jvalue *out, int depth) HN_CHECK;
json_t *hn_j_to_json(jrun *r, const jvalue *v, int depth) HN_CHECK;     /* a new reference; NULL: a fault */
const jvalue *hn_j_get(const jvalue *dict, const char *key, int64_t n); /* NULL: none */
void hn_j_set(hn_arena *a, jdict *d, const char *key, int64_t n, jvalue value);
const char *hn_j_type(const jvalue *v);
bool hn_j_bytes(jrun *r, const hn_buf *b, jvalue *out) HN_CHECK; /* a buffer as a string, paid for */

/* ---- arguments of a call ---- */
typedef struct jargs {
    jvalue v[8];
    int n;
    struct {
        const char *name;
        jvalue value;
    } kw[8];
    int n_kw;
} jargs;
/* ---- sign.c ---- */
bool hn_j_binary(jrun *r, int op, const jvalue *x, const jvalue *y, jvalue *out) HN_CHECK;
bool hn_j_contains(jrun *r, const jvalue *in, const jvalue *x, bool *yes) HN_CHECK;

/* ---- text.c ---- */
const jvalue *hn_j_arg(const jargs *args, int i, const char *name); /* number i, or that of the name; NULL: not given */
bool hn_j_text_arg(jrun *r, const char *who, const jvalue *v, jvalue *out) HN_CHECK;
bool hn_j_number_arg(jrun *r, const char *who, const jvalue *v, int64_t def, int64_t *out) HN_CHECK;
jvalue hn_j_strip(const jvalue *v, const jvalue *set, bool left, bool right); /* set NULL: white space */
bool hn_j_replace(jrun *r, const jvalue *v, const jvalue *from, const jvalue *to, int64_t most, jvalue *out) HN_CHECK;
bool hn_j_split(jrun *r, const jvalue *v, const jvalue *by, int64_t most, bool from_right, jvalue *out) HN_CHECK;
typedef enum jcase { J_UPPER, J_LOWER, J_TITLE, J_CAPITAL, J_WORDS /* the filter `title`: after blanks and - ( { [ < alone */ } jcase;
bool hn_j_recase(jrun *r, const jvalue *v, jcase how, jvalue *out) HN_CHECK;
bool hn_j_join(jrun *r, const jvalue *list, const jvalue *by, const char *attribute, jvalue *out) HN_CHECK;
int64_t hn_j_points(const char *p, int64_t n);
bool hn_j_text_method(jrun *r, const jvalue *self, const char *name, const jargs *args, jvalue *out) HN_CHECK;

/* ---- call.c ---- */
bool hn_jinja_filter(jrun *r, const char *name, const jvalue *in, const jargs *args, jvalue *out) HN_CHECK;
bool hn_jinja_test(jrun *r, const char *name, const jvalue *in, const jargs *args, bool *out) HN_CHECK;
bool hn_jinja_method(jrun *r, const jvalue *self, const char *name, const jargs *args, jvalue *out) HN_CHECK;
bool hn_jinja_function(jrun *r, const char *name, const jargs *args, jvalue *out) HN_CHECK;
/* talk: among those of transformers. *near: the name that was perhaps meant, or NULL */
bool hn_jinja_has_filter(const char *name, bool talk, const char **near), hn_jinja_has_test(const char *name, const char **near);
bool hn_jinja_has_function(const char *name, bool talk);
#endif
