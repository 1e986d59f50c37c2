// Makes elements. Texts are only ever set as text: nothing that a server says is read as HTML.

export function el(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Writing what is there already would make the browser lay out the page again.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setClass(element, name) {
  if (element.className !== name) element.className = name;
}

export function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

// A list whose entries are made once and then updated, in the order of their keys.
export class KeyedList {
  constructor(parent, make) {
    this.parent = parent;
    this.make = make;
    this.entries = new Map();
  }

  show(keys, valueOf, changed = null) {
    const wanted = new Set(keys);
    for (const [key, entry] of this.entries) {
      if (!wanted.has(key)) {
        entry.element.remove();
        this.entries.delete(key);
      }
    }
    let place = this.parent.firstElementChild;
    for (const key of keys) {
      let entry = this.entries.get(key);
      if (!entry) {
        entry = this.make(key);
        this.entries.set(key, entry);
        entry.update(valueOf(key));
      } else if (!changed || changed.has(key)) {
        entry.update(valueOf(key));
      }
      if (entry.element === place) place = place.nextElementSibling;
      else this.parent.insertBefore(entry.element, place);
    }
  }
}

export function progressBar(large = false) {
  const fill = el("div", { class: "fill" });
  const number = el("span", { class: "number" });
  const track = el("div", { class: "track", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
  const element = el("div", { class: "bar" }, track, number);
  return {
    element,
    update(percent, status) {
      setClass(element, `bar ${large ? "large " : ""}${status}`);
      const shown = `${Math.floor(percent)} %`;
      if (number.textContent !== shown) {
        number.textContent = shown;
        track.setAttribute("aria-valuenow", String(Math.floor(percent)));
      }
      fill.style.setProperty("--part", String(percent / 100));
    },
  };
}

let noteTimer = 0;
export function note(text) {
  const shown = document.getElementById("note");
  shown.textContent = text;
  shown.hidden = false;
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => { shown.hidden = true; }, 6000);
}
