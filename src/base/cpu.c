/* cpu.c - which instruction set the kernels use: the best one here, or the one that HONE_ISA asks for (tests walk through all).
 * AVX-512 counts only with F, BW, DQ and VL together, as every server core since Skylake and Zen 4 has it; avx512bf16 has the
 * products of bf16 numbers besides. */
#include "base/job.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const isa_names[HN_ISA_COUNT] = { "plain", "avx2", "avx512", "avx512bf16" };
static hn_isa isa;
static char isa_error[200];

static hn_isa best_isa(void) {
#ifdef __x86_64__
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return HN_ISA_PLAIN;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) return __builtin_cpu_supports("avx512bf16") ? HN_ISA_AVX512BF16 : HN_ISA_AVX512;
    return HN_ISA_AVX2;
#else
    return HN_ISA_PLAIN;
#endif
}

static void choose(void) {
    isa = best_isa();
    const char *wish = getenv("HONE_ISA");
    if (!wish || !*wish) return;
    for (int i = 0; i < HN_ISA_COUNT; i++) {
        if (strcmp(wish, isa_names[i])) continue;
        if (i <= (int)isa) isa = (hn_isa)i;
        else snprintf(isa_error, sizeof isa_error, "HONE_ISA=%s: this CPU has at most %s", wish, isa_names[isa]);
        return;
    }
    snprintf(isa_error, sizeof isa_error, "HONE_ISA=%.40s: wanted " HN_ISA_NAMES, wish);
}

static void chosen(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, choose);
}

hn_isa hn_cpu_isa(void) { chosen(); return isa; }
void hn_cpu_isa_force(hn_isa i) { chosen(); isa = HN_MIN(i, best_isa()); }
const char *hn_cpu_isa_error(void) { chosen(); return *isa_error ? isa_error : NULL; }
const char *hn_isa_name(hn_isa i) { return (unsigned)i < HN_ISA_COUNT ? isa_names[i] : "?"; }

/* The value behind "key : " in /proc/cpuinfo. */
static bool info(const char *text, const char *key, char *out, size_t cap) {
    const char *p = strstr(text, key), *colon = p ? strchr(p, ':') : NULL;
    if (!colon) return false;
    colon += 1 + (colon[1] == ' ');
    snprintf(out, cap, "%.*s", (int)strcspn(colon, "\n"), colon);
    return *out;
}

const char *hn_cpu_describe(hn_arena *a) {
    char text[4096], name[128] = "";
    if (hn_sys_text("/proc/cpuinfo", text, sizeof text) < 0 || !info(text, "model name", name, sizeof name))
#if defined(__x86_64__)
        snprintf(name, sizeof name, "x86-64");
#elif defined(__aarch64__)
        snprintf(name, sizeof name, "arm64");
#else
        snprintf(name, sizeof name, "unknown CPU");
#endif
    hn_buf b = { 0 };
    int cores = hn_cpu_cores();
    hn_buf_fmt(a, &b, "%s, %d core%s,", name, cores, cores == 1 ? "" : "s");
    int64_t before = b.n;
#ifdef __x86_64__
#define HAS(feature) if (__builtin_cpu_supports(feature)) hn_buf_fmt(a, &b, " " feature);
    HAS("avx2") HAS("fma") HAS("avx512f") HAS("avx512bw") HAS("avx512dq") HAS("avx512vl") HAS("avx512vnni") HAS("avx512bf16")
#undef HAS
#endif
    if (b.n == before) hn_buf_fmt(a, &b, " plain");
    return hn_buf_str(a, &b);
}
