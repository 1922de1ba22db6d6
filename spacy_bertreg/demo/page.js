"use strict";

// Of a text file, this much is sent to find its columns.
const HEAD = 2 ** 18;
const byId = (id) => document.getElementById(id);
let limits = {};
let file = null;
let asking = null; // of the text: what the last click began
let scoring = null;
let links = [];

function make(tag, text, properties = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  return Object.assign(element, properties);
}

function format(value) {
  const text = Math.abs(value) < 100
    ? value.toFixed(3)
    : value.toLocaleString("en", { maximumFractionDigits: 1 });
  return text.replace("-", "\u2212");
}

// A table that scrolls in itself, with the keyboard, too.
function makeTable(label, header, rows) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const name of header) head.append(make("th", name, { scope: "col" }));
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((cell) => {
      line.insertCell().textContent = cell;
    });
    line.cells[0].dir = "auto";
  }
  const region = make("div", "", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: label });
  region.append(table);
  return region;
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The demo does not answer. Is it still running?");
  }
  if (!answer.ok) throw new Error((await answer.json()).error);
  return answer;
}

async function askJson(path, content, signal) {
  const headers = { "Content-Type": "application/json" };
  const options = content && { method: "POST", headers, body: JSON.stringify(content), signal };
  return (await ask(path, options)).json();
}

// Show an error; one that this page caused by asking anew is none.
function show(id, error) {
  if (error.name !== "AbortError") byId(id).textContent = error.message;
}

// A text

function readText() {
  const covariates = {};
  for (const input of byId("covariates").querySelectorAll("input")) {
    covariates[input.name] = input.value === "" ? null : input.valueAsNumber;
  }
  return { text: byId("text").value, target: byId("target").value, covariates };
}

async function predict() {
  asking?.abort();
  const current = (asking = new AbortController());
  for (const id of ["text-error", "predictions", "explanation"]) byId(id).replaceChildren();
  byId("text-status").textContent = "Predicting …";
  try {
    const request = readText();
    if (!request.text.trim()) throw new Error("The text is empty. Type or paste one.");
    if (request.text.length > limits.max_characters) {
      throw new Error(`The text is too long: ${request.text.length.toLocaleString("en")} characters. `
        + `Expected ${limits.max_characters.toLocaleString("en")} at most; a table may have longer texts.`);
    }
    const { predictions } = await askJson("/predict", request, current.signal);
    const rows = predictions.map((one) => [one.model, one.target, format(one.value),
      one.low === null ? "" : `${format(one.low)} to ${format(one.high)}`]);
    byId("predictions").append(
      makeTable("Predictions", ["Pipeline", "Target", "Prediction", "Interval"], rows));
    byId("text-status").textContent = "Predicted. Looking for what each word adds …";
    const { page, reasons } = await askJson("/explain", request, current.signal);
    showExplanation(page, reasons);
    byId("text-status").textContent = "";
  } catch (error) {
    if (asking === current) byId("text-status").textContent = "";
    show("text-error", error);
  }
}

function showExplanation(page, reasons) {
  const parts = new DOMParser().parseFromString(page, "text/html");
  const found = parts.querySelectorAll("header .note, main > *");
  byId("explanation").replaceChildren(...[...found].map((part) => document.importNode(part, true)));
  // Here, they are below a heading.
  for (const heading of byId("explanation").querySelectorAll("h2")) {
    heading.replaceWith(make("h3", heading.textContent));
  }
  for (const reason of reasons) {
    byId("explanation").append(make("p", `Not explained: ${reason}`, { className: "note" }));
  }
}

// A table

function tableAddress(path) {
  const query = new URLSearchParams({ name: file.name, text: byId("column").value });
  for (const id of ["encoding", "separator", "decimal"]) query.set(id, byId(id).value);
  return `${path}?${query}`;
}

function send(path, body, signal) {
  const headers = { "Content-Type": "application/octet-stream" };
  return ask(tableAddress(path), { method: "POST", headers, body, signal });
}

async function lookAtTable() {
  clearTable();
  byId("column").replaceChildren();
  byId("column").disabled = byId("score").disabled = true;
  if (!file) return;
  const looked = file;
  byId("table-status").textContent = `Reading ${file.name} …`;
  try {
    if (file.size > limits.max_mb * 1e6) {
      throw new Error(`${file.name} is too large: ${(file.size / 1e6).toFixed(1)} MB. Expected `
        + `${limits.max_mb} MB at most; \`bertreg score\` takes tables of any size.`);
    }
    const isText = /\.(csv|tsv|jsonl)$/i.test(file.name);
    const { columns, text } = await (await send("/columns", isText ? file.slice(0, HEAD) : file)).json();
    if (looked !== file) return;
    byId("column").append(...columns.map((name) => make("option", name, { value: name })));
    byId("column").value = text;
    byId("column").disabled = byId("score").disabled = false;
    byId("table-status").textContent = `${file.name}: ${columns.length} columns.`;
  } catch (error) {
    byId("table-status").textContent = "";
    show("table-error", error);
  }
}

function clearTable() {
  scoring?.abort();
  links.forEach(URL.revokeObjectURL);
  links = [];
  for (const id of ["table-error", "table-status", "downloads", "preview"]) byId(id).replaceChildren();
}

