/* gym_check.h - answers of the gym worked out a second time, from the text of the prompt alone and by other means than the families use. */
#ifndef GYM_CHECK_H
#define GYM_CHECK_H
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ANSWER = 1024 };
typedef struct { const char *name; void (*solve)(const char *prompt, char answer[ANSWER]); } solver;

static inline void say(char *to, const char *fmt, long long x) { snprintf(to + strlen(to), ANSWER - strlen(to), fmt, x); }

/* School addition and subtraction on the digits. */
static inline void solve_arithmetic(const char *p, char *out) {
    char x[64], y[64], op, r[64] = "";
    if (sscanf(p, "%63[0-9]%c%63[0-9]=", x, &op, y) != 3) return;
    int nx = (int)strlen(x), ny = (int)strlen(y), n = (nx > ny ? nx : ny) + 1, carry = 0;
    r[n] = 0;
    for (int k = 1; k <= n; k++) {
        int a = k <= nx ? x[nx - k] - '0' : 0, b = k <= ny ? y[ny - k] - '0' : 0, s = op == '+' ? a + b + carry : a - b - carry;
        carry = op == '+' ? s > 9 : s < 0;
        r[n - k] = (char)('0' + (s + 10) % 10);
    }
    snprintf(out, ANSWER, "%s", r + (strspn(r, "0") < (size_t)n ? strspn(r, "0") : (size_t)n - 1));
}

/* By counting how often each number stands there. */
static inline void solve_sort(const char *p, char *out) {
    static int seen[10000];
    memset(seen, 0, sizeof seen);
    for (p = strchr(p, ' '); p && *p && *p != '=';) seen[strtol(p, (char **)&p, 10)]++;
    for (int v = 0; v < 10000; v++)
        while (seen[v]--> 0) say(out, *out ? " %lld" : "%lld", v);
}

static inline void solve_strings(const char *p, char *out) {
    char w[ANSWER], next[ANSWER], edits[ANSWER];
    const char *colon = strchr(p, ':');
    snprintf(edits, sizeof edits, "%.*s", (int)(colon - p), p);
    sscanf(colon, ": %1000[a-z]", w);
    for (char *save, *e = strtok_r(edits, ",", &save); e; e = strtok_r(NULL, ",", &save)) {
        char verb[32] = "", x = 0, y = 0;
        sscanf(e, " %31s %c %c", verb, &x, &y);
        size_t n = strlen(w), k = 0;
        if (!strcmp(verb, "rotate")) {
            for (int i = x - '0'; n && i > 0; i--) {
                char first = *w;
                memmove(w, w + 1, n - 1);
                w[n - 1] = first;
            }
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            char c = !strcmp(verb, "reverse") ? w[n - 1 - i] : w[i];
            if (!strcmp(verb, "swap") && (c == x || c == y)) c = (char)(x + y - c);
            if (!strcmp(verb, "drop") && c == x) continue;
            next[k++] = c;
            if (!strcmp(verb, "double") && c == x) next[k++] = c;
        }
        next[k] = 0;
        strcpy(w, next);
    }
    snprintf(out, ANSWER, "%s", w);
}

static inline void solve_lookup(const char *p, char *out) {
    const char *q = strchr(p, '?');
    char row, column = 'A', start[8];
    if (sscanf(q, "? %c %c", &row, &column) < 2 || column == '=') column = 'A';
    sscanf(q, "? %c %c", &row, &(char){ 0 });
    snprintf(start, sizeof start, "; %c ", row);
    const char *cell = strstr(p, start) + 4;
    for (; column > 'A'; column--) cell = strchr(cell, ' ') + 1;
    say(out, "%lld", strtol(cell, NULL, 10));
}

/* Products first, replaced by their values in a list of signed terms. */
static inline void solve_chain(const char *p, char *out) {
    long long term[32], sum = 0;
    int n = 0;
    for (char sign = '+'; sign != '='; sign = *p++) {
        long long x = strtoll(p, (char **)&p, 10);
        if (sign == '*') term[n - 1] *= x;
        else term[n++] = sign == '-' ? -x : x;
    }
    for (int i = 0; i < n; i++) sum += term[i];
    say(out, "%lld", sum);
}

