// The list of servers.

import { el, KeyedList, setClass, setHidden, setText } from "./dom.js";

const WORDS = { running: "running", silent: "busy", ended: "ended" };

export class HomeView {
  constructor(root) {
    this.cards = el("ul", { class: "cards" });
    this.empty = el("div", { class: "card", hidden: true },
      el("p", { text: "No server has run on this machine yet." }),
      el("p", { class: "quiet", text: "It appears here by itself when a program starts one." }));
    root.append(el("h1", { text: "Servers on this machine" }), this.cards, this.empty);
    this.list = new KeyedList(this.cards, makeCard);
  }

  on(kind, data) {
    if (kind !== "servers") return;
    const known = new Map(data.map((server) => [server.key, server]));
    this.list.show([...known.keys()], (key) => known.get(key));
    setHidden(this.empty, data.length > 0);
    setHidden(this.cards, data.length === 0);
  }

  close() {}
}

function makeCard(key) {
  const name = el("h2", { text: key });
  const state = el("span");
  const work = el("p", { class: "work" });
  const what = el("p", { class: "quiet small" });
  const card = el("a", { href: `#/${encodeURIComponent(key)}` }, el("div", { class: "head" }, name, state), work, what);
  return {
    element: el("li", { class: "card-item list" }, card),
    update(server) {
      setClass(state, `pill ${server.state === "running" ? "up" : server.state}`);
      setText(state, WORDS[server.state]);
      setText(work, workOf(server));
      setText(what, whatOf(server));
    },
  };
}

function workOf(server) {
  if (server.state === "ended") return "What it has left on disk";
  if (server.state === "silent") return "Does not answer at the moment";
  if (server.running === null) return "Runs no executions";
  const paused = server.paused ? ", paused" : "";
  if (!server.running && !server.queued) return `Idle${paused}`;
  return `${server.running} running, ${server.queued.toLocaleString("en")} queued${paused}`;
}

function whatOf(server) {
  const where = server.host ? ` on ${server.host}` : "";
  return server.server ? `${server.server} ${server.version}${where}, process ${server.pid}` : `Application ${server.app}${where}`;
}
