/* eval_task.h - what `hone eval --task` was asked for. */
#ifndef HN_EVAL_TASK_H
#define HN_EVAL_TASK_H
#include "app/app.h"
#include "eval/task.h"

typedef struct hn_eval_tasks {
    hn_strs task, data;
    const char *model, *against, *samples, *ledger;
    int64_t limit, batch, num_fewshot;
    uint64_t seed;
    double detect;
    int64_t repeats;
    double temperature;
} hn_eval_tasks;
bool hn_eval_task_lines(hn_cmd_call *c, const hn_eval_tasks *f, hone_model *m, hone_model *other /* or NULL */) HN_CHECK;
#endif
