// A formula that is too wide for the screen scrolls by itself; with the keyboard, too.
async function letFormulasScroll() {
  await window.MathJax?.startup?.promise;
  for (const formula of document.querySelectorAll("mjx-container")) {
    formula.tabIndex = formula.scrollWidth > formula.clientWidth ? 0 : -1;
  }
}
document.addEventListener("DOMContentLoaded", letFormulasScroll);
window.addEventListener("resize", letFormulasScroll);
