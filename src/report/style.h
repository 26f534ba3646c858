// The report's style sheet: system fonts, light and dark, phone and paper. Inlined, so the page needs nothing.
#pragma once

#include <string_view>

namespace stillwatch::report {

inline constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--bg:#fbfaf8;--card:#fff;--ink:#1c2024;--soft:#5b646d;--line:#e4e2dd;--faint:#f1efeb;
--rest:#c9cdd2;--mark:#ece8df;
--bad:#b3261e;--good:#2f6f4f;--k0:#c2410c;--k1:#0f766e;--k2:#6d3fc4;--k3:#a16207;--k4:#be185d;--k5:#1d5fbf;--kx:#4b5563}
@media (prefers-color-scheme:dark){:root{--bg:#121416;--card:#191c1f;--ink:#e9e7e3;--soft:#a0a8b0;--line:#2c3135;
--faint:#1f2327;--rest:#454c54;--mark:#20242a;
--bad:#ff8a80;--good:#7fcfa3;--k0:#fb8a4c;--k1:#3fc1b0;--k2:#a98bf5;--k3:#e0b13a;--k4:#f27cb0;--k5:#6aa7f8;--kx:#9ca3af}
}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:break-word}
main,header,footer{max-width:66rem;margin:0 auto;padding:0 clamp(1rem,4vw,2.5rem)}
header{padding-top:clamp(1.5rem,5vw,3.5rem)}
.brand{display:flex;flex-wrap:wrap;gap:.25rem 1rem;justify-content:space-between;color:var(--soft);font-size:.875rem;
margin:0 0 clamp(1.75rem,5vw,3.25rem)}
.brand b{color:var(--ink);font-weight:650;letter-spacing:.01em}
h1{font-size:clamp(1.5rem,1.05rem + 1.9vw,2.3rem);line-height:1.2;letter-spacing:-.022em;font-weight:640;
margin:0 0 1rem;max-width:32em;text-wrap:balance}
.lede{color:var(--soft);font-size:1.0625rem;max-width:46rem;margin:0}
h2{font-size:1.375rem;line-height:1.25;letter-spacing:-.012em;font-weight:640;margin:0 0 1rem}
h3{font-size:1rem;font-weight:640;margin:0 0 .5rem}
p{margin:0 0 .75rem}
section{margin:clamp(2.25rem,6vw,4rem) 0 0}
.note,.unit{color:var(--soft);font-size:.875rem}
.note{max-width:46rem}
.key{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:1.5rem 2rem;
margin:clamp(1.75rem,4vw,2.75rem) 0 0;padding:1.5rem 0;border:solid var(--line);border-width:1px 0}
.key div{display:flex;flex-direction:column}
.key dt{order:2;color:var(--soft);font-size:.875rem;line-height:1.4}
.key dd{margin:0 0 .2rem;font-size:1.75rem;line-height:1.15;letter-spacing:-.02em;font-weight:620}
.key .lead{color:var(--k0)}
.card{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:clamp(1rem,3.2vw,2.25rem)}
section>.note{margin-top:1rem}
.card>h2{margin-bottom:.5rem}
.block{margin-top:2.25rem}
.eyebrow{display:flex;flex-wrap:wrap;gap:.35rem .75rem;align-items:center;color:var(--soft);font-size:.875rem;
margin:0 0 .5rem}
.eyebrow i,.legend i{width:.75rem;height:.75rem;border-radius:3px;background:var(--k);flex:none}
.tag{border:1px solid var(--line);border-radius:99px;padding:.05rem .6rem;color:var(--ink)}
.tag.distiller{border-color:var(--bad);color:var(--bad)}
.cols{display:grid;grid-template-columns:1fr 1fr;gap:2.25rem 2.5rem}
.cols>*{min-width:0}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:1.1rem 1.75rem;margin:1.5rem 0 0}
.block.cols .bar{min-width:4rem}
.facts dt{color:var(--soft);font-size:.8125rem}
.facts dd{margin:0;font-weight:560}
.facts dd small{font-weight:400;color:var(--soft);display:block;font-size:.8125rem}
figure{margin:0}
figcaption{display:flex;flex-wrap:wrap;gap:.4rem 1.5rem;justify-content:space-between;align-items:baseline}
.traffic figcaption{margin-bottom:1.25rem}
.n+td:not(.n),.n+th:not(.n){padding-left:1.25rem}
sup,sub{line-height:0;font-size:.75em}
.legend{display:flex;flex-wrap:wrap;align-items:center;gap:.3rem 1.1rem;list-style:none;margin:0;padding:0;
font-size:.875rem}
.legend li{display:flex;align-items:center;gap:.45rem}
.legend i.rest{background:var(--rest)}.legend i.marked{background:var(--mark);outline:1px solid var(--line)}
.plot{display:grid;grid-template-columns:3.1rem minmax(0,1fr)}
.plot svg{width:100%;display:block;overflow:visible}
.plot.tall svg{height:clamp(11rem,26vw,17rem)}.plot.low svg{height:clamp(5.5rem,11vw,7.5rem)}
.low+.xaxis{margin-bottom:0}
.yaxis{position:relative;font-size:.75rem;color:var(--soft)}
.yaxis span{position:absolute;right:.6rem;transform:translateY(-50%);white-space:nowrap;line-height:1}
.xaxis{position:relative;height:1.6rem;margin-left:3.1rem;font-size:.75rem;color:var(--soft)}
.xaxis span{position:absolute;top:.4rem;white-space:nowrap;line-height:1;padding-left:.3rem}
.xaxis span::before{content:"";position:absolute;left:0;top:-.4rem;height:.75rem;border-left:1px solid var(--line)}
.traffic p.unit{margin:1.25rem 0 .6rem}
.grid,.base{stroke:var(--line);fill:none;stroke-width:1;vector-effect:non-scaling-stroke}.base{stroke:var(--soft)}
.rest{fill:var(--rest)}.marked{fill:var(--mark)}.fill{fill:var(--k)}
.k0{--k:var(--k0)}.k1{--k:var(--k1)}.k2{--k:var(--k2)}.k3{--k:var(--k3)}.k4{--k:var(--k4)}.k5{--k:var(--k5)}
.kx{--k:var(--kx)}
.strip svg{height:9rem}.strip .empty{fill:var(--faint)}
.s0,.s1,.s2,.s3,.s4{fill:var(--k)}.s0{opacity:.16}.s1{opacity:.34}.s2{opacity:.54}.s3{opacity:.76}
.scale{white-space:nowrap}.scale i{display:inline-block;width:.9rem;height:.65rem;background:var(--k)}
.strip figcaption{margin-top:.25rem;padding-left:3.1rem}
.scroll{overflow-x:auto;-webkit-overflow-scrolling:touch}
.scroll.tall{max-height:23rem;overflow:auto;border-bottom:1px solid var(--line)}
table{border-collapse:collapse;width:100%;font-size:.9063rem;line-height:1.4}
caption{text-align:left;color:var(--soft);font-size:.875rem;padding-bottom:.5rem}
th,td{text-align:left;padding:.5rem 1rem .5rem 0;border-bottom:1px solid var(--line);vertical-align:baseline}
th:last-child,td:last-child{padding-right:0}
th{font-weight:560;color:var(--soft);font-size:.8125rem;white-space:nowrap}
tbody th{color:var(--ink);font-size:inherit}
.tall thead th{position:sticky;top:0;background:var(--card);box-shadow:0 1px var(--line)}
td .legend{font-size:inherit;gap:.6rem;flex-wrap:nowrap}
.n{text-align:right;white-space:nowrap}
.id{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;font-size:.8438em;
overflow-wrap:anywhere;min-width:9rem}
.t{white-space:nowrap}
a{color:inherit;text-decoration-color:var(--rest);text-underline-offset:.2em}
a:hover{text-decoration-color:currentColor}
a:focus-visible,summary:focus-visible{outline:2px solid var(--k5);outline-offset:3px;border-radius:3px}
summary{cursor:pointer;color:var(--soft);font-size:.875rem;margin-top:.75rem;width:max-content;max-width:100%}
.evidence{list-style:none;margin:0;padding:0}
.evidence li{display:grid;grid-template-columns:10rem minmax(0,1fr);gap:.25rem 1.5rem;padding:.9rem 0;
border-top:1px solid var(--line)}
.evidence li>div:first-child{font-weight:600}
.evidence small{display:block;color:var(--soft);font-weight:400;font-size:.8125rem}
.evidence p{margin:0 0 .3rem}
.numbers{display:flex;flex-wrap:wrap;gap:.1rem 1.25rem;color:var(--soft);font-size:.8438rem}
.numbers b{color:var(--ink);font-weight:560}
.bar{position:relative;height:.7rem;min-width:5.5rem;background:var(--faint);border-radius:3px;overflow:hidden}
.bar i{position:absolute;inset:0 auto 0 0;background:var(--k);border-radius:3px}
.bar u{position:absolute;top:0;bottom:0;width:2px;background:var(--ink)}
.w{width:34%}
.holds{color:var(--good);white-space:nowrap}.falls{color:var(--bad);white-space:nowrap}
.means{border-left:3px solid var(--k,var(--line));padding-left:1.1rem;max-width:46rem}
.means p:last-child{margin:0}
dl.plain{display:grid;grid-template-columns:minmax(8rem,max-content) minmax(0,1fr);gap:.4rem 1.5rem;margin:0;
font-size:.9375rem}
dl.plain dt{color:var(--soft)}dl.plain dd{margin:0;overflow-wrap:anywhere}
dl.plain dd.n{text-align:left}
footer{color:var(--soft);font-size:.8125rem;padding-top:clamp(2.5rem,6vw,4rem);padding-bottom:3rem}
footer p{overflow-wrap:anywhere}
@media screen and (max-width:46rem){.cols{grid-template-columns:minmax(0,1fr)}
.evidence li{grid-template-columns:minmax(0,1fr)}.xaxis .second{display:none}
.plot{grid-template-columns:2.5rem minmax(0,1fr)}.xaxis{margin-left:2.5rem}.strip figcaption{padding-left:0}
.key{grid-template-columns:1fr 1fr;gap:1.25rem}.key dd{font-size:1.45rem}
.facts{grid-template-columns:1fr 1fr}.yaxis span{right:.4rem}dl.plain{grid-template-columns:minmax(0,1fr);gap:0}
dl.plain dd{margin-bottom:.6rem}}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#111;--soft:#4a5158;--line:#d5d5d2;--faint:#f3f3f1;
--rest:#c9cdd2;--mark:#eeeae2;--bad:#9b1c14;--good:#23593f;
--k0:#c2410c;--k1:#0f766e;--k2:#6d3fc4;--k3:#a16207;--k4:#be185d;--k5:#1d5fbf;--kx:#4b5563}
@page{margin:16mm 15mm}
html{font-size:10pt}body{font-size:1rem;-webkit-print-color-adjust:exact;print-color-adjust:exact}
main,header,footer{max-width:none;padding-left:0;padding-right:0}header{padding-top:0}
h1{font-size:21pt}.brand{margin-bottom:1.5rem}section{margin-top:1.75rem}.key dd{font-size:16pt}
.key{grid-template-columns:repeat(5,1fr);gap:1rem;padding:1rem 0}
.card{border:0;border-top:1px solid var(--line);border-radius:0;padding:1.25rem 0 0}
.scroll,.scroll.tall{overflow:visible;max-height:none;border:0}.tall thead th{position:static;box-shadow:none}
.plot.tall svg{height:6cm}.strip svg{height:3.6cm}.members table{font-size:8pt}
.members td{padding-top:.15rem;padding-bottom:.15rem}
details{display:none}h2,h3,figcaption,.eyebrow{break-after:avoid}
figure,.evidence li,tr,.means,.facts,.key{break-inside:avoid}thead{display:table-header-group}}
)css";

}  // namespace stillwatch::report
