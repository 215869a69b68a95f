/* near.h - numbers compared as doubles: cmocka's assert_float_equal rounds both sides to float first, so that two doubles an ulp apart may
 * fall on two floats and fail at any tolerance, depending on the instruction set that made them. */
#ifndef TESTS_NEAR_H
#define TESTS_NEAR_H
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* |x − y| ≤ tolerance, or ≤ tolerance times the larger of |x| and |y|. A NaN is near nothing. */
static inline void near_or_fail(double x, double y, double tolerance, const char *file, int line) {
    double d = fabs(x - y), scale = fmax(fabs(x), fabs(y));
    if (x == y || d <= tolerance || d <= tolerance * scale) return;
    print_error("%.17g is not %.17g within %g\n", x, y, tolerance);
    _fail(file, line);
}
#define assert_near(x, y, tolerance) near_or_fail(x, y, tolerance, __FILE__, __LINE__)
#endif
