// One execution: its progress, panels of other packages, its log and its result.

import { act, ask, once } from "./actions.js";
import { AxesView } from "./axes.js";
import { el, note, progressBar, setClass, setHidden, setText } from "./dom.js";
import * as dom from "./dom.js";
import * as format from "./format.js";
import { about, duration, moment, size } from "./format.js";
import { reason } from "./live.js";
import { LogView } from "./log.js";
import { ResultView } from "./result.js";

const ENDED = new Set(["complete", "failed", "cancelled", "interrupted"]);

export class ExecutionView {
  constructor(root, place, session) {
    this.place = place;
    this.session = session;
    this.address = `/api/servers/${encodeURIComponent(place.server)}/executions/${encodeURIComponent(place.execution)}`;
    this.axes = new Map();
    this.head = null;
    this.panel = null;
    this.skew = 0;
    this.makeHead(root);
    this.panelBox = el("div");
    this.axesView = new AxesView();
    this.result = new ResultView(this.address);
    this.log = new LogView(`${this.address}/log`);
    root.append(this.panelBox, this.axesView.element, this.result.element, this.log.element);
    setHidden(this.log.element, true); // until something is known of the execution
    this.timer = setInterval(() => this.tick(), 1000);
    this.panelReady = this.loadPanel();
  }

  makeHead(root) {
    this.title = el("h1", { text: this.place.execution.slice(0, 12) });
    this.state = el("span");
    this.about = el("p", { class: "quiet small" });
    this.cancel = el("button", { class: "danger", text: "Cancel", hidden: true, onclick: once(() => this.onCancel()) });
    this.retry = el("button", { text: "Run again", hidden: true, onclick: once(() => this.onRetry()) });
    this.bar = progressBar(true);
    this.words = el("p", { class: "quiet" });
    this.facts = new Facts();
    this.problem = el("div", { class: "problem", hidden: true });
    this.trace = el("pre");
    this.traceBox = el("details", { hidden: true }, el("summary", { text: "Traceback" }), this.trace);
    this.trouble = el("p", { class: "trouble", hidden: true });
    this.card = el("div", { class: "card more", hidden: true }, this.bar.element, this.words, this.facts.element);
    root.append(
      el("div", { class: "head" }, this.title, this.state, el("span", { class: "spring" }), this.cancel, this.retry),
      this.about, this.trouble, this.card,
      this.problem, this.traceBox);
  }

  on(kind, data) {
    if (kind === "server") this.showServer(data);
    if (kind === "execution") this.showExecution(data);
  }

  showServer(data) {
    const said = data.state === "ended" ? `The server has ended; this is what it has left on disk. ${data.trouble}` : data.trouble;
    setText(this.trouble, said);
    setHidden(this.trouble, !said);
    this.isUp = data.state !== "ended";
    this.heard = data.heard;
    this.showActions();
    this.tick();
  }

  showExecution(update) {
    if (update.reset) {
      this.axes.clear();
      this.log.reset();
    }
    for (const axis of update.axes) this.axes.set(axis[0], axis);
    if (update.problem) {
      setText(this.trouble, update.problem);
      setHidden(this.trouble, false);
    }
    if (update.head) this.showHead(update.head);
    if (this.panel && update.head) this.tellPanel(update);
    else if (this.panel === null && (update.axes.length || update.reset)) this.axesView.update(this.axes);
    if (update.log.length) this.log.add(update.log, update.skipped); // last: to scroll to its end lays out the page
  }

  showHead(head) {
    const row = head.row;
    this.head = head;
    setHidden(this.card, false);
    setHidden(this.log.element, false);
    this.skew = Date.now() / 1000 - head.now;
    setText(this.title, row.name);
    setClass(this.state, `pill ${row.status}`);
    setText(this.state, row.held ? "held" : row.status);
    setText(this.about, [row.about, row.queue && `queue ${row.queue}`, row.id].filter(Boolean).join(" · "));
    this.bar.update(row.percent, row.status);
    setText(this.problem, head.error);
    setHidden(this.problem, !head.error);
    setText(this.trace, head.traceback);
    setHidden(this.traceBox, !head.traceback);
    this.facts.show(factsOf(head));
    this.showActions();
    this.tick();
    if (row.status === "complete" && head.result_bytes !== null) this.result.show();
  }

  showActions() {
    const may = this.session.actions && this.isUp && this.head;
    const isOver = this.head && ENDED.has(this.head.row.status);
    setHidden(this.cancel, !may || isOver || this.head.row.status === "cancelling");
    setHidden(this.retry, !may || !isOver);
  }

