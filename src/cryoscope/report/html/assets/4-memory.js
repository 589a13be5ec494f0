// The memory of one process as a picture: mappings in the order of their addresses, larger ones larger.
const GROUPS = {
  heap: "heap", stack: "stack", anon: "anonymous", "shadow-stack": "anonymous", file: "file", "shared-file": "file",
  "shared-anon": "shared", memfd: "shared", "sysv-shm": "shared",
};
const CELL = 13, CELLS = 900;
const hot = Object.fromEntries(["pid", "page", "address", "what", "severity"].map((name) => [name, column(data.hot, name)]));
const hotOf = new Map();
for (let row = 0; row < data.hot.n; row++) {
  const pid = hot.pid(row);
  if (!hotOf.has(pid)) hotOf.set(pid, []);
  hotOf.get(pid).push(row);
}

function mappings(pid) {
  const flat = data.memory[pid] || [], found = [];
  let end = 0;
  for (let at = 0; at < flat.length; at += 6) {
    const start = end + flat[at];
    end = start + flat[at + 1];
    const [perms, kind, path] = flat.slice(at + 3, at + 6).map((index) => (index < 0 ? "" : pool[index]));
    found.push({ start, end, pages: flat[at + 1], dumped: flat[at + 2], perms, kind, path, hot: [] });
  }
  for (const row of hotOf.get(Number(pid)) || []) {
    const page = hot.page(row);
    const inside = found.find((each) => page >= each.start && page < each.end);
    if (inside) inside.hot.push({ page, what: `${hot.address(row)} ${hot.what(row)}` });
  }
  return found;
}

const address = (page) => (BigInt(page) * BigInt(data.pageSize)).toString(16).padStart(12, "0");
const named = (vma) => vma.path || `[${vma.kind}]`;
const bytes = (pages) => pages * data.pageSize;
let memoryShown = null;

function drawMap(pid) {
  const picture = byId("map"), found = mappings(pid);
  const across = Math.max(8, Math.floor((picture.clientWidth || 900) / CELL));
  const weights = found.map((vma) => Math.sqrt(vma.pages)), whole = weights.reduce((a, b) => a + b, 0);
  picture.replaceChildren();
  let cell = 0;
  found.forEach((vma, index) => {
    vma.cells = Math.max(1, Math.round((weights[index] / whole) * CELLS));
    vma.first = cell;
    const full = vma.full = vma.dumped ? Math.max(1, Math.round((vma.dumped / vma.pages) * vma.cells)) : 0;
    const title = `${address(vma.start)} ${vma.perms} ${named(vma)}: ${size(bytes(vma.dumped))} of ${size(bytes(vma.pages))}`;
    for (const [from, to, kind] of [[0, full, ""], [full, vma.cells, " empty"]]) {
      stretches(cell + from, cell + to, across, (x, y, width) => {
        const piece = drawn("rect", { x: x * CELL, y: y * CELL, width: width * CELL, height: CELL, class: `of-${GROUPS[vma.kind] || "other"}${kind}` }, title);
        piece.dataset.vma = index;
        picture.append(piece);
      });
    }
    cell += vma.cells;
  });
  for (const vma of found) {
    for (const mark of vma.hot) {
      const at = vma.first + Math.floor(((mark.page - vma.start) / vma.pages) * (vma.full || vma.cells));
      picture.append(drawn("rect", { x: (at % across) * CELL + 1, y: Math.floor(at / across) * CELL + 1, width: CELL - 2, height: CELL - 2, class: "mark" }, mark.what));
    }
  }
  const high = Math.max(1, Math.ceil(cell / across)) * CELL;
  picture.setAttribute("viewBox", `0 0 ${across * CELL} ${high}`);
  picture.setAttribute("height", String(high));
  picture.setAttribute("preserveAspectRatio", "xMinYMin meet");
  memoryShown = { pid, found, across };
  return found;
}

/** The cells from `low` to `high` as rectangles, one a line of the picture. */
function stretches(low, high, across, draw) {
  while (low < high) {
    const x = low % across, width = Math.min(across - x, high - low);
    draw(x, Math.floor(low / across), width);
    low += width;
  }
}

