"use strict";
// Shows what a well is while the pointer is on it or it has the focus; arrow keys go from well to well.
const tip = document.getElementById("tip");
const show = (well) => {
  tip.textContent = well.getAttribute("aria-label");
  tip.hidden = false;
  const box = well.getBoundingClientRect(), own = tip.getBoundingClientRect();
  const left = Math.min(Math.max(box.left + box.width / 2 - own.width / 2, 8), document.documentElement.clientWidth - own.width - 8);
  const above = box.top - own.height - 8;
  tip.style.left = `${left + scrollX}px`;
  tip.style.top = `${(above > 0 ? above : box.bottom + 8) + scrollY}px`;
};
const hide = () => { tip.hidden = true; };
const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
for (const plate of document.querySelectorAll("svg.plate:not(.key)")) {
  const wells = [...plate.querySelectorAll(".w")], places = new Map();
  const place = (well) => [Number(well.getAttribute("x")), Number(well.getAttribute("y"))];
  wells.forEach((well, number) => {
    const title = well.querySelector("title");
    well.setAttribute("aria-label", title.textContent);
    title.remove();
    well.setAttribute("tabindex", number ? "-1" : "0");
    places.set(place(well).join(), well);
  });
  const well = (event) => event.target.closest(".w");
  plate.addEventListener("pointerover", (event) => { if (well(event)) show(well(event)); });
  plate.addEventListener("pointerout", hide);
  plate.addEventListener("focusin", (event) => { if (well(event)) show(well(event)); });
  plate.addEventListener("focusout", hide);
  plate.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const step = steps[event.key], from = well(event);
    if (!step || !from) return;
    event.preventDefault();
    const edge = Number(plate.dataset.edge), [x, y] = place(from);
    const next = places.get([x + step[0] * edge, y + step[1] * edge].join());
    if (!next) return;
    from.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
