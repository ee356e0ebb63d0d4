// What all pages have. Without it everything still works; it only saves steps.

// ---- copying: <button data-copy="#id of the element whose text is copied" hidden>Copy</button>
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const source = document.querySelector(button.dataset.copy);
    await navigator.clipboard.writeText(source.innerText.trimEnd());
    const said = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = said; }, 1500);
  });
}

// ---- what was done a moment ago is said once: the address is one to pass on, and to load anew
const address = new URL(location.href);
for (const name of ["done", "revoked"]) address.searchParams.delete(name);
if (address.href !== location.href && document.querySelector("#main > [role=status]")) {
  history.replaceState(history.state, "", address);
}

// ---- "/" goes to the search field, as on other sites
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const field = document.querySelector('input[type="search"]');
  if (field) { event.preventDefault(); field.focus(); field.select(); }
});
