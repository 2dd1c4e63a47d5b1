// Metrics, curves with one operating point for all, histograms, classes.
const scored = runs.filter((run) => run.videos);
const judged = scored.filter((run) => run.points);
let threshold = judged.length && judged[0].best_f1
  ? judged[0].best_f1.threshold : 0.5;

function drawMetrics() {
  const names = Object.entries(contents.titles);
  const columns = [];
  for (const run of scored) {
    const { last, selected } = run.metrics;
    const name = several ? `${run.name}, ` : "";
    columns.push([`${name}step ${selected.step}`,
      (metric) => number(selected[metric])]);
    if (!several) {
      columns.unshift([`last, step ${last.step}`,
        (metric) => number(last[metric])]);
      columns[1][0] = `selected, ${columns[1][0]}`;
    }
  }
  for (const seeds of contents.seeds) {
    columns.push([`${seeds.name}: mean ± deviation`, (metric) => {
      const { mean, deviation } = seeds.selected[metric];
      return `${number(mean)} ± ${number(deviation)}`;
    }]);
  }
  by("metrics").replaceChildren(table(
    ["", ...columns.map(([head]) => head)],
    names.map(([metric, title]) =>
      [title, ...columns.map(([, cell]) => cell(metric))]),
  ));
  const chosen = scored.map((run) => run.chosen_by).find(Boolean);
  if (chosen) {
    by("metrics").append(make("p", {
      className: "hint",
      textContent: `Checkpoints are selected by ${chosen}.`,
    }));
  }
}

// The last point whose threshold is not below the chosen one.
function pointAt(points) {
  let place = 0;
  while (place + 1 < points.threshold.length
    && points.threshold[place + 1] >= threshold) place++;
  return place;
}

function drawOperating() {
  by("threshold").value = Math.round(1000 * threshold);
  by("threshold-value").textContent = threshold.toFixed(4);
  const rows = judged.map((run) => {
    const points = run.points;
    const at = pointAt(points);
    return [several ? run.name : "at this threshold",
      ...["precision", "recall", "f1", "false_positive_rate"].map((name) =>
        number(points[name][at]))];
  });
  by("operating").replaceChildren(table(
    [several ? "run" : "", "precision", "recall", "F1", "false alarms"], rows));
}

function curve(x, y, chance) {
  const traces = [chance];
  runs.forEach((run, place) => {
    if (!run.points) return;
    const points = run.points;
    traces.push({
      x: points[x], y: points[y], mode: "lines", line: line(place),
      name: plain(run.name), customdata: points.threshold,
      hovertemplate: `threshold %{customdata:.4f}<br>${x.replaceAll("_", " ")} `
        + `%{x:.4f}<br>${y} %{y:.4f}<extra>${several ? plain(run.name) : ""}`
        + "</extra>",
    });
    const at = pointAt(points);
    traces.push({
      x: [points[x][at]], y: [points[y][at]], mode: "markers",
      hoverinfo: "skip", marker: {
        size: 13, color: colour(place), symbol: place,
        line: { color: variable("--ink"), width: 2 },
      },
    });
  });
  const range = [-0.02, 1.02];
  return {
    traces,
    layout: {
      xaxis: { title: { text: x.replaceAll("_", " ") }, range },
      yaxis: { title: { text: y }, range },
    },
  };
}

function straight(ends, share) {
  return {
    x: [0, 1], y: ends, mode: "lines", hoverinfo: "skip",
    line: { color: variable("--dim"), width: 1, dash: "dot" }, name: share,
  };
}

function roc() {
  return curve("false_positive_rate", "recall", straight([0, 1]));
}

function precisionRecall() {
  const share = judged[0].share;
  return curve("recall", "precision", straight([share, share]));
}

