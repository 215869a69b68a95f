/* tell.c - verdicts in words, and the answer line of each lever.
 *
 * In a line, `difference` is arm − incumbent in the metric's own units, as `end − start` in the last line; `gain` is the same with
 * the sign that makes better positive. */
#include "improve/run.h"

#include <math.h>

const char *hn_why_text(hn_arena *a, const char *unit, const hn_decision *d, const hn_trial *t, double alpha, int64_t arms) {
    const char *did = t->did ? t->did : t->name;
    const char *beside = t->cost > 1 ? hn_fmt(a, " beside the start given %g times the training", t->cost) : "";
    switch (d->verdict) {
    case HN_KEPT:
        return hn_fmt(a, "%s: better by %.4f %s (95 %% %.4f … %.4f)%s; p %.2g adjusted for %lld arms", did, d->difference, unit, d->lo,
                      d->hi, beside, d->p_adjusted, (long long)arms);
    case HN_HARMFUL:
        return hn_fmt(a, "%s: worse by %.4f %s (95 %% %.4f … %.4f)%s; p %.2g adjusted for %lld arms", did, -d->difference, unit,
                      -d->hi, -d->lo, beside, d->p_harm_adjusted, (long long)arms);
    case HN_UNDECIDED:
        if (isnan(d->detectable))
            return hn_fmt(a, "%s: gain %+.4f %s%s; every training measured the same, so nothing can be said of what would have been seen", did, d->difference, unit, beside);
        return hn_fmt(a,
                      "%s: gain %+.4f %s (95 %% %+.4f … %+.4f)%s is within chance (adjusted p %.2g, wanted < %g); a gain of "
                      "%.4f would have been seen",
                      did, d->difference, unit, d->lo, d->hi, beside, d->p_adjusted, alpha, d->detectable);
    default:
        return hn_fmt(a, "%s: %s", did, t->error ? t->error : "a training failed");
    }
}

void hn_tell_lever(hn_runner *r, const char *lever, const hn_decision *d, const char *why, const hn_trial *t) {
    json_t *line = hn_json_own(r->a, json_object());
    bool measured = isfinite(d->difference);
    json_object_set_new(line, "lever", json_string(lever));
    json_object_set_new(line, "verdict", json_string(hn_verdict_name(d->verdict)));
    json_object_set_new(line, "metric", json_string(r->p->metric));
    json_object_set_new(line, "difference", hn_json_real(-d->difference));
    json_object_set_new(line, "gain", hn_json_real(d->difference));
    json_object_set_new(line, "ci95", measured && isfinite(d->lo) ? json_pack("[f,f]", -d->hi, -d->lo) : json_null());
    json_object_set_new(line, "p_value", hn_json_real(d->p_adjusted));
    json_object_set_new(line, "detectable", hn_json_real(d->detectable));
    json_object_set_new(line, "accuracy", hn_json_real(t ? hn_trial_accuracy(t, HN_SET_CONFIRM) : NAN));
    json_object_set_new(line, "incumbent_accuracy",
                        hn_json_real(t && t->incumbent ? hn_trial_accuracy(t->incumbent, HN_SET_CONFIRM) : NAN));
    if (t && t->guards) json_object_set(line, "guards", t->guards);
    json_object_set_new(line, "why", json_string(why));
    json_object_set_new(line, "seconds", hn_json_real(t ? t->seconds : 0));
    json_object_set_new(line, "flops", hn_json_real(t ? t->flops : 0));
    json_object_set_new(line, "inference", hn_json_real(t ? t->inference : 1));
    json_object_set_new(line, "peak_rss_bytes", json_integer(t ? t->peak_rss : 0));
    if (r->on_line) r->on_line(r->user, line);
}
