/** Of the operator's page: light and dark, from a phone's width up. */
export const STYLE = `
:root{color-scheme:light dark;--ink:#1c1c1e;--dim:#5c5c63;--paper:#fff;--card:#f4f4f6;--line:#d8d8dd;--good:#1f7a3d;--warn:#8a5a00;--bad:#b3261e;--bar:#2f6fde}
@media(prefers-color-scheme:dark){:root{--ink:#ececee;--dim:#a8a8b0;--paper:#161618;--card:#222226;--line:#3a3a40;--good:#5fd38a;--warn:#f0b849;--bad:#ff8a80;--bar:#7aa7ff}}
*{box-sizing:border-box}
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem;color:var(--ink);background:var(--paper)}
header{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:baseline;justify-content:space-between}
h1{font-size:1.3rem;margin:0}h2{font-size:1.05rem;margin:1.75rem 0 .5rem}h3{font-size:1rem;margin:0}
#link{margin:0;color:var(--dim)}#link.lost{color:var(--bad);font-weight:600}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;background:var(--paper);padding:.25rem .5rem}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(9.5rem,1fr));gap:.5rem;margin:0}
dl>div{background:var(--card);border-radius:8px;padding:.5rem .75rem}
dt{color:var(--dim);font-size:.85rem}dd{margin:0;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
article{border:1px solid var(--line);border-radius:10px;padding:.75rem;margin:0 0 .75rem}
article>header{margin-bottom:.25rem;justify-content:flex-start}article>header button{margin-left:auto}h3{min-width:0;overflow-wrap:anywhere}main{overflow-wrap:anywhere}
.state{font-size:.85rem;font-weight:600}.state.ready{color:var(--good)}.state.benched{color:var(--bad)}.state.starting{color:var(--warn)}.state.idle{color:var(--dim)}
.facts{margin:0 0 .25rem;color:var(--dim);font-variant-numeric:tabular-nums}
.error{color:var(--bad);margin:0 0 .5rem;overflow-wrap:anywhere}
.thread{display:grid;grid-template-columns:minmax(8rem,1fr) minmax(10rem,2fr) minmax(7rem,1fr) minmax(8rem,1fr) auto;gap:.25rem .75rem;align-items:center;border-top:1px solid var(--line);padding:.4rem 0;font-variant-numeric:tabular-nums}
.thread .request{overflow-wrap:anywhere}.thread>details{grid-column:1/-1;margin:0}
@media(max-width:45rem){.thread{grid-template-columns:1fr}}
meter{width:100%;height:.8rem}
.bar small{color:var(--dim)}
button{font:inherit;font-size:.85rem;padding:.3rem .6rem;margin:.1rem .1rem .1rem 0;border:1px solid var(--line);border-radius:6px;background:var(--card);color:var(--ink);cursor:pointer;min-height:1.9rem}
button:hover{border-color:var(--ink)}button:focus-visible,a:focus-visible,summary:focus-visible{outline:3px solid var(--bar);outline-offset:2px}
button.danger{color:var(--bad)}
.wide{overflow-x:auto;position:relative}.wide table{overflow-wrap:break-word}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--dim);font-weight:500;font-size:.85rem}
ol{list-style:none;padding:0;margin:0}ol>li{border-top:1px solid var(--line);padding:.35rem 0;overflow-wrap:anywhere}
ol time{color:var(--dim);margin-right:.5rem}.cause{font-weight:600;color:var(--bad)}
ul.tree,ul.tree ul{list-style:none;margin:.2rem 0 .2rem;padding-left:1rem;border-left:1px solid var(--line)}
details{margin-top:.25rem}summary{cursor:pointer;padding:.15rem 0}ul.tree>li{padding:.1rem 0}
#notice{position:sticky;bottom:0;margin:1rem 0 0;padding:.5rem .75rem;border-radius:8px;background:var(--card);border:1px solid var(--line)}#notice:empty{display:none}
a{color:var(--bar)}
`;
