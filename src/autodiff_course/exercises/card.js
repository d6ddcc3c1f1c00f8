(() => {
  // JupyterLab, Notebook 7 and nbconvert; Sphinx; nbconvert's classic page, as on nbviewer.
  const CELLS = ".jp-CodeCell, div.cell:not(.text_cell)";
  const OUTPUTS = ".jp-Cell-outputArea, .cell_output, .output_wrapper";
  // A deck is shown to another room each time; elsewhere an answer counts on the next day too.
  const storage = (card) => (card.closest(".reveal") ? sessionStorage : localStorage);
  const remembered = (card) => {
    try { return storage(card).getItem(card.id); } catch { return null; }
  };
  const remember = (card, value) => {
    try { storage(card).setItem(card.id, value); } catch { /* an iframe of its own has none */ }
  };
  const forget = (card) => {
    try { storage(card).removeItem(card.id); } catch { /* nothing was remembered */ }
  };
  const element = (tag, name, text = "") =>
    Object.assign(document.createElement(tag), { className: name, textContent: text });

  // The outputs of the code cell after the card's own, or nothing where the page is built otherwise.
  function outputsBelow(card) {
    const own = card.closest(CELLS);
    const all = own?.closest(".reveal section section, .jp-Notebook, main, body")?.querySelectorAll(CELLS);
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
    // The next cell may not be there yet: JupyterLab adds cells while one scrolls, and a browser
    // runs this script while it reads the page.
    document.addEventListener("DOMContentLoaded", apply);
    const cells = card.closest(CELLS)?.parentElement;
    const watch = new MutationObserver(apply);
    if (cells) watch.observe(cells, { childList: true });
    return () => {
      watch.disconnect();
      document.removeEventListener("DOMContentLoaded", apply);
      folded?.removeAttribute("data-adq-folded");
      folded = null;
      note.hidden = true;
    };
  }

  // The choices as buttons, each with its letter and room for a mark.
  function makeButtons(choices) {
    return choices.map((choice) => {
      const button = element("button", "adq-choice");
      button.type = "button";
      button.append(...choice.childNodes, element("span", "adq-mark"));
      return button;
    });
  }

  // On a slide, room for the longest explanation, so that the slide fits before and after.
  function makeRoom(said, explanations) {
    const room = element("div", "adq-room");
    room.setAttribute("aria-hidden", "true");
    room.append(...explanations.map((explanation) => explanation.cloneNode(true)));
    const box = element("div", "adq-box");
    said.replaceWith(box);
    box.append(room, said);
  }

  function moveWithArrows(group, buttons, steps) {
    group.addEventListener("keydown", (event) => {
      const at = buttons.indexOf(document.activeElement);
      const step = at < 0 ? undefined : steps[event.key];
      // A deck takes no key for its own that is pressed for a choice.
      if (step || (at >= 0 && ["Enter", " "].includes(event.key))) event.stopPropagation();
      if (!step) return;
      event.preventDefault();
      buttons[(at + step + buttons.length) % buttons.length].focus();
    });
  }

  function setUp(card) {
    card.dataset.ready = "";
    const deck = card.closest(".reveal");
    const question = card.querySelector(".adq-question");
    const answer = card.querySelector(".adq-answer");
    const explanations = [...answer.querySelectorAll("p")];
    const choices = [...card.querySelectorAll(".adq-choice")];
    const buttons = makeButtons(choices);
    const legend = element("legend", "adq-question");
    legend.append(...question.childNodes);
    const group = element("fieldset", "adq-group");
    group.dataset.lmSuppressShortcuts = "true"; // JupyterLab leaves the keys to the buttons
    group.append(legend, ...buttons);
    const said = element("div", "adq-said");
    said.setAttribute("role", "status");
    const note = element("div", "adq-note", "The output below is folded until you choose. ");
    note.hidden = true;
    const anyway = element("button", "adq-anyway", "Show it anyway");
    anyway.type = "button";
    note.append(anyway);
    note.dataset.lmSuppressShortcuts = "true";
    question.replaceWith(group);
    choices.forEach((choice) => choice.remove());
    const again = element("button", "adq-again", "Choose again");
    again.type = "button";
    again.hidden = true;
    again.dataset.lmSuppressShortcuts = "true";
    answer.replaceWith(said, note);
    if (!deck) said.after(again);
    if (deck) makeRoom(said, explanations);

    let open = () => {};
    const close = () => {
      if (card.dataset.folds === "1") open = fold(card, note);
    };
    const show = (index) => {
      const { right } = explanations[index].dataset;
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === index)));
      buttons[index].querySelector(".adq-mark").textContent = right === "1" ? "✓" : "✗";
      said.replaceChildren(explanations[index]);
      again.hidden = false;
    };
    const before = remembered(card);
    if (before === null) close();
    else if (before === "shown") again.hidden = false;
    else if (explanations[before]) show(Number(before));
    const choose = (index, event) => {
      show(index);
      remember(card, index);
      open();
      // After a click on a slide, the keys belong to the deck again.
      if (deck && event.detail > 0) buttons[index].blur();
    };
    buttons.forEach((button, i) => button.addEventListener("click", (event) => choose(i, event)));
    anyway.addEventListener("click", () => {
      remember(card, "shown");
      again.hidden = false;
      buttons[0].focus();
      open();
    });
    again.addEventListener("click", () => {
      forget(card);
      for (const button of buttons) {
        button.setAttribute("aria-pressed", "false");
        button.querySelector(".adq-mark").textContent = "";
      }
      said.replaceChildren();
      again.hidden = true;
      buttons[0].focus();
      close();
    });
    const upAndDown = { ArrowDown: 1, ArrowUp: -1 };
    moveWithArrows(group, buttons, deck ? upAndDown : { ...upAndDown, ArrowRight: 1, ArrowLeft: -1 });
  }

  document.querySelectorAll(".adq:not([data-ready])").forEach(setUp);
})();
