# Made by `hone help --completion bash`.
_hone() {
    local cur=${COMP_WORDS[COMP_CWORD]} words_here
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "help list doctor bench version info tokenize generate score eval train improve ledger report" -- "$cur"))
        return
    fi
    case ${COMP_WORDS[1]} in
    help) words_here='--man --markdown --completion --json --quiet --help --version --seed --threads --device --out cmd op backend read token arch format sample optim sched lever' ;;
    list) words_here='--json --quiet --help --version --seed --threads --device --out cmd op backend read token arch format sample optim sched lever' ;;
    doctor) words_here='--json --quiet --help --version --seed --threads --device --out' ;;
    bench) words_here='--filter --seconds --no-floor --compare --json --quiet --help --version --seed --threads --device --out' ;;
    version) words_here='--json --quiet --help --version --seed --threads --device --out' ;;
    info) words_here='--json --quiet --help --version --seed --threads --device --out' ;;
    tokenize) words_here='--decode --special --lines --json --quiet --help --version --seed --threads --device --out' ;;
    generate) words_here='--prompt --max-tokens --temperature --top-k --top-p --min-p --stop --json --quiet --help --version --seed --threads --device --out' ;;
    score) words_here='--text --file --json --quiet --help --version --seed --threads --device --out' ;;
    eval) words_here='--data --against --context --batch --item-tokens --json --quiet --help --version --seed --threads --device --out' ;;
    train) words_here='--resume --plan --json --quiet --help --version --seed --threads --device --out out= seed= threads= device= model.path= model.arch= model.layers= model.heads= model.width= model.context= model.bias= model.tied= model.dropout= model.mlp_ratio= model.eps= model.layers= model.heads= model.kv_heads= model.head_size= model.width= model.hidden= model.context= model.tied= model.dropout= model.eps= model.family= model.attention_bias= model.mlp_bias= model.window= model.window_from= model.rope_base= model.rope_scaling= model.rope_factor= model.rope_original= model.rope_low= model.rope_high= model.rope_fast= model.rope_slow= model.rope_attention= data.train= data.valid= data.split= data.valid_fraction= data.block_bytes= data.gap= data.tokenizer= data.vocab= data.words= data.max_bytes= data.cache= data.decontaminate= train.steps= train.flops= train.batch= train.accumulate= train.clip= train.ema= train.order= train.eval_every= train.eval_tokens= train.patience= train.recompute= train.save_every= optim.name= optim.lr= optim.beta1= optim.beta2= optim.eps= optim.weight_decay= optim.lr= optim.momentum= optim.weight_decay= optim.nesterov= optim.lr= optim.beta1= optim.beta2= optim.weight_decay= optim.lr= optim.adamw_lr= optim.momentum= optim.nesterov= optim.iterations= optim.scale= optim.split= optim.weight_decay= optim.beta1= optim.beta2= optim.eps= optim.lr= optim.decay_rate= optim.eps1= optim.eps2= optim.clip= optim.weight_decay= optim.groups= sched.name= sched.decay= sched.warmup= sched.min_ratio= sched.steps=' ;;
    improve) words_here='--resume --json --quiet --help --version --seed --threads --device --out out= seed= threads= device= model.path= model.arch= model.layers= model.heads= model.width= model.context= model.bias= model.tied= model.dropout= model.mlp_ratio= model.eps= model.layers= model.heads= model.kv_heads= model.head_size= model.width= model.hidden= model.context= model.tied= model.dropout= model.eps= model.family= model.attention_bias= model.mlp_bias= model.window= model.window_from= model.rope_base= model.rope_scaling= model.rope_factor= model.rope_original= model.rope_low= model.rope_high= model.rope_fast= model.rope_slow= model.rope_attention= data.train= data.valid= data.split= data.valid_fraction= data.block_bytes= data.gap= data.tokenizer= data.vocab= data.words= data.max_bytes= data.cache= data.decontaminate= train.steps= train.flops= train.batch= train.accumulate= train.clip= train.ema= train.order= train.eval_every= train.eval_tokens= train.patience= train.recompute= train.save_every= optim.name= optim.lr= optim.beta1= optim.beta2= optim.eps= optim.weight_decay= optim.lr= optim.momentum= optim.weight_decay= optim.nesterov= optim.lr= optim.beta1= optim.beta2= optim.weight_decay= optim.lr= optim.adamw_lr= optim.momentum= optim.nesterov= optim.iterations= optim.scale= optim.split= optim.weight_decay= optim.beta1= optim.beta2= optim.eps= optim.lr= optim.decay_rate= optim.eps1= optim.eps2= optim.clip= optim.weight_decay= optim.groups= sched.name= sched.decay= sched.warmup= sched.min_ratio= sched.steps= improve.levers= improve.alpha= improve.tune= improve.screen_seeds= improve.confirm_seeds= improve.confirm_arms= improve.side_by_side= improve.allow_cost= improve.held_out= improve.held_out_bytes= improve.item_tokens= improve.min_steps= budget.seconds= budget.steps=' ;;
    ledger) words_here='--run --json --quiet --help --version --seed --threads --device --out' ;;
    report) words_here='--format --to --run --json --quiet --help --version --seed --threads --device --out' ;;
    esac
    COMPREPLY=($(compgen -W "$words_here" -- "$cur") $(compgen -f -- "$cur"))
    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace
}
complete -F _hone hone
