(() => {
  const CELLS = ".jp-CodeCell, div.cell", OUTPUTS = ".jp-Cell-outputArea, .cell_output";
  const remembered = (card) => {
    try { return sessionStorage.getItem(card.id); } catch { return null; }
  };
  const remember = (card, value) => {
    try { sessionStorage.setItem(card.id, value); } catch { /* an iframe of its own has none */ }
  };
  const element = (tag, name, text = "") =>
    Object.assign(document.createElement(tag), { className: name, textContent: text });

  // The outputs of the code cell after the card's own, or nothing where the page is built otherwise.
  function outputsBelow(card) {
    const own = card.closest(CELLS);
    const all = own?.closest(".jp-Notebook, section section, main, body")?.querySelectorAll(CELLS);
    const cells = all ? [...all] : [];
    return cells[cells.indexOf(own) + 1]?.querySelector(OUTPUTS) ?? null;
  }

  function fold(card, note) {
    let folded = null;
    const apply = () => {
      const found = card.isConnected ? outputsBelow(card) : folded;
      if (found === folded) return;
      folded?.removeAttribute("data-adq-folded");
      found?.setAttribute("data-adq-folded", "");
      folded = found;
      note.hidden = !folded;
    };
    apply();
    // JupyterLab adds cells while one scrolls, and the next one may not be there yet.
    const cells = card.closest(".jp-Cell")?.parentElement;
    const watch = new MutationObserver(apply);
    if (cells) watch.observe(cells, { childList: true });
    return () => {
      watch.disconnect();
      folded?.removeAttribute("data-adq-folded");
      folded = null;
      note.hidden = true;
    };
  }

  function setUp(card) {
    card.dataset.ready = "";
    const [question, choices, answer] = card.querySelectorAll(".adq-question, .adq-choices, .adq-answer");
    const explanations = [...answer.querySelectorAll("p")];
    const group = element("fieldset", "adq-group");
    // Neither JupyterLab nor a deck takes the keys that are pressed here for its own.
    group.dataset.lmSuppressShortcuts = "true";
    const legend = element("legend", "adq-question");
    legend.append(...question.childNodes);
    const said = element("div", "adq-said");
    said.setAttribute("role", "status");
    const buttons = [...choices.children].map((choice, index) => {
      const button = element("button", "adq-choice");
      button.type = "button";
      const letter = element("span", "adq-letter", "ABCD"[index]);
      const text = element("span", "adq-text");
      text.append(...choice.childNodes);
      button.append(letter, text, element("span", "adq-mark"));
      return button;
    });
    const note = element("div", "adq-note", "The output below is folded until you choose. ");
    note.hidden = true;
    const anyway = element("button", "adq-anyway", "Show it anyway");
    anyway.type = "button";
    note.append(anyway);
    group.append(legend, ...buttons);
    question.replaceWith(group);
    choices.remove();
    answer.replaceWith(said, note);

    let open = () => {};
    if (card.dataset.folds === "1" && remembered(card) === null) open = fold(card, note);
    const choose = (index) => {
      const right = explanations[index].dataset.right === "1";
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === index)));
      buttons[index].dataset.right = explanations[index].dataset.right;
      buttons[index].querySelector(".adq-mark").textContent = right ? "✓" : "✗";
      said.replaceChildren(explanations[index]);
      remember(card, index);
      open();
    };
    buttons.forEach((button, index) => button.addEventListener("click", () => choose(index)));
    anyway.addEventListener("click", () => {
      remember(card, "shown");
      open();
      buttons[0].focus();
    });
    group.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      const at = buttons.indexOf(document.activeElement);
      if (at >= 0 && (step || event.key === "Enter" || event.key === " ")) event.stopPropagation();
      if (at < 0 || !step) return;
      event.preventDefault();
      buttons[(at + step + buttons.length) % buttons.length].focus();
    });
  }

  document.querySelectorAll(".adq:not([data-ready])").forEach(setUp);
})();
