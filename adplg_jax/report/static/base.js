// What all sections use: the contents, elements, colours, charts.
"use strict";

const contents = JSON.parse(document.getElementById("contents").textContent);
const runs = contents.runs;
const several = runs.length > 1;
// Okabe and Ito's palette, lighter on dark ground; runs differ in their dashes,
// too.
const COLOURS = {
  light: ["#0072B2", "#D55E00", "#009E73", "#B0578D", "#56B4E9", "#000000"],
  dark: ["#56B4E9", "#FF8A50", "#2BC79A", "#E39AC4", "#F0E442", "#FFFFFF"],
};
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const SVG_DASHES = ["", "8 4", "2 3", "8 3 2 3", "14 4", "14 3 2 3"];

function by(id) {
  return document.getElementById(id);
}

// An element with properties and children; text is never taken for markup.
function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Text for plotly, which takes some markup.
function plain(text) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  return String(text).replace(/[&<>]/g, (found) => names[found]);
}

function number(value, digits = 4) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

function theme() {
  return document.documentElement.dataset.theme;
}

function colour(place) {
  const found = COLOURS[theme()];
  return found[place % found.length];
}

function line(place, width = 2) {
  return { color: colour(place), width, dash: DASHES[place % DASHES.length] };
}

function variable(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const charts = new Map();
const near = new Set();
const approach = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    approach.unobserve(target);
    near.add(target);
    show(target);
  }
}, { rootMargin: "300px" });

// Keeps a chart, which is drawn once it comes near the view: `draw` gives its
// traces and layout, anew for each theme; `then` is called when it is there.
function chart(div, label, draw, then = null) {
  div.setAttribute("role", "img");
  div.setAttribute("aria-label", label);
  charts.set(div, { draw, then });
  if (near.has(div)) show(div);
  else approach.observe(div);
}

async function show(div) {
  if (!near.has(div)) return;
  const { draw, then } = charts.get(div);
  const { traces, layout = {} } = draw();
  const axis = {
    gridcolor: variable("--line"), linecolor: variable("--line"),
    zerolinecolor: variable("--line"), automargin: true,
  };
  const whole = {
    margin: { l: 48, r: 12, t: 8, b: 40 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: variable("--ink"), size: 12, family: "inherit" },
    showlegend: false, hovermode: "closest",
    hoverlabel: {
      bgcolor: variable("--page"), bordercolor: variable("--line"),
      font: { color: variable("--ink") },
    },
    ...layout,
    xaxis: { ...axis, ...layout.xaxis },
    yaxis: { ...axis, ...layout.yaxis },
  };
  await Plotly.react(div, traces, whole, {
    responsive: true, displaylogo: false, displayModeBar: false,
  });
  charts.get(div).then = null;
  then?.();
}

function setTheme() {
  const chosen = by("theme").value;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const system = dark ? "dark" : "light";
  document.documentElement.dataset.theme = chosen === "auto" ? system : chosen;
  drawKey();
  for (const div of charts.keys()) show(div);
}

// Which colour and dash is which run.
function drawKey() {
  by("key").hidden = !several;
  by("key").replaceChildren(
    ...runs.map((run, place) => {
      const mark = svg(
        "svg", { width: 44, height: 10, "aria-hidden": "true" },
        svg("line", {
          x1: 0, x2: 44, y1: 5, y2: 5, stroke: colour(place),
          "stroke-width": 3,
          "stroke-dasharray": SVG_DASHES[place % SVG_DASHES.length],
        }),
      );
      return make("li", {}, mark, run.name);
    }),
  );
}

function table(head, rows) {
  return make(
    "table", {},
    make("thead", {}, make("tr", {}, ...head.map((cell) =>
      make("th", { scope: "col", textContent: cell })))),
    make("tbody", {}, ...rows.map(([first, ...cells]) =>
      make("tr", {},
        make("th", { scope: "row", textContent: first.trim(),
          className: first.startsWith(" ") ? "part" : "" }),
        ...cells.map((cell) => make("td", { textContent: cell }))))),
  );
}

function options(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) =>
    make("option", { value, textContent: text })));
}

by("theme").addEventListener("change", setTheme);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", setTheme);
setTheme();
by("about").textContent = contents.about;
