"""How the page looks, at any width and on paper, and what it may do: nothing but draw itself."""

POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)
"""The page's own Content-Security-Policy: a browser then refuses every request from it."""

STYLE = """
:root { --ink: #1a1a1a; --rule: #d0d0d0; --accent: #0072B2; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: #fff;
  max-width: 1320px; margin: 0 auto; padding: 1rem 1.2rem 4rem; overflow-wrap: anywhere; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 2px solid var(--accent); }
h3 { margin: 2rem 0 .5rem; } nav a { color: var(--accent); margin-right: 1rem; }
p { max-width: 48rem; }
.scroll { overflow-x: auto; } .scroll:focus-visible { outline: 2px solid var(--accent); }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--rule); text-align: right;
  white-space: nowrap; overflow-wrap: normal; }
th:first-child, td:first-child, .words td { text-align: left; }
thead th { text-align: right; vertical-align: bottom; white-space: normal; min-width: 3.2rem; }
thead th:first-child, .words thead th { text-align: left; }
.words td { white-space: normal; vertical-align: top; }
.figures { display: grid; gap: 0 2rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 540px), 1fr)); }
figure { margin: 1rem 0; min-width: 0; }
img { max-width: max(100%, 480px); height: auto; display: block; }
figcaption { font-size: 14px; color: #444; margin-top: .4rem; max-width: 48rem; }
.chart, .drawn .image { display: none; } .drawn .chart { display: block; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: 13px; }
.leaks { border: 3px solid #D55E00; padding: 0 1rem; }
@media print {
  body { max-width: none; font-size: 11pt; padding: 0; } table { font-size: 8pt; }
  .drawn .image { display: block; } .drawn .chart, nav { display: none; }
  figure, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .scroll { overflow: visible; } img { max-width: 100%; } pre { white-space: pre-wrap; }
}
"""
