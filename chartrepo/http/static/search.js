// Results as one types. Without it the form is sent, and the same page comes.

const form = document.getElementById("search");
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

async function search() {
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
  show(new DOMParser().parseFromString(text, "text/html"), url);
}

function show(fresh, url) {
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
  history.replaceState(null, "", url);
  status.textContent = document.getElementById("count").textContent;
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(search, PAUSE);
}

if (form) {
  document.getElementById("q").addEventListener("input", soon);
  document.addEventListener("change", (event) => { if (event.target.form === form && event.target.id !== "q") soon(); });
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); search(); });
}
