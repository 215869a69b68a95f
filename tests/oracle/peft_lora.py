#!/usr/bin/env python3
"""peft_lora.py - adapters of the PEFT library on the tiny golden models; writes tests/golden/peft_{gpt2,llama,mistral}*.

Each is made and saved by peft itself on the committed folder of gpt2.py or llama.py, with random factors, so that a wrong scale,
order or layout shows. Between them: Conv1D maps, one name that fits two places, alpha/rank and alpha/sqrt(rank), ranks and alphas of
single maps, a regular expression for targets. The JSON files are as those of gpt2.py: logits, and ten AdamW steps of the adapter alone.
    peft_lora.py --check FOLDER SCORE.json   of an adapter that hone trained: the largest difference between peft's log-probabilities
                                             and those of `hone score FOLDER --json`"""
import json
import os
import sys
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM
from gpt2 import GOLDEN, golden, randomise, write

adapters = {
    "gpt2": dict(r=3, lora_alpha=5, target_modules=["c_attn", "c_proj", "c_fc"]),
    "llama": dict(r=4, lora_alpha=6, use_rslora=True, target_modules=r".*\.(q_proj|v_proj|down_proj)", rank_pattern={"layers.1.self_attn.q_proj": 2},
                  alpha_pattern={"down_proj": 3, "layers.1.self_attn.q_proj": 8}),
    "mistral": dict(r=2, lora_alpha=8, target_modules="all-linear"),
}


def base(folder):
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


def main():
    torch.set_num_threads(1)
    for seed, (name, how) in enumerate(adapters.items()):
        model = get_peft_model(base(os.path.join(GOLDEN, f"{name}_tiny")), LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **how)).eval()
        g = torch.Generator().manual_seed(40 + seed)
        with torch.no_grad():
            for n, p in sorted(model.named_parameters()):
                if "lora_" in n:
                    p.copy_(torch.randn(p.shape, generator=g) * 0.3)
        folder = os.path.join(GOLDEN, f"peft_{name}")
        model.save_pretrained(folder)
        config = json.load(open(os.path.join(folder, "adapter_config.json")))
        config["base_model_name_or_path"] = f"../{name}_tiny"
        if isinstance(config["target_modules"], list):
            config["target_modules"].sort()
        write(f"peft_{name}/adapter_config.json", json.dumps(config, indent=2))
        if os.path.exists(os.path.join(folder, "README.md")):
            os.remove(os.path.join(folder, "README.md"))
        model = model.double()
        write(f"peft_{name}.json", json.dumps(golden(model, lambda x: model(x).logits, 50 + seed, rows=1, digits=8)))


def check(adapter, score):
    model = PeftModel.from_pretrained(base(json.load(open(os.path.join(adapter, "adapter_config.json")))["base_model_name_or_path"]), adapter).eval()
    s = json.load(open(score))
    ids = torch.tensor([s["tokens"]])
    with torch.no_grad():
        lp = torch.log_softmax(model(ids).logits[0, :-1], -1).gather(1, ids[0, 1:, None])[:, 0]
    print("largest difference", float((lp - torch.tensor(s["logprobs"][1:])).abs().max()), "of", len(lp), "tokens")


check(*sys.argv[2:]) if sys.argv[1:2] == ["--check"] else main()
