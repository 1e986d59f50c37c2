// A plate drawn on a canvas: one square for each well. Only the wells that have changed are drawn again.

const GRIDS = [[8, 12], [16, 24], [32, 48]];
const WELL = /^([A-Z]|A[A-F])(\d{2})$/;
// Viridis of matplotlib (public domain, CC0) at eleven places.
const VIRIDIS = ["#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725"];
const ROUND_FROM = 14; // pixels of a square, from which on its corners are round
const STATES = ["complete", "running", "failed", "cancelled", "waiting"];

export function placeOf(well) {
  const match = WELL.exec(well);
  if (!match) return null;
  const letters = match[1];
  const row = letters.length === 1 ? letters.charCodeAt(0) - 65 : 26 + letters.charCodeAt(1) - 65;
  const column = Number(match[2]) - 1;
  return row < 32 && column >= 0 && column < 48 ? [row, column] : null;
}

function nameOf(row, column) {
  const letters = row < 26 ? String.fromCharCode(65 + row) : `A${String.fromCharCode(65 + row - 26)}`;
  return letters + String(column + 1).padStart(2, "0");
}

export class PlateMap {
  constructor(dom, onSelect) {
    this.onSelect = onSelect;
    this.states = new Map();
    this.percents = new Map();
    this.changed = new Set();
    this.values = null;
    this.picture = null;
    this.selected = "";
    this.rows = 8;
    this.columns = 12;
    this.canvas = dom.el("canvas");
    this.element = dom.el("div", {
      class: "plate-map", tabindex: 0, role: "application", "aria-roledescription": "plate map",
      "aria-label": "Map of the wells; the arrow keys move from well to well",
      onkeydown: (event) => this.onKey(event), onclick: (event) => this.onClick(event),
    }, this.canvas);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.onScheme = () => { this.readColours(); this.drawAll(); };
    this.scheme.addEventListener("change", this.onScheme);
    this.observer = new ResizeObserver(() => requestAnimationFrame(() => this.fit()));
    this.observer.observe(this.element);
    this.readColours();
  }

  close() {
    this.observer.disconnect();
    this.scheme.removeEventListener("change", this.onScheme);
  }

  setState(well, state, percent) {
    if (this.states.get(well) === state && this.percents.get(well) === percent) return;
    const [row, column] = placeOf(well);
    if (!this.states.has(well) && (row >= this.rows || column >= this.columns)) this.grow(row, column);
    this.states.set(well, state);
    this.percents.set(well, percent);
    this.changed.add(well);
  }

  showStates() {
    this.values = this.picture = null;
    this.drawAll();
  }

  showValues(values) {
    this.values = values;
    this.picture = null;
    const numbers = [...values.values()];
    this.low = Math.min(...numbers);
    this.high = Math.max(...numbers);
    this.drawAll();
  }

  showPicture(picture) {
    this.values = null;
    this.picture = picture;
    this.drawAll();
  }

  key() {
    return STATES.map((state) => [state, this.colours[state]]);
  }

  // The colours of a heat map from its lowest to its highest value.
  scale() {
    const strip = document.createElement("canvas");
    strip.width = 100;
    strip.height = 1;
    const pen = strip.getContext("2d");
    for (let place = 0; place < 100; place += 1) {
      pen.fillStyle = viridis(place / 99);
      pen.fillRect(place, 0, 1, 1);
    }
    return strip;
  }

  // --- drawing -----------------------------------------------------------------------------------------------------

