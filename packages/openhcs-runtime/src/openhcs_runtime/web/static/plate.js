// The panel of a plate: its map with states, a heat map or thumbnails, the chosen well, and the failed wells.

import { PlateMap, placeOf } from "./plate_map.js";

const ENDED = new Set(["complete", "failed", "cancelled", "interrupted"]);
const MOST_FAILED = 100;
const LOOK_MS = 10000;

export function createPanel(page) {
  return new PlatePanel(page);
}

class PlatePanel {
  constructor(page) {
    this.page = page;
    this.axes = new Map();
    this.outcome = null;
    this.status = "";
    this.asked = 0;
    this.hasMeasures = false;
    this.isClosed = false;
    this.map = null;
    this.timer = 0;
  }

  // Returns whether this is a plate.
  update(head, axes, changed, isReset) {
    this.axes = axes;
    const hasEnded = ENDED.has(head.row.status);
    const justEnded = hasEnded && this.status !== head.row.status;
    this.status = head.row.status;
    const wells = isReset || !this.map ? [...axes.keys()].filter(placeOf) : changed.filter(placeOf);
    if (!this.map && !wells.length && !hasEnded) return false;
    if (wells.length) this.showStates(wells, head);
    if (justEnded) this.askOutcome();
    return this.map !== null;
  }

  showStates(wells, head) {
    if (!this.map) this.make();
    for (const well of wells) {
      const [, state, percent] = this.axes.get(well);
      this.map.setState(well, state, percent);
    }
    this.map.draw();
    this.showCount();
    if (this.map.selected && wells.includes(this.map.selected)) this.showWell();
    if (!this.outcome) this.showFailed(this.liveFailed(), head.counts.failed);
  }

  make() {
    const { el } = this.page.dom;
    this.title = el("h2", { text: "Plate" });
    this.count = el("span", { class: "count" });
    this.view = el("select", { "aria-label": "What the map shows", onchange: () => this.onView() },
      el("option", { value: "state", text: "State of each well" }),
      el("option", { value: "pictures", text: "Thumbnails" }));
    this.statistic = el("select", { "aria-label": "How the values of a well are combined", hidden: true, onchange: () => this.onView() },
      ...["mean", "median", "sum"].map((name) => el("option", { value: name, text: name })));
    this.name = el("p", { class: "well", text: "No well chosen" });
    this.said = el("p", { class: "quiet", text: "Choose one with a click, or with the arrow keys on the map." });
    this.value = el("p");
    this.image = el("img", { alt: "", hidden: true, onerror: () => { this.image.hidden = true; }, onload: () => { this.image.hidden = false; } });
    const side = el("div", { class: "side" }, el("div", { "aria-live": "polite" }, this.name, this.said, this.value), this.image);
    this.mapBox = el("div", {});
    this.key = el("ul", { class: "key" });
    this.scale = el("div", { class: "scale", hidden: true });
    this.sums = el("dl", { class: "facts", hidden: true });
    const tools = el("div", { class: "tools" }, this.view, this.statistic);
    const head = el("div", { class: "section" }, this.title, this.count, el("span", { class: "spring" }), tools);
    const card = el("div", { class: "card" }, el("div", { class: "body" }, el("div", {}, this.mapBox, this.key, this.scale), side), this.sums);
    this.section = el("section", { class: "plate-panel", "aria-label": "Plate" }, head, card);
    this.failedCount = el("span", { class: "count" });
    this.failedList = el("ul", { class: "failed-wells" });
    this.failed = el("section", { "aria-label": "Failed wells", hidden: true },
      el("div", { class: "section" }, el("h2", { text: "Failed wells" }), this.failedCount), el("div", { class: "list" }, this.failedList));
    this.page.element.append(this.section, this.failed);
    this.map = new PlateMap(this.page.dom, () => this.showWell());
    this.mapBox.append(this.map.element);
    this.showKey();
  }

