#!/bin/sh
# The pages made from the settings rows are current (`make docs` writes them), and well formed.
hone=${HONE:-build/hone}
cd "$(dirname "$0")/../.." || exit 1
same() { if "$hone" help $2 | cmp -s - "$1"; then echo "ok $1 is current"; else echo "not ok $1 is current: run make docs"; fi; }
same docs/hone.1 --man
same docs/COMMANDS.md "--markdown commands"
same docs/SETTINGS.md "--markdown settings"
same docs/completion/hone.bash "--completion bash"
same docs/completion/_hone "--completion zsh"
if out=$(bash -n docs/completion/hone.bash 2>&1); then echo "ok bash reads its completion"; else echo "not ok bash reads its completion: $out"; fi
words=$(bash -c '. docs/completion/hone.bash; COMP_WORDS=(hone train optim.l); COMP_CWORD=2; _hone 2>/dev/null; echo "${COMPREPLY[*]}"')
case $words in *optim.lr=*) echo "ok bash completes a recipe key" ;; *) echo "not ok bash completes a recipe key: $words" ;; esac
if command -v man >/dev/null 2>&1; then
    if man --warnings -l docs/hone.1 2>&1 >/dev/null | grep -q .; then echo "not ok man reads the page: $(man --warnings -l docs/hone.1 2>&1 >/dev/null | head -3)"; else echo "ok man reads the page"; fi
fi
