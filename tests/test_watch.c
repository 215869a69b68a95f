/* What measures: the watch on a tape, and the loops that find the limits of the machine. */
#include "tape_help.h"
#include "tensor/peak.h"

/* A watch hears each recorded call forward and backward, in seconds that make sense, and nothing once it is off. */
typedef struct heard {
    int forward, backward, odd;
} heard;
static void hear(void *user, const hn_call *c, bool backward, double seconds) {
    heard *h = user;
    if (backward) h->backward++;
    else h->forward++;
    h->odd += !(seconds >= 0 && seconds < 100) || !c->op;
}
static void test_watch(void **state) {
    hone_job *job = hone_open(&(hone_options){.threads = 1});
    hn_arena *a = hn_job_arena(job);
    hone_tape *t = hone_tape_new(job, NULL);
    assert_non_null(t);
    heard h = {0};
    hone_tensor *w = weight(a, "w", DIMS(3, 4), 1, 1);
    float v[8] = {1, 2, 3, 4, 5, 6, 7, 8}, p[6] = {1, 1, 1, 1, 1, 1};
    for (int on = 0; on < 2; on++) {
        hn_tape_watch(t, on ? hear : NULL, &h);
        hone_tape_begin(t, HONE_TRAIN, 1, 1);
        hone_tensor *y = hone_linear(t, hone_input_f32(t, v, DIMS(2, 4)), w, NULL, false, HONE_ACT_NONE);
        assert_true(hone_backward(t, project(t, hone_gelu(t, y, true), p, NULL)));
        assert_int_equal(h.forward, 3 * on);
        assert_int_equal(h.backward, 3 * on);
    }
    assert_int_equal(h.odd, 0);
    hone_close(job);
}

/* The chains end at their fixed point 1; every float is read. */
static void test_peak(void **state) {
    hn_isa best = hn_cpu_isa();
    float v[512];
    for (int i = 0; i < 512; i++) v[i] = (float)(i % 7);
    for (hn_isa isa = HN_ISA_PLAIN; isa <= best; isa++) {
        hn_cpu_isa_force(isa);
        const hn_peak *p = hn_peak_now();
        float sum = 0, chains = p->fma(100, 0.5f);
        for (int i = 0; i < 512; i++) sum += v[i];
        assert_true(p->read(v, 512) == sum);
        assert_true(p->flops > 0 && chains > 0 && chains == truncf(chains));
    }
    hn_cpu_isa_force(best);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_watch), cmocka_unit_test(test_peak) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