  showCount() {
    const states = {};
    for (const state of this.map.states.values()) states[state] = (states[state] ?? 0) + 1;
    const order = ["complete", "running", "failed", "cancelled", "waiting"];
    const parts = order.filter((state) => states[state]).map((state) => `${states[state].toLocaleString("en")} ${state}`);
    this.page.dom.setText(this.count, `${this.map.states.size.toLocaleString("en")} wells: ${parts.join(", ")}`);
  }

  showKey() {
    const { el } = this.page.dom;
    const marks = this.map.key().map(([text, colour]) => {
      const mark = el("i");
      mark.style.background = colour;
      return el("li", {}, mark, text);
    });
    this.key.replaceChildren(...marks);
  }

  // --- what the map shows ------------------------------------------------------------------------------------------

  async onView() {
    const asked = ++this.asked;
    const { setHidden } = this.page.dom;
    clearTimeout(this.timer);
    const choice = this.view.value;
    const isMeasure = choice.startsWith("measure:");
    setHidden(this.statistic, !isMeasure);
    setHidden(this.scale, !isMeasure);
    setHidden(this.key, isMeasure || choice === "pictures");
    if (choice === "state") this.map.showStates();
    else if (choice === "pictures") await this.showPictures(asked);
    else await this.showMeasure(choice.slice("measure:".length), asked);
    this.showWell();
  }

  async showMeasure(name, asked) {
    const [table, column] = JSON.parse(name);
    const query = new URLSearchParams({ table, column, statistic: this.statistic.value });
    const found = await this.fetch(`measure?${query}`);
    if (!found || asked !== this.asked) return;
    this.map.showValues(new Map(Object.entries(found.values)));
    const numbers = Object.values(found.values);
    this.showScale(Math.min(...numbers), Math.max(...numbers));
  }

  showScale(low, high) {
    const { el } = this.page.dom;
    this.scale.replaceChildren(el("span", { text: short(low) }), this.map.scale(), el("span", { text: short(high) }));
  }

  async showPictures(asked) {
    const done = [...this.map.states.values()].filter((state) => state !== "waiting" && state !== "running").length;
    const picture = new Image();
    picture.src = `${this.page.address}/mosaic?done=${done}`;
    try {
      await picture.decode();
      if (asked === this.asked && !this.isClosed) this.map.showPicture(picture);
    } catch {
      if (asked === this.asked) await this.sayWhy("mosaic", done === 0);
    }
    if (asked === this.asked && !ENDED.has(this.status) && !this.isClosed) {
      this.timer = setTimeout(() => this.showPictures(asked), LOOK_MS);
    }
  }

  async sayWhy(what, isEarly) {
    if (isEarly) this.page.note("Thumbnails come with the first wells that are done.");
    else await this.fetch(what);
  }

  async fetch(what) {
    try {
      const answer = await fetch(`${this.page.address}/${what}`);
      if (!answer.ok) throw new Error(await this.page.reason(answer));
      return await answer.json();
    } catch (error) {
      if (!this.isClosed) this.page.note(error.message);
      return null;
    }
  }

  async addMeasures() {
    if (this.hasMeasures) return;
    this.hasMeasures = true;
    const { el } = this.page.dom;
    const answer = await this.fetch("measures");
    const groups = new Map();
    for (const [table, column] of answer?.measures ?? []) {
      if (!groups.has(table)) groups.set(table, el("optgroup", { label: `Heat map, table ${table}` }));
      groups.get(table).append(el("option", { value: `measure:${JSON.stringify([table, column])}`, text: column.replaceAll("_", " ") }));
    }
    this.view.append(...groups.values());
  }

  // --- wells -------------------------------------------------------------------------------------------------------

