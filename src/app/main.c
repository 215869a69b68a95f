/* main.c - from argv to a command to an exit status.
 *
 * Two jobs: a small one reads the command line and the recipe, so that the number of threads is known; the command runs in a
 * second one with the pool. stdout carries results only; everything for people goes to stderr. */
#include "app/app.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

typedef struct program {
    int argc;
    char *const *argv;
    hone_job *front; /* reads the command line */
    hn_term *term;
    hn_cmdline line;
    hn_settings *settings;
    hn_cmd_call call;
    bool ready; /* there is a command to run */
    int status;
} program;

/* A file opened later must not become stdin, stdout or stderr of a program that was started without them. */
static void fill_standard_streams(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd ? O_WRONLY : O_RDONLY) < 0) _exit(1);
}

static bool check_device(hn_arena *a, const char *device, const char *where) {
    if (strcmp(device, "cuda")) return true;
    return HN_FAIL(a, HONE_E_VALUE, .what = "value of 'device' cannot be 'cuda': this build has no CUDA", .where = where, .wanted = "cpu",
                   .found = "'cuda'", .hint = "Leave --device away, or use --device cpu.");
}

static bool prepare(void *arg) {
    program *p = arg;
    hn_arena *a = hn_job_arena(p->front);
    p->term = hn_term_new(a);
    if (p->argc < 2) {
        fputs(hn_help_overview(a), stderr);
        p->status = hone_code_exit_status(HONE_E_USAGE);
        return true;
    }
    if (!hn_args_parse(a, p->argc, p->argv, &p->line)) return false;
    const hn_cmdline *l = &p->line;
    if (l->g.quiet) hn_term_quiet(p->term);
    if (l->g.help) return hn_out("%s", l->cmd ? hn_help_command(a, l->cmd) : hn_help_overview(a)), true;
    if (l->g.version) return hn_out("%s", hn_version_text(a)), true;
    if (!l->cmd) return HN_FAIL(a, HONE_E_USAGE, .what = "no command was given", .hint = "`hone --help` lists the commands.");
    if (!hn_args_settings(a, l, &p->settings)) return false;
    p->call = (hn_cmd_call){ .args = l->args.v,
                             .n_args = l->args.n,
                             .flags = l->flags,
                             .recipe = l->recipe,
                             .json = l->g.json,
                             .quiet = l->g.quiet,
                             .seed = l->g.seed,
                             .term = p->term };
    for (int64_t i = 0; i < l->cmd->n_sections; i++) {
        if (*l->cmd->sections[i]->key) continue;
        const hn_run_params *run = hn_settings_get(p->settings, "");
        p->line.g.threads = run->threads;
        p->line.g.device = run->device;
        p->call.seed = run->seed;
    }
    return p->ready = check_device(a, p->line.g.device, l->recipe ? l->recipe : "command line");
}

static bool run(void *arg) {
    program *p = arg;
    if (p->settings) p->call.settings = hn_settings_clone(p->call.a, p->settings);
    return p->line.cmd->run(&p->call);
}

static int say_error(const program *p, const hone_job *job) {
    if (p->term) hn_term_clear(p->term);
    fflush(stdout);
    if (!hn_out_broken() || !hn_out_reader_gone()) fprintf(stderr, "hone: %s\n", hone_error_message(job));
    return hone_code_exit_status(hone_error_code(job));
}

static void on_event(void *user, const hone_event *e) {
    program *p = user;
    if (p->term) hn_term_event(p->term, e);
}

static int run_command(program *p) {
    hone_job *job = hone_open(&(hone_options){
        .threads = p->line.cmd->inline_work ? 1 : (int)p->line.g.threads, .seed = p->call.seed, .on_event = on_event, .user = p });
    if (!job) return fputs("hone: not enough memory to begin\n", stderr), 1;
    p->call.a = hn_job_arena(job);
    if (!p->line.cmd->inline_work) hn_stop_from_signals(job);
    int status = 0;
    if (!hn_try(job, run, p)) {
        status = hone_error_code(job) ? say_error(p, job) : 1;
    }
    hn_term_clear(p->term);
    hone_close(job);
    return status;
}

/* A mapped file (weights are read where they lie) that another cuts short, or whose disk fails, is told by a signal at the read. */
static void on_bus_error(int signal) {
    static const char said[] = "\nhone: a file that is being read was cut short by another program, or its disk failed: give it again and start anew\n";
    (void)signal;
    (void)!write(STDERR_FILENO, said, sizeof said - 1);
    _exit(hone_code_exit_status(HONE_E_MODEL));
}

int main(int argc, char **argv) {
    fill_standard_streams();
    signal(SIGPIPE, SIG_IGN); /* what cannot be written is told as an error, not by a signal */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGBUS, on_bus_error);
    program p = { .argc = argc, .argv = argv };
    p.front = hone_open(&(hone_options){ .threads = 1, .on_event = on_event, .user = &p });
    if (!p.front) return fputs("hone: not enough memory to begin\n", stderr), 1;
    if (!hn_try(p.front, prepare, &p)) p.status = say_error(&p, p.front);
    else if (p.ready) p.status = run_command(&p);
    fflush(stdout);
    if (hn_out_broken() && hn_out_reader_gone()) p.status = 0;
    else if (hn_out_broken() && !p.status) {
        fputs("hone: cannot write the result to stdout: is the disk full?\n", stderr);
        p.status = 1;
    }
    hone_close(p.front);
    return p.status;
}
