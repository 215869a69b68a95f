#!/usr/bin/env python3
"""bert.py - golden values of a tiny BERT that classifies; writes tests/golden/bert_tiny*.

transformers' BertForSequenceClassification, saved by transformers; care for hidden mistakes and AdamW as in gpt2.py."""
import json
import os
import numpy as np
import torch
import torch.nn.functional as F
from transformers import BertConfig, BertForSequenceClassification
from gpt2 import BATCH, GOLDEN, LAYERS, STEPS, V, randomise, write

T, CLASSES = 12, 3


def main():
    torch.set_num_threads(1)
    config = BertConfig(vocab_size=V, hidden_size=16, intermediate_size=24, num_hidden_layers=LAYERS, num_attention_heads=4, max_position_embeddings=T,
                        num_labels=CLASSES, hidden_dropout_prob=0, attention_probs_dropout_prob=0, attn_implementation="eager")
    model = BertForSequenceClassification(config).eval()
    randomise(model, 40)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("LayerNorm.weight"):
                p += 1
    model.save_pretrained(os.path.join(GOLDEN, "bert_tiny"))
    model = model.double()
    r = np.random.default_rng(41)
    ids, batches, labels = r.integers(0, V, (2, T)), r.integers(0, V, (STEPS, BATCH, T)), r.integers(0, CLASSES, (STEPS, BATCH))
    with torch.no_grad():
        logits = model(torch.tensor(ids)).logits
    opt = torch.optim.AdamW([{"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.1},
                             {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}], lr=1e-3, betas=(0.9, 0.99), eps=1e-8)
    losses = []
    for x, y in zip(batches, labels):
        opt.zero_grad()
        loss = F.cross_entropy(model(torch.tensor(x)).logits, torch.tensor(y))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        losses.append(loss.item())
    write("bert_tiny.json", json.dumps({"ids": ids.tolist(), "logits": logits.tolist(), "adamw": {
        "batches": batches.tolist(), "labels": labels.tolist(), "losses": losses}}))


main()
