// Begins: reads the address, shows the view for it, and gives that what the server sends.

import { ExecutionView } from "./execution.js";
import { HomeView } from "./home.js";
import { Live, reason } from "./live.js";
import { el, note, setClass, setText } from "./dom.js";
import { ServerView } from "./server.js";

const main = document.getElementById("main");
const link = document.getElementById("link");

class Page {
  constructor(session) {
    this.session = session;
    this.view = null;
    this.place = null;
    this.waiting = [];
    this.live = new Live((kind, data) => this.onMessage(kind, data), showLink);
    addEventListener("hashchange", () => this.go());
    addEventListener("keydown", onKey);
    this.go();
  }

  go() {
    const place = placeOf(location.hash);
    if (this.place && JSON.stringify(place) === JSON.stringify(this.place)) return;
    const isFirst = !this.place;
    this.place = place;
    this.waiting = [];
    this.view?.close();
    main.replaceChildren();
    const View = place.execution ? ExecutionView : place.server ? ServerView : HomeView;
    this.view = new View(main, place, this.session);
    showTrail(place);
    scrollTo(0, 0);
    if (!isFirst) main.focus({ preventScroll: true });
    this.live.show(place);
  }

  // What arrives between two frames is shown in one.
  onMessage(kind, data) {
    this.waiting.push([kind, data]);
    if (this.waiting.length === 1) requestAnimationFrame(() => this.show());
  }

  show() {
    const waiting = this.waiting;
    this.waiting = [];
    for (const [kind, data] of waiting) this.view.on(kind, data);
    if (waiting.length) document.documentElement.dataset.shown = String(Number(document.documentElement.dataset.shown || 0) + 1);
  }
}

function placeOf(hash) {
  const parts = hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
  const place = {};
  if (parts[0]) place.server = parts[0];
  if (parts[1]) place.execution = parts[1];
  return place;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function showTrail(place) {
  const trail = document.getElementById("trail");
  const steps = [["Servers", "#/"]];
  if (place.server) steps.push([place.server, `#/${encodeURIComponent(place.server)}`]);
  if (place.execution) steps.push([place.execution.slice(0, 12), location.hash]);
  trail.replaceChildren(...steps.map(([text, address], index) => {
    const isHere = index === steps.length - 1;
    const shown = isHere ? el("span", { text, "aria-current": "page" }) : el("a", { text, href: address });
    return el("li", {}, shown);
  }));
  document.title = steps.map(([text]) => text).reverse().join(" – ");
}

function showLink(state, text) {
  setClass(link, `link ${state}`);
  setText(link, state === "live" ? "Live" : text);
}

// "/" goes to the search field, arrows up and down move among the entries of a list.
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
  if (event.key === "/") {
    const field = main.querySelector("input[type=search]");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  }
  if ((event.key === "ArrowDown" || event.key === "ArrowUp") && event.target.matches("a.row")) {
    const rows = [...main.querySelectorAll("a.row")];
    const next = rows[rows.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }
}

async function start() {
  try {
    const answer = await fetch("/api/session");
    if (!answer.ok) throw new Error(await reason(answer));
    new Page(await answer.json());
  } catch (error) {
    showLink("lost", "Not connected");
    note(error.message);
    setTimeout(start, 3000);
  }
}

start();
