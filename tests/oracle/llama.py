#!/usr/bin/env python3
"""llama.py - golden values of tiny models of the llama family; writes tests/golden/{llama,mistral,qwen2,qwen3}_tiny*.

Each is transformers' own class, saved by transformers; format and care for hidden mistakes as in gpt2.py. Between them: shared
keys, a head of its own and a tied one, biases, query and key norms, a window in all layers and from a layer on, a head size of its
own, and four rotary scalings."""
import json
import os
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM
from gpt2 import CONTEXT, GOLDEN, LAYERS, V, golden, randomise, write

common = dict(vocab_size=V, hidden_size=16, intermediate_size=24, num_hidden_layers=LAYERS, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=CONTEXT, bos_token_id=None, eos_token_id=None, pad_token_id=None, attn_implementation="eager")
models = {
    "llama": (LlamaForCausalLM, LlamaConfig(**common, rms_norm_eps=1e-5, attention_bias=True, mlp_bias=True, rope_parameters=dict(
        rope_type="llama3", rope_theta=500.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16))),
    "mistral": (MistralForCausalLM, MistralConfig(**common, head_dim=6, sliding_window=5)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**common, tie_word_embeddings=True, use_sliding_window=True, sliding_window=3, max_window_layers=1,
              rope_parameters=dict(rope_type="linear", rope_theta=100.0, factor=2.0))),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**common, head_dim=8, tie_word_embeddings=True, rope_parameters=dict(
        rope_type="yarn", rope_theta=1000.0, factor=4.0, original_max_position_embeddings=8))),
}


def main():
    torch.set_num_threads(1)
    for seed, (name, (cls, config)) in enumerate(models.items()):
        model = cls(config).eval()
        randomise(model, 10 + seed)
        model.save_pretrained(os.path.join(GOLDEN, f"{name}_tiny"))
        model = model.double()
        write(f"{name}_tiny.json", json.dumps(golden(model, lambda x: model(x).logits, 20 + seed, rows=1, digits=8)))


main()