static inline long long times(const char *p) {
    const char *star = strchr(p, '*'), *end = p + strspn(p, "0123456789*");
    return star && star < end ? atoll(p) * atoll(star + 1) : atoll(p);
}

static inline void solve_compare(const char *p, char *out) {
    for (p = strchr(p, ' '); p; p = strchr(p + 1, ' ')) {
        long long x = times(p + 1), y = times(strchr(p, ':') + 1);
        strcat(out, x < y ? "<" : x > y ? ">" : "=");
    }
}

static inline void solve_count(const char *p, char *out) {
    const char *word = strstr(p, " in ") + 4;
    for (p = strchr(p, ' '); p + 4 < word; p += 2) {
        long long n = 0;
        for (const char *q = word; *q; q++) n += *q == p[1];
        say(out, *out ? " %lld" : "%lld", n);
    }
}

static inline void solve_parity(const char *p, char *out) {
    for (p = strchr(p, ' '); p; p = strchr(p + 1, ' ')) strcat(out, __builtin_parityll(strtoull(p, NULL, 2)) ? "1" : "0");
}

/* Takes away pairs that touch until none does. */
static inline void solve_brackets(const char *p, char *out) {
    char s[ANSWER] = "";
    sscanf(p, "close %1000[^=]", s);
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i + 1 < strlen(s); i++) {
            const char *pair[] = { "()", "[]", "{}", "<>" };
            for (int k = 0; k < 4; k++)
                if (!strncmp(s + i, pair[k], 2)) {
                    memmove(s + i, s + i + 2, strlen(s + i + 2) + 1);
                    again = true;
                }
        }
    }
    for (size_t i = strlen(s); i-- > 0;) strcat(out, s[i] == '(' ? ")" : s[i] == '[' ? "]" : s[i] == '{' ? "}" : s[i] == '<' ? ">" : "?");
}

/* Term by term; powers by multiplying so many times. */
static inline void solve_modular(const char *p, char *out) {
    long long m = atoll(strstr(p, " mod ") + 5), sum = 0, term = 1 % m;
    while (*p != ' ') {
        long long x = strtoll(p, (char **)&p, 10), n = 1;
        if (*p == '^') n = strtoll(p + 1, (char **)&p, 10);
        for (; n > 0; n--) term = term * x % m;
        if (*p == '+' || *p == ' ') {
            sum += term;
            term = 1 % m;
        }
        if (*p != ' ') p++;
    }
    say(out, "%lld", sum % m);
}

/* By the C library's calendar. */
static inline void solve_dates(const char *p, char *out) {
    int y = 2000, mon = 1, d = 1, h = 0, min = 0;
    bool date = p[4] == '-', clock;
    if (date) sscanf(p, "%d-%d-%d", &y, &mon, &d);
    const char *colon = strchr(p, ':');
    if ((clock = colon)) sscanf(colon - 2, "%d:%d", &h, &min);
    struct tm tm = { .tm_year = y - 1900, .tm_mon = mon - 1, .tm_mday = d, .tm_hour = h, .tm_min = min };
    for (p = strchr(p, '+') + 1; *p && *p != '=';) {
        long n = strtol(p, (char **)&p, 10);
        if (!strncmp(p, " d", 2)) tm.tm_mday += (int)n;
        else if (!strncmp(p, " h", 2)) tm.tm_hour += (int)n;
        else tm.tm_min += (int)n;
        p += strcspn(p + 1, " =") + 1;
    }
    time_t t = timegm(&tm);
    gmtime_r(&t, &tm);
    strftime(out, ANSWER, date && clock ? "%Y-%m-%d %H:%M" : date ? "%Y-%m-%d" : "%H:%M", &tm);
}

