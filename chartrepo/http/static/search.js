// Results as one types. Without it the form is sent, and the same page comes.

// ---- on the first page and that of the search: the page itself changes
const form = document.querySelector("form#search"); // other pages call other things so
const status = document.getElementById("said");
const PAUSE = 150; // milliseconds after the last key
let timer = 0;
let asked = 0;
let running = null;

function address() {
  const parameters = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    // An empty repository is the root one.
    if (value !== "" || name === "repository") parameters.append(name, value);
  }
  if (parameters.get("sort") === "relevance") parameters.delete("sort");
  const query = parameters.toString();
  return form.action + (query ? `?${query}` : "");
}

// What is chosen can be gone back from, and so can the first page; not each letter that is typed.
async function search(step) {
  const turn = ++asked;
  const url = address();
  if (running) running.abort();
  running = new AbortController();
  let text;
  try {
    const answer = await fetch(url, { signal: running.signal, headers: { Accept: "text/html" } });
    if (!answer.ok) { if (turn === asked) location.assign(url); return; }
    text = await answer.text();
  } catch { return; } // a newer one has begun, or the network is away: the form can be sent
  if (turn !== asked) return;
  show(new DOMParser().parseFromString(text, "text/html"), url, step);
}

function show(fresh, url, step) {
  const old = document.getElementById("found");
  const next = fresh.getElementById("found");
  if (!next) return location.assign(url);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const filters = document.getElementById("filters");
  if (filters) next.querySelector("#filters")?.toggleAttribute("open", filters.open);
  old.replaceWith(document.adoptNode(next));
  for (const button of next.querySelectorAll("button[data-copy]")) button.hidden = !navigator.clipboard;
  if (focused) {
    const again = [...next.querySelectorAll("input, select")]
      .find((each) => each.name === focused.name && (each.type !== "checkbox" || each.value === focused.value));
    (again ?? document.getElementById("q")).focus();
  }
  document.title = fresh.title;
  document.querySelector(".welcome")?.classList.add("smaller");
  if (step || location.pathname !== new URL(url).pathname) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
  status.textContent = document.getElementById("count").textContent;
}

function soon(step) {
  clearTimeout(timer);
  timer = setTimeout(() => search(step), PAUSE);
}

if (form) {
  document.getElementById("q").addEventListener("input", () => soon(false));
  document.addEventListener("change", (event) => { if (event.target.form === form && event.target.id !== "q") soon(true); });
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); search(location.href !== address()); });
  addEventListener("popstate", () => { if (!location.hash) location.reload(); });
}

// ---- in the header of all others: the first results, below the field
const bar = document.getElementById("bar-q");
const results = document.getElementById("bar-results");
const FEW = 6;
let barTimer = 0;
let barAsked = 0;

function hide() {
  barAsked++;
  clearTimeout(barTimer);
  results.hidden = true;
  document.getElementById("bar-said").textContent = "";
}

async function lookUp() {
  const turn = ++barAsked;
  const url = `${bar.form.action}?${new URLSearchParams({ q: bar.value })}`;
  let fresh;
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch { return; }
  if (turn !== barAsked) return;
  const list = document.createElement("ul");
  list.className = "plain";
  for (const title of [...fresh.querySelectorAll("#found .hit h3")].slice(0, FEW)) {
    const item = document.createElement("li");
    item.append(...[...title.childNodes].map((each) => document.importNode(each, true)));
    list.append(item);
  }
  const all = document.createElement("a");
  all.href = url;
  all.textContent = fresh.getElementById("count")?.textContent ?? "All results";
  results.replaceChildren(list, all);
  results.hidden = false;
  document.getElementById("bar-said").textContent = all.textContent;
}

if (bar) {
  bar.addEventListener("input", () => {
    if (bar.value.trim().length < 2) return hide();
    clearTimeout(barTimer);
    barTimer = setTimeout(lookUp, PAUSE);
  });
  bar.form.addEventListener("keydown", (event) => { if (event.key === "Escape" && !results.hidden) { hide(); bar.focus(); } });
  bar.form.addEventListener("focusout", (event) => { if (!bar.form.contains(event.relatedTarget)) hide(); });
}
