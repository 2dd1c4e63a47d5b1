// Configuration, data set and versions, what differs between runs marked.
const GROUPS = [["config", "config."], ["data", "data set: "],
  ["versions", "version: "]];

function fieldRows() {
  const rows = [];
  for (const [group, start] of GROUPS) {
    const names = new Set(runs.flatMap((run) => Object.keys(run[group])));
    for (const name of names) {
      rows.push([start + name, ...runs.map((run) => run[group][name] ?? "–")]);
    }
  }
  return rows;
}

function drawFields() {
  const wanted = by("field").value.toLowerCase();
  const body = by("fields").tBodies[0];
  body.replaceChildren();
  for (const [name, ...values] of fieldRows()) {
    const differs = new Set(values).size > 1;
    if (!name.toLowerCase().includes(wanted)) continue;
    if (by("differing").checked && !differs) continue;
    body.append(make("tr", { className: differs ? "differs" : "" },
      make("td", { textContent: name }),
      ...values.map((value) => make("td", { textContent: value }))));
  }
}

function startFields() {
  by("differing-label").hidden = !several;
  by("fields").tHead.append(make("tr", {}, make("th", { textContent: "field" }),
    ...runs.map((run) => make("th", { textContent: several ? run.name : "value",
      scope: "col" }))));
  by("field").addEventListener("input", drawFields);
  by("differing").addEventListener("change", drawFields);
  drawFields();
}

startFields();
document.documentElement.dataset.ready = "true";
