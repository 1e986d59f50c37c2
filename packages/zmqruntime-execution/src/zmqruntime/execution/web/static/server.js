// One server: what it is running, its queue, and what has ended, in pages and by search.

import { act, once } from "./actions.js";
import { el, KeyedList, note, setClass, setHidden, setText } from "./dom.js";
import { moment } from "./format.js";
import { reason } from "./live.js";
import { makeRow } from "./rows.js";

const WORDS = { running: "running", silent: "busy", ended: "ended" };
const WORKING = new Set(["running", "cancelling"]);

export class ServerView {
  constructor(root, place, session) {
    this.key = place.server;
    this.session = session;
    this.rows = new Map();
    this.order = [];
    this.state = el("span");
    this.what = el("p", { class: "quiet small" });
    this.trouble = el("p", { class: "trouble", hidden: true });
    this.pause = el("button", { hidden: true, onclick: once(() => this.onPause()) });
    root.append(
      el("div", { class: "head" }, el("h1", { text: this.key }), this.state, el("span", { class: "spring" }), this.pause),
      this.what, this.trouble);
    this.running = this.section(root, "Running", "Nothing is running.");
    this.queue = this.section(root, "Queue", "Nothing is waiting.");
    this.queues = el("div", { class: "tools queues", hidden: true });
    this.queue.element.insertBefore(this.queues, this.queue.ul);
    this.schedules = new Schedules(root);
    this.ended = this.section(root, "Ended", "Nothing has ended yet.");
    this.history = new History(this.key, this.ended);
  }

  section(root, title, empty) {
    const count = el("span", { class: "count" });
    const list = el("ul", { class: "list" });
    const none = el("p", { class: "list empty", text: empty });
    const tools = el("div", { class: "tools" });
    const head = el("div", { class: "section" }, el("h2", { text: title }), count, el("span", { class: "spring" }), tools);
    const element = el("section", { "aria-label": title }, head, list, none);
    root.append(element);
    return { element, count, list: new KeyedList(list, makeRow(this.key)), ul: list, none, tools };
  }

  on(kind, data) {
    if (kind !== "server") return;
    for (const row of data.rows) this.rows.set(row.id, row);
    if (data.order) {
      this.order = data.order;
      const kept = new Set(data.order);
      for (const id of this.rows.keys()) if (!kept.has(id)) this.rows.delete(id);
    }
    this.showServer(data);
    this.showRows(new Set(data.rows.map((row) => row.id)), data);
  }

  showServer(data) {
    setClass(this.state, `pill ${data.state === "running" ? "up" : data.state}`);
    setText(this.state, WORDS[data.state]);
    const identity = data.server ? `${data.server} ${data.version}, process ${data.pid}, ${data.workers} worker${data.workers === 1 ? "" : "s"}` : "";
    setText(this.what, data.from_disk ? "The server does not answer now; this is what is on its disk." : identity);
    if (data.state === "ended" && data.from_disk) setText(this.what, "The server has ended; this is what it has left on disk.");
    const said = [data.trouble, data.heard ? `What is shown was known at ${moment(data.heard)}.` : "", data.paused ? "The queue is paused: nothing more is started." : "", data.draining ? "The queue accepts nothing more." : ""];
    setText(this.trouble, said.filter(Boolean).join(" "));
    setHidden(this.trouble, !this.trouble.textContent);
    setHidden(this.pause, !this.session.actions || data.state === "ended");
    setText(this.pause, data.paused ? "Resume queue" : "Pause queue");
    this.paused = data.paused;
    this.showQueues(data.queues);
    this.schedules.show(data.schedules);
  }

  // Named queues, if there are any besides the one that is used by itself.
  showQueues(queues) {
    const shown = queues.filter((queue) => queue.name !== "default" || queue.paused || queue.limit !== null);
    const text = JSON.stringify(shown);
    if (text === this.shownQueues) return;
    this.shownQueues = text;
    setHidden(this.queues, shown.length === 0);
    this.queues.replaceChildren(...shown.map((queue) => {
      const parts = [`${queue.running} running`, `${queue.queued} queued`, queue.limit === null ? "" : `at most ${queue.limit}`, queue.paused ? "paused" : ""];
      const words = el("span", { class: "quiet small", text: ` ${parts.filter(Boolean).join(", ")}` });
      const button = this.session.actions ? el("button", {
        text: queue.paused ? "Resume" : "Pause", "aria-label": `${queue.paused ? "Resume" : "Pause"} queue ${queue.name}`,
        onclick: once(() => act(this.session, this.key, { action: queue.paused ? "resume" : "pause", queue: queue.name })),
      }) : null;
      return el("span", { class: "queue" }, el("b", { text: queue.name }), words, button);
    }));
  }

