// The log of an execution: the latest lines, with no more of them in the page than can be drawn at once.

import { el, setHidden, setText } from "./dom.js";
import { clockTime } from "./format.js";

const MOST = 500;
const NEAR_END = 40; // pixels

export class LogView {
  constructor(address) {
    this.lines = el("ol");
    this.keys = new Set();
    this.order = [];
    this.isAtEnd = true;
    this.left = 0;
    this.box = el("div", { class: "log", tabindex: 0, role: "log", "aria-live": "off", "aria-label": "Log", onscroll: () => this.onScroll() }, this.lines);
    this.none = el("p", { class: "list empty", text: "It has not said anything yet." });
    this.end = el("button", { text: "Jump to the end", hidden: true, onclick: () => this.toEnd() });
    const only = el("button", { text: "Warnings only", "aria-pressed": "false", onclick: () => {
      const on = this.box.classList.toggle("only-bad");
      only.setAttribute("aria-pressed", String(on));
      if (this.isAtEnd) this.toEnd();
    } });
    const all = el("a", { class: "button", href: address, text: "Download", download: true });
    const tools = el("div", { class: "tools" }, this.end, only, all);
    const head = el("div", { class: "section" }, el("h2", { text: "Log" }), el("span", { class: "spring" }), tools);
    this.gap = el("li", { class: "gap", hidden: true });
    this.lines.append(this.gap);
    this.element = el("section", { "aria-label": "Log" }, head, this.box, this.none);
    setHidden(this.box, true);
  }

  reset() {
    this.keys.clear();
    this.order = [];
    this.left = 0;
    this.lines.replaceChildren(this.gap);
  }

  // A line is known by its key, so that one that is sent again is not shown again.
  add(rows, skipped) {
    const fresh = rows.filter((row) => !this.keys.has(row[0]));
    if (!fresh.length) return;
    this.left += skipped + Math.max(0, fresh.length - MOST);
    const shown = fresh.slice(-MOST);
    const over = this.order.length + shown.length - MOST;
    if (over > 0) this.drop(over);
    for (const row of shown) {
      this.keys.add(row[0]);
      this.order.push(row[0]);
    }
    this.lines.append(...shown.map(makeLine));
    setText(this.gap, `${this.left.toLocaleString("en")} earlier lines are not shown; the download has those that are kept`);
    setHidden(this.gap, !this.left);
    setHidden(this.box, false);
    setHidden(this.none, true);
    if (this.isAtEnd) this.toEnd();
  }

  drop(count) {
    for (const key of this.order.splice(0, count)) this.keys.delete(key);
    this.left += count;
    const range = document.createRange();
    range.setStartAfter(this.gap);
    range.setEndAfter(this.lines.children[Math.min(count, this.lines.children.length - 1)]);
    range.deleteContents();
  }

  toEnd() {
    this.isAtEnd = true;
    this.box.scrollTop = this.box.scrollHeight;
    setHidden(this.end, true);
  }

  onScroll() {
    this.isAtEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR_END;
    setHidden(this.end, this.isAtEnd);
  }
}

function makeLine([, time, level, logger, axis, text]) {
  const who = [axis, logger === "task" ? "" : logger].filter(Boolean).join(" ");
  return el("li", { class: level },
    el("time", { text: clockTime(time), title: level }),
    el("span", { class: "text" }, who ? el("span", { class: "who", text: who }) : null, text));
}
