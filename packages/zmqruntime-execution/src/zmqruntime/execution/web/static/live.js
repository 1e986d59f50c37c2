// The connection to the server: one stream of events a page, which comes back by itself and asks for what it missed.

const HIDDEN_MS = 5000; // a browser opens few connections to one host, so a page that is not seen gives its own back
const AGAIN_MS = 2000;

export class Live {
  constructor(onMessage, onState) {
    this.onMessage = onMessage;
    this.onState = onState;
    this.source = null;
    this.subject = null;
    this.cursor = "";
    this.timer = 0;
    document.addEventListener("visibilitychange", () => this.onVisibility());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (event) => { if (event.persisted) this.open(); });
  }

  show(subject) {
    this.subject = subject;
    this.cursor = "";
    this.open();
  }

  open() {
    this.close();
    if (!this.subject) return;
    const query = new URLSearchParams(this.subject);
    if (this.cursor) query.set("after", this.cursor);
    const address = `/api/events?${query}`;
    const source = new EventSource(address);
    this.source = source;
    for (const kind of ["servers", "server", "execution"]) {
      source.addEventListener(kind, (event) => {
        if (this.source !== source) return;
        if (kind === "execution") this.cursor = event.lastEventId;
        this.onMessage(kind, JSON.parse(event.data));
      });
    }
    source.onopen = () => this.onState("live", "");
    source.onerror = () => {
      if (this.source === source) this.onError(source, address);
    };
  }

  close() {
    clearTimeout(this.timer);
    if (this.source) this.source.close();
    this.source = null;
  }

  async onError(source, address) {
    this.onState("lost", "Not connected");
    if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself, with the number of its last event
    this.close();
    const why = await refusal(address);
    if (this.source) return;
    this.onState("lost", why || "Not connected");
    this.timer = setTimeout(() => this.open(), AGAIN_MS);
  }

  onVisibility() {
    if (document.hidden) {
      this.timer = setTimeout(() => this.close(), HIDDEN_MS);
    } else {
      clearTimeout(this.timer);
      if (!this.source) this.open();
    }
  }
}

async function refusal(address) {
  const stop = new AbortController();
  try {
    const answer = await fetch(address, { signal: stop.signal });
    return answer.ok ? "" : await reason(answer);
  } catch {
    return "";
  } finally {
    stop.abort();
  }
}

export async function reason(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text).error || text;
  } catch {
    return text;
  }
}