function histogram() {
  const traces = [];
  runs.forEach((run, place) => {
    if (!run.histograms) return;
    for (const name of ["normal", "anomalous"]) {
      const found = run.histograms[name];
      if (!found) continue;
      const normal = name === "normal";
      const own = several ? colour(place)
        : normal ? colour(0) : variable("--truth");
      traces.push({
        x: run.histograms.edges, y: [...found, found.at(-1)], mode: "lines",
        line: { shape: "hv", width: 2, color: own,
          dash: normal ? "dot" : "solid" },
        fill: several || normal ? "none" : "tozeroy",
        name: several ? `${plain(run.name)}, ${name}` : name,
        hovertemplate: `score from %{x:.2f}<br>%{y:.2%} of the ${name} `
          + `${run.judged}<extra></extra>`,
      });
    }
  });
  return {
    traces,
    layout: {
      xaxis: { title: { text: "score" }, range: [0, 1] },
      yaxis: { title: { text: "share, logarithmic" }, type: "log",
        exponentformat: "power", dtick: 1 },
      showlegend: !several,
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
      shapes: [atThreshold("x")],
    },
  };
}

function atThreshold(axis) {
  const ends = axis === "x"
    ? { x0: threshold, x1: threshold, y0: 0, y1: 1, yref: "paper" }
    : { y0: threshold, y1: threshold, x0: 0, x1: 1, xref: "paper" };
  return { type: "line", ...ends, line: {
    color: variable("--threshold"), width: 1.5, dash: "dash" } };
}

function classes() {
  const traces = [];
  runs.forEach((run, place) => {
    const names = Object.keys(run.categories);
    for (const [metric, shape] of [["frame_auc", ""], ["frame_ap", "/"]]) {
      traces.push({
        type: "bar", x: names.map(plain),
        y: names.map((name) => run.categories[name][metric]),
        name: `${several ? `${plain(run.name)}, ` : ""}`
          + `${metric === "frame_auc" ? "AUC" : "AP"}`,
        customdata: names.map((name) => run.categories[name].videos),
        hovertemplate: "%{x}, %{customdata} videos<br>%{y:.4f}<extra></extra>",
        marker: { color: colour(several ? place : metric === "frame_ap" ? 1 : 0),
          pattern: { shape } },
      });
    }
  });
  return {
    traces,
    layout: {
      yaxis: { range: [0, 1.02] }, showlegend: true, barmode: "group",
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    },
  };
}

function setThreshold(value) {
  threshold = Math.min(Math.max(value, 0), 1);
  drawOperating();
  for (const id of ["roc", "pr", "histogram", "timeline"]) {
    show(by(id));
  }
}

function drawResults() {
  by("no-results").hidden = scored.length > 0;
  for (const part of document.querySelectorAll(".scored")) {
    part.hidden = scored.length === 0;
  }
  if (!scored.length) return;
  drawMetrics();
  const what = scored[0].judged;
  by("histogram-caption").textContent =
    `Scores of normal (dotted) and anomalous (solid) ${what}`;
  chart(by("histogram"), `Histogram of scores over ${what}`, histogram);
  by("classes-figure").hidden =
    !scored.some((run) => Object.keys(run.categories).length);
  if (!by("classes-figure").hidden) {
    chart(by("classes"), "AUC and AP of each class", classes);
  }
  if (!judged.length) {
    const why = scored[0].undefined.frame_auc ?? "one class only";
    by("operating").replaceChildren(make("p", { className: "note",
      textContent: `The curves are not defined: ${why}.` }));
    for (const id of ["roc", "pr"]) by(id).parentElement.hidden = true;
    return;
  }
  drawOperating();
  by("roc-caption").textContent = `ROC over ${what}`;
  by("pr-caption").textContent = `Precision and recall over ${what}`;
  const follow = (id) => () => by(id).on("plotly_hover", (event) => {
    const found = event.points[0].customdata;
    if (found !== undefined) setThreshold(found);
  });
  chart(by("roc"), "ROC curve with the operating point", roc, follow("roc"));
  chart(by("pr"), "Precision and recall with the operating point",
    precisionRecall, follow("pr"));
  by("threshold").addEventListener("input", () =>
    setThreshold(by("threshold").value / 1000));
  by("best-threshold").addEventListener("click", () =>
    setThreshold(judged[0].best_f1 ? judged[0].best_f1.threshold : 0.5));
}

drawResults();
