// What the page may do where it is allowed to: it asks before, and says what came of it.

import { el, note } from "./dom.js";
import { reason } from "./live.js";

export async function act(session, server, request) {
  try {
    const answer = await fetch(`/api/servers/${encodeURIComponent(server)}/actions`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": session.csrf },
      body: JSON.stringify(request),
    });
    if (!answer.ok) throw new Error(await reason(answer));
    const done = await answer.json();
    note(done.message);
    return done;
  } catch (error) {
    note(error.message);
    return null;
  }
}

// A handler for a button, which can't be pressed again while what it does is under way.
export function once(handler) {
  return async (event) => {
    const button = event.currentTarget;
    if (button.disabled) return;
    button.disabled = true;
    try {
      await handler();
    } finally {
      button.disabled = false;
    }
  };
}

export function ask(question, yes) {
  return new Promise((resolve) => {
    const dialog = el("dialog", { "aria-label": question },
      el("p", { text: question }),
      el("form", { method: "dialog", class: "tools" },
        el("button", { value: "", text: "Go back", autofocus: true }),
        el("button", { value: "yes", class: "danger", text: yes })));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
