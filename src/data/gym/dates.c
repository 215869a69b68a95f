/* dates.c - clock times and calendar dates with a span added: hours, minutes, days, all of them. Gregorian calendar, also before 1582.
 * Days are numbered from 0000-03-01, so that the leap day is the last of a year.
 * Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms" (howardhinnant.github.io/date_algorithms.html). */
#include "data/gym/gym.h"

enum { DAY = 24 * 60, DAYS_OF_400_YEARS = 146097 };
static const struct { int64_t from, years /* 0: no date */, days /* added, at most */; bool clock, hours, minutes; } levels[] = {
    { .clock = true, .hours = true },
    { .clock = true, .minutes = true },
    { .clock = true, .hours = true, .minutes = true },
    { .from = 2000, .years = 30, .days = 28 },
    { .from = 1900, .years = 200, .days = 366 },
    { .from = 1900, .years = 200, .days = 3660 },
    { .from = 1900, .years = 200, .days = 3660, .clock = true, .hours = true, .minutes = true },
    { .from = 1600, .years = 800, .days = 99999, .clock = true, .hours = true, .minutes = true },
};

static int64_t day_number(int64_t y, int64_t m, int64_t d) {
    y -= m <= 2;
    int64_t era = y / 400, year = y % 400, day = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * DAYS_OF_400_YEARS + year * 365 + year / 4 - year / 100 + day;
}

static void put_date(hn_gym_text *t, int64_t n) {
    int64_t era = n / DAYS_OF_400_YEARS, k = n % DAYS_OF_400_YEARS;
    int64_t year = (k - k / 1460 + k / 36524 - k / 146096) / 365, day = k - (365 * year + year / 4 - year / 100), m = (5 * day + 2) / 153;
    int64_t d = day - (153 * m + 2) / 5 + 1, month = m < 10 ? m + 3 : m - 9;
    hn_gym_put(t, "%04lld-%02lld-%02lld", (long long)(era * 400 + year + (month <= 2)), (long long)month, (long long)d);
}

static void put_clock(hn_gym_text *t, int64_t minutes) { hn_gym_put(t, "%02lld:%02lld", (long long)(minutes / 60), (long long)(minutes % 60)); }

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    bool date = levels[level - 1].years > 0, clock = levels[level - 1].clock;
    int64_t day = 0, at = 0, add = 0;
    if (date) {
        int64_t first = day_number(levels[level - 1].from, 1, 1);
        day = first + hn_gym_pick(d, day_number(levels[level - 1].from + levels[level - 1].years, 1, 1) - first);
        put_date(&out->prompt, day);
    }
    if (clock) {
        at = hn_gym_pick(d, DAY);
        if (date) hn_gym_put(&out->prompt, " ");
        put_clock(&out->prompt, at);
    }
    hn_gym_put(&out->prompt, " +");
    if (date) {
        int64_t n = hn_gym_between(d, 1, levels[level - 1].days);
        hn_gym_put(&out->prompt, " %lld d", (long long)n);
        day += n;
    }
    if (levels[level - 1].hours) {
        int64_t n = hn_gym_between(d, 1, 23);
        hn_gym_put(&out->prompt, " %lld h", (long long)n);
        add += 60 * n;
    }
    if (levels[level - 1].minutes) {
        int64_t n = hn_gym_between(d, 1, 59);
        hn_gym_put(&out->prompt, " %lld min", (long long)n);
        add += n;
    }
    hn_gym_put(&out->prompt, "=");
    at += add;
    day += at / DAY;
    if (date) put_date(&out->answer, day);
    if (date && clock) hn_gym_put(&out->answer, " ");
    if (clock) put_clock(&out->answer, at % DAY);
    return true;
}

const hn_gym_task hn_gym_task_dates = { HN_ITEM0("dates", "add a span to a clock time or a date", NULL),
                                        .dial = "hours, minutes, both; days up to a month, a year, ten years; all of them, at last over centuries",
                                        .levels = HN_LEN(levels), .form = HN_GYM_LETTERS, .make = make };
