// The data of the page, and elements. Strings of the archive reach the page as textContent only.
const data = JSON.parse(document.getElementById("data").textContent);
const pool = data.pool;
const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const compare = new Intl.Collator("en", { numeric: true }).compare;

/** A column as a function from a row's number to its value; strings come out of the pool. */
function column(table, name) {
  const values = table[name];
  if (!values.s) return (row) => values[row];
  const word = (index) => (index < 0 ? "" : pool[index]);
  return (row) => (Array.isArray(values.s[row]) ? values.s[row].map(word) : word(values.s[row]));
}

function element(name, kind, text) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}

function drawn(name, attributes, title) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (title) made.append(Object.assign(document.createElementNS("http://www.w3.org/2000/svg", "title"), { textContent: title }));
  return made;
}

function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  let units = ["B", "KiB", "MiB", "GiB", "TiB"], value = bytes;
  while (value >= 1024 && units.length > 1) { value /= 1024; units = units.slice(1); }
  return units[0] === "B" ? `${bytes} B` : `${value.toFixed(1)} ${units[0]}`;
}

/** Microseconds since 1970 as a time in UTC. */
function moment(at, exact) {
  const date = new Date(at / 1000);
  if (Number.isNaN(date.getTime())) return `${Math.round(at / 1e6)} s`;
  const text = date.toISOString().replace("T", " ");
  return exact ? text.slice(0, 19) + "." + String(((at % 1e6) + 1e6) % 1e6).padStart(6, "0") + "Z" : text.slice(0, 19) + "Z";
}

function plural(count, noun) {
  return `${number.format(count)} ${count === 1 ? noun : noun + (/s$/.test(noun) ? "es" : "s")}`;
}

function link(pid, text) {
  const made = element("a", "", text);
  made.href = `#p-${pid}`;
  return made;
}

/** Calls `act` when nothing has happened for a moment. */
function calmly(act, pause = 120) {
  let waiting;
  const calm = (...given) => { calm.cancel(); waiting = setTimeout(() => act(...given), pause); };
  calm.cancel = () => clearTimeout(waiting);
  return calm;
}

function show(target) {
  target.scrollIntoView({ block: "start" });
}

// Colours: the system's, light or dark.
const themes = ["auto", "light", "dark"];
const themeButton = byId("theme");
const current = () => document.documentElement.dataset.theme || "auto";
function nameTheme() {
  const name = current();
  themeButton.querySelector(".word").textContent = name[0].toUpperCase() + name.slice(1);
  themeButton.setAttribute("aria-label", `Theme: ${name}. Change the theme`);
}
themeButton.hidden = false;
themeButton.addEventListener("click", () => {
  const next = themes[(themes.indexOf(current()) + 1) % themes.length];
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try { localStorage.setItem("cryoscope-theme", next); } catch { /* kept nowhere */ }
  nameTheme();
});
nameTheme();

// Contents: the section that is being read is marked.
const entries = new Map([...document.querySelectorAll(".contents a")].map((a) => [a.hash.slice(1), a]));
const visible = new Set();
const watcher = new IntersectionObserver((changes) => {
  for (const change of changes) visible[change.isIntersecting ? "add" : "delete"](change.target.id);
  const first = [...entries.keys()].find((id) => visible.has(id));
  for (const [id, entry] of entries) {
    if (id === first) entry.setAttribute("aria-current", "true");
    else entry.removeAttribute("aria-current");
  }
}, { rootMargin: "-80px 0px -55% 0px" });
for (const id of entries.keys()) watcher.observe(byId(id));

// Findings: those of some severities only.
const severities = byId("severities");
if (severities) {
  severities.hidden = false;
  severities.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    for (const finding of document.querySelectorAll(".finding, .index li")) {
      if (finding.dataset.severity === button.dataset.severity) finding.hidden = !on;
    }
  });
}
