// What an execution has returned, in a few lines, and to download.

import { el, note } from "./dom.js";
import { reason } from "./live.js";
import { plural } from "./format.js";

export class ResultView {
  constructor(address) {
    this.address = address;
    this.body = el("div", { class: "card" });
    const tools = el("div", { class: "tools" },
      el("a", { class: "button", href: `${address}/result?format=msgpack`, text: "MessagePack", download: true }),
      el("button", { text: "JSON", onclick: () => this.json() }));
    const head = el("div", { class: "section" }, el("h2", { text: "Result" }), el("span", { class: "spring" }), tools);
    this.element = el("section", { "aria-label": "Result", hidden: true }, head, this.body);
    this.isAsked = false;
  }

  async show() {
    if (this.isAsked) return;
    this.isAsked = true;
    this.element.hidden = false;
    try {
      const answer = await fetch(`${this.address}/summary`);
      if (!answer.ok) throw new Error(await reason(answer));
      const summary = await answer.json();
      const pairs = summary.rows.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: value })]);
      const more = summary.left_out ? el("p", { class: "quiet small", text: `and ${plural(summary.left_out, "other")}` }) : null;
      this.body.replaceChildren(el("p", { class: "quiet small", text: summary.kind }), ...(pairs.length ? [el("dl", { class: "pairs" }, ...pairs)] : []), ...(more ? [more] : []));
    } catch (error) {
      this.isAsked = false;
      this.body.replaceChildren(el("p", { text: error.message }));
    }
  }

  // A result that JSON cannot express is refused, so it is asked for before the browser saves it.
  async json() {
    const address = `${this.address}/result?format=json`;
    try {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(await reason(answer));
      const data = URL.createObjectURL(await answer.blob());
      const name = answer.headers.get("content-disposition")?.match(/filename="([^"]+)"/)?.[1] ?? "result.json";
      el("a", { href: data, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(data), 10000);
    } catch (error) {
      note(error.message);
    }
  }
}