  readColours() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    this.colours = {
      complete: colour("--map-good"), running: colour("--map-busy"), failed: colour("--map-bad"), cancelled: colour("--hatch"),
      waiting: colour("--empty"), ink: colour("--ink"), quiet: colour("--quiet"), track: colour("--track"), card: colour("--card"),
    };
  }

  grow(row, column) {
    [this.rows, this.columns] = GRIDS.find(([rows, columns]) => row < rows && column < columns && rows >= this.rows && columns >= this.columns) ?? GRIDS[2];
    this.fit();
  }

  fit() {
    const width = this.element.clientWidth;
    if (!width || (width === this.width && this.columns === this.fitted)) return;
    this.width = width;
    this.fitted = this.columns;
    const ratio = devicePixelRatio || 1;
    this.margin = Math.round((this.columns > 24 ? 18 : 24) * ratio);
    this.cell = Math.max(2, (width * ratio - this.margin - 2) / this.columns);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.margin + this.cell * this.rows + 2);
    this.ratio = ratio;
    this.drawAll();
  }

  draw() {
    if (!this.cell) return;
    const pen = this.canvas.getContext("2d");
    for (const well of this.changed) this.drawWell(pen, well);
    this.changed.clear();
  }

  drawAll() {
    if (!this.cell) return;
    const pen = this.canvas.getContext("2d");
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.drawNames(pen);
    pen.imageSmoothingQuality = "high";
    for (let row = 0; row < this.rows; row += 1) {
      for (let column = 0; column < this.columns; column += 1) this.drawWell(pen, nameOf(row, column), true);
    }
    this.changed.clear();
  }

  drawNames(pen) {
    const step = this.cell < 13 * this.ratio ? (this.cell < 8 * this.ratio ? 8 : 4) : this.cell < 18 * this.ratio ? 2 : 1;
    pen.fillStyle = this.colours.quiet;
    pen.font = `${Math.round(Math.min(12, Math.max(9, (this.cell / this.ratio) * 0.5)) * this.ratio)}px system-ui, sans-serif`;
    pen.textBaseline = "middle";
    pen.textAlign = "center";
    for (let column = 0; column < this.columns; column += step) {
      pen.fillText(String(column + 1), this.margin + (column + 0.5) * this.cell, this.margin / 2);
    }
    for (let row = 0; row < this.rows; row += step) {
      pen.fillText(nameOf(row, 0).slice(0, -2), this.margin / 2, this.margin + (row + 0.5) * this.cell);
    }
  }

  drawWell(pen, well, isFresh = false) {
    const [row, column] = placeOf(well);
    const gap = this.cell > 10 * this.ratio ? Math.round(1.5 * this.ratio) : this.ratio * 0.5;
    const x = this.margin + column * this.cell + gap;
    const y = this.margin + row * this.cell + gap;
    const edge = this.cell - 2 * gap;
    const state = this.states.get(well);
    if (!isFresh) pen.clearRect(x - gap, y - gap, this.cell, this.cell);
    if (this.picture) {
      const [wide, high] = [this.picture.naturalWidth / this.columns, this.picture.naturalHeight / this.rows];
      pen.drawImage(this.picture, column * wide, row * high, wide, high, x, y, edge, edge);
    } else {
      this.drawSquare(pen, well, state, x, y, edge);
    }
    if (state === "failed" && (this.values || this.picture)) this.drawCross(pen, x, y, edge, this.colours.failed);
    if (well === this.selected) {
      pen.strokeStyle = this.colours.ink;
      pen.lineWidth = 2 * this.ratio;
      pen.strokeRect(x, y, edge, edge);
    }
  }

  drawSquare(pen, well, state, x, y, edge) {
    const value = this.values?.get(well);
    if (this.values && value !== undefined) {
      pen.fillStyle = viridis(this.high > this.low ? (value - this.low) / (this.high - this.low) : 0.5);
      this.fillSquare(pen, x, y, edge);
    } else if (this.values || state === undefined) {
      pen.strokeStyle = this.colours.track;
      pen.lineWidth = this.ratio;
      pen.strokeRect(x + this.ratio / 2, y + this.ratio / 2, edge - this.ratio, edge - this.ratio);
    } else if (state === "running") {
      pen.fillStyle = this.colours.waiting;
      this.fillSquare(pen, x, y, edge);
      const high = edge * Math.max(0.12, this.percents.get(well) / 100);
      pen.fillStyle = this.colours.running;
      if (edge < ROUND_FROM * this.ratio) pen.fillRect(x, y + edge - high, edge, high);
      else this.fillFrom(pen, x, y, edge, high);
    } else {
      pen.fillStyle = this.colours[state] ?? this.colours.waiting;
      this.fillSquare(pen, x, y, edge);
      if (state === "failed") this.drawCross(pen, x, y, edge, this.colours.card);
    }
  }

  // Rounding the corners of 1,536 wells would take longer than anybody could see.
  fillSquare(pen, x, y, edge) {
    if (edge < ROUND_FROM * this.ratio) {
      pen.fillRect(x, y, edge, edge);
      return;
    }
    pen.beginPath();
    pen.roundRect(x, y, edge, edge, Math.min(6 * this.ratio, edge * 0.18));
    pen.fill();
  }

  fillFrom(pen, x, y, edge, high) {
    pen.save();
    pen.beginPath();
    pen.rect(x, y + edge - high, edge, high);
    pen.clip();
    this.fillSquare(pen, x, y, edge);
    pen.restore();
  }

  drawCross(pen, x, y, edge, colour) {
    pen.strokeStyle = colour;
    pen.lineWidth = Math.max(1, edge / 10);
    pen.beginPath();
    for (const [from, to] of [[0.28, 0.72], [0.72, 0.28]]) {
      pen.moveTo(x + edge * 0.28, y + edge * from);
      pen.lineTo(x + edge * 0.72, y + edge * to);
    }
    pen.stroke();
  }

  // --- choosing a well ---------------------------------------------------------------------------------------------

  select(row, column) {
    const before = this.selected;
    this.selected = nameOf(Math.min(this.rows - 1, Math.max(0, row)), Math.min(this.columns - 1, Math.max(0, column)));
    const pen = this.canvas.getContext("2d");
    if (before) this.drawWell(pen, before);
    this.drawWell(pen, this.selected);
    this.onSelect();
  }

  onKey(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Home: [0, -99], End: [0, 99], PageUp: [-8, 0], PageDown: [8, 0] };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const [row, column] = this.selected ? placeOf(this.selected) : [0, 0];
    if (this.selected) this.select(row + move[0], column + move[1]);
    else this.select(row, column);
  }

  onClick(event) {
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) * this.ratio - this.margin) / this.cell);
    const row = Math.floor(((event.clientY - box.top) * this.ratio - this.margin) / this.cell);
    if (row >= 0 && row < this.rows && column >= 0 && column < this.columns) this.select(row, column);
  }
}

function viridis(part) {
  const place = Math.min(1, Math.max(0, part)) * (VIRIDIS.length - 1);
  const index = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const share = place - index;
  const bands = [1, 3, 5].map((at) => {
    const [low, high] = [VIRIDIS[index], VIRIDIS[index + 1]].map((colour) => parseInt(colour.slice(at, at + 2), 16));
    return Math.round(low + share * (high - low));
  });
  return `rgb(${bands.join(" ")})`;
}
