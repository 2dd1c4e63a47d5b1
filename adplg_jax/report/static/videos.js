// The test videos: filter, sort, search, and the timeline of the chosen one.
const COLUMNS = [
  ["name", "video", ""], ["category", "class", "optional text"],
  ["", "scores over frames", "spark text"], ["error", "error", ""],
  ["auc", "own AUC", "optional"], ["peak", "peak", ""],
  ["mean", "mean", "optional"], ["share", "anomalous", "optional"],
  ["frames", "frames", "optional"],
];
const cells = {
  name: (video) => video.name, category: (video) => video.category,
  error: (video) => number(video.error, 3), auc: (video) => number(video.auc, 3),
  peak: (video) => number(video.peak, 3), mean: (video) => number(video.mean, 3),
  share: (video) => video.share === null
    ? "–" : `${(100 * video.share).toFixed(1)} %`,
  frames: (video) => video.frames.toLocaleString("en"),
};
const order = { column: "error", direction: -1 };
let shownVideos = [];
let chosenVideo = null;

// Where a value is not known a video comes last, in either direction.
function compare(one, other) {
  const [a, b] = [one[order.column], other[order.column]];
  if (a === null || b === null) return (a === null) - (b === null);
  const sign = typeof a === "string" ? a.localeCompare(b) : a - b;
  return sign * order.direction || one.name.localeCompare(other.name);
}

