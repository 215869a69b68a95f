/* signals.c - stretches in which no signal handler may run on a thread.
 *
 * oneDNN before 3.11.1 lets the stack pointer point into its workspace on the heap while a product of f32 runs (AVX2 and AVX-512;
 * its issue 4845): the frame of a handler, ours or that of the program around us, would be written over what lies beneath. What a
 * fault of the thread itself raises is not held: the system ends a process whose fault is. Held signals are delivered at the end, or
 * to another thread at once. */
#include "base/base.h"
#include <pthread.h>
#include <signal.h>

static _Thread_local int depth;
static _Thread_local sigset_t was;

void hn_signals_hold(void) {
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
    sigset_t all;
    if (depth++) return;
    sigfillset(&all);
    for (size_t i = 0; i < HN_LEN(faults); i++) sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_BLOCK, &all, &was);
}

void hn_signals_release(void) {
    HN_ASSERT(depth > 0);
    if (!--depth) pthread_sigmask(SIG_SETMASK, &was, NULL);
}
