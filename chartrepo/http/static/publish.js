// The page that publishes: checks a package first, shows what would be published, and then publishes it.
// Without this script the form does both by itself.

const form = document.getElementById("publish");
const drop = document.getElementById("drop");
const inputs = { chart: document.getElementById("chart"), prov: document.getElementById("prov") };
const repository = document.getElementById("repository");
const force = document.getElementById("force");
const problems = document.getElementById("problems");
const found = document.getElementById("found");
const progress = document.getElementById("progress");
const bar = document.getElementById("sent");
const check = document.getElementById("check");
const publish = document.getElementById("publish-now");

const OUTCOMES = {
  created: "A new version.",
  replaced: "It would replace the version that is there.",
  unchanged: "The very same package is there already.",
  withheld: "It would be stored, and readers would not see it yet.",
};

const NOT_INSTALLED = "Helm would refuse to install it: run helm dependency build before helm package.";

// ---- the form does its work in two steps now
document.getElementById("publish-directly").hidden = true;
document.querySelector(".drop-hint").hidden = false;
for (const each of document.querySelectorAll(".no-script")) each.hidden = true;
check.textContent = "Check it";
check.classList.remove("quiet");
if (!document.getElementById("confirm").hidden) found.hidden = true;

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function size(bytes) {
  let amount = bytes;
  for (const unit of ["bytes", "KiB", "MiB", "GiB"]) {
    if (amount < 1024 || unit === "GiB") return unit === "bytes" ? `${amount} bytes` : `${amount.toFixed(1)} ${unit}`;
    amount /= 1024;
  }
}

function refuse(sentences) {
  found.hidden = true;
  const list = element("ul", "", ...sentences.map((each) => element("li", each)));
  const box = element("div", "", element("h2", "It was refused"), list);
  box.className = "box bad";
  problems.replaceChildren(box);
  problems.focus();
}

function forget() {
  problems.replaceChildren();
  found.hidden = true;
}

// ---- files that are dropped, by what they are called
let inside = 0;
function over(event, entered) {
  if (!event.dataTransfer || !Array.from(event.dataTransfer.types).includes("Files")) return;
  event.preventDefault();
  inside = Math.max(0, inside + entered);
  drop.classList.toggle("over", inside > 0);
}
drop.addEventListener("dragenter", (event) => over(event, 1));
drop.addEventListener("dragover", (event) => over(event, 0));
drop.addEventListener("dragleave", (event) => over(event, -1));
drop.addEventListener("drop", (event) => {
  over(event, -inside);
  const files = Array.from(event.dataTransfer.files);
  const provs = files.filter((file) => file.name.endsWith(".prov"));
  const packages = files.filter((file) => !file.name.endsWith(".prov"));
  if (packages.length > 1 || provs.length > 1) {
    refuse(["Drop one package at a time, with its own provenance file."]);
    return;
  }
  for (const [input, file] of [[inputs.chart, packages[0]], [inputs.prov, provs[0]]]) {
    if (!file) continue;
    const held = new DataTransfer();
    held.items.add(file);
    input.files = held.files;
  }
  forget();
  if (inputs.chart.files.length) send(true);
});
form.addEventListener("input", forget);

// ---- sending
let under = null;
function send(dry) {
  const where = repository.value.trim().replace(/^\/+|\/+$/g, "");
  // A browser would take these parts out of the address, and ask for another one.
  if (where.split("/").some((part) => part === "." || part === "..")) {
    refuse([`'${where}' cannot name a repository: no part of it may be '.' or '..'`]);
    return;
  }
  if (under) under.abort();
  const data = new FormData();
  data.append("chart", inputs.chart.files[0]);
  if (inputs.prov.files.length) data.append("prov", inputs.prov.files[0]);
  const path = where ? `/${where.split("/").map(encodeURIComponent).join("/")}` : "/";
  const query = [dry ? "dry_run" : "", force && force.checked ? "force" : ""].filter(Boolean).join("&");
  const asked = new XMLHttpRequest();
  under = asked;
  asked.open("POST", `${form.dataset.base}${path}${query ? `?${query}` : ""}`);
  asked.setRequestHeader("Accept", "application/json");
  asked.setRequestHeader("X-CSRF-Token", form.elements.csrf_token.value);
  asked.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    bar.value = (100 * event.loaded) / event.total;
    document.getElementById("sent-text").textContent = `${size(event.loaded)} of ${size(event.total)}`;
  });
  asked.addEventListener("loadend", () => {
    if (under !== asked) return;
    under = null;
    progress.hidden = true;
    check.disabled = publish.disabled = false;
  });
  asked.addEventListener("load", () => answered(asked, dry));
  asked.addEventListener("error", () => refuse(["The server cannot be reached, or it hung up. Try again."]));
  bar.value = 0;
  document.getElementById("sent-text").textContent = "";
  progress.hidden = false;
  check.disabled = publish.disabled = true;
  problems.replaceChildren();
  asked.send(data);
}

function answered(asked, dry) {
  let told = null;
  try { told = JSON.parse(asked.responseText); } catch { /* a page for people */ }
  if (!told) {
    const page = new DOMParser().parseFromString(asked.responseText, "text/html");
    const said = page.querySelector(".lead");
    refuse([said ? said.textContent : `The server answered ${asked.status}.`]);
  } else if (told.problems || told.error) {
    refuse(told.problems && told.problems.length ? told.problems : [told.error]);
  } else if (dry) {
    show(told);
  } else {
    location.assign(told.location);
  }
}

function show(told) {
  const facts = [
    ["Chart", `${told.name} ${told.version}${told.app_version ? `, of ${told.app_version}` : ""}`],
    ["Description", told.description],
    ["Repository", told.repository || "root repository"],
    ["Size", size(told.size)],
    ["Digest", told.digest],
    ["Missing dependencies", told.missing_dependencies.length ? `${told.missing_dependencies.join(", ")}. ${NOT_INSTALLED}` : ""],
    ["What would come of it", `${OUTCOMES[told.outcome]} ${told.withheld || ""}`],
  ];
  const shown = facts.filter(([, value]) => value);
  document.getElementById("found-facts").replaceChildren(
    ...shown.map(([name, value]) => element("div", "", element("dt", name), element("dd", value))),
  );
  const files = document.getElementById("found-files");
  const more = told.file_count - told.files.length;
  files.querySelector("summary").textContent = `${told.file_count} ${told.file_count === 1 ? "file" : "files"}`;
  files.querySelector("ul").replaceChildren(
    ...told.files.map((file) => element("li", "", element("code", file.path), ` ${size(file.size)}`)),
    ...(more > 0 ? [element("li", `and ${more} more`)] : []),
  );
  document.getElementById("confirm").hidden = false;
  found.hidden = false;
  found.focus();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  send(true);
});
publish.addEventListener("click", () => send(false));
document.getElementById("cancel").addEventListener("click", () => { forget(); check.focus(); });
