/* style.c - the page's style sheet: one column, two colour schemes, tables that become cards on a phone, plain ink on paper.
 * Verdicts carry a colour and a shape or a word, never a colour alone. */
#include "eval/report.h"

#define LIGHT "--bg:#faf9f7;--card:#fff;--ink:#1b2127;--soft:#5c6670;--line:#e3e2de;--grid:#edece8;--kept:#0b7f57;--kept-bg:#e2f4ec;--harm:#c2410c;--harm-bg:#fdebe2;" \
    "--und:#6b7480;--und-bg:#eef0f2;--fail:#8446ab;--fail-bg:#f4eafa;--whole:#1d5fbf;" \
    "--s0:#1d5fbf;--s1:#d97706;--s2:#0b8a5f;--s3:#b83280;--s4:#6d4fd0;--s5:#00838f;--s6:#8d5a2b;--s7:#c0323f;"
#define DARK "--bg:#121518;--card:#191d21;--ink:#e8eaec;--soft:#9ba6b1;--line:#2c3238;--grid:#252a30;--kept:#43d19e;--kept-bg:#12382b;--harm:#ff8a5c;--harm-bg:#43220f;" \
    "--und:#9aa4af;--und-bg:#2a3036;--fail:#cf9cf0;--fail-bg:#372246;--whole:#6aa5ff;" \
    "--s0:#6aa5ff;--s1:#f5a742;--s2:#43d19e;--s3:#f07cbc;--s4:#ab97ff;--s5:#42c9d6;--s6:#d0a070;--s7:#ff7f89;"

