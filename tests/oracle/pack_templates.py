#!/usr/bin/env python3
"""pack_templates.py - what Jinja2, set up as lm-evaluation-harness sets it up, makes of templates; writes tests/golden/pack_templates.json.

A case: the template, and its text, or null where Jinja2 refuses it."""
import json
import os
from jinja2 import BaseLoader, Environment, StrictUndefined

env = Environment(loader=BaseLoader, undefined=StrictUndefined, keep_trailing_newline=True)
fields = dict(q="Is it?", n=3, x=2.5, l=["a", "b"], o={"a": 1, "b": [1, 2]}, e=[], nil=None, flag=True, s="they're here (now)\n",
              big=9007199254740993, naïve="ja", nest=[{"a": {"b": 3}}, {"a": {"b": 4}}], table="a\tb\nc")
templates = r"""{{ 7 | round }} {{ 2.5 | round }} {{ 0.5 | round }} {{ 1.115 | round(2) }} {{ 2.675 | round(2) }} {{ -1.5 | round }}
{{ 1.21 | round(1, 'ceil') }} {{ 7 | round(0, 'floor') }} {{ -2.5 | round(method='floor') }}
{{ 'x' if false }}|{{ ('x' if false) ~ 'y' }}
{{ missing is none }} {{ missing is string }} {{ missing is sequence }} {{ missing is defined }}
{{ missing is iterable }}
{{ missing }}
a {{ missing }}
{{ l[5] }}
{{ l[-3] }}
{{ l[5] | default('z') }} {{ o.c | default('y') }} {{ nil | default('x') }} {{ '' | default('x', true) }} {{ '' | default('x', boolean=true) }}
{{ e | first }}
{{ s | title }} {{ s.title() }} {{ '3rd-rate <b' | title }} {{ '3rd' .title() }}
{% set k = 1 %}{% for i in l %}{% set k = k + 1 %}{% endfor %}{{ k }}
{% if true %}{% set k = 2 %}{% endif %}{{ k }}
{% for i in o %}{{ i }}{% endfor %} {% for c in q %}{{ c }}.{% endfor %}
{% for i in l %}{{ i }}{% endfor %}{{ i }}
{% for a, b in o.items() %}{{ loop.index }}{{ a }}{{ loop.last }}{% else %}none{% endfor %}{% for a in e %}{% else %}none{% endfor %}
{% for a in l if a != 'a' %}{{ loop.length }}{{ a }}{% endfor %}
{{ loop }}
{% for a in missing %}{% endfor %}
{% for a in n %}{% endfor %}
{% if missing %}a{% endif %}
{{ not missing }}
{{ missing == 1 }}
{{ missing or 'a' }}
{{ missing ~ 'a' }}
{{ 'a' in missing }}
{{ q | replace(missing, 'a') }}
{{ l | join(missing) }}
{{ missing | length }}
{{ missing.upper() }}
{{ missing | upper }}
{{ o[missing] }}
{{ o.zz }}
{{ o.zz.y }}
{{ n.foo }}
{{ n.strip() }}
{{ n + '1' }}
{{ nil | length }}
{{ l.index('z') }}
{{ 'abc'.index('z') }}
{{ 1 // 0 }}
{{ q | nosuch }}
{{ q is nosuch }}
{{ nil is None }}
{{ q
{% if q %}
{% break %}
{% generation %}{% endgeneration %}
{{ raise_exception('a') }}
{{ strftime_now('%Y') }}
{{ 'a' ~ 'b' + 'c' * 2 }} {{ 'a' * -1 }}| {{ 3 * 'ab' }}
{{ 2 ** 3 ** 2 }} {{ -2 ** 2 }} {{ 7 // -2 }} {{ 7 % -2 }} {{ 1e3 }} {{ 1_000 }} {{ 5.0 // 2 }} {{ 5 / 2 }} {{ 4 / 2 }} {{ -7.5 % 2 }}
{{ 'a\x41\u00e9' }} {{ '\d' }} {{ 'a' 'b' }} {{ "it's" }} {{ 'a\0b' | length }}
{{ l | join(d=', ') }} {{ q.split(maxsplit=1) }} {{ l | join(', ') | replace(',', ';', 1) }}
{{ 1 < 2 < 2 }} {{ 1 == 1.0 }} {{ 1 in [true] }} {{ 1 < 2 < 3 }} {{ true + 1 }} {{ flag == 1 }}
{{ o | items | list }} {{ o.keys() | list }} {{ o.values() | list }} {{ o.get('z', 4) }} {{ o.get('z') }}
{{ 'abcabc'.index('c') }} {{ 'abc'.find('z') }} {{ l.index('b') }} {{ 'äöü'.find('ü') }} {{ 'abab'.count('ab') }} {{ l.count('a') }}
{{ l.0 }} {{ o['b'][1] }} {{ o.b.1 }} {{ l[true] }}
{{ "3.7" | int }} {{ 3.7 | int }} {{ "x" | int }} {{ "x" | int(5) }} {{ "1e3" | float }} {{ true | int }} {{ nil | int }} {{ ' 12 ' | int }}
{{ x | string + '!' }} {{ flag }} {{ nil }} {{ 3 | string | length }}
{{ q | replace('', '-') }} {{ q | replace('i', n) }}
{{ q[::-1] }} {{ q[1:] }} {{ q[-3:-1] }} {{ l[::-1] }} {{ l[5:] }} {{ q[:n] }}|{{ q[4:2] }}|
{{ [1, 2.0, true, none, 'a"b\'c', "it's"] }} {{ (1,) }} {{ {} }} {{ {'a': 1, 2: 3} }} {{ [] }}
{{ 1e16 }} {{ 1e22 }} {{ 0.1 + 0.2 }} {{ 1e-5 }} {{ -0.0 }} {{ 1e15 }} {{ 123456789012345.5 }} {{ 1.5e15 }} {{ 100000.0 }}
{{ 'a' in o }} {{ 'x' not in q }} {{ 3 in l }} {{ '' in q }}
{{ q | upper | lower ~ 'X' }} {{ (-3) | abs }} {{ -3.5 | abs }}
{{ l | last }} {{ q | first }} {{ q | list }} {{ o | length }} {{ 'äöü' | length }}
{{ dict(a=1).get('b', 4) }} {{ namespace(a=1).a }} {% set ns = namespace(k=0) %}{% for i in l %}{% set ns.k = ns.k + 1 %}{% endfor %}{{ ns.k }}
{{ x is float }} {{ flag is number }} {{ flag is integer }} {{ n is odd }} {{ l is in [l] }} {{ q is not defined }} {{ o is mapping }}
{{ 1 if n > 2 else 0 }} {{ [1, 2][n > 2] }} {{ 'x' if missing is defined else 'y' }} {{ 'a' if 0 else 'b' if 0 else 'c' }}
{{ "a,b,,c".split(",") }} {{ "a b  c".split() }} {{ "a,b,c".split(",", 1) }} {{ " x ".strip() }}|{{ "xxaxx".strip("x") }} {{ table.splitlines() }}
{{ range(3) | list }} {{ range(1, 4) | join }} {{ range(5, 1, -2) | list }}
{{ big }} {{ big + 1 }} {{ 2 ** 62 }} {{ big == 9007199254740992 }} {{ [big] == [9007199254740992] }}
{{ [3, 1, 2] | sort }} {{ [3, 1, 2] | max }} {{ l | map('upper') | list }} {{ l | reverse | list }} {{ nest | map(attribute='a.b') | list }}
{{ [x, n] | sum }} {{ q | wordcount }} {{ s | trim }} {{ s | capitalize }} {{ 'abc'.endswith(('c', 'd')) }} {{ q.startswith('Is') }}
{{ naïve }} {% set grün = 1 %}{{ grün }}
  {% if true %}
  a
  {% endif %}

  {{ 1 }}
{{- 2 -}}
  x {%- if true -%}  y  {%- endif +%} z
a {#- c -#}
 b {# c #}
 x {%- if true %}{% endif %}
line
{{ n }}
"""
def cases():
    for line in templates.split("\n"):
        yield line
    yield "  {% if true %}\n  a\n  {% endif %}\n\n"
    yield "{{ n }}\n"
    yield "a \n {%- if true -%} \n b{% endif %}\r\nc\r"
    yield "{% macro m(a, b='z') %}[{{ a }}{{ b }}]{% endmacro %}{{ m(1) }}{{ m(1, b=2) }}"
    yield "{{\n n\n + 1 }}{{ nosuch }}"
    yield "a\u00a0{%- if true -%}\u2003b{% endif %}"


def main():
    out = []
    for text in cases():
        try:
            got = env.from_string(text).render(**fields)
        except Exception:  # noqa: BLE001
            got = None
        out.append({"template": text, "text": got})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden", "pack_templates.json")
    with open(path, "w") as f:
        f.write('{"fields": ' + json.dumps(fields, ensure_ascii=False) + ',\n"cases": [\n' + ",\n".join(json.dumps(c, ensure_ascii=False) for c in out) + "\n]}\n")
    print(len(out), "cases,", sum(c["text"] is None for c in out), "refused")


main()
