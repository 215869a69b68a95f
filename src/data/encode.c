/* encode.c - many texts to ids on all threads of the job, in the order of the texts.
 *
 * Long texts are cut where the tokenizer says that the ids are the same as without the cut (`cut` of its kind; NULL: nowhere), so that
 * one book too is work for many. Each thread has an encoder, a job and so memory of its own; what it made is copied together
 * at the end. The ids, and which error is told when several texts are unusable, do not depend on the number of threads. */
#include "data/data.h"

enum { PORTION = 64 << 10, MOST = 4096 };

typedef struct part { const uint8_t *p; int64_t n, text, made; } part;
typedef struct task { int64_t first, n; int worker; int64_t start; } task;     /* parts [first, first + n); its ids begin at start of the worker's */
typedef struct many many;
typedef struct worker { many *m; int number; hone_job *job; hn_ids ids; int64_t at; bool ok; } worker;
struct many {
    const hn_tokenizer *t;
    HN_VEC(part) part;
    HN_VEC(task) task;
    int64_t waiting;                 /* bytes of the last task */
    worker *worker;
    _Atomic int64_t next;
};

static void add_part(many *m, hn_arena *a, part p) {
    if (!m->task.n || m->waiting >= PORTION || m->task.v[m->task.n - 1].n == MOST) {
        hn_push(a, &m->task, (task){ .first = m->part.n });
        m->waiting = 0;
    }
    hn_push(a, &m->part, p);
    m->task.v[m->task.n - 1].n++;
    m->waiting += p.n;
}

static void add_text(many *m, hn_arena *a, hn_bytes s, int64_t text) {
    for (int64_t from = 0, to; ; from = to) {
        to = m->t->kind->cut && s.n - from > 2 * PORTION ? m->t->kind->cut(m->t, s.p, s.n, from + PORTION) : s.n;
        add_part(m, a, (part){ s.p + from, to - from, text, 0 });
        if (to == s.n) break;
    }
}

static bool work(void *arg) {
    worker *w = arg;
    many *m = w->m;
    hn_arena *a = hn_job_arena(w->job);
    hn_encoder e = hn_encoder_new(a, m->t);
    while ((w->at = atomic_fetch_add(&m->next, 1)) < m->task.n) {
        task *k = &m->task.v[w->at];
        k->worker = w->number;
        k->start = w->ids.n;
        for (int64_t i = k->first; i < k->first + k->n; i++) {
            int64_t had = w->ids.n;
            if (!hn_encoder_put(&e, a, m->part.v[i].p, m->part.v[i].n, &w->ids)) return false;
            m->part.v[i].made = w->ids.n - had;
        }
    }
    return true;
}

static bool on_thread(hone_job *job, void *arg, int64_t i) {
    worker *w = &((many *)arg)->worker[i];
    w->ok = hn_try(w->job, work, w);
    return true;                                        /* which error counts is decided when all have come to an end */
}

static bool run(many *m, hn_arena *a, int threads) {
    bool ok = true;
    m->worker = hn_new_n(a, worker, threads);
    for (int i = 0; i < threads; i++) {
        m->worker[i] = (worker){ .m = m, .number = i, .job = hone_job_new(a->job, 1) };
        ok = ok && m->worker[i].job;
    }
    ok = ok ? hn_jobs_run(a->job, threads, threads, on_thread, m) : HN_FAIL(a, HONE_E_MEMORY, .what = "no memory for another job");
    const worker *bad = NULL;
    for (int i = 0; ok && i < threads; i++)
        if (!m->worker[i].ok && (!bad || m->worker[i].at < bad->at)) bad = &m->worker[i];
    if (bad) hn_error_copy(a->job, bad->job);
    return ok && !bad;
}

static bool one_by_one(hn_arena *a, hn_arena *scratch, const hn_tokenizer *t, const hn_bytes *text, int64_t n, hn_ids *out, int64_t *ends) {
    hn_encoder e = hn_encoder_new(scratch, t);
    for (int64_t i = 0; i < n; ends[i++] = out->n)
        if (!hn_encoder_put(&e, a, text[i].p, text[i].n, out)) return false;
    return true;
}

static void together(many *m, hn_arena *a, hn_ids *out, int64_t *ends) {
    int64_t total = 0;
    for (int64_t i = 0; i < m->part.n; i++) total += m->part.v[i].made;
    hn_vec_grow(a, out, total);
    for (int64_t k = 0; k < m->task.n; k++) {
        const task *t = &m->task.v[k];
        const int32_t *from = m->worker[t->worker].ids.v + t->start;
        for (const part *p = m->part.v + t->first; p < m->part.v + t->first + t->n; p++) {
            if (p->made) memcpy(out->v + out->n, from, (size_t)p->made * sizeof *from);
            from += p->made;
            ends[p->text] = out->n += p->made;
        }
    }
}

bool hn_encode_many(hn_arena *a, const hn_tokenizer *t, const hn_bytes *text, int64_t n, hn_ids *out, int64_t *ends) {
    hn_arena *scratch = hn_arena_new(a);
    many m = { .t = t };
    int64_t had = out->n, bytes = 0;
    for (int64_t i = 0; i < n; i++) bytes += text[i].n;
    int threads = bytes < 2 * PORTION ? 1 : hn_pool_threads(hn_job_pool(a->job));
    bool ok;
    if (threads > 1) {
        for (int64_t i = 0; i < n; i++) add_text(&m, scratch, text[i], i);
        threads = (int)HN_MIN(threads, m.task.n);
        ok = run(&m, scratch, threads);
        if (ok) together(&m, a, out, ends);
        for (int i = 0; i < threads; i++) hone_close(m.worker[i].job);
    } else {
        ok = one_by_one(a, scratch, t, text, n, out, ends);
        if (!ok) out->n = had;
    }
    hn_arena_free(scratch);
    return ok;
}