  tick() {
    if (!this.head) return;
    const row = this.head.row;
    const parts = [];
    if (row.status === "queued") {
      parts.push(row.waits || (row.place === undefined || row.place === null ? "waiting" : row.place === 0 ? "next to run" : `${row.place} before it`));
    } else if (row.started) {
      const now = this.heard ?? Date.now() / 1000 - this.skew;
      parts.push(duration(row.seconds ?? Math.max(0, (row.ended ?? now) - row.started)));
      if (!this.heard && row.left !== undefined && row.left !== null) parts.push(about(Math.max(0, row.left - (now - this.head.now))));
    }
    if (this.heard && !ENDED.has(row.status)) parts.push(`last known ${duration(Math.max(0, Date.now() / 1000 - this.skew - this.heard))} ago`);
    if (!ENDED.has(row.status) && row.status !== "queued") parts.push(this.head.step, this.head.message);
    setText(this.words, parts.filter(Boolean).join(" · "));
  }

  async loadPanel() {
    const app = this.place.server.split(":")[0];
    const known = this.session.panels.find((panel) => panel.apps.includes(app));
    if (!known) return;
    this.panel = undefined; // until it is loaded
    try {
      if (known.styles) addStyles(`/static/${known.name}/${known.styles}`);
      const module = await import(`/static/${known.name}/${known.module}`);
      const root = `${this.address}/panels/${known.name}`;
      this.panel = module.createPanel({ element: this.panelBox, address: root, dom, format, reason, note });
      if (this.head) this.tellPanel({ head: this.head, axes: [...this.axes.values()], reset: true });
    } catch (error) {
      this.panel = null;
      note(`The panel ${known.name} cannot be shown: ${error.message}`);
      this.axesView.update(this.axes);
    }
  }

  // A panel that does not know what to do with an execution leaves it to the list of parts.
  tellPanel(update) {
    const takes = this.panel.update(update.head, this.axes, update.axes.map((axis) => axis[0]), update.reset);
    setHidden(this.panelBox, !takes);
    if (!takes) this.axesView.update(this.axes);
    else setHidden(this.axesView.element, true);
  }

  async onCancel() {
    if (await ask(`Cancel ${this.head.row.name}? It stops at its next check; what it has done is kept.`, "Cancel it")) {
      await act(this.session, this.place.server, { action: "cancel", execution: this.place.execution });
    }
  }

  async onRetry() {
    if (!(await ask(`Run ${this.head.row.name} again, as a new execution?`, "Run again"))) return;
    const done = await act(this.session, this.place.server, { action: "retry", execution: this.place.execution });
    if (done) location.hash = `#/${encodeURIComponent(this.place.server)}/${encodeURIComponent(done.execution)}`;
  }

  close() {
    clearInterval(this.timer);
    this.panel?.close();
  }
}

function factsOf(head) {
  const { row, counts } = head;
  const facts = [["Submitted", moment(row.submitted)]];
  if (row.started) facts.push(["Started", moment(row.started)]);
  if (row.ended) facts.push(["Ended", moment(row.ended)]);
  if (row.attempts > 1) facts.push(["Attempts", String(row.attempts)]);
  if (counts.total) facts.push(["Parts done", `${counts.complete.toLocaleString("en")} of ${counts.total.toLocaleString("en")}`]);
  if (counts.running) facts.push(["Running", String(counts.running)]);
  if (counts.failed) facts.push(["Failed", counts.failed.toLocaleString("en")]);
  if (counts.cancelled) facts.push(["Cancelled", counts.cancelled.toLocaleString("en")]);
  if (head.cpu_seconds !== null) facts.push(["Processor time", duration(head.cpu_seconds)]);
  if (head.peak_memory) facts.push(["Peak memory", size(head.peak_memory)]);
  if (head.result_bytes !== null && row.status === "complete") facts.push(["Result", size(head.result_bytes)]);
  return facts;
}

class Facts {
  constructor() {
    this.element = el("dl", { class: "facts" });
    this.values = new Map();
  }

  show(facts) {
    const names = new Set(facts.map(([name]) => name));
    for (const [name, entry] of this.values) {
      if (!names.has(name)) {
        entry.box.remove();
        this.values.delete(name);
      }
    }
    for (const [name, text] of facts) {
      let entry = this.values.get(name);
      if (!entry) {
        const value = el("dd");
        entry = { value, box: el("div", {}, el("dt", { text: name }), value) };
        this.values.set(name, entry);
      }
      setText(entry.value, text);
    }
    const wanted = facts.map(([name]) => this.values.get(name).box);
    if (wanted.some((box, index) => this.element.children[index] !== box)) this.element.replaceChildren(...wanted);
  }
}

function addStyles(address) {
  if (![...document.styleSheets].some((sheet) => sheet.href?.endsWith(address))) {
    document.head.append(el("link", { rel: "stylesheet", href: address }));
  }
}