/* Every person is tried, and the relation's definition asked of each; two that fit make no answer. */
typedef struct { char parent[4], child[4]; } kin;
typedef struct { kin v[32]; int n; } kins;
static inline bool is_parent(const kins *k, const char *p, const char *c) {
    for (int i = 0; i < k->n; i++)
        if (!strcmp(k->v[i].parent, p) && !strcmp(k->v[i].child, c)) return true;
    return false;
}
static inline bool is_kin(const kins *k, const char *relation, const char *p, const char *x) {
    if (!strcmp(relation, "parent")) return is_parent(k, p, x);
    for (int i = 0; i < k->n; i++) { /* by way of whom */
        const char *via = k->v[i].parent, *child = k->v[i].child;
        if (!strcmp(relation, "sibling") && strcmp(p, x) && is_parent(k, via, p) && is_parent(k, via, x)) return true;
        if (!strcmp(relation, "grandparent") && is_parent(k, p, via) && is_parent(k, via, x)) return true;
        if (!strcmp(relation, "great-grandparent") && is_parent(k, p, via) && is_kin(k, "grandparent", via, x)) return true;
        if (!strcmp(relation, "aunt or uncle") && is_kin(k, "sibling", p, via) && is_parent(k, via, x)) return true;
        if (!strcmp(relation, "cousin") && !strcmp(child, p) && is_kin(k, "aunt or uncle", via, x)) return true;
    }
    return false;
}
static inline void solve_family(const char *p, char *out) {
    kins k = { .n = 0 };
    char relation[32], x[4];
    int used, found = 0;
    for (; sscanf(p, "%3s has %3s%n", k.v[k.n].parent, k.v[k.n].child, &used) == 2; p += used + (p[used] == ',')) k.n++;
    const char *of = strstr(p, " of ");
    snprintf(relation, sizeof relation, "%.*s", (int)(of - p - 2), p + 2);
    snprintf(x, sizeof x, "%.3s", of + 4);
    for (int i = 0; i < 2 * k.n; i++) {
        const char *who = i % 2 ? k.v[i / 2].parent : k.v[i / 2].child;
        if (!is_kin(&k, relation, who, x) || !strcmp(out, who)) continue;
        snprintf(out, ANSWER, "%s%s", found++ ? "two: " : "", who);
    }
}

static inline void solve_multihop(const char *p, char *out) {
    const char *ask = strchr(p, ',');
    int steps;
    char at, arrow[8];
    sscanf(ask, ", %d from %c", &steps, &at);
    while (steps-- > 0) {
        snprintf(arrow, sizeof arrow, " %c>", at);
        at = strstr(p, arrow)[3];
    }
    snprintf(out, ANSWER, "%c", at);
}

/* The first rule that the whole row obeys: equal second differences, equal differences over two, x = 2x + r, x = x + x, x = px + qx. */
static inline bool goes_on(long long *v, int n, int more, int rule, long long m, long long p, long long q) {
    for (int i = rule == 0 ? 3 : 2; i < n + more; i++) {
        long long x = rule == 0   ? 3 * v[i - 1] - 3 * v[i - 2] + v[i - 3]
                      : rule == 1 ? (i < 4 ? v[i] : v[i - 2] + (v[i - 2] - v[i - 4]))
                      : rule == 2 ? 2 * v[i - 1] + (v[1] - 2 * v[0])
                      : rule == 3 ? v[i - 1] + v[i - 2]
                                  : (p * v[i - 1] + q * v[i - 2]) % m;
        if (i < n && x != v[i]) return false;
        v[i] = x;
    }
    return true;
}
static inline void solve_pattern(const char *p, char *out) {
    long long v[64], m = 0;
    int more = 0, n = 0;
    sscanf(p, "next %d mod %lld", &more, &m);
    for (p = strchr(p, ':') + 1; *p && *p != '=';) v[n++] = strtoll(p, (char **)&p, 10);
    bool ok = false;
    for (int rule = 0; !m && rule < 4 && !ok; rule++) ok = goes_on(v, n, more, rule, 0, 0, 0);
    for (long long a = 1; m && a < 10 && !ok; a++)
        for (long long b = 1; b < 10 && !ok; b++) ok = goes_on(v, n, more, 4, m, a, b);
    for (int i = n; ok && i < n + more; i++) say(out, i > n ? " %lld" : "%lld", v[i]);
}

static const solver solvers[] = {
    { "arithmetic", solve_arithmetic }, { "sort", solve_sort }, { "strings", solve_strings }, { "lookup", solve_lookup },
    { "chain", solve_chain }, { "compare", solve_compare }, { "count", solve_count }, { "parity", solve_parity },
    { "brackets", solve_brackets }, { "modular", solve_modular }, { "dates", solve_dates }, { "family", solve_family },
    { "multihop", solve_multihop }, { "pattern", solve_pattern },
};
#endif
