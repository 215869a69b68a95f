/* test_sha256.c - the published vectors of FIPS 180-4 (NIST's examples), whole and in pieces. */
#include "base/base.h"
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct {
    const char *text, *sum;
} cases[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
};

static void vectors(void **state) {
    char hex[65];
    for (int64_t i = 0; i < HN_LEN(cases); i++)
        for (int64_t step = 1; step < 130; step++) {
            hn_sha256 s = hn_sha256_new();
            int64_t n = (int64_t)strlen(cases[i].text);
            for (int64_t at = 0; at < n; at += step) hn_sha256_add(&s, cases[i].text + at, HN_MIN(step, n - at));
            hn_sha256_hex(s, hex);
            assert_string_equal(hex, cases[i].sum);
        }
}

static void a_million(void **state) {
    char hex[65], a[1000];
    hn_sha256 s = hn_sha256_new();
    memset(a, 'a', sizeof a);
    for (int i = 0; i < 1000; i++) hn_sha256_add(&s, a, sizeof a);
    hn_sha256_hex(s, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(vectors), cmocka_unit_test(a_million) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
