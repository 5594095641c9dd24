// Search: similar and related words, computed here from the vectors that the page carries. The address' #word=... is
// what is shown, so that every answer is a link and the browser's own back and forward work.
const dataBlock = document.getElementById("word-data");
if (dataBlock) {
  const data = JSON.parse(dataBlock.textContent);
  dataBlock.remove();
  const TOP = 10;
  const SUGGESTIONS = 8;
  const { words, counts, axes, shift } = data;
  const places = new Map(words.map((word, place) => [word, place]));
  const lowered = words.map((word) => word.toLowerCase());

  const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  const floatsOf = (text) => new Float32Array(bytesOf(text));
  const steps = floatsOf(data.steps);
  const lengths = floatsOf(data.lengths);
  const metric = floatsOf(data.metric);
  let codes = null;
  // 8 MB of base64 are decoded when they are first asked for.
  const allCodes = () => (codes ??= new Int8Array(bytesOf(data.codes)));

  // cosine = u.u', u = codes * step
  function cosines(own) {
    const query = new Float32Array(axes);
    for (let k = 0; k < axes; k++) query[k] = allCodes()[own * axes + k] * steps[own];
    return productsWith(query, (product, row) => product * steps[row]);
  }

  // PMI = shift + |w| |w'| sum_k D_k u_k u'_k
  function estimates(own) {
    const query = new Float32Array(axes);
    for (let k = 0; k < axes; k++) query[k] = allCodes()[own * axes + k] * steps[own] * lengths[own] * metric[k];
    return productsWith(query, (product, row) => shift + product * steps[row] * lengths[row]);
  }

  function productsWith(query, finish) {
    const all = allCodes();
    const scores = new Float64Array(words.length);
    for (let row = 0, at = 0; row < words.length; row++) {
      let sum = 0;
      for (let k = 0; k < axes; k++, at++) sum += query[k] * all[at];
      scores[row] = finish(sum, row);
    }
    return scores;
  }

  // The best but the word itself; ties go to the more frequent.
  function best(scores, own) {
    const order = [...scores.keys()].filter((row) => row !== own);
    order.sort((a, b) => scores[b] - scores[a] || a - b);
    return order.slice(0, TOP).map((row) => ({ row, score: scores[row] }));
  }

  // As written, and else in small letters with a plain apostrophe: what `pmi-spark similar` does.
  function placeOf(text) {
    return places.get(text) ?? places.get(text.toLowerCase().replaceAll("\u2019", "'"));
  }

  const suggested = (text) => {
    const wanted = text.toLowerCase();
    const found = [];
    if (!wanted) return found;
    for (let place = 0; place < words.length && found.length < SUGGESTIONS; place++)
      if (lowered[place].startsWith(wanted)) found.push(place);
    for (let place = 0; place < words.length && found.length < SUGGESTIONS; place++)
      if (!lowered[place].startsWith(wanted) && lowered[place].includes(wanted)) found.push(place);
    return found;
  };

  const addressOf = (word) => `#word=${encodeURIComponent(word)}`;
  const make = (tag, text, className = "") => Object.assign(document.createElement(tag), { textContent: text, className });

  const number = (text) => make("span", text, "number");

  const input = document.getElementById("query");
  const listbox = document.getElementById("suggestions");
  const answer = document.getElementById("answer");
  const told = document.getElementById("answer-word");
  document.getElementById("search-note").textContent =
    `Among the ${words.length.toLocaleString("en")} most frequent words. Similar words have the largest cosine; related ` +
    "words the largest PMI (nats), estimated from the vectors, so also for pairs that never met. Vectors are rounded to a byte a number.";

  function fill(list, answers, digits) {
    list.replaceChildren(
      ...answers.map(({ row, score }) => {
        const link = make("a", words[row]);
        link.href = addressOf(words[row]);
        link.dir = "auto";
        const item = document.createElement("li");
        item.append(link, number(score.toFixed(digits)), number(counts[row].toLocaleString("en")));
        return item;
      }),
    );
  }

  function show(text) {
    const own = placeOf(text);
    input.value = text;
    close();
    answer.hidden = false;
    answer.classList.toggle("unknown", own === undefined);
    if (own === undefined) {
      const near = suggested(text.slice(0, 3)).map((place) => words[place]);
      told.textContent = `${text} is not among the words of this page.` + (near.length ? ` Some that are: ${near.join(", ")}.` : "");
      document.dispatchEvent(new CustomEvent("word", { detail: null }));
      return;
    }
    const similar = best(cosines(own), own);
    const related = best(estimates(own), own);
    told.replaceChildren(make("strong", words[own]), `: ${counts[own].toLocaleString("en")} occurrences, rank ${(own + 1).toLocaleString("en")}`);
    told.firstChild.dir = "auto";
    fill(document.getElementById("similar"), similar, 3);
    fill(document.getElementById("related"), related, 2);
    const neighbours = [...similar, ...related].map(({ row }) => row);
    document.dispatchEvent(new CustomEvent("word", { detail: { own, neighbours } }));
  }

  // Suggestions: the combobox of the ARIA practices. The focus stays in the input.
  let options = [];
  let chosen = -1;
  function close() {
    listbox.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    chosen = -1;
  }
  function choose(place) {
    chosen = place;
    [...listbox.children].forEach((item, own) => item.setAttribute("aria-selected", String(own === place)));
    if (place >= 0) input.setAttribute("aria-activedescendant", listbox.children[place].id);
    else input.removeAttribute("aria-activedescendant");
  }
  function open() {
    options = suggested(input.value.trim());
    listbox.replaceChildren(
      ...options.map((place, own) => {
        const item = document.createElement("li");
        const word = make("span", words[place]);
        word.dir = "auto";
        item.append(word, make("span", counts[place].toLocaleString("en"), "count"));
        item.id = `suggestion-${own}`;
        item.setAttribute("role", "option");
        // Before the input loses the focus and the list is gone.
        item.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          go(words[place]);
        });
        return item;
      }),
    );
    listbox.hidden = options.length === 0;
    input.setAttribute("aria-expanded", String(options.length > 0));
    choose(-1);
  }
  function go(text) {
    close();
    if (location.hash === addressOf(text)) show(text);
    else location.hash = addressOf(text);
  }

  input.addEventListener("input", open);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (!["ArrowDown", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    if (listbox.hidden) open();
    const size = options.length + 1;
    if (size > 1) choose(((chosen + (event.key === "ArrowDown" ? 1 : -1) + 1 + size) % size) - 1);
  });
  document.getElementById("search-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = chosen >= 0 ? words[options[chosen]] : input.value.trim();
    if (text) go(text);
  });

  function fromAddress() {
    const found = /^#word=(.+)$/s.exec(location.hash);
    if (!found) return;
    let text = found[1];
    try {
      text = decodeURIComponent(text);
    } catch {
      // A stray % stands for itself.
    }
    show(text);
  }
  addEventListener("hashchange", fromAddress);
  // The map listens from its own block, which comes after this one.
  addEventListener("DOMContentLoaded", fromAddress);
  if (data.map) document.addEventListener("DOMContentLoaded", () => startMap({ words, counts, ...data.map, go }));
}
