// A list of any length of which only the rows in view are there.
const ROW = 28;

class List {
  /** `columns` are {title, text(row), kind, order(row)}, `about(row)` gives nodes that tell all of a chosen row. */
  constructor(host, { label, layout, count, columns, about, noun, filter }) {
    Object.assign(this, { host, label, layout, count, columns, about, noun });
    this.words = "";
    this.accepts = () => true;
    this.active = -1;
    this.sorted = null;
    this.build(filter);
    this.refresh();
  }

  build(filter) {
    this.tools = element("div", "tools");
    if (filter) {
      this.input = Object.assign(element("input"), { type: "search", placeholder: filter, autocomplete: "off", spellcheck: false });
      this.input.setAttribute("aria-label", filter);
      this.input.addEventListener("input", calmly(() => this.search(this.input.value)));
      this.tools.append(this.input);
    }
    this.said = element("span", "said");
    this.said.setAttribute("role", "status");
    this.tools.append(this.said);
    this.box = element("div", "list");
    this.table = element("div");
    this.table.setAttribute("role", "table");
    this.table.setAttribute("aria-label", this.label);
    this.titles = element("div", `titles ${this.layout}`);
    this.titles.setAttribute("role", "row");
    this.columns.forEach((each, index) => this.titles.append(this.title(each, index)));
    const head = element("div");
    head.setAttribute("role", "rowgroup");
    head.append(this.titles);
    this.rows = element("div", "rows");
    this.rows.tabIndex = 0;
    this.rows.setAttribute("role", "rowgroup");
    this.rows.setAttribute("aria-label", `${this.label}: arrow keys choose a row`);
    this.space = element("div", "space");
    this.space.setAttribute("role", "presentation");
    this.rows.append(this.space);
    this.table.append(head, this.rows);
    this.chosen = element("div", "chosen");
    this.chosen.setAttribute("role", "status");
    this.chosen.hidden = true;
    this.box.append(this.table, this.chosen);
    this.host.replaceChildren(this.tools, this.box);
    this.rows.addEventListener("scroll", () => this.draw(), { passive: true });
    this.rows.addEventListener("keydown", (event) => this.key(event));
    this.rows.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row) this.choose(Number(row.dataset.at));
    });
    new ResizeObserver(() => this.draw()).observe(this.rows);
  }

  title(each, index) {
    const cell = element("span", each.kind === "right" ? "right" : "");
    cell.setAttribute("role", "columnheader");
    const button = Object.assign(element("button", "", each.title), { type: "button" });
    button.addEventListener("click", () => this.sort(index));
    cell.append(button);
    return cell;
  }

  /** Only rows in which the words stand. */
  search(words) {
    this.words = words.trim().toLowerCase();
    if (this.input && this.input.value.trim().toLowerCase() !== this.words) this.input.value = words;
    this.refresh();
  }

  /** Only rows that `accepts` says yes to. */
  narrow(accepts) {
    this.accepts = accepts;
    this.refresh();
  }

  sort(index) {
    const down = this.sorted && this.sorted.index === index && !this.sorted.down;
    this.sorted = this.sorted && this.sorted.index === index && this.sorted.down ? null : { index, down: Boolean(down) };
    [...this.titles.children].forEach((cell, at) => {
      if (this.sorted && this.sorted.index === at) cell.setAttribute("aria-sort", this.sorted.down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
    this.refresh();
  }

  refresh() {
    const found = [];
    for (let row = 0; row < this.count; row++) if (this.accepts(row) && this.matches(row)) found.push(row);
    if (this.sorted) {
      const { index, down } = this.sorted;
      const value = this.columns[index].order || this.columns[index].text;
      const keys = new Map(found.map((row) => [row, value(row)]));
      const order = (a, b) => (typeof a === "string" || typeof b === "string" ? compare(String(a), String(b)) : (a ?? -1) - (b ?? -1));
      found.sort((a, b) => order(keys.get(a), keys.get(b)) * (down ? -1 : 1) || a - b);
    }
    this.found = found;
    this.table.setAttribute("aria-rowcount", String(found.length + 1));
    const all = plural(this.count, this.noun);
    this.said.textContent = found.length === this.count ? all : `${number.format(found.length)} of ${all}`;
    this.space.style.height = `${found.length * ROW}px`;
    this.rows.style.height = `${Math.min(420, Math.max(2, found.length) * ROW + 2)}px`;
    this.rows.scrollTop = 0;
    this.active = -1;
    this.chosen.hidden = true;
    this.draw(true);
  }

  matches(row) {
    return !this.words || this.columns.some((each) => String(each.text(row)).toLowerCase().includes(this.words));
  }

  draw(anew) {
    const first = Math.max(0, Math.floor(this.rows.scrollTop / ROW) - 6);
    const last = Math.min(this.found.length, Math.ceil((this.rows.scrollTop + (this.rows.clientHeight || 420)) / ROW) + 6);
    if (!anew && this.drawnFrom === first && this.drawnTo === last) return;
    [this.drawnFrom, this.drawnTo] = [first, last];
    const made = [];
    for (let at = first; at < last; at++) made.push(this.row(at));
    this.space.replaceChildren(...made);
    if (!this.found.length) this.space.replaceChildren(this.none());
  }

  none() {
    const row = element("div", "row");
    row.setAttribute("role", "row");
    const cell = element("span", "note", "Nothing matches.");
    cell.setAttribute("role", "cell");
    row.append(cell);
    return row;
  }

  row(at) {
    const row = element("div", `row ${this.layout}${at === this.active ? " active" : ""}`);
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", String(at + 2));
    row.dataset.at = at;
    row.style.top = `${at * ROW}px`;
    for (const each of this.columns) {
      const text = each.text(this.found[at]);
      const cell = element("span", typeof each.kind === "function" ? each.kind(this.found[at]) : each.kind || "", text);
      cell.setAttribute("role", "cell");
      row.append(cell);
    }
    return row;
  }

  /** Choose the row at a place of the list as it is shown now, and tell all of it. */
  choose(at) {
    if (at < 0 || at >= this.found.length) return;
    this.active = at;
    const top = at * ROW;
    if (top < this.rows.scrollTop) this.rows.scrollTop = top;
    else if (top + ROW > this.rows.scrollTop + this.rows.clientHeight) this.rows.scrollTop = top + ROW - this.rows.clientHeight;
    this.chosen.replaceChildren(...this.about(this.found[at]));
    this.chosen.hidden = false;
    this.draw(true);
  }

  /** Choose a row by its own number, whatever was searched for or left out before. */
  reveal(row) {
    if (!this.found.includes(row)) {
      this.accepts = () => true;
      this.search("");
    }
    this.choose(this.found.indexOf(row));
    this.rows.scrollTop = Math.max(0, this.active * ROW - 120);
    this.draw(true);
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.rows.clientHeight / ROW) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    let to;
    if (event.key in moves) to = this.active < 0 ? 0 : this.active + moves[event.key];
    else if (event.key === "Home") to = 0;
    else if (event.key === "End") to = this.found.length - 1;
    else return;
    event.preventDefault();
    this.choose(Math.max(0, Math.min(this.found.length - 1, to)));
  }
}

/** What is told of a chosen row: names and values, those without a value left out. */
function told(pairs) {
  const nodes = [];
  for (const [name, value] of pairs) {
    if (value === "" || value === null || value === undefined || (Array.isArray(value) && !value.length)) continue;
    const line = element("div");
    line.append(element("span", "note", `${name}: `));
    for (const each of Array.isArray(value) ? value : [value]) line.append(each instanceof Node ? each : document.createTextNode(each), " ");
    nodes.push(line);
  }
  return nodes;
}
