// The map: a canvas that is dragged, zoomed and asked, by pointer and by keyboard.
const MOST_ZOOM = 80;
const WHEEL_STEP = 1.0015;
const KEY_STEP = 1.4;
const MOVE_PIXELS = 60;
const HIT_PIXELS = 14;
const LABEL_PIXELS = 13;
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "ink"];
const SVG = "http://www.w3.org/2000/svg";

function startMap({ words, counts, layouts, steps, clusters, names, held, go }) {
  const canvas = document.getElementById("map-canvas");
  const place = document.getElementById("map-place");
  const toWord = document.getElementById("zoom-word");
  const pen = canvas.getContext("2d");
  const size = clusters.length;
  let layout = Object.keys(layouts)[0];
  const describeLayout = () => {
    const kept = layout === "PCA" ? `the two principal axes, which hold ${(100 * held).toFixed(1)} % of the squared distances` : "t-SNE, which keeps neighbours together and not distances";
    document.getElementById("map-note").textContent =
      `The ${size.toLocaleString("en")} most frequent words, in ${names.length} clusters (k-means over directions), laid out by ${kept}.`;
  };
  let view = { x: 0, y: 0, zoom: 1 };
  let shown = null; // The cluster that is not dimmed; null: all.
  let word = null; // {own, neighbours} of the search.
  let hovered = -1;
  let ink = "";
  let paper = "";

  const colourOf = (cluster) => COLOURS[cluster % COLOURS.length].replace("ink", ink);
  const isSquare = (cluster) => cluster >= COLOURS.length;
  const half = () => Math.min(canvas.clientWidth, canvas.clientHeight) / 2;
  // Wide canvases spread the map over their whole width.
  const stretch = () => [Math.min(canvas.clientWidth / 2 / half(), 1.6), Math.min(canvas.clientHeight / 2 / half(), 1.6)];
  const worldOf = (row) => [layouts[layout][2 * row] / steps, layouts[layout][2 * row + 1] / steps];
  const screenOf = (row) => {
    const [x, y] = worldOf(row);
    const [wide, high] = stretch();
    const scale = half() * 0.94 * view.zoom;
    return [canvas.clientWidth / 2 + (x - view.x) * scale * wide, canvas.clientHeight / 2 - (y - view.y) * scale * high];
  };

  function draw() {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = paper;
    pen.fillRect(0, 0, width, height);
    const spots = [];
    for (let row = 0; row < size; row++) {
      const [x, y] = screenOf(row);
      if (x > -20 && y > -20 && x < width + 20 && y < height + 20) spots.push({ row, x, y });
    }
    drawMarks(spots);
    drawLabels(spots, width, height);
    if (document.activeElement === canvas) drawCross(width, height);
    canvas.dataset.zoom = view.zoom.toFixed(3);
    canvas.classList.toggle("zoomed", view.zoom > 1);
  }

  const isDim = (row) => shown !== null && clusters[row] !== shown;
  const isNeighbour = (row) => word !== null && word.neighbours.includes(row);

  function drawMarks(spots) {
    const radius = Math.min(2.6 + Math.log2(view.zoom) * 0.5, 6);
    for (const { row, x, y } of spots) {
      pen.globalAlpha = isDim(row) ? 0.12 : 0.9;
      pen.fillStyle = colourOf(clusters[row]);
      pen.beginPath();
      if (isSquare(clusters[row])) pen.rect(x - radius, y - radius, 2 * radius, 2 * radius);
      else pen.arc(x, y, radius, 0, 7);
      pen.fill();
      pen.globalAlpha *= 0.5;
      pen.strokeStyle = ink;
      pen.lineWidth = 0.7;
      pen.stroke();
      if (word !== null && (row === word.own || isNeighbour(row))) {
        pen.globalAlpha = 1;
        pen.strokeStyle = ink;
        pen.lineWidth = row === word.own ? 3 : 1.5;
        pen.beginPath();
        pen.arc(x, y, radius + (row === word.own ? 5 : 3), 0, 7);
        pen.stroke();
      }
    }
    pen.globalAlpha = 1;
  }

  // Labels where there is room, the searched and the pointed-at word and the neighbours first, then by frequency.
  function drawLabels(spots, width, height) {
    const rank = ({ row }) => (row === hovered ? -3 : word?.own === row ? -2 : isNeighbour(row) ? -1 : row);
    const taken = [];
    pen.font = `${LABEL_PIXELS}px system-ui, sans-serif`;
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    const most = Math.round((width * height) / 3500);
    for (const spot of [...spots].sort((a, b) => rank(a) - rank(b))) {
      if (taken.length >= most) break;
      const asked = rank(spot) < 0;
      if (isDim(spot.row) && !asked) continue;
      const text = words[spot.row];
      const box = { left: spot.x + 6, right: spot.x + 12 + pen.measureText(text).width, top: spot.y - 9, bottom: spot.y + 9 };
      if (box.right < 0 || box.left > width || box.bottom < 0 || box.top > height) continue;
      const free = taken.every((o) => box.left > o.right || box.right < o.left || box.top > o.bottom || box.bottom < o.top);
      if (!free && spot.row !== hovered && word?.own !== spot.row) continue;
      taken.push(box);
      pen.strokeStyle = paper;
      pen.lineWidth = asked ? 5 : 3;
      pen.fillStyle = ink;
      pen.font = `${asked ? "bold " : ""}${LABEL_PIXELS}px system-ui, sans-serif`;
      pen.strokeText(text, box.left + 2, spot.y);
      pen.fillText(text, box.left + 2, spot.y);
    }
    canvas.dataset.labels = taken.length;
  }

  function drawCross(width, height) {
    pen.strokeStyle = ink;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(width / 2 - 9, height / 2);
    pen.lineTo(width / 2 + 9, height / 2);
    pen.moveTo(width / 2, height / 2 - 9);
    pen.lineTo(width / 2, height / 2 + 9);
    pen.stroke();
  }

  function nearest(x, y, within) {
    let best = -1;
    let least = within * within;
    for (let row = 0; row < size; row++) {
      const [left, top] = screenOf(row);
      const distance = (left - x) ** 2 + (top - y) ** 2;
      if (distance < least && !isDim(row)) [best, least] = [row, distance];
    }
    return best;
  }

  const describe = (row) => `${words[row]}: ${counts[row].toLocaleString("en")} occurrences, cluster ${clusters[row] + 1}`;
  const atCross = () => nearest(canvas.clientWidth / 2, canvas.clientHeight / 2, Infinity);
  const tellCross = () => {
    const row = atCross();
    place.textContent = row >= 0 ? `At the cross: ${describe(row)}` : "";
  };

  let waiting = false;
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  }

  // A move in pixels, and a zoom that leaves the point (x, y) of the screen where it is.
  function move(right, down) {
    const [wide, high] = stretch();
    const scale = half() * 0.94 * view.zoom;
    view.x = Math.max(-1.1, Math.min(1.1, view.x - right / scale / wide));
    view.y = Math.max(-1.1, Math.min(1.1, view.y + down / scale / high));
    redraw();
  }
  function zoom(factor, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) {
    const before = view.zoom;
    view.zoom = Math.max(1, Math.min(MOST_ZOOM, view.zoom * factor));
    if (view.zoom === 1) Object.assign(view, { x: 0, y: 0 });
    else {
      const [right, down] = [x - canvas.clientWidth / 2, y - canvas.clientHeight / 2];
      const share = view.zoom / before - 1;
      move(-right * share, -down * share);
    }
    redraw();
  }
  function whole() {
    view = { x: 0, y: 0, zoom: 1 };
    redraw();
  }
  function goTo(row) {
    const [x, y] = worldOf(row);
    view = { x, y, zoom: Math.max(view.zoom, 8) };
    redraw();
  }

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const actions = {
      ArrowLeft: () => move(MOVE_PIXELS, 0),
      ArrowRight: () => move(-MOVE_PIXELS, 0),
      ArrowUp: () => move(0, MOVE_PIXELS),
      ArrowDown: () => move(0, -MOVE_PIXELS),
      "+": () => zoom(KEY_STEP),
      "=": () => zoom(KEY_STEP),
      "-": () => zoom(1 / KEY_STEP),
      0: whole,
      Enter: () => atCross() >= 0 && go(words[atCross()]),
    };
    if (!(event.key in actions)) return;
    event.preventDefault();
    actions[event.key]();
    tellCross();
  });
  canvas.addEventListener("focus", () => {
    redraw();
    if (canvas.matches(":focus-visible")) tellCross();
  });
  canvas.addEventListener("blur", redraw);

  // The wheel belongs to the page until the map has the focus; with Ctrl, as trackpads send a pinch, it is the map's.
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey) return;
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      zoom(WHEEL_STEP ** -event.deltaY, event.clientX - box.left, event.clientY - box.top);
    },
    { passive: false },
  );

  const pointers = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    if (pointers.size === 1) moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = [event.offsetX, event.offsetY];
    const before = pointers.get(event.pointerId);
    if (!before) {
      const row = nearest(x, y, HIT_PIXELS);
      if (row === hovered) return;
      hovered = row;
      canvas.style.cursor = row >= 0 ? "pointer" : "";
      place.textContent = row >= 0 ? describe(row) : "";
      redraw();
      return;
    }
    moved += Math.hypot(x - before[0], y - before[1]);
    if (pointers.size === 2) {
      const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
      const apart = (point) => Math.max(Math.hypot(point[0] - other[0], point[1] - other[1]), 1);
      zoom(apart([x, y]) / apart(before), (x + other[0]) / 2, (y + other[1]) / 2);
    } else move(x - before[0], y - before[1]);
    pointers.set(event.pointerId, [x, y]);
  });
  const lift = (event) => {
    const single = pointers.size === 1;
    pointers.delete(event.pointerId);
    if (event.type !== "pointerup" || !single || moved > 5) return;
    const row = nearest(event.offsetX, event.offsetY, HIT_PIXELS);
    if (row >= 0) go(words[row]);
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerleave", () => {
    hovered = -1;
    redraw();
  });

  document.getElementById("zoom-in").addEventListener("click", () => zoom(KEY_STEP ** 2));
  document.getElementById("zoom-out").addEventListener("click", () => zoom(KEY_STEP ** -2));
  document.getElementById("zoom-reset").addEventListener("click", whole);
  toWord.addEventListener("click", () => goTo(word.own));
  document.addEventListener("word", ({ detail }) => {
    word = detail;
    toWord.disabled = !(word && word.own < size);
    redraw();
  });

  const clusterMark = (cluster) => {
    const picture = document.createElementNS(SVG, "svg");
    const mark = document.createElementNS(SVG, isSquare(cluster) ? "rect" : "circle");
    const shape = isSquare(cluster) ? { x: 1, y: 1, width: 10, height: 10 } : { cx: 6, cy: 6, r: 5.5 };
    for (const [name, value] of Object.entries({ ...shape, fill: colourOf(cluster) })) mark.setAttribute(name, value);
    for (const side of ["width", "height"]) picture.setAttribute(side, 12);
    picture.setAttribute("aria-hidden", "true");
    picture.append(mark);
    return picture;
  };
  const legend = document.getElementById("clusters");
  names.forEach((own, cluster) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    const text = document.createElement("span");
    text.textContent = own.map((row) => words[row]).join(", ");
    button.append(clusterMark(cluster), text);
    button.addEventListener("click", () => {
      shown = shown === cluster ? null : cluster;
      [...legend.children].forEach((other, k) => other.setAttribute("aria-pressed", String(k === shown)));
      redraw();
    });
    legend.append(button);
  });

  const choices = document.getElementById("layouts");
  for (const name of Object.keys(layouts)) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.setAttribute("aria-pressed", String(name === layout));
    button.addEventListener("click", () => {
      layout = name;
      [...choices.children].forEach((other) => other.setAttribute("aria-pressed", String(other.textContent === layout)));
      describeLayout();
      whole();
    });
    if (Object.keys(layouts).length > 1) choices.append(button);
  }

  function recolour() {
    const style = getComputedStyle(document.documentElement);
    ink = style.getPropertyValue("--ink").trim();
    paper = style.getPropertyValue("--paper").trim();
    [...legend.children].forEach((button, cluster) => button.firstChild.replaceWith(clusterMark(cluster)));
    redraw();
  }
  document.addEventListener("colours", recolour);
  recolour();
  describeLayout();
  new ResizeObserver(redraw).observe(canvas);
}