  showRows(changed, data) {
    const valueOf = (id) => this.rows.get(id);
    const groups = { running: [], queue: [], ended: [] };
    for (const id of this.order) {
      const status = this.rows.get(id).status;
      groups[WORKING.has(status) ? "running" : status === "queued" ? "queue" : "ended"].push(id);
    }
    for (const name of ["running", "queue", "ended"]) setHidden(this[name].element, !data.is_known);
    for (const name of ["running", "queue"]) {
      this[name].list.show(groups[name], valueOf, changed);
      setHidden(this[name].none, groups[name].length > 0);
      setHidden(this[name].ul, groups[name].length === 0);
    }
    setText(this.running.count, data.running ? String(data.running) : "");
    const cut = data.queued > groups.queue.length ? `, the first ${groups.queue.length} are shown` : "";
    setText(this.queue.count, data.queued ? data.queued.toLocaleString("en") + cut : "");
    this.history.showLatest(groups.ended, valueOf, changed);
  }

  onPause() {
    return act(this.session, this.key, { action: this.paused ? "resume" : "pause" });
  }

  close() {
    this.history.close();
  }
}

class Schedules {
  constructor(root) {
    this.list = el("ul", { class: "list" });
    this.element = el("section", { "aria-label": "Schedules", hidden: true }, el("div", { class: "section" }, el("h2", { text: "Schedules" })), this.list);
    root.append(this.element);
  }

  show(schedules) {
    const text = JSON.stringify(schedules);
    if (text === this.shown) return;
    this.shown = text;
    setHidden(this.element, schedules.length === 0);
    this.list.replaceChildren(...schedules.map((one) => el("li", { class: "schedule" },
      el("b", { text: one.name }), el("span", { class: "quiet small", text: [one.task, one.when].filter(Boolean).join(", ") }),
      el("span", { class: "quiet small", text: `next ${moment(one.due)}` }),
      one.trouble ? el("span", { class: "error small", text: one.trouble }) : null)));
  }
}

// Ended executions: the latest ones come live; older ones and those with a text are asked for.
class History {
  constructor(server, section) {
    this.server = server;
    this.section = section;
    this.latest = [];
    this.older = [];
    this.found = null;
    this.rows = new Map();
    this.next = undefined;
    this.timer = 0;
    this.asked = 0;
    this.field = el("input", {
      type: "search", placeholder: "Search name, id, status, error", "aria-label": "Search what has ended",
      oninput: () => this.onText(), maxlength: 200, autocomplete: "off", spellcheck: "false",
    });
    this.more = el("button", { class: "more", text: "Show older", hidden: true, onclick: () => this.ask() });
    section.tools.append(this.field);
    section.element.append(this.more);
  }

  get text() {
    return this.field.value.trim();
  }

  showLatest(ids, valueOf, changed) {
    this.latest = ids;
    for (const id of ids) this.rows.set(id, valueOf(id));
    if (this.found === null) this.show(changed);
  }

  show(changed = null) {
    const known = new Set(this.latest);
    const ids = this.found ?? [...this.latest, ...this.older.filter((id) => !known.has(id))];
    this.section.list.show(ids, (id) => this.rows.get(id), changed);
    setHidden(this.section.ul, ids.length === 0);
    setHidden(this.section.none, ids.length > 0);
    setText(this.section.none, this.found ? "Nothing that was looked at has this text." : "Nothing has ended yet.");
    setHidden(this.more, this.found === null ? this.next === null || this.latest.length < 20 : !this.next);
    setText(this.more, this.found === null ? "Show older" : "Search further back");
  }

  onText() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.asked += 1;
      this.next = undefined;
      this.found = this.text ? [] : null;
      this.older = [];
      setText(this.section.count, "");
      if (this.text) this.ask();
      else this.show();
    }, 250);
  }

  async ask() {
    const asked = this.asked;
    const query = new URLSearchParams({ limit: "50" });
    if (this.text) query.set("text", this.text);
    const last = this.next ?? (this.text ? "" : this.latest[this.latest.length - 1]);
    if (last) query.set("older_than", last);
    this.more.disabled = true;
    try {
      const answer = await fetch(`/api/servers/${encodeURIComponent(this.server)}/history?${query}`);
      if (!answer.ok) throw new Error(await reason(answer));
      const page = await answer.json();
      if (asked === this.asked) this.take(page);
    } catch (error) {
      note(error.message);
    } finally {
      this.more.disabled = false;
    }
  }

  take(page) {
    const ids = page.rows.map((row) => row.id);
    for (const row of page.rows) this.rows.set(row.id, row);
    this.next = page.more ? page.older_than : null;
    if (this.found === null) this.older.push(...ids);
    else this.found.push(...ids);
    if (this.found !== null) setText(this.section.count, `${this.found.length} found`);
    this.show();
  }

  close() {
    clearTimeout(this.timer);
    this.asked += 1;
  }
}
