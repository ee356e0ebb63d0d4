// The page of values. Without it the whole list is there, and the form asks the server.

const list = document.querySelector("ul.values");
const form = document.querySelector("form.values-filter");
const rows = [...list.children];

// ---- a button at each path that copies it
if (navigator.clipboard) {
  for (const row of rows) {
    const path = row.querySelector("code").textContent;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "small-button quiet copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${path}`);
    row.querySelector(".key").append(button);
  }
  list.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    await navigator.clipboard.writeText(button.closest("li").querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

// ---- filtering as one types, where the whole list is here
if (form.dataset.whole === "yes") {
  const field = form.querySelector("input");
  const count = document.querySelector("#values-count");
  const all = count.textContent;
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, place) => {
      row.hidden = !words.every((word) => texts[place].includes(word));
      shown += row.hidden ? 0 : 1;
    });
    count.textContent = words.length ? `${shown} of ${all}` : all;
  };
  field.addEventListener("input", filter);
  form.addEventListener("submit", (event) => { event.preventDefault(); filter(); });
  if (field.value) filter();
}