function spark(video) {
  const width = 220, height = 30, end = video.frames;
  const at = (frame) => (width * frame / end).toFixed(1);
  const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`,
    preserveAspectRatio: "none", "aria-hidden": "true" });
  for (const [start, stop] of video.spans ?? []) {
    drawn.append(svg("rect", { x: at(start), y: 0, height,
      width: Math.max(width * (stop - start) / end, 1),
      fill: "var(--truth)", opacity: 0.45 }));
  }
  const top = (score) => (height - 2 - (height - 4) * score / 1000).toFixed(1);
  let path = "";
  video.high.forEach((high, place) => {
    const [x, next] = [at(video.edges[place]), at(video.edges[place + 1])];
    path += `${place ? "L" : "M"}${x} ${top(high)}`;
    if (video.low[place] < high) path += `V${top(video.low[place])}`;
    path += `H${next}`;
  });
  drawn.append(svg("path", { d: path, fill: "none", stroke: "var(--link)",
    "stroke-width": 1.5, "vector-effect": "non-scaling-stroke" }));
  return drawn;
}

// Sparks are drawn when their rows come near the view.
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    watcher.unobserve(target);
    target.replaceChildren(spark(target.video));
  }
}, { rootMargin: "400px" });

function videoRow(video) {
  const row = make("tr", { tabIndex: -1, video });
  for (const [name, , kind] of COLUMNS) {
    const cell = make("td", { className: kind });
    if (name) cell.textContent = cells[name](video);
    if (name === "name") cell.title = video.name;
    if (kind.startsWith("spark")) {
      cell.video = video;
      watcher.observe(cell);
    }
    row.append(cell);
  }
  return row;
}

function currentRun() {
  return scored[by("run").value];
}

function drawVideos() {
  const wanted = by("search").value.toLowerCase();
  const [category, kind] = [by("category").value, by("kind").value];
  shownVideos = currentRun().videos.filter((video) =>
    video.name.toLowerCase().includes(wanted)
    && (!category || video.category === category)
    && (!kind || video.label === Number(kind)));
  shownVideos.sort(compare);
  const body = by("video-table").tBodies[0];
  body.replaceChildren(...shownVideos.map(videoRow));
  for (const cell of by("video-table").tHead.rows[0].cells) {
    const own = cell.dataset.column === order.column;
    const way = order.direction === 1 ? "ascending" : "descending";
    cell.setAttribute("aria-sort", own ? way : "none");
    const mark = cell.querySelector("span");
    if (mark) mark.textContent = own ? (order.direction === 1 ? " ▲" : " ▼") : "";
  }
  by("order").value = `${order.column}:${order.direction}`;
  choose(shownVideos.find((video) => video.name === chosenVideo?.name)
    ?? shownVideos[0] ?? null);
}

function choose(video) {
  chosenVideo = video;
  const place = shownVideos.indexOf(video);
  const rows = [...by("video-table").tBodies[0].rows];
  rows.forEach((row, at) => {
    row.setAttribute("aria-selected", at === place);
    row.tabIndex = at === place ? 0 : -1;
  });
  const all = currentRun().videos.length;
  by("count").textContent = video
    ? `${place + 1} of ${shownVideos.length}`
      + (shownVideos.length < all ? ` (${all} in all)` : "")
    : `none of ${all} videos fits the filters`;
  by("previous").disabled = place <= 0;
  by("next").disabled = place + 1 >= shownVideos.length;
  by("timeline").parentElement.hidden = !video;
  if (!video) return;
  const known = video.spans ? "" : " · spans not known";
  by("timeline-caption").replaceChildren(
    make("span", { textContent: video.name }),
    make("small", { textContent: ` ${video.category}${known} · error `
      + `${number(video.error, 3)} · own AUC ${number(video.auc, 3)}` }));
  chart(by("timeline"), `Scores of ${video.name} over its frames`, timeline);
}

// Shows a video of the table, whose timeline may be out of view.
function open(video) {
  choose(video);
  by("chosen").scrollIntoView({ block: "nearest" });
}

function timeline() {
  const spans = chosenVideo.spans ?? [];
  const traces = [];
  runs.forEach((run, place) => {
    const own = run === currentRun() ? chosenVideo
      : run.videos?.find((video) => video.name === chosenVideo.name);
    if (own) traces.push(...band(own, run, place));
  });
  return {
    traces,
    layout: {
      xaxis: { title: { text: "frame" }, range: [0, chosenVideo.frames] },
      yaxis: { title: { text: "score" }, range: [-0.03, 1.09],
        tickvals: [0, 0.25, 0.5, 0.75, 1] },
      hovermode: "x unified",
      shapes: [
        ...spans.flatMap(([x0, x1]) => [
          { type: "rect", x0, x1, y0: 0, y1: 1, yref: "paper", layer: "below",
            fillcolor: variable("--truth"), opacity: 0.28, line: { width: 0 } },
          { type: "rect", x0, x1, y0: 1.04, y1: 1.09, layer: "below",
            fillcolor: variable("--truth"), line: { width: 0 } },
        ]),
        atThreshold("y"),
      ],
      annotations: [{ x: 1, xref: "paper", y: threshold, xanchor: "right",
        yanchor: "bottom", showarrow: false, text: "threshold",
        font: { color: variable("--threshold"), size: 11 } }],
    },
  };
}

// The lowest and highest scores of each stretch: one line where all are exact.
function band(video, run, place) {
  const steps = (values) => [...values, values.at(-1)].map((v) => v / 1000);
  const exact = video.low.every((low, at) => low === video.high[at]);
  const shape = { ...line(place, several ? 2 : 1.6), shape: "hv" };
  const name = several ? plain(run.name) : "score";
  const common = { x: video.edges, mode: "lines", line: shape, name };
  const high = { ...common, y: steps(video.high),
    hovertemplate: "%{y:.3f}<extra>%{fullData.name}</extra>" };
  if (exact) return [high];
  return [
    { ...common, y: steps(video.low), hoverinfo: "skip",
      line: { ...shape, width: 0.5 } },
    { ...high, name: `${name}, highest`, fill: "tonexty" },
  ];
}

function sortBy(column, direction) {
  Object.assign(order, { column, direction });
  drawVideos();
}

function drawHead() {
  by("video-table").tHead.rows[0].replaceChildren(
    ...COLUMNS.map(([name, title, kind]) => {
      const head = make("th", { scope: "col", className: kind });
      head.dataset.column = name;
      if (!name) return Object.assign(head, { textContent: title });
      const button = make("button", { type: "button" }, title, make("span"));
      button.addEventListener("click", () => sortBy(name,
        order.column === name ? -order.direction
          : ["name", "category"].includes(name) ? 1 : -1));
      head.append(button);
      return head;
    }));
}

function step(places) {
  const next = shownVideos[shownVideos.indexOf(chosenVideo) + places];
  if (next) choose(next);
}

function onKey(event) {
  const move = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
  const rows = [...by("video-table").tBodies[0].rows];
  const at = rows.indexOf(document.activeElement);
  if (at < 0) return;
  if (event.key === "Enter" || event.key === " ") {
    open(rows[at].video);
  } else if (event.key in move || ["Home", "End"].includes(event.key)) {
    const to = event.key === "Home" ? 0 : event.key === "End" ? rows.length - 1
      : Math.min(Math.max(at + move[event.key], 0), rows.length - 1);
    rows[to].focus();
  } else return;
  event.preventDefault();
}

function startVideos() {
  if (!scored.length) return;
  options(by("run"), scored.map((run, place) => [place, run.name]));
  by("run-label").hidden = scored.length === 1;
  const names = new Set(scored.flatMap((run) =>
    run.videos.map((video) => video.category)));
  options(by("category"),
    [["", "all"], ...[...names].sort().map((name) => [name, name])]);
  drawHead();
  for (const id of ["run", "category", "kind"]) {
    by(id).addEventListener("change", drawVideos);
  }
  by("search").addEventListener("input", drawVideos);
  by("order").addEventListener("change", () => {
    const [column, direction] = by("order").value.split(":");
    chosenVideo = null;
    sortBy(column, Number(direction));
  });
  by("previous").addEventListener("click", () => step(-1));
  by("next").addEventListener("click", () => step(1));
  const body = by("video-table").tBodies[0];
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row) open(row.video);
  });
  body.addEventListener("keydown", onKey);
  const judged = scored.some((run) =>
    run.videos.some((video) => video.error !== null));
  if (!judged) order.column = "peak";
  drawVideos();
}

startVideos();