async function scoreTable() {
  clearTable();
  const current = (scoring = new AbortController());
  byId("progress").hidden = byId("stop").hidden = false;
  byId("progress").removeAttribute("value");
  byId("score").disabled = true;
  byId("table-status").textContent = `Sending ${file.name} …`;
  try {
    const answer = await send("/score", file, current.signal);
    await readAnswer(answer.body.getReader());
  } catch (error) {
    byId("table-status").textContent = error.name === "AbortError" ? "Stopped." : "";
    show("table-error", error);
  } finally {
    if (scoring === current) {
      byId("progress").hidden = byId("stop").hidden = true;
      byId("score").disabled = false;
    }
  }
}

// Lines of JSON, and behind the last of them the files.
async function readAnswer(reader) {
  const gone = () => new Error("The demo has stopped before the table was scored.");
  let waiting = new Uint8Array();
  const take = async () => {
    const { done, value } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : gone();
    });
    if (done) throw gone();
    return value;
  };
  for (;;) {
    const end = waiting.indexOf(10);
    if (end < 0) {
      waiting = join([waiting, await take()]);
      continue;
    }
    const line = JSON.parse(new TextDecoder().decode(waiting.subarray(0, end)));
    waiting = waiting.slice(end + 1);
    if (line.error) throw new Error(line.error);
    if (line.sizes) {
      const parts = [waiting];
      let missing = line.sizes.reduce((a, b) => a + b) - waiting.length;
      while (missing > 0) {
        parts.push(await take());
        missing -= parts.at(-1).length;
      }
      showTable(line, new Blob(parts));
      return;
    }
    showProgress(line);
  }
}

function join(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let place = 0;
  for (const part of parts) {
    whole.set(part, place);
    place += part.length;
  }
  return whole;
}

function showProgress(line) {
  if (line.waits) {
    byId("table-status").textContent = "Waiting for another table …";
    return;
  }
  byId("progress").value = line.share;
  // Not each time: a screen reader says all of it.
  const percent = `${Math.floor(line.share * 10) * 10} %`;
  const text = `Scoring: ${percent}`;
  if (byId("table-status").textContent !== text) byId("table-status").textContent = text;
}

function showTable(line, files) {
  const rejected = line.rejected ? ` Can't be scored: ${line.rejected.toLocaleString("en")}. The `
    + "second file says why." : "";
  const empty = line.empty ? ` Without words: ${line.empty.toLocaleString("en")}. These have the `
    + "prediction for no evidence." : "";
  byId("table-status").textContent = `Scored ${line.scored.toLocaleString("en")} of `
    + `${line.rows.toLocaleString("en")} rows in ${line.seconds.toFixed(1)} s.${rejected}${empty}`
    + line.remarks.map((remark) => ` ${remark}.`).join("");
  let start = 0;
  line.names.forEach((name, number) => {
    const part = files.slice(start, start + line.sizes[number]);
    start += line.sizes[number];
    links.push(URL.createObjectURL(part));
    byId("downloads").append(make("a", `Download ${name}`,
      { href: links.at(-1), download: name, className: "button" }));
  });
  const { texts, rows } = line.preview;
  if (rows.length) {
    byId("preview").append(make("p", "The first rows:", { className: "note" }), makeTable(
      "The first rows", ["Text", ...limits.columns.map((name) => name.replace(/[:_]/g, "$&\u200b"))],
      rows.map((row, number) => [texts[number], ...row.map(format)])));
  }
}

// The page

async function start() {
  try {
    limits = await askJson("/models");
  } catch (error) {
    show("text-error", error);
    return;
  }
  byId("names").textContent = limits.names.join(", ");
  byId("max-mb").textContent = limits.max_mb;
  for (const name of limits.covariates) {
    const label = make("label", `${name} `, { className: "field", title: "Empty: unknown" });
    label.append(make("input", "", { type: "number", step: "any", name, autocomplete: "off" }));
    byId("covariates").append(label);
  }
  if (limits.covariates.length) {
    byId("text-hint").textContent += " A covariate may stay empty where it is unknown.";
    byId("needs").textContent = ` With columns ${limits.covariates.join(", ")}.`;
  }
  byId("target").append(...limits.targets.map((name) => make("option", name, { value: name })));
  byId("target-field").hidden = limits.targets.length < 2;
}

byId("text-form").noValidate = true;
byId("text-form").addEventListener("submit", (event) => {
  event.preventDefault();
  predict();
});
byId("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) predict();
});
byId("table-form").addEventListener("submit", (event) => {
  event.preventDefault();
  scoreTable();
});
byId("stop").addEventListener("click", () => scoring?.abort());
byId("file").addEventListener("change", () => {
  file = byId("file").files[0] ?? null;
  lookAtTable();
});
for (const id of ["encoding", "separator"]) byId(id).addEventListener("change", lookAtTable);
const drop = byId("drop");
// Elsewhere on the page, the browser would open the file in its place.
for (const type of ["dragover", "drop"]) {
  document.addEventListener(type, (event) => event.preventDefault());
}
drop.addEventListener("dragover", () => drop.classList.add("over"));
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  drop.classList.remove("over");
  if (!event.dataTransfer.files.length) return;
  byId("file").files = event.dataTransfer.files;
  file = event.dataTransfer.files[0];
  lookAtTable();
});
start();
