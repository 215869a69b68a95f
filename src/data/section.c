/* section.c - the rows of the `data` section. */
#include "data/data.h"

static const hn_param rows[] = {
    HN_PARAM(hn_data_params, train, .doc = "files or folders with training text (.txt, .jsonl; also .gz, .zst),"
             " or gym tasks: gym:NAME[:LEVEL[-LEVEL]][*WEIGHT], gym:all"),
    HN_PARAM(hn_data_params, extra, .doc = "files or folders with more text to learn from, of which nothing is held out"),
    HN_PARAM(hn_data_params, valid, .doc = "held-out files or folders; none: cut from the training text by data.split"),
    HN_PARAM(
        hn_data_params, split, .def = "auto", .choices = "auto|tail|blocks|hash",
        .doc = "how to hold text out: the tail, contiguous blocks, or whole documents by hash; auto: hash for many documents, else blocks"),
    HN_PARAM(hn_data_params, valid_fraction, .def = "0.1", .min = 0.0001, .max = 0.9, .doc = "share of the text that is held out"),
    HN_PARAM(hn_data_params, block_bytes, .def = "0", .min = 0, .max = 1073741824, .unit = "bytes",
             .doc = "size of a block; 0: about 1500 blocks in all, each at least four contexts and at most 64 KiB"),
    HN_PARAM(hn_data_params, gap, .def = "-1", .min = -1, .max = 1073741824, .unit = "bytes",
             .doc = "text dropped on each side of held-out text; -1: one context for blocks, none for tail and hash"),
    HN_PARAM(hn_data_params, tokenizer, .def = "char",
             .doc = "char, byte, bpe, unigram, wordpiece, or a file: tokenizer.json, .gguf, SentencePiece's .model, llama2.c's .bin, or a folder that has one"),
    HN_PARAM(hn_data_params, vocab, .def = "4096", .min = 257, .max = 4194304, .unit = "tokens",
             .doc = "tokens of a tokenizer that is trained here and can choose: bpe, unigram, wordpiece"),
    HN_PARAM(hn_data_params, words, .def = "gpt2",
             .doc = "how bpe cuts text into words: gpt2, cl100k, llama3, qwen2, or a regular expression; wordpiece: uncased lowers letters and drops accents"),
    HN_PARAM(hn_data_params, max_bytes, .def = "0", .min = 0, .max = 9e18, .unit = "bytes",
             .doc = "refuse more text than this; 0: no limit"),
    HN_PARAM(hn_data_params, cache, .doc = "folder that keeps token files between runs; empty: tokens stay in memory"),
    HN_PARAM(hn_data_params, format, .def = "auto",
             .doc = "what the objects of .jsonl and .json files are: messages, sharegpt, completion, alpaca or text; auto: as the fields say"),
    HN_PARAM(hn_data_params, learn, .def = "answers", .choices = "answers|all",
             .doc = "what is learned of samples: the answers (the assistant's turns), or every word"),
    HN_PARAM(hn_data_params, chat_template, .doc = "file with the chat template that writes talks; empty: the tokenizer's own"),
    HN_PARAM(hn_data_params, ends, .def = "none", .choices = "none|bos|eos|both",
             .doc = "the tokenizer's first and last token around each document of plain text; a prompt with its answer always has them"),
    HN_PARAM(hn_data_params, max_length, .def = "0", .min = 0, .max = 1048576, .unit = "tokens",
             .doc = "tokens of a row: windows of plain text are so long, samples at most: what is beyond is cut off, counted and told; 0, or more than it: the model's context"),
    HN_PARAM(hn_data_params, pack, .def = "false",
             .doc = "lay several samples, or whole short texts, into one row; none sees the others. Then train.order is epochs"),
    HN_PARAM(hn_data_params, decontaminate, .def = "false", .doc = "remove training text that shares 13 words in a row with held-out text"),
    HN_PARAM(hn_data_params, items, .def = "20000", .min = 1, .max = 1e8,
             .doc = "items made from the gym tasks among data.train, shared out by their weights"),
    HN_PARAM(hn_data_params, valid_items, .def = "0", .min = 0, .max = 1e5,
             .doc = "held-out items of each gym task, all different; 0: 300, or as many as there are"),
};

const hn_section hn_section_data =
    HN_SECTION("data", "the text to learn from and the text held out", hn_data_params, rows, .scalar = "train");
