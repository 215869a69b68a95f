/* task_pack.c - fuzz target: any bytes as a task.yaml; refused with a reason, or a pack whose templates fill from an item or say why not. */
#include "target.h"
#include "eval/task.h"

static const char item[] = "{\"question\": \"Why?\", \"choices\": {\"text\": [\"a\", \"b c\"], \"label\": [\"A\", \"B\"]}, \"gold\": 1, "
                           "\"x\": 2.5, \"flag\": true, \"none\": null, \"text\": \"to be or not\"}";

static bool body(void *arg) {
    input *in = arg;
    hn_pack p;
    if (!hn_pack_parse(in->a, "task.yaml", in->file, &p)) return false;
    HN_ASSERT(p.output && p.n_metrics > 0 && p.n_filters > 0);
    const json_t *fields = hn_json_parse(in->a, "item", item, sizeof item - 1, HONE_E_DATA);
    const hn_filling f = { .fields = fields, .known = fields, .where = "items.jsonl:1" };
    const hn_pack_text *const texts[] = { &p.text, &p.target, &p.choice, &p.description, &p.gen_prefix };
    for (int64_t i = 0; i < HN_LEN(texts); i++)
        if (texts[i]->text && !hn_pack_text_value(in->a, texts[i], &f)) return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
