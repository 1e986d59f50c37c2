// Executions as entries of a list; each is a link.

import { el, progressBar, setClass, setHidden, setText } from "./dom.js";
import { about, duration, moment } from "./format.js";

export function makeRow(server) {
  return (id) => {
    const state = el("span");
    const name = el("span", { class: "name" });
    const more = el("span", { class: "about" });
    const bar = progressBar();
    const words = el("span");
    const middle = el("div", { class: "middle" });
    const time = el("div", { class: "time" });
    const link = el("a", { class: "row", href: `#/${encodeURIComponent(server)}/${encodeURIComponent(id)}` },
      state, el("div", { class: "what" }, name, more), middle, time);
    return {
      element: el("li", {}, link),
      update(row) {
        setClass(state, `pill ${row.status}`);
        setText(state, row.held ? "held" : row.status);
        setText(name, row.name);
        const text = row.error || [row.about, row.queue && `queue ${row.queue}`].filter(Boolean).join(", ");
        setText(more, text);
        setHidden(more, !text);
        setClass(more, row.error && row.status !== "complete" ? "about error" : "about");
        const isWorking = row.status === "running" || row.status === "cancelling";
        if (isWorking && row.percent !== undefined && row.percent !== null) {
          bar.update(row.percent, row.status);
          if (middle.firstChild !== bar.element) middle.replaceChildren(bar.element);
        } else {
          const said = row.waits || placeOf(row);
          setText(words, said);
          if (middle.firstChild !== words || !said) middle.replaceChildren(...(said ? [words] : []));
        }
        setText(time, timeOf(row));
        time.title = row.ended ? `ended ${moment(row.ended)}` : `submitted ${moment(row.submitted)}`;
      },
    };
  };
}

function placeOf(row) {
  if (row.status !== "queued" || row.place === undefined || row.place === null) return "";
  return row.place === 0 ? "next" : `${row.place} before it`;
}

function timeOf(row) {
  if (row.left !== undefined && row.left !== null) return about(row.left);
  if (row.ended) return moment(row.ended) + (row.seconds !== undefined && row.seconds !== null ? `, ${duration(row.seconds)}` : "");
  return moment(row.started || row.submitted);
}
