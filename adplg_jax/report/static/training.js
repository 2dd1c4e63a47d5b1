// Losses and labels over steps, heat maps of the memory, the configuration.
const LABELS = [
  ["labels/hard", "Hard segments, share"],
  ["labels/precision", "Precision of the labels"],
  ["labels/recall", "Recall of the labels"],
  ["labels/mean", "Mean label"],
];
const EVALUATED = [
  ["frame_auc", "Test frame AUC"], ["frame_ap", "Test frame AP"],
  ["video_auc", "Test video AUC"],
];

// Mean over a window around each point; gaps stay gaps.
function smooth(values, window) {
  const half = Math.floor(window / 2);
  return values.map((value, at) => {
    if (value === null) return null;
    const near = values.slice(Math.max(at - half, 0), at + half + 1)
      .filter((other) => other !== null);
    return near.reduce((sum, other) => sum + other, 0) / near.length;
  });
}

function overSteps(name) {
  const amount = Number(by("smoothing").value) / 100;
  const traces = [];
  runs.forEach((run, place) => {
    const values = run.training.metrics[name];
    if (!values) return;
    const x = run.training.step;
    const window = 1 + Math.round(amount * x.length / 10);
    if (window > 2) {
      traces.push({ x, y: values, mode: "lines", hoverinfo: "skip",
        line: { color: colour(place), width: 1 }, opacity: 0.28 });
    }
    traces.push({ x, y: smooth(values, window), mode: "lines",
      line: line(place), name: plain(run.name),
      hovertemplate: `step %{x}<br>%{y:.4g}<extra>`
        + `${several ? plain(run.name) : ""}</extra>` });
  });
  const share = name.startsWith("labels/");
  return { traces, layout: {
    xaxis: { title: { text: "step" } },
    yaxis: share ? { rangemode: "tozero" } : {},
  } };
}

function overEvaluations(name) {
  const traces = [];
  runs.forEach((run, place) => {
    const lines = run.evaluations.filter((found) => found[name] !== null);
    traces.push({ x: lines.map((found) => found.step),
      y: lines.map((found) => found[name]), mode: "lines+markers",
      line: line(place), marker: { symbol: place, size: 8 },
      name: plain(run.name),
      hovertemplate: `step %{x}<br>%{y:.4f}<extra>`
        + `${several ? plain(run.name) : ""}</extra>` });
  });
  return { traces, layout: { xaxis: { title: { text: "step" } } } };
}

function addChart(where, title, draw) {
  const div = make("div", { className: "chart" });
  where.append(make("figure", {},
    make("figcaption", { textContent: title }), div));
  chart(div, `${title} over steps`, draw);
}

function title(name) {
  const [group, own] = name.split("/");
  const words = (own ?? group).replaceAll("_", " ");
  if (group === "gradient_norm") return `Gradient norm, ${words}`;
  if (name === "input_wait") return "Waiting for input, seconds";
  return words[0].toUpperCase() + words.slice(1);
}

function drawTraining() {
  const names = [...new Set(runs.flatMap((run) =>
    Object.keys(run.training.metrics)))].filter((name) =>
    !name.startsWith("labels/"));
  // Losses first.
  names.sort((a, b) =>
    b.startsWith("loss/") - a.startsWith("loss/") || a.localeCompare(b));
  for (const [name, title_] of EVALUATED) {
    if (runs.some((run) => run.evaluations.some((found) =>
      typeof found[name] === "number"))) {
      addChart(by("training-charts"), title_, () => overEvaluations(name));
    }
  }
  for (const name of names) {
    addChart(by("training-charts"), title(name), () => overSteps(name));
  }
  for (const [name, title_] of LABELS) {
    if (runs.some((run) => run.training.metrics[name])) {
      addChart(by("label-charts"), title_, () => overSteps(name));
    }
  }
  by("no-truth").hidden =
    runs.some((run) => run.training.metrics["labels/recall"]);
  by("smoothing").addEventListener("input", () => {
    for (const part of ["training-charts", "label-charts"]) {
      for (const div of by(part).querySelectorAll(".chart")) show(div);
    }
  });
}

const remembered = runs.filter((run) => run.labels.keys.length);

function heatMap() {
  const { steps, keys } = remembered[by("heat-run").value].labels;
  const key = keys[by("heat-video").value];
  const rows = key.rows.map((row) => row === null ? null
    : Uint8Array.from(atob(row), (letter) => letter.charCodeAt(0)));
  const segments = rows.find((row) => row !== null).length;
  const levels = rows.map((row) => row === null ? Array(segments).fill(null)
    : Array.from(row, (value) => (value & 127) / 100));
  const names = steps.map((step) => `step ${step}`);
  if (key.truth) {
    levels.push(key.truth.map((value) => value / 100));
    names.push("truth");
  }
  const hard = rows.flatMap((row, at) => row === null ? []
    : [...row].flatMap((value, segment) =>
      value & 128 ? [[segment, names[at]]] : []));
  return {
    traces: [
      { type: "heatmap", z: levels, y: names, zmin: 0, zmax: 1,
        colorscale: "Cividis", ygap: 2,
        colorbar: { title: { text: "label" }, thickness: 12 },
        hovertemplate: "%{y}, segment %{x}<br>%{z:.2f}<extra></extra>" },
      { x: hard.map(([segment]) => segment), y: hard.map(([, name]) => name),
        mode: "markers", hoverinfo: "skip", marker: { symbol: "x",
          size: 8, color: "#ffffff", line: { width: 1, color: "#000000" } } },
    ],
    layout: {
      xaxis: { title: { text: "segment" }, showgrid: false,
        range: [-0.5, segments - 0.5] },
      yaxis: { type: "category", showgrid: false },
    },
  };
}

function drawHeat() {
  const run = remembered[by("heat-run").value];
  const key = run.labels.keys[by("heat-video").value];
  const left = run.labels.left_out;
  by("heat-caption").replaceChildren(
    make("span", { textContent: key.name }),
    make("small", { textContent: left ? ` · ${left} more videos of this run `
      + "are left out, to keep the page small" : "" }));
  const rows = run.labels.steps.length + (key.truth ? 1 : 0);
  by("heat-map").style.height = `${Math.max(150, 80 + 28 * rows)}px`;
  chart(by("heat-map"), `Pseudo-labels of ${key.name} over training`, heatMap);
}

function listHeat() {
  options(by("heat-video"), remembered[by("heat-run").value].labels.keys.map(
    (key, place) => [place, key.name]));
  drawHeat();
}

function startHeat() {
  by("heat").hidden = !remembered.length;
  if (!remembered.length) return;
  options(by("heat-run"), remembered.map((run, place) => [place, run.name]));
  by("heat-run-label").hidden = remembered.length === 1;
  by("heat-run").addEventListener("change", listHeat);
  by("heat-video").addEventListener("change", drawHeat);
  listHeat();
}

drawTraining();
startHeat();
