#!/usr/bin/env python3
"""chat_templates.py - what transformers (Jinja2 in its sandbox) makes of the templates in tests/golden/chat; writes chat.json there.

The templates are written down by the structure of published ones. Each meets several conversations, some of which it refuses. An
entry: the template's name, the variables, and `text`, or `refused`; `marked`: the ranges of generation blocks, in bytes."""
import glob
import json
import os
from transformers.utils import chat_template_utils as ct

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "chat")
u, a, s = (lambda t: {"role": "user", "content": t}), (lambda t: {"role": "assistant", "content": t}), (lambda t: {"role": "system", "content": t})
tools = [{"type": "function", "function": {"name": "get_weather", "description": "It's \"weather\", café", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "enum": [1, 2]}}, "required": ["city"]}}}]
call = {"role": "assistant", "content": None, "tool_calls": [{"id": "abcdef123", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2}}}]}
talks = {
    "one": dict(messages=[u("Hello, who are you?")], add_generation_prompt=True),
    "turns": dict(messages=[u("  Hi\n"), a(" Hello! \n\n"), u("2+2?"), a("4")], add_generation_prompt=False),
    "system": dict(messages=[s("Be brief.\n"), u("日本語で?"), a("はい 🙂"), u("ok")], add_generation_prompt=True),
    "thinking": dict(messages=[u("Why?"), a("<think>\nhm\n</think>\n\nBecause."), u("And?"), a("<think>\n\n</think>\n\nSo.")], add_generation_prompt=False, enable_thinking=False),
    "tools": dict(messages=[u("Weather in Zürich?"), call, {"role": "tool", "tool_call_id": "abcdef123", "content": "18 °C"}, a("18 °C."), u("Thanks")], tools=tools, add_generation_prompt=True),
    "wrong order": dict(messages=[a("first"), u("second")], add_generation_prompt=False),
    "parts": dict(messages=[u([{"type": "text", "text": " What is this? "}, {"type": "image"}])], add_generation_prompt=True),
    "empty": dict(messages=[u(""), a("")], add_generation_prompt=True),
}


def main():
    out = []
    for path in sorted(glob.glob(os.path.join(HERE, "*.jinja"))):
        text = open(path).read()
        compiled = ct._compile_jinja_template(text)
        if "strftime_now" in text:
            compiled.globals = {k: v for k, v in compiled.globals.items() if k != "strftime_now"}
        for name, talk in talks.items():
            case = {"template": os.path.basename(path), "talk": name, "vars": dict(talk, bos_token="<s>", eos_token="</s>")}
            try:
                if "generation" in text and "{% generation" in text:
                    text_out, marks = ct._render_with_assistant_indices(compiled, talk["messages"], talk.get("tools"), None, talk["add_generation_prompt"],
                                                                        **{k: v for k, v in case["vars"].items() if k not in ("messages", "tools", "add_generation_prompt")})
                    case["text"] = text_out
                    case["marked"] = [[len(text_out[:i].encode()), len(text_out[i:j].encode())] for i, j in marks if j > i]
                else:
                    case["text"] = compiled.render(**case["vars"])
            except Exception as e:  # noqa: BLE001
                case["refused"] = str(e)[:120]
            out.append(case)
    with open(os.path.join(HERE, "chat.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in out) + "\n]\n")
    print(len(out), "cases,", sum("refused" in c for c in out), "refused")


main()
