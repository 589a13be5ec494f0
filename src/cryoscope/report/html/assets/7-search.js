// One search over everything in the report: which strings match is asked once, then who has them.
const field = byId("find"), results = byId("found");
field.closest(".find").hidden = false;
let lowered = null, picked = -1, options = 0;
const EACH = 6;

const articles = [...document.querySelectorAll(".finding, #hits tbody tr")];

function within(table, names, matches) {
  const columns = names.map((name) => table[name].s), found = [];
  for (let row = 0; row < table.n; row++) {
    if (columns.some((values) => (Array.isArray(values[row]) ? values[row].some((index) => matches[index]) : matches[values[row]]))) found.push(row);
  }
  return found;
}

/** Groups of what matches: a title, the rows, what a row says, and what choosing it does. */
function groups(words) {
  lowered ||= pool.map((each) => each.toLowerCase());
  const matches = Uint8Array.from(lowered, (each) => (each.includes(words) ? 1 : 0));
  const go = (id, act) => (row) => { act(row); show(byId(id)); };
  const who = within(P, ["comm", "command", "exe", "cwd", "env", "fds"], matches);
  if (/^\d+$/.test(words) && indexOf.has(Number(words))) who.unshift(indexOf.get(Number(words)));
  return [
    { title: "Findings", rows: articles.filter((each) => each.textContent.toLowerCase().includes(words)), say: (each) => (each.querySelector("h3") || each).textContent.trim(), act: (each) => { each.hidden = false; each.querySelector("details:not([open])")?.setAttribute("open", ""); show(each); } },
    { title: "Processes", rows: [...new Set(who)], say: (row) => processSays(row, words), act: (row) => { tree.reveal(processes.pid(row), true); } },
    { title: "Sockets", rows: within(data.sockets, ["what", "holders"], matches), say: sockets.what, act: go("network", (row) => socketList.reveal(row)), list: socketList, at: "network" },
    { title: "Changed files", rows: within(data.files, ["path", "link"], matches), say: files.path, act: go("files", (row) => fileList.reveal(row)), list: fileList, at: "files" },
    { title: "Memory", rows: mappedFiles(matches), say: (each) => `${pool[each.path]} in ${each.pid}${each.more ? ` and ${each.more} more` : ""}`, act: (each) => { showMemory(each.pid, true); memoryShown.list.search(pool[each.path]); } },
    { title: "Timeline", rows: within(T, ["text", "path", "kind", "comm"], matches), say: (row) => `${moment(events.at(row))} ${events.kind(row)} ${eventText(row)}`, act: go("timeline", (row) => timeline.reveal(row)) },
  ].filter((group) => group.rows.length);
}

/** Why a process matches: its line, or what of it has the words. */
function processSays(row, words) {
  const line = `${processes.pid(row)} ${processes.command(row)}`;
  if (line.toLowerCase().includes(words)) return line;
  const other = [processes.exe(row), processes.cwd(row), ...processes.fds(row), ...processes.env(row)].find((each) => each.toLowerCase().includes(words));
  return `${processes.pid(row)} ${processes.comm(row)}: ${other || ""}`;
}

function mappedFiles(matches) {
  const found = new Map();
  for (const [pid, flat] of Object.entries(data.memory)) {
    for (let at = 5; at < flat.length; at += 6) {
      const path = flat[at];
      if (path < 0 || !matches[path]) continue;
      const known = found.get(path);
      if (!known) found.set(path, { path, pid: Number(pid), more: 0, last: pid });
      else if (known.last !== pid) { known.more++; known.last = pid; }
    }
  }
  return [...found.values()];
}

const lookSoon = calmly(look);

function look() {
  const words = field.value.trim().toLowerCase();
  picked = -1;
  results.replaceChildren();
  field.removeAttribute("aria-activedescendant");
  open(words.length > 1);
  if (words.length < 2) return;
  for (const group of groups(words)) {
    const box = element("div"), title = element("div", "group", `${group.title} · ${number.format(group.rows.length)}`);
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", group.title);
    title.setAttribute("aria-hidden", "true");
    box.append(title, ...group.rows.slice(0, EACH).map((row) => option(group.say(row), words, () => group.act(row))));
    if (group.rows.length > EACH && group.list) {
      box.append(option(`All ${number.format(group.rows.length)} in the list`, "", () => { group.list.search(words); show(byId(group.at)); }));
    }
    results.append(box);
  }
  if (!results.children.length) results.append(option("Nothing in this report matches.", "", () => {}));
}

function option(text, words, act) {
  const made = element("div", "hit");
  const at = words ? text.toLowerCase().indexOf(words) : -1;
  const from = Math.max(0, at - 60), shown = text.slice(from, at + 160 + words.length);
  if (at < 0) made.textContent = text.slice(0, 200);
  else {
    made.append((from ? "…" : "") + shown.slice(0, at - from), element("mark", "", shown.slice(at - from, at - from + words.length)), shown.slice(at - from + words.length));
  }
  made.setAttribute("role", "option");
  made.setAttribute("aria-selected", "false");
  made.id = `hit-${++options}`;
  made.addEventListener("mousedown", (event) => event.preventDefault());
  made.addEventListener("click", () => { open(false); act(); });
  return made;
}

// Closed for good: a look still waiting for a pause in the typing would open it again.
function open(yes) {
  lookSoon.cancel();
  results.hidden = !yes;
  field.setAttribute("aria-expanded", String(yes));
}

function pick(by) {
  const offered = [...results.querySelectorAll(".hit")];
  if (!offered.length) return;
  offered[picked]?.setAttribute("aria-selected", "false");
  picked = (picked + by + offered.length) % offered.length;
  offered[picked].setAttribute("aria-selected", "true");
  offered[picked].scrollIntoView({ block: "nearest" });
  field.setAttribute("aria-activedescendant", offered[picked].id);
}

field.addEventListener("input", lookSoon);
field.addEventListener("focus", () => { if (field.value.trim().length > 1) open(true); });
field.addEventListener("blur", () => open(false));
field.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { open(false); return; }
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (results.hidden) look();
    pick(event.key === "ArrowDown" ? 1 : -1);
  } else if (event.key === "Enter") {
    event.preventDefault();
    results.querySelectorAll(".hit")[Math.max(0, picked)]?.click();
  }
});
addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); field.focus(); }
});

tree?.fromAddress();
if (tree && !location.hash) {
  const first = tree.first();
  tree.choose(Math.max(0, first), false);
}
