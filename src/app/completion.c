/* completion.c - completion for bash and zsh: commands, their flags, recipe keys, names of kinds. Made by `make docs`. */
#include "app/app.h"

static void keys_of(hn_arena *a, hn_buf *b, const hn_section *s) {
    for (int64_t r = 0; r < s->n_rows; r++) {
        if (!s->rows[r].internal) hn_buf_fmt(a, b, " %s=", hn_full_key(a, s, &s->rows[r]));
        if (!s->variant || strcmp(s->rows[r].name, s->variant)) continue;
        for (int64_t m = 0; m < s->rows[r].kind->n; m++)
            for (int64_t k = 0; k < s->rows[r].kind->items[m]->n_params; k++)
                hn_buf_fmt(a, b, " %s=", hn_full_key(a, s, &s->rows[r].kind->items[m]->params[k]));
    }
}

static const char *words_of(hn_arena *a, const hn_cmd *cmd) {
    hn_buf b = { 0 };
    for (int64_t i = 0; i < cmd->item.n_params; i++) hn_buf_fmt(a, &b, " %s", hn_flag_name(a, &cmd->item.params[i]));
    for (int64_t i = 0; i < hn_n_globals(cmd); i++) hn_buf_fmt(a, &b, " %s", hn_flag_name(a, &hn_global_rows[i]));
    for (int64_t s = 0; s < cmd->n_sections; s++) keys_of(a, &b, cmd->sections[s]);
    if (!strcmp(cmd->item.name, "list") || !strcmp(cmd->item.name, "help"))
        for (int64_t k = 0; k < hn_n_kinds; k++) hn_buf_fmt(a, &b, " %s", hn_kinds[k]->name);
    for (int64_t k = 0; cmd->verbs && k < cmd->verbs->n; k++)
        hn_buf_fmt(a, &b, " %s %s", cmd->verbs->items[k]->name, words_of(a, (const hn_cmd *)cmd->verbs->items[k]));
    return hn_buf_str(a, &b) + 1;
}

const char *hn_docs_completion(hn_arena *a, bool zsh) {
    hn_buf b = { 0 }, names = { 0 };
    for (int64_t i = 0; i < hn_kind_cmd.n; i++) hn_buf_fmt(a, &names, "%s%s", i ? " " : "", hn_kind_cmd.items[i]->name);
    if (zsh)
        hn_buf_fmt(
            a, &b,
            "#compdef hone\n# Made by `hone help --completion zsh`.\n_hone() {\n    local words_here\n    if (( CURRENT == 2 )); then\n"
            "        compadd -- %s\n        return\n    fi\n    case $words[2] in\n",
            hn_buf_str(a, &names));
    else
        hn_buf_fmt(a, &b,
                   "# Made by `hone help --completion bash`.\n_hone() {\n    local cur=${COMP_WORDS[COMP_CWORD]} words_here\n"
                   "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W \"%s\" -- \"$cur\"))\n        return\n    fi\n"
                   "    case ${COMP_WORDS[1]} in\n",
                   hn_buf_str(a, &names));
    for (int64_t i = 0; i < hn_kind_cmd.n; i++)
        hn_buf_fmt(a, &b, "    %s) words_here='%s' ;;\n", hn_kind_cmd.items[i]->name, words_of(a, (const hn_cmd *)hn_kind_cmd.items[i]));
    if (zsh) hn_buf_fmt(a, &b, "    esac\n    compadd -S '' -- ${=words_here}\n    _files\n}\n_hone \"$@\"\n");
    else
        hn_buf_fmt(a, &b,
                   "    esac\n    COMPREPLY=($(compgen -W \"$words_here\" -- \"$cur\") $(compgen -f -- \"$cur\"))\n"
                   "    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n}\ncomplete -F _hone hone\n");
    return hn_buf_str(a, &b);
}
