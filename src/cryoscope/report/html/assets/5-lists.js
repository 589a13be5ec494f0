// Sockets and changed files as lists.
const sockets = Object.fromEntries(["what", "queued", "holders", "pids"].map((name) => [name, column(data.sockets, name)]));
const socketList = byId("sockets-list") && new List(byId("sockets-list"), {
  label: "Sockets", layout: "sockets-columns", count: data.sockets.n, noun: "socket", filter: "Show only sockets with …",
  columns: [
    { title: "Socket", kind: "mono", text: sockets.what },
    { title: "Queued", kind: "right", text: (row) => sockets.queued(row) || "", order: sockets.queued },
    { title: "Held by", kind: "mono", text: (row) => sockets.holders(row).join(" ") },
  ],
  about: (row) => told([["Socket", sockets.what(row)], ["Queued", sockets.queued(row) ? `${sockets.queued(row)} bytes` : ""], ["Held by", sockets.holders(row)], ["Processes", sockets.pids(row).map((pid) => link(pid, String(pid)))]]),
});

const files = Object.fromEntries(Object.keys(data.files).filter((name) => name !== "n").map((name) => [name, column(data.files, name)]));
const fileList = byId("files-list") && new List(byId("files-list"), {
  label: "Changed files", layout: "files-columns", count: data.files.n, noun: "path", filter: "Show only paths with …",
  columns: [
    { title: "Change", kind: files.change, text: files.change },
    { title: "Path", kind: "mono", text: (row) => files.path(row) + (files.link(row) ? ` → ${files.link(row)}` : "") },
    { title: "Size", kind: "right", text: (row) => size(files.size(row)), order: files.size },
    { title: "Mode", kind: "mono", text: files.mode },
    { title: "Modified", text: (row) => (files.at(row) === null ? "" : moment(files.at(row))), order: files.at },
    { title: "Owner", text: files.owner },
  ],
  about: (row) => told([
    ["Path", files.path(row)], ["Change", `${files.change(row)} (${files.origin(row)})`], ["Type", files.type(row)],
    ["Mode", `${files.mode(row)} ${files.owner(row)}`.trim()], ["Size", files.size(row) === null ? "" : `${size(files.size(row))} (${number.format(files.size(row))} bytes)`],
    ["Modified", files.at(row) === null ? "" : moment(files.at(row), true)], ["Leads to", files.link(row)],
    ["Open in", files.open(row).map((who) => link(who.split("/")[0], who))], ["Kept in", files.member(row)],
  ]),
});
if (fileList && data.files.n > 12) {
  const picker = element("select"), kinds = new Map();
  for (let row = 0; row < data.files.n; row++) {
    const kind = `${files.origin(row)}: ${files.change(row)}`;
    kinds.set(kind, (kinds.get(kind) || 0) + 1);
  }
  picker.setAttribute("aria-label", "Kind of change");
  picker.append(Object.assign(element("option", "", "Every change"), { value: "" }));
  for (const [kind, count] of [...kinds].sort()) picker.append(Object.assign(element("option", "", `${kind} (${number.format(count)})`), { value: kind }));
  picker.addEventListener("change", () => fileList.narrow((row) => !picker.value || `${files.origin(row)}: ${files.change(row)}` === picker.value));
  fileList.input.after(picker);
}
