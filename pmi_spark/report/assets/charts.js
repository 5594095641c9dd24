// Values of a chart, one at a time: the one nearest to the pointer, or the next by arrow key.
for (const plot of document.querySelectorAll(".plot")) {
  const stops = [...plot.querySelectorAll(".stop")];
  const readout = document.getElementById(plot.getAttribute("aria-describedby"));
  const hint = readout.textContent;
  let current = -1;

  const show = (place) => {
    if (current >= 0) stops[current].classList.remove("on");
    current = place;
    if (current >= 0) stops[current].classList.add("on");
    readout.textContent = current >= 0 ? stops[current].dataset.text : hint;
  };

  const nearest = (x) => {
    let best = -1;
    let least = Infinity;
    stops.forEach((stop, place) => {
      const box = stop.getBoundingClientRect();
      const distance = Math.abs(box.left + box.width / 2 - x);
      if (distance < least) [best, least] = [place, distance];
    });
    return best;
  };

  plot.addEventListener("pointermove", (event) => show(nearest(event.clientX)));
  plot.addEventListener("pointerleave", () => document.activeElement !== plot && show(-1));
  plot.addEventListener("blur", () => show(-1));
  plot.addEventListener("keydown", (event) => {
    const last = stops.length - 1;
    const places = {
      ArrowRight: Math.min(current + 1, last),
      ArrowLeft: Math.max(current - 1, 0),
      PageDown: Math.min(current + 10, last),
      PageUp: Math.max(current - 10, 0),
      Home: 0,
      End: last,
    };
    if (!(event.key in places) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    show(places[event.key]);
  });
}