  showWell() {
    const well = this.map?.selected;
    if (!well) return;
    const { setText } = this.page.dom;
    const [, state = "", percent = 0, step = "", index = 0, total = 0, error = "", message = ""] = this.axes.get(well) ?? [];
    const known = this.map.states.get(well) ?? "not part of the run";
    const at = state === "running" && step ? `${step}${total > 1 ? `, step ${index + 1} of ${total}` : ""}, ${Math.floor(percent)} %` : "";
    setText(this.name, well);
    setText(this.said, [known, at, message, error].filter(Boolean).join("\n"));
    setText(this.value, this.valuesOf(well));
    this.showImage(well, known);
  }

  valuesOf(well) {
    const lines = [];
    const value = this.map.values?.get(well);
    if (this.map.values) lines.push(value === undefined ? "no value" : `${this.view.selectedOptions[0].text}: ${Number(value.toPrecision(6)).toLocaleString("en")}`);
    for (const [name, count] of Object.entries(this.outcome?.well_counts[well] ?? {})) {
      lines.push(`${name.replaceAll("_", " ")}: ${count.toLocaleString("en")}`);
    }
    return lines.join("\n");
  }

  showImage(well, state) {
    const isDone = state === "complete" || state === "failed";
    const address = isDone ? `${this.page.address}/thumbnail?${new URLSearchParams({ well })}` : "";
    if (!isDone) this.image.hidden = true;
    else if (this.image.getAttribute("src") !== address) {
      this.image.hidden = true;
      this.image.alt = `Thumbnail of well ${well}`;
      this.image.src = address;
    }
  }

  liveFailed() {
    const found = [];
    for (const [well, state] of this.map.states) {
      if (state === "failed" && found.length < MOST_FAILED) {
        const row = this.axes.get(well);
        found.push({ well, error: row[6], step: row[3], file: "", traceback: "" });
      }
    }
    return found;
  }

  showFailed(wells, total) {
    const { el, setHidden, setText } = this.page.dom;
    setHidden(this.failed, wells.length === 0);
    const name = wells.map((one) => one.well + one.error).join("\n");
    if (name === this.shownFailed) return;
    this.shownFailed = name;
    setText(this.failedCount, total > MOST_FAILED ? `${MOST_FAILED} of ${total.toLocaleString("en")}` : String(total));
    this.failedList.replaceChildren(...wells.slice(0, MOST_FAILED).map((one) => el("li", {},
      el("p", {}, el("b", { text: one.well }), ` ${one.error}`),
      one.step || one.file ? el("p", { class: "where", text: [one.step && `in ${one.step}`, one.file].filter(Boolean).join(", ") }) : null,
      one.traceback ? el("details", {}, el("summary", { text: "Traceback" }), el("pre", { text: one.traceback })) : null)));
  }

  // --- the end -----------------------------------------------------------------------------------------------------

  async askOutcome() {
    const outcome = await this.fetch("outcome");
    if (!outcome || this.isClosed || !outcome.kind) return;
    const wells = Object.entries(outcome.wells).filter(([well]) => placeOf(well));
    if (!this.map && wells.length) this.make();
    if (!this.map) return;
    this.page.dom.setHidden(this.page.element, false);
    this.outcome = outcome;
    for (const [well, state] of wells) this.map.setState(well, state, state === "complete" ? 100 : 0);
    this.map.draw();
    this.showCount();
    this.showSums(outcome.counts);
    this.showFailed(outcome.failed, outcome.failed.length);
    if (outcome.tables.length) await this.addMeasures();
    this.showWell();
  }

  showSums(counts) {
    const { el, setHidden } = this.page.dom;
    const shown = Object.entries(counts).slice(0, 12);
    setHidden(this.sums, shown.length === 0);
    this.sums.replaceChildren(...shown.map(([name, count]) => el("div", {}, el("dt", { text: name.replaceAll("_", " ") }), el("dd", { text: count.toLocaleString("en") }))));
  }

  close() {
    this.isClosed = true;
    this.asked += 1;
    clearTimeout(this.timer);
    this.map?.close();
  }
}

function short(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${(value / 1e3).toPrecision(3)}k`;
  return String(Number(value.toPrecision(3)));
}
