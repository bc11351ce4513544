"""The report's one style sheet: light, dark and print, without anything fetched.

Fates and statuses differ in lightness as well as in hue, and each is also written in words,
so that nothing depends on seeing colours.
"""

LIGHT = """
color-scheme: light;
--page: #f6f7f9; --sheet: #ffffff; --ink: #1c2430; --soft: #566273; --line: #dfe3e9; --band: #f1f3f6;
--good: #1e7a4c; --good-bg: #e4f3ea; --warn: #8a5a00; --warn-bg: #fdf1d8; --bad: #a92a2a; --bad-bg: #fbe7e6;
--calm: #44546a; --calm-bg: #e8edf3;
--applied: #2b6cb0; --superseded: #93b7dd; --duplicate: #c3cad4; --quarantined: #d98e1f;
--time: #6b8cae; --due: #b4c6da; --settled: #2b6cb0;
"""

DARK = """
color-scheme: dark;
--page: #12161c; --sheet: #1a2029; --ink: #e6eaf0; --soft: #9aa6b6; --line: #2d3642; --band: #212934;
--good: #7fd1a2; --good-bg: #173526; --warn: #f0c069; --warn-bg: #3a2d12; --bad: #f29a94; --bad-bg: #411e1e;
--calm: #b6c4d6; --calm-bg: #273140;
--applied: #5b9bdd; --superseded: #35597f; --duplicate: #566273; --quarantined: #e3a445;
--time: #5f7f9f; --due: #47607c; --settled: #6aa8e8;
"""

LAYOUT = """
* { box-sizing: border-box; }
html { font-size: 15px; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 1.73rem; line-height: 1.2; margin: 0; font-weight: 650; letter-spacing: -.01em; }
h2 { font-size: 1.13rem; margin: 0 0 4px; font-weight: 650; }
h3 { font-size: 0.93rem; margin: 0 0 6px; font-weight: 650; }
p { margin: 0 0 10px; }
.soft, .note { color: var(--soft); }
.note { font-size: 0.87rem; max-width: 78ch; }
code, .code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .86em; }
section { background: var(--sheet); border: 1px solid var(--line); border-radius: 10px;
  padding: 20px 22px; margin-top: 18px; }
.title { display: flex; flex-wrap: wrap; align-items: center; gap: 12px; }
.badge { display: inline-block; padding: 1px 10px; border-radius: 99px; font-size: 0.87rem;
  font-weight: 600;
  white-space: nowrap; }
.good { color: var(--good); background: var(--good-bg); }
.warn { color: var(--warn); background: var(--warn-bg); }
.bad { color: var(--bad); background: var(--bad-bg); }
.calm { color: var(--calm); background: var(--calm-bg); }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: 10px 24px;
  margin: 16px 0 0; }
.facts dt { color: var(--soft); font-size: 0.83rem; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
"""

PARTS = """
.alert { border-left: 5px solid var(--bad); }
.alert h2 { color: var(--bad); font-size: 1.20rem; }
section > :last-child { margin-bottom: 0; }
.alert ul { margin: 10px 0; padding-left: 20px; }
.alert li { margin-bottom: 6px; overflow-wrap: anywhere; }
.served { font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 12px; margin-top: 18px; }
.tile { background: var(--sheet); border: 1px solid var(--line); border-radius: 10px; padding: 12px 16px; }
.tile b { display: block; font-size: 1.60rem; line-height: 1.25; font-weight: 650;
  font-variant-numeric: tabular-nums; }
.tile.good, .tile.warn, .tile.bad, .tile.calm { background: var(--sheet); color: inherit; }
.tile.good b { color: var(--good); }
.tile.warn b { color: var(--warn); }
.tile.bad b { color: var(--bad); }
.tile span { color: var(--soft); font-size: 0.87rem; display: block; }
.runs { display: flex; flex-wrap: wrap; gap: 6px; list-style: none; margin: 10px 0 0; padding: 0; }
.runs li { border-radius: 6px; padding: 3px 9px; font-size: 0.83rem; font-variant-numeric: tabular-nums;
  text-align: center; }
.runs li.this { outline: 2px solid currentColor; outline-offset: 1px; }
.scroll { overflow-x: auto; margin-top: 10px; }
.scroll + * { margin-top: 10px; }
table { border-collapse: collapse; width: 100%; font-size: 0.90rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 12px 6px 0; vertical-align: top;
  border-bottom: 1px solid var(--line); font-weight: 400; }
tbody:last-child tr:last-child > * { border-bottom: 0; }
thead th { color: var(--soft); font-size: 0.83rem; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; }
.code, .short { white-space: nowrap; }
.number + :not(.number) { padding-left: 14px; }
td.picture, th.picture { width: 34%; min-width: 180px; vertical-align: middle; }
.lines { white-space: pre; display: block; }
.under { display: block; color: var(--soft); font-size: 0.83rem; }
tr.owner > * { background: var(--band); padding: 8px 12px; font-weight: 600; }
tr.owner span { font-weight: 400; }
tr.owner .badge { font-weight: 600; float: right; }
.yes { color: var(--good); }
.no { color: var(--bad); font-weight: 600; }
svg.bar { display: block; width: 100%; height: 12px; border-radius: 2px; background: var(--band); }
svg.books { display: block; width: 100%; }
.multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 18px 26px;
  margin: 14px 0 6px; }
.wide { display: grid; grid-template-columns: repeat(auto-fill, minmax(420px, 1fr)); gap: 18px 26px; margin: 14px 0 6px; }
.wide figure { margin: 0; }
.multiples figure { margin: 0; max-width: 320px; }
figcaption { font-size: 0.87rem; display: flex; justify-content: space-between; }
.applied { fill: var(--applied); }
.superseded { fill: var(--superseded); }
.duplicate { fill: var(--duplicate); }
.quarantined { fill: var(--quarantined); }
.time { fill: var(--time); }
.due { fill: var(--due); }
.settled { fill: var(--settled); }
.axis { stroke: var(--soft); stroke-width: .75; }
.tick { fill: var(--soft); font-size: 10.5px; }
.off { fill: var(--bad); font-size: 13px; font-weight: 700; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 0.87rem; color: var(--soft);
  list-style: none; padding: 0; margin: 6px 0 0; }
.legend svg { width: 11px; height: 11px; margin-right: 6px; vertical-align: -1px; }
footer { color: var(--soft); font-size: 0.83rem; margin-top: 22px; }
@media screen and (max-width: 760px) {
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  main { padding: 20px 12px 40px; }
}
"""

PRINT = """
@page { size: A4 landscape; margin: 12mm; }
html { font-size: 10.5px; }
body { background: none; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
main { max-width: none; padding: 0; }
.tiles { grid-template-columns: repeat(8, minmax(0, 1fr)); gap: 6px; }
.tile { padding: 6px 8px; }
.tile, .alert, .multiples { break-inside: avoid; }
section, .tile { border-color: #ccc; }
section { break-inside: auto; }
tr, figure { break-inside: avoid; }
thead { display: table-header-group; }
h2, .note, .legend { break-after: avoid; }
.scroll { overflow: visible; }
th, td { padding: 3px 8px 3px 0; }
section { padding: 12px 14px; }
.multiples { grid-template-columns: repeat(5, minmax(0, 1fr)); }
"""

CSS = (
    f":root {{{LIGHT}}}\n@media (prefers-color-scheme: dark) {{ :root {{{DARK}}} }}\n"
    f"{LAYOUT}{PARTS}@media print {{ :root {{{LIGHT}}} {PRINT} }}"
)