function showMemory(pid, move) {
  const found = drawMap(pid);
  byId("map-process").value = String(pid);
  const marks = found.reduce((sum, vma) => sum + vma.hot.length, 0);
  byId("map-said").textContent = `${plural(found.length, "mapping")}${marks ? `, ${plural(marks, "hot place")}` : ""}`;
  byId("map").setAttribute("aria-label", `Memory of process ${pid} as a picture; the list below says the same`);
  const by = new Map();
  for (const vma of found) by.set(GROUPS[vma.kind] || "other", (by.get(GROUPS[vma.kind] || "other") || 0) + bytes(vma.dumped));
  byId("map-legend").replaceChildren(...[...by].map(([kind, count]) => legend(`of-${kind}`, kind, size(count))), ...(marks ? [legend("of-hot", "hot", "a finding or a hit")] : []), element("li", "note", "pale: not in the checkpoint; the area grows with the square root of the size"));
  vmasList(pid, found);
  if (move) show(byId("picture"));
}

function legend(kind, label, text) {
  const line = element("li");
  line.append(element("i", kind), label, " ", element("span", "size", text));
  return line;
}

function vmasList(pid, found) {
  memoryShown.list = new List(byId("vmas-list"), {
    label: `Mappings of process ${pid}`, layout: "vmas-columns", count: found.length, noun: "mapping",
    filter: "Show only mappings with …",
    columns: [
      { title: "Address", kind: "mono", text: (row) => `${address(found[row].start)}-${address(found[row].end)}`, order: (row) => row },
      { title: "Perms", kind: "mono", text: (row) => found[row].perms },
      { title: "Kind", text: (row) => found[row].kind },
      { title: "Size", kind: "right", text: (row) => size(bytes(found[row].pages)), order: (row) => found[row].pages },
      { title: "Dumped", kind: "right", text: (row) => (found[row].dumped ? size(bytes(found[row].dumped)) : ""), order: (row) => found[row].dumped },
      { title: "File", kind: "mono", text: (row) => found[row].path + (found[row].hot.length ? ` ● ${found[row].hot.length} hot` : "") },
    ],
    about: (row) => { mark(row); return told([["Mapping", `${address(found[row].start)}-${address(found[row].end)} ${found[row].perms} ${named(found[row])}`], ["Size", `${size(bytes(found[row].pages))}, ${size(bytes(found[row].dumped))} dumped`], ...found[row].hot.map((each) => ["Hot", each.what])]); },
  });
}

function mark(row) {
  const { found, across } = memoryShown;
  for (const old of byId("map").querySelectorAll(".chosen")) old.remove();
  stretches(found[row].first, found[row].first + found[row].cells, across, (x, y, width) => {
    byId("map").append(drawn("rect", { x: x * CELL + 1, y: y * CELL + 1, width: width * CELL - 2, height: CELL - 2, class: "chosen" }));
  });
}

const mapped = Object.keys(data.memory).map(Number);
if (mapped.length) {
  const picker = byId("map-process");
  byId("picture").hidden = false;
  mapped.sort((a, b) => a - b);
  for (const pid of mapped) {
    const row = indexOf.get(pid), places = (hotOf.get(pid) || []).length;
    const choice = element("option", "", `${pid} ${processes.comm(row)} · ${size(processes.dumped(row))}${places ? ` · ${places} hot` : ""}`);
    choice.value = String(pid);
    picker.append(choice);
  }
  picker.addEventListener("change", () => showMemory(Number(picker.value)));
  byId("map").addEventListener("click", (event) => {
    const vma = event.target.dataset.vma;
    if (vma !== undefined) memoryShown.list.reveal(Number(vma));
  });
  const largest = (pids) => pids.reduce((a, b) => (processes.dumped(indexOf.get(b)) > processes.dumped(indexOf.get(a)) ? b : a));
  const marked = mapped.filter((pid) => hotOf.has(pid));
  showMemory(largest(marked.length ? marked : mapped));
  addEventListener("resize", calmly(() => drawMap(memoryShown.pid), 200));
}