const char hn_report_style[] =
    ":root{color-scheme:light dark;" LIGHT "}"
    "@media(prefers-color-scheme:dark){:root{" DARK "}}"
    "*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}"
    "body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;overflow-wrap:break-word}"
    "main{max-width:860px;margin:0 auto;padding:44px 24px 80px}"
    "h1{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:2px 0 20px;font-weight:680}"
    "h2{font-size:20px;line-height:1.3;letter-spacing:-.01em;margin:52px 0 4px;font-weight:660}h3{font-size:15px;margin:24px 0 6px}"
    "p{margin:6px 0 14px;max-width:68ch}.soft,.lead{color:var(--soft)}.lead{font-size:15px}.kicker{color:var(--soft);font-size:14px;margin:0}"
    "a{color:var(--whole)}code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:.86em}"
    /* the outcome */
    ".hero{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:24px 26px 20px;margin:0}"
    ".nums{display:flex;flex-wrap:wrap;align-items:flex-end;gap:10px 26px;font-variant-numeric:tabular-nums}"
    ".nums+.nums{margin-top:20px}.nums div{display:flex;flex-direction:column}.nums b{font-size:40px;line-height:1.1;letter-spacing:-.02em;font-weight:680}"
    ".nums span{font-size:13px;color:var(--soft)}.nums .arrow{font-size:30px;line-height:1;color:var(--soft);align-self:center}.nums .gain{margin-left:auto}"
    ".gain.good b{color:var(--kept)}.gain.bad b{color:var(--harm)}.verdict{margin:18px 0 0;padding:14px 0 0;border-top:1px solid var(--line);max-width:none}"
    ".unfinished{border-color:var(--harm)}.warn{color:var(--harm)}"
    /* tables */
    ".scroll{overflow-x:auto;margin:12px 0}table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}"
    "th{font-weight:600;color:var(--soft);font-size:12px;text-align:right;padding:6px 8px;border-bottom:1px solid var(--line);vertical-align:bottom;line-height:1.3}"
    "td{text-align:right;padding:7px 8px;border-bottom:1px solid var(--grid);white-space:nowrap;vertical-align:top}"
    "th:first-child,td:first-child{text-align:left;padding-left:0}th:last-child,td:last-child{padding-right:0}.l{text-align:left!important}"
    "td.name{font-weight:620}td.wrap{white-space:normal;text-align:left;min-width:13em}td.long{white-space:normal}tr.top td{border-bottom:0;padding-bottom:1px}"
    "tr.why td{white-space:normal;color:var(--soft);font-size:13px;line-height:1.45;padding:0 0 11px}tr.dim td{color:var(--soft)}"
    ".tag{display:inline-block;border-radius:20px;padding:1px 9px;font-size:12.5px;font-weight:620;line-height:1.5}"
    ".t-kept{color:var(--kept);background:var(--kept-bg)}.t-harmful{color:var(--harm);background:var(--harm-bg)}.t-undecided,.t-none{color:var(--und);background:var(--und-bg)}"
    ".t-failed{color:var(--fail);background:var(--fail-bg)}.t-none{background:none;padding:1px 0;font-weight:400}"
    "dl{display:grid;grid-template-columns:minmax(8em,max-content) 1fr;gap:5px 20px;font-size:14px;margin:12px 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
    /* pictures */
    "figure{margin:16px 0 8px}svg{display:block;max-width:100%;height:auto;overflow:visible}"
    "svg text{font-size:13px;fill:var(--ink);font-variant-numeric:tabular-nums}svg .lab{font-weight:600}svg .num{fill:var(--soft)}"
    "svg .ax{font-size:12px;fill:var(--soft)}svg .halo{paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}"
    ".grid{stroke:var(--grid)}.zero{stroke:var(--soft);stroke-width:1.2}.rule{stroke:var(--line)}.mark{stroke-width:2.2;fill:none!important;stroke-linecap:round}"
    ".v-kept{stroke:var(--kept);fill:var(--kept)}.v-harmful{stroke:var(--harm);fill:var(--harm)}.v-undecided{stroke:var(--und);fill:var(--und)}"
    "svg .open{fill:var(--bg);stroke-width:2}.v-failed{stroke:var(--fail);fill:var(--fail)}.whole{stroke:var(--whole);fill:var(--whole)}.dash{stroke-dasharray:4 4}"
    ".ln{fill:none;stroke-linejoin:round;stroke-width:1.8}.thin{stroke-width:.9;opacity:.38}svg .pt{stroke:none;opacity:.85}.mean{stroke-width:2;fill:none}"
    ".c{stroke:var(--ink);fill:var(--ink)}.s0{stroke:var(--s0);fill:var(--s0)}.s1{stroke:var(--s1);fill:var(--s1)}.s2{stroke:var(--s2);fill:var(--s2)}"
    ".s3{stroke:var(--s3);fill:var(--s3)}.s4{stroke:var(--s4);fill:var(--s4)}.s5{stroke:var(--s5);fill:var(--s5)}.s6{stroke:var(--s6);fill:var(--s6)}.s7{stroke:var(--s7);fill:var(--s7)}"
    "svg .ln{fill:none}.narrow{display:none}.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13.5px;margin:10px 0 6px;padding:0;list-style:none}"
    ".legend li{display:flex;align-items:center;gap:7px}.legend svg{width:18px;height:12px;flex:none}"
    /* samples and recipe */
    ".pair{display:grid;grid-template-columns:1fr 1fr;gap:16px;margin:14px 0}.pair h3{margin:0 0 6px;color:var(--soft);font-weight:600}.pair>div{min-width:0}"
    "pre{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;margin:0;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.5}"
    "details{margin:12px 0}summary{cursor:pointer;font-weight:600;font-size:15px;padding:4px 0}details pre{margin-top:8px}"
    "ul.plain{padding-left:1.1em;max-width:70ch}ul.plain li{margin:6px 0}footer{margin-top:56px;padding-top:14px;border-top:1px solid var(--line);color:var(--soft);font-size:13px}"
    "@media(max-width:640px){main{padding:24px 16px 56px}h1{font-size:25px}h2{margin-top:42px}.hero{padding:18px 18px 16px}.nums b{font-size:31px}.nums .arrow{font-size:25px}"
    ".nums{gap:8px 16px}.nums .gain{margin-left:0;flex-basis:100%}.wide{display:none}.narrow{display:block}.pair{grid-template-columns:1fr}"
    "dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:8px}"
    "table.cards thead{display:none}table.cards,table.cards tbody{display:block}table.cards tr{display:flex;flex-wrap:wrap;column-gap:18px}"
    "table.cards td{display:block;border:0;padding:1px 0;text-align:left;white-space:normal}table.cards td[data-l]:before{content:attr(data-l) ' ';color:var(--soft);font-size:12.5px}"
    "table.cards td.name{font-size:16px;flex-basis:auto}table.cards tr.top{padding-top:10px}table.cards tr.why{border-bottom:1px solid var(--line);padding-bottom:10px}"
    "table.cards tr.why td{padding:2px 0 0}table.cards tr.one{border-bottom:1px solid var(--line);padding:8px 0}table.cards td.wrap{min-width:0;flex-basis:100%}}"
    "@media print{:root{" LIGHT "--bg:#fff;color-scheme:light}body{font-size:10.5pt}main{max-width:none;padding:0}h2{margin-top:26px;break-after:avoid}"
    "figure,.hero,tr,li{break-inside:avoid}.scroll{overflow:visible}.wide{display:block!important}.narrow{display:none!important}.tag{border:1px solid currentColor;font-size:8pt}.t-none{border:0}table{font-size:9pt}th{font-size:8pt}td,th{padding-left:5px;padding-right:5px}tr.why td{font-size:8.5pt}"
    "details::details-content{content-visibility:visible;display:block}pre{font-size:8.5pt}}";
