// The process tree: folding, choosing, keys as in the ARIA pattern of trees, and all that is known of one process.
const P = data.processes;
const processes = Object.fromEntries(Object.keys(P).filter((name) => name !== "n").map((name) => [name, column(P, name)]));
const indexOf = new Map();
for (let row = 0; row < P.n; row++) indexOf.set(processes.pid(row), row);

const tree = (() => {
  const list = byId("tree");
  if (!list) return null;
  const items = [...list.children];
  const depth = items.map((item) => Number(item.dataset.depth));
  const parents = [], above = [];
  items.forEach((item, at) => {
    above.length = depth[at];
    parents[at] = depth[at] ? above[depth[at] - 1] : -1;
    above[depth[at]] = at;
  });
  const below = items.map(() => []);
  parents.forEach((parent, at) => { if (parent >= 0) below[parent].push(at); });
  const folded = new Set();
  const inspector = byId("inspector");
  let chosen = -1, focused = 0, wanted = null;

  list.setAttribute("role", "tree");
  const roots = parents.map((parent, at) => (parent < 0 ? at : -1)).filter((at) => at >= 0);
  items.forEach((item, at) => {
    const siblings = parents[at] < 0 ? roots : below[parents[at]];
    item.setAttribute("role", "treeitem");
    item.setAttribute("aria-level", String(depth[at] + 1));
    item.setAttribute("aria-setsize", String(siblings.length));
    item.setAttribute("aria-posinset", String(siblings.indexOf(at) + 1));
    item.setAttribute("aria-selected", "false");
    item.tabIndex = at === 0 ? 0 : -1;
  });

  function refresh() {
    let hidden = 0, within = Infinity;
    items.forEach((item, at) => {
      if (depth[at] <= within) within = Infinity;
      const away = wanted ? !wanted.has(at) : within < Infinity;
      item.hidden = away;
      hidden += away;
      if (below[at].length) item.setAttribute("aria-expanded", String(!folded.has(at) || Boolean(wanted)));
      if (within === Infinity && folded.has(at)) within = depth[at];
    });
    byId("tree-said").textContent = hidden ? `${number.format(items.length - hidden)} of ${plural(items.length, "process")}` : "";
    if (items[focused].hidden) focus(Math.max(0, items.findIndex((item) => !item.hidden)), false);
  }

  function focus(at, move = true) {
    if (at < 0) return;
    items[focused].tabIndex = -1;
    focused = at;
    items[at].tabIndex = 0;
    if (move) items[at].focus({ preventScroll: false });
  }

  function fold(at, closed) {
    if (!below[at].length) return;
    if (closed) folded.add(at); else folded.delete(at);
    refresh();
  }

  function choose(at, move) {
    if (chosen >= 0) items[chosen].setAttribute("aria-selected", "false");
    chosen = at;
    items[at].setAttribute("aria-selected", "true");
    focus(at, move);
    inspector.hidden = false;
    inspector.replaceChildren(...about(indexOf.get(Number(items[at].id.slice(2)))));
    inspector.scrollTop = 0;
  }

  function step(from, by) {
    let at = from + by;
    while (at >= 0 && at < items.length && items[at].hidden) at += by;
    return at >= 0 && at < items.length ? at : from;
  }

  list.addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (!item) return;
    const at = items.indexOf(item);
    if (event.target.closest(".fold") && below[at].length) { fold(at, !folded.has(at)); focus(at, false); } else choose(at, true);
  });
  const keys = {
    ArrowDown: (at) => focus(step(at, 1)),
    ArrowUp: (at) => focus(step(at, -1)),
    ArrowRight: (at) => (below[at].length && folded.has(at) ? fold(at, false) : below[at].length && focus(step(at, 1))),
    ArrowLeft: (at) => (below[at].length && !folded.has(at) ? fold(at, true) : focus(parents[at])),
    Home: () => focus(step(-1, 1)),
    End: () => focus(step(items.length, -1)),
    Enter: (at) => choose(at, true),
    " ": (at) => choose(at, true),
  };
  list.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key](focused);
  });

  byId("tree-tools").hidden = items.length < 8;
  byId("unfold").addEventListener("click", () => { folded.clear(); refresh(); });
  byId("fold").addEventListener("click", () => { quiet(); refresh(); });
  byId("tree-filter").addEventListener("input", calmly((event) => {
    const words = event.target.value.trim().toLowerCase();
    wanted = null;
    if (words) {
      wanted = new Set();
      items.forEach((item, at) => {
        if (!item.textContent.toLowerCase().includes(words)) return;
        for (let up = at; up >= 0 && !wanted.has(up); up = parents[up]) wanted.add(up);
      });
    }
    refresh();
  }));

  /** Fold what has no finding in it, below the first level. */
  function quiet() {
    const loud = new Set();
    items.forEach((item, at) => {
      if (item.querySelector(".marks .badge:not(.plain)")) for (let up = parents[at]; up >= 0 && !loud.has(up); up = parents[up]) loud.add(up);
    });
    items.forEach((item, at) => { if (below[at].length && depth[at] && !loud.has(at)) folded.add(at); });
  }
  if (items.length > 150) quiet();
  refresh();

  /** Show a process: unfold what it is in, choose it. */
  function reveal(pid, move) {
    const at = items.findIndex((item) => item.id === `p-${pid}`);
    if (at < 0) return false;
    if (wanted) { byId("tree-filter").value = ""; wanted = null; }
    for (let up = parents[at]; up >= 0; up = parents[up]) folded.delete(up);
    refresh();
    choose(at, move);
    show(byId("processes"));
    const box = byId("tree-box");
    box.scrollTop = items[at].offsetTop - list.offsetTop - 80;
    return true;
  }
  const fromAddress = () => { if (/^#p-\d+$/.test(location.hash)) reveal(location.hash.slice(3), true); };
  addEventListener("hashchange", fromAddress);
  document.addEventListener("click", (event) => {
    const anchor = event.target.closest("a");
    const hash = anchor?.hash || anchor?.getAttribute("href") || "";
    if (/^#p-\d+$/.test(hash) && hash === location.hash) { event.preventDefault(); fromAddress(); }
  });
  return { reveal, choose, fromAddress, first: () => items.findIndex((item) => item.querySelector(".marks .badge:not(.plain)")) };
})();

function about(row) {
  if (row === undefined) return [];
  const pid = processes.pid(row);
  const facts = element("dl");
  const add = (name, value, kind) => {
    if (value === "" || value === null || value === undefined) return;
    const told = element("dd", kind);
    told.append(value);
    facts.append(element("dt", "", name), told);
  };
  add("Command", processes.command(row), "mono");
  add("Program", processes.exe(row), "mono");
  add("Folder", processes.cwd(row), "mono");
  if (processes.root(row) !== "/") add("Root", processes.root(row), "mono");
  add("State", processes.state(row));
  add("User", processes.user(row));
  const parent = processes.ppid(row);
  add("Parent", indexOf.has(parent) ? link(parent, `${parent} ${processes.comm(indexOf.get(parent))}`) : parent);
  add("Threads", processes.threads(row));
  add("Seccomp", processes.seccomp(row));
  add("Profile", processes.lsm(row));
  add("Memory", processes.mapped(row) === null ? "" : `${size(processes.dumped(row))} dumped of ${size(processes.mapped(row))} mapped`);
  const nodes = [element("h3", "", `${pid} ${processes.comm(row)}`), ...findingsOf(pid), facts];
  nodes.push(...group("Open files", processes.fds(row)), ...group("Capabilities in effect", processes.caps(row)), ...group("Environment", processes.env(row)));
  if (data.memory[pid]) {
    const button = Object.assign(element("button", "button", "Show its memory"), { type: "button" });
    button.addEventListener("click", () => showMemory(pid, true));
    const line = element("p", "about");
    line.append(button);
    nodes.push(line);
  }
  return nodes;
}

function findingsOf(pid) {
  const found = [...document.querySelectorAll(".finding")].filter((each) => each.querySelector(`a[href="#p-${pid}"]`));
  return found.map((each) => {
    const line = element("p", "about");
    const anchor = element("a", "", each.querySelector("h3").textContent);
    anchor.href = `#${each.id}`;
    line.append(element("span", `badge sev-${each.dataset.severity}`, each.dataset.severity), " ", anchor);
    return line;
  });
}

function group(title, lines) {
  if (!lines.length) return [];
  const box = element("details"), list = element("ul", "lines");
  box.append(element("summary", "", `${title} (${lines.length})`), list);
  list.append(...lines.map((line) => element("li", "", line)));
  return [box];
}
