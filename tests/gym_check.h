/* gym_check.h - answers of the gym worked out a second time, from the text of the prompt alone and by other means than the families use. */
#ifndef GYM_CHECK_H
#define GYM_CHECK_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static const solver solvers[] = {
    { "arithmetic", solve_arithmetic }, { "sort", solve_sort }, { "strings", solve_strings }, { "lookup", solve_lookup },
};
#endif
