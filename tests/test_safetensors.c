/* test_safetensors.c - headers that lie are refused, each with its reason, before anything is allocated by their numbers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include "model/model.h"
#include "box.h"

/* An error was told: its code and each of up to three texts in its message. Clears it. */
static void told(hone_job *job, hone_code code, const char *one, const char *two, const char *three) {
    const char *want[] = { one, two, three };
    for (int i = 0; i < 3; i++)
        if (want[i] && !strstr(hone_error_message(job), want[i])) fail_msg("'%s' is not in: %s", want[i], hone_error_message(job));
    assert_int_equal(hone_error_code(job), code);
    hone_error_clear(job);
}

static void lying_safetensors_are_refused_without_allocating(void **state) {
    box *b = *state;
#define ONE "\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":"
    static const struct {
        uint64_t claim;
        const char *header;
        int data;
        const char *want;
    } cases[] = {
        { 0, "", 0, "header" },
        { 4000000000ull, "{", 1000, "claims 4000000000 bytes" },
        { UINT64_MAX, "{", 8, "claims" },
        { 0, "[]", 0, "not a JSON object" },
        { 0, "{\"a\":{" ONE "[0,8]}", 8, "JSON" },
        { 0, "{\"a\":[]}", 0, "not an object" },
        { 0, "{\"a\":{\"dtype\":\"F32\"}}", 0, "lacks" },
        { 0, "{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "F99" },
        { 0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,2],\"data_offsets\":[0,8]}}", 8, "5 dimensions" },
        { 0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "no shape" },
        { 0, "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}", 8, "no shape" },
        { 0, "{\"a\":{" ONE "[0,16]}}", 8, "outside" },
        { 0, "{\"a\":{" ONE "[-8,0]}}", 8, "outside" },
        { 0, "{\"a\":{" ONE "[8,0]}}", 8, "outside" },
        { 0, "{\"a\":{" ONE "[0,4]}}", 4, "need 8" },
        { 0, "{\"a\":{" ONE "[0,8]},\"b\":{" ONE "[4,12]}}", 12, "overlaps" },
        { 0, "{\"a\":{" ONE "[0,8]},\"b\":{" ONE "[12,20]}}", 20, "belong to none" },
        { 0, "{\"a\":{" ONE "[0,8]}}", 9, "follow the last" },
        { 0, "{\"a\":{" ONE "[0,8]},\"a\":{" ONE "[0,8]}}", 8, "JSON" },
        { 0, "{\"__metadata__\":3,\"a\":{" ONE "[0,8]}}", 8, "__metadata__" },
    };
    for (int64_t i = 0; i < HN_LEN(cases); i++) {
        uint8_t file[2048] = { 0 };
        uint64_t n = strlen(cases[i].header), claim = cases[i].claim ? cases[i].claim : n;
        memcpy(file, &claim, 8);
        memcpy(file + 8, cases[i].header, n);
        hn_st st;
        int64_t before = hn_memory_live(b->job);
        assert_false(hn_st_parse(b->a, "x.safetensors", (hn_bytes){ file, 8 + (int64_t)n + cases[i].data }, &st));
        assert_true(hn_memory_live(b->job) - before < 1 << 16);
        told(b->job, HONE_E_MODEL, cases[i].want, "x.safetensors", NULL);
    }
    hn_st st;
    assert_false(hn_st_parse(b->a, "x.safetensors", (hn_bytes){ (const uint8_t *)"1234567", 7 }, &st));
    told(b->job, HONE_E_MODEL, "7 bytes are too few", NULL, NULL);
    assert_true(hn_st_parse(b->a, "empty", (hn_bytes){ (const uint8_t *)"\2\0\0\0\0\0\0\0{}", 10 }, &st));
    assert_int_equal(st.n, 0);
    assert_null(hn_st_find(&st, "a"));
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(lying_safetensors_are_refused_without_allocating, setup,
                                                                        teardown) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
