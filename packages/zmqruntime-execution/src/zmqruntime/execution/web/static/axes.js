// The parts of an execution that run by themselves, those first that need attention.

import { el, KeyedList, progressBar, setClass, setHidden, setText } from "./dom.js";

const SHOWN = 60;
const ORDER = { failed: 0, running: 1, waiting: 2, cancelled: 3, complete: 4 };

export class AxesView {
  constructor() {
    this.ul = el("ul", { class: "axes" });
    this.list = new KeyedList(this.ul, makeAxis);
    this.count = el("span", { class: "count" });
    const head = el("div", { class: "section" }, el("h2", { text: "Parts" }), this.count);
    this.element = el("section", { "aria-label": "Parts", hidden: true }, head, el("div", { class: "card" }, this.ul));
  }

  update(axes) {
    setHidden(this.element, axes.size === 0);
    const rows = [...axes.values()];
    rows.sort((a, b) => ORDER[a[1]] - ORDER[b[1]]);
    this.list.show(rows.slice(0, SHOWN).map((row) => row[0]), (id) => axes.get(id));
    setText(this.count, rows.length > SHOWN ? `${SHOWN} of ${rows.length.toLocaleString("en")}, failed and running ones first` : "");
  }
}

function makeAxis(id) {
  const bar = progressBar();
  const said = el("span");
  return {
    element: el("li", {}, el("span", { class: "id", text: id, title: id }), bar.element, said),
    update([, state, percent, step, index, total, error, message]) {
      bar.update(percent, state);
      const text = error || message || (state === "running" && step ? `${step}${total > 1 ? ` (step ${index + 1} of ${total})` : ""}` : state === "complete" ? "" : state);
      setText(said, text);
      setClass(said, error ? "said bad" : "said");
      setHidden(said, !text);
    },
  };
}
