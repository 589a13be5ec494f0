// The timeline: how many moments when, by source; drag, keys or buttons narrow it, and the list follows.
const T = data.timeline;
const events = Object.fromEntries(["at", "source", "kind", "text", "path", "pid", "comm"].map((name) => [name, column(T, name)]));
const eventText = (row) => events.path(row) + events.text(row);
const UNITS = [1e3, 1e4, 1e5, 1e6, 5e6, 1e7, 3e7, 6e7, 3e8, 6e8, 1.8e9, 3.6e9, 1.08e10, 2.16e10, 4.32e10, 8.64e10, 6.048e11, 2.592e12, 7.776e12, 3.1536e13, 1.5768e14, 3.1536e14];
const HIGH = 132;

const timeline = (() => {
  const picture = byId("when");
  if (!picture || !T.n) return null;
  byId("when-box").hidden = false;
  const sources = [...new Set(Array.from({ length: T.n }, (_, row) => events.source(row)))].sort();
  const colour = new Map(sources.map((source, index) => [source, `s${index % 8}`]));
  const off = new Set();
  const all = [events.at(0), Math.max(events.at(T.n - 1), events.at(0) + 1e6)];
  const wide = ([low, high]) => { const edge = Math.max((high - low) * 0.02, 1000); return [low - edge, high + edge]; };
  let span = data.life ? wide(data.life) : wide(all);

  const list = new List(byId("events-list"), {
    label: "Moments", layout: "events-columns", count: T.n, noun: "moment", filter: "Show only moments with …",
    columns: [
      { title: "Time (UTC)", text: (row) => moment(events.at(row)), order: events.at },
      { title: "Source", text: events.source },
      { title: "What", text: events.kind },
      { title: "Of", kind: "mono", text: eventText },
      { title: "Process", text: (row) => (events.pid(row) === null ? "" : `${events.pid(row)} ${events.comm(row)}`) },
    ],
    about: (row) => told([["Time", moment(events.at(row), true)], ["What", events.kind(row)], ["Of", eventText(row)], ["Source", events.source(row)], ["Process", events.pid(row) === null ? "" : [link(events.pid(row), `${events.pid(row)} ${events.comm(row)}`)]]]),
  });

  const inside = (row) => events.at(row) >= span[0] && events.at(row) <= span[1] && !off.has(events.source(row));

  function draw() {
    const width = Math.max(280, picture.clientWidth || 900), count = Math.floor(width / 7), step = (span[1] - span[0]) / count;
    const stacks = Array.from({ length: count }, () => new Map());
    let most = 1;
    for (let row = 0; row < T.n; row++) {
      if (!inside(row)) continue;
      const stack = stacks[Math.min(count - 1, Math.floor((events.at(row) - span[0]) / step))];
      stack.set(events.source(row), (stack.get(events.source(row)) || 0) + 1);
    }
    for (const stack of stacks) most = Math.max(most, [...stack.values()].reduce((a, b) => a + b, 0));
    picture.setAttribute("viewBox", `0 0 ${width} 170`);
    picture.replaceChildren();
    life(width);
    // Heights are logarithmic: one moment beside ten thousand is still seen.
    const height = (n) => (Math.log1p(n) / Math.log1p(most)) * (HIGH - 8);
    stacks.forEach((stack, at) => {
      const total = [...stack.values()].reduce((a, b) => a + b, 0);
      let y = HIGH;
      for (const source of sources) {
        const n = stack.get(source);
        if (!n) continue;
        const high = Math.max(2, (height(total) * n) / total);
        y -= high;
        picture.append(drawn("rect", { x: at * (width / count), y, width: width / count - 1, height: high, class: colour.get(source) }, `${moment(span[0] + at * step)}: ${n} ${source}`));
      }
    });
    axis(width);
    byId("when-said").textContent = `${moment(span[0])} to ${moment(span[1])}`;
  }

  function life(width) {
    if (!data.life) return;
    const x = (at) => Math.max(0, Math.min(width, ((at - span[0]) / (span[1] - span[0])) * width));
    const [low, high] = data.life.map(x);
    if (high > low) picture.append(drawn("rect", { x: low, y: 0, width: high - low, height: HIGH, class: "life" }, "from the container's start to its checkpoint"));
  }

  function axis(width) {
    picture.append(drawn("line", { x1: 0, x2: width, y1: HIGH + 0.5, y2: HIGH + 0.5, class: "axis" }));
    const room = Math.max(2, Math.floor(width / 120)), unit = UNITS.find((each) => (span[1] - span[0]) / each <= room) || (span[1] - span[0]) / room;
    for (let at = Math.ceil(span[0] / unit) * unit; at < span[1]; at += unit) {
      const x = ((at - span[0]) / (span[1] - span[0])) * width;
      picture.append(drawn("line", { x1: x, x2: x, y1: HIGH, y2: HIGH + 5, class: "axis" }));
      if (x > width - 70 || x < 8) continue;
      const words = moment(at), label = drawn("text", { x: x + 3, y: HIGH + 18 });
      label.textContent = unit >= 8.64e10 ? words.slice(0, 10) : unit >= 6e7 ? words.slice(5, 16) : unit >= 1e6 ? words.slice(11, 19) : moment(at, true).slice(14, 23);
      picture.append(label);
    }
  }

  function to(low, high) {
    const least = 2e3, middle = (low + high) / 2;
    span = high - low < least ? [middle - least / 2, middle + least / 2] : [low, high];
    draw();
    list.narrow(inside);
  }

  function zoom(by, at = 0.5) {
    const width = span[1] - span[0], middle = span[0] + width * at;
    to(middle - width * by * at, middle + width * by * (1 - at));
  }
  const move = (by) => to(span[0] + (span[1] - span[0]) * by, span[1] + (span[1] - span[0]) * by);
  const acts = { in: () => zoom(0.5), out: () => zoom(2), left: () => move(-0.4), right: () => move(0.4), all: () => to(...wide(all)), life: () => to(...wide(data.life || all)) };
  for (const button of document.querySelectorAll("[data-when]")) {
    if (button.dataset.when === "life") button.hidden = !data.life;
    button.addEventListener("click", acts[button.dataset.when]);
  }

  for (const source of sources) {
    const chip = Object.assign(element("button", "chip"), { type: "button" });
    chip.append(element("i", colour.get(source)), source);
    chip.setAttribute("aria-pressed", "true");
    chip.addEventListener("click", () => {
      const on = chip.getAttribute("aria-pressed") !== "true";
      chip.setAttribute("aria-pressed", String(on));
      if (on) off.delete(source); else off.add(source);
      to(...span);
    });
    byId("when-sources").append(chip);
  }

  let from = null, brush = null;
  const at = (event) => { const box = picture.getBoundingClientRect(); return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)); };
  picture.addEventListener("pointerdown", (event) => { from = at(event); picture.setPointerCapture(event.pointerId); });
  picture.addEventListener("pointermove", (event) => {
    if (from === null) return;
    brush?.remove();
    const width = picture.viewBox.baseVal.width, [low, high] = [from, at(event)].sort((a, b) => a - b);
    brush = drawn("rect", { x: low * width, y: 0, width: (high - low) * width, height: HIGH, class: "brush" });
    picture.append(brush);
  });
  picture.addEventListener("pointerup", (event) => {
    const [low, high] = [from ?? 0, at(event)].sort((a, b) => a - b), width = span[1] - span[0];
    from = null;
    brush?.remove();
    if (high - low > 0.005) to(span[0] + width * low, span[0] + width * high);
  });
  picture.addEventListener("pointercancel", () => { from = null; brush?.remove(); });
  picture.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.3 : 0.77, at(event));
  }, { passive: false });
  addEventListener("resize", calmly(draw, 200));
  to(...span);

  /** Show a moment, whatever is left out now. */
  function reveal(row) {
    if (!inside(row)) {
      off.clear();
      for (const chip of byId("when-sources").children) chip.setAttribute("aria-pressed", "true");
      const width = Math.max((span[1] - span[0]) / 2, 1e6);
      to(events.at(row) - width, events.at(row) + width);
    }
    list.search("");
    list.reveal(row);
  }
  return { reveal, list };
})();
