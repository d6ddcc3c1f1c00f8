// The explorer: a picture, its table and its controls as one thing that answers. It builds on
// explorer_numbers.js and explorer_picture.js, which stand before it in one script.
//
// start(root, data, style) is the entrance. `root` is an element with the picture as an <img> whose
// address holds an SVG, and a <table>; `style` is explorer.css. `data` is
//     {mode: "explore", graph, explore: {tangent: {seeds, shown}, adjoint: {seeds, shown}}}
//     {mode: "steps", graph, sweeps: [{kind: "value" | "tangent" | "adjoint", steps}, ...]}
//     {mode: "turn", graph, sweeps: [{kind: "tangent" | "adjoint", steps}]}
// with graphs, seeds and steps as explorer_numbers.js describes them. It returns the explorer, of
// which a page may use setInput(node, number), numbers ({values, locals, error}), done (what
// `replay` gave), goTo(step), and `onchange`, a function that is called after each change of inputs.

const BEAT = 1900; // milliseconds from step to step while playing

const titles = { value: "Evaluation", tangent: "Forward: tangents", adjoint: "Reverse: adjoints" };

// h("button", {type: "button", onclick}, "Play"): an element of the page.
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element[name] = value;
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const button = (words, onclick) => h("button", { type: "button", onclick }, words);

// A field for a number; `onNumber` hears each number that is typed.
function numberField(start, name, onNumber) {
  const field = h("input", { type: "number", step: "any", "aria-label": name, value: start });
  field.oninput = () => Number.isFinite(field.valueAsNumber) && onNumber(field.valueAsNumber);
  return field;
}

// A slider and a typed number for one input.
function dial(name, start, onNumber) {
  const centre = Number.isFinite(start) ? start : 0;
  const reach = Math.max(4, Math.abs(centre));
  const range = { min: centre - reach, max: centre + reach, step: reach / 40 };
  const slider = h("input", { type: "range", ...range, "aria-label": `${name}, slider`, value: start });
  const field = numberField(start, `${name}, number`, (number) => {
    slider.min = Math.min(slider.min, number);
    slider.max = Math.max(slider.max, number);
    slider.value = number;
    onNumber(number);
  });
  slider.oninput = () => {
    // Without the last digits, which adding up the steps of a slider spoils.
    field.value = Number(slider.valueAsNumber.toPrecision(12));
    onNumber(field.valueAsNumber);
  };
  const set = (number) => {
    field.value = number;
    field.oninput();
  };
  return { element: h("div", { class: "dial" }, h("b", {}, name), slider, field), set };
}

// ---- What all modes share ----

class Explorer {
  constructor(root, data, style) {
    Object.assign(this, { root, data, graph: data.graph, token: {}, chosen: null });
    this.edges = edgesOf(this.graph);
    this.inputs = startsOf(this.graph);
    this.image = root.querySelector("img");
    this.svgText = svgTextOf(this.image);
    this.table = root.querySelector("table");
    this.status = h("p", { role: "status", class: "spoken" });
    this.alarm = h("p", { role: "alert", class: "alarm" });
    this.detail = h("p", { class: "detail", "aria-live": "polite" });
    this.controls = h("div", { class: "ad-panel" });
    this.panels = this.makePanels();
    this.dials = new Map(inputsOf(this.graph).map((node) => [node, this.makeDial(node)]));
    this.fold = h("details", { ontoggle: () => this.showTable() }, h("summary", {}, this.summary));
    if (this.table) this.fold.append(h("div", { class: "table", tabindex: 0 }, this.table));
    for (const old of [...root.children]) if (old.tagName !== "SCRIPT") old.remove();
    const figures = h("div", { class: "panels" }, ...this.panels.map(({ figure }) => figure));
    const dials = h("div", { class: "dials" }, ...[...this.dials.values()].map(({ element }) => element));
    const { controls, status, alarm, detail, fold } = this;
    root.prepend(h("style", {}, style), controls, figures, status, alarm, detail, dials, fold);
    root.onkeydown = (event) => this.onKey(event);
    this.recompute();
  }

  makePanel(kind, title, onNode) {
    const panel = new Panel(this.graph, this.svgText, kind, this.image.alt, onNode);
    panel.caption = h("figcaption");
    panel.figure = h("figure", {}, h("b", {}, title), h("div", { class: "picture" }, panel.svg), panel.caption);
    return panel;
  }

  makeDial(node) {
    return dial(this.label(node), this.inputs[node], (number) => {
      this.inputs[node] = number;
      this.recompute();
    });
  }

  setInput(node, number) {
    this.dials.get(node).set(number);
  }

  label(node) {
    return this.graph.nodes[node].label;
  }

  recompute() {
    this.token.cancelled = true;
    this.numbers = evaluate(this.graph, this.inputs);
    const { error } = this.numbers;
    write(this.alarm, error ? `${error.type}: ${error.message}` : "");
    this.update();
    this.show();
    this.onchange?.();
  }

  // A chosen node says its value, the local derivatives around it, and the sum that it holds.
  choose(node) {
    this.chosen = this.chosen === node ? null : node;
    this.show();
  }

  describe(node) {
    const { values, locals } = this.numbers;
    const around = this.edges.flatMap((edge, i) =>
      edge.parent === node || edge.child === node ? [this.slope(edge, locals[i])] : [],
    );
    const value = wordsOf(this.graph, "value", { node, total: values[node] }, this.numbers);
    const slopes = around.length ? [`Local derivatives: ${around.join(", ")}`] : [];
    return `${[value, ...slopes, ...this.sumsAt(node)].join(". ")}.`;
  }

  slope(edge, local) {
    return `${derivativeName(this.graph, edge)} = ${shortText(local)}`;
  }

  showChosen() {
    write(this.detail, this.chosen === null ? "" : this.describe(this.chosen));
  }

  // What has arrived at a node, as a sum. `done` is what `replay` gave.
  sumOf(kind, done, node) {
    const arrivals = done.filter((step) => step.node === node);
    const terms = arrivals.map(({ edge, sent }) =>
      edge === null ? `${shortText(sent)} (seed)` : `${shortText(sent)} × ${shortText(this.numbers.locals[edge])}`,
    );
    if (!terms.length) return `No ${kind} has arrived`;
    if (arrivals.some(({ edge }) => edge !== null)) terms.push(shortText(arrivals.at(-1).total));
    return `${kind} of ${this.label(node)} = ${terms.slice(0, -1).join(" + ")}${terms.length > 1 ? " = " : ""}${terms.at(-1)}`;
  }

  onKey(event) {
    // A notebook and a deck of slides have uses of their own for the keys.
    event.stopPropagation();
  }

  // Write rows of texts, the first of them the heading, into the table.
  fill([heading, ...rows], current = null) {
    if (!this.table || !this.fold.open) return;
    const lines = rows.map(([first, ...rest], i) => {
      const cells = rest.map((text) => h("td", {}, text));
      return h("tr", { "aria-current": i === current ? "step" : null }, h("th", { scope: "row" }, first), ...cells);
    });
    const names = heading.map((text) => h("th", { scope: "col" }, text));
    this.table.replaceChildren(h("thead", {}, h("tr", {}, ...names)), h("tbody", {}, ...lines));
  }
}

// ---- Mode "explore": all numbers follow the inputs ----

class Free extends Explorer {
  get summary() {
    return "As a table";
  }

  makePanels() {
    const { explore } = this.data;
    for (const [kind, ends] of [["tangent", inputsOf(this.graph)], ["adjoint", this.graph.outputs]]) {
      this.controls.append(this.makeChoice(kind, ends, explore[kind]));
    }
    return [this.makePanel("tangent", "", (node) => this.choose(node))];
  }

  get kinds() {
    return Object.keys(this.data.explore).filter((kind) => this.data.explore[kind].shown);
  }

  // A box that shows the numbers of a sweep, and fields for its seeds.
  makeChoice(kind, ends, choice) {
    const seeds = new Map(choice.seeds.map(([node, seed]) => [node, numberOf(seed)]));
    const fields = ends.map((node) => {
      const name = `seed of ${this.label(node)}`;
      const field = numberField(seeds.get(node) ?? 0, name, (seed) => {
        seeds.set(node, seed);
        choice.seeds = [...seeds];
        this.recompute();
      });
      return h("span", { class: "seed" }, `${name} `, field);
    });
    const group = h("span", { class: "ad-panel" }, ...fields);
    const box = h("input", { type: "checkbox" });
    box.checked = choice.shown;
    group.hidden = !box.checked;
    box.onchange = () => {
      choice.shown = box.checked;
      group.hidden = !box.checked;
      this.recompute();
    };
    return h("div", { class: "ad-panel" }, h("label", {}, box, ` ${kind}s`), group);
  }

  update() {
    this.done = {};
    this.held = {};
    for (const kind of this.kinds) {
      const steps = planSweep(this.graph, kind, this.data.explore[kind].seeds);
      this.done[kind] = replay(this.graph, kind, steps, this.numbers);
      this.held[kind] = heldAfter(this.graph, this.done[kind]);
    }
  }

  show() {
    const isNear = ({ parent, child }) => parent === this.chosen || child === this.chosen;
    const edges = [...this.edges.keys()].filter((edge) => isNear(this.edges[edge]));
    this.panels[0].show(this.numbers, this.held, { nodes: [this.chosen], edges });
    this.showChosen();
    this.showTable();
  }

  sumsAt(node) {
    return this.kinds.map((kind) => this.sumOf(kind, this.done[kind], node));
  }

  showTable() {
    const { values, locals } = this.numbers;
    const rows = this.graph.nodes.map((node, i) => {
      const slopes = this.edges.flatMap((edge, e) => (edge.child === i ? [this.slope(edge, locals[e])] : []));
      const held = this.kinds.map((kind) => shortText(this.held[kind][i]));
      const madeBy = node.operation ? formula(node, labelsOf(this.graph)) : "input";
      return [node.label, madeBy, shortText(values[i]), ...held, slopes.join(", ")];
    });
    this.fill([["node", "made by", "value", ...this.kinds, "local derivatives"], ...rows]);
  }
}

// ---- What the modes with sweeps share ----

class Sweeps extends Explorer {
  makePanels() {
    return this.data.sweeps.map(({ kind }) => this.makePanel(kind, titles[kind], (node) => this.choose(node)));
  }

  update() {
    this.done = this.data.sweeps.map(({ kind, steps }) => replay(this.graph, kind, steps, this.numbers));
  }

  // The table of all steps: one column per sweep, the state before the first step included.
  showTable() {
    const columns = this.data.sweeps.map(({ kind }, i) => [
      `no ${kind} is known yet`,
      ...this.done[i].map((step) => wordsOf(this.graph, kind, step, this.numbers)),
    ]);
    const last = Math.max(...columns.map((column) => column.length));
    const rows = Array.from({ length: last }, (_, i) => [i, ...columns.map((column) => column[i] ?? "")]);
    this.fill([["step", ...this.data.sweeps.map(({ kind }) => kind)], ...rows], this.step);
  }
}

// ---- Mode "steps": sweeps side by side, one clock ----

class Steps extends Sweeps {
  get summary() {
    return "All steps as a table";
  }

  makePanels() {
    this.step = 0;
    this.last = Math.max(...this.data.sweeps.map(({ steps }) => steps.length));
    this.slider = h("input", { type: "range", min: 0, max: this.last, value: 0, "aria-label": "step" });
    this.slider.oninput = () => this.goTo(this.slider.valueAsNumber);
    this.player = button("▶ Play", () => (this.timer ? this.pause() : this.play()));
    const back = button("◀ Back", () => this.goTo(this.step - 1));
    const forward = button("Forward ▶", () => this.goTo(this.step + 1, true));
    this.clock = h("span");
    this.controls.append(this.player, back, forward, this.slider, this.clock);
    return super.makePanels();
  }

  // Show the state after `step` steps; with `moving`, numbers are seen to travel to the next one.
  async goTo(step, moving = false) {
    this.token.cancelled = true;
    step = Math.min(Math.max(step, 0), this.last);
    const travels = moving && step > this.step && mayMove();
    this.step = step;
    if (travels) {
      const token = (this.token = {});
      this.show(true);
      await Promise.all(this.panels.map((panel, i) => {
        const { edge, ...numbers } = this.done[i][step - 1] ?? { edge: null };
        return edge === null ? null : panel.travel([{ edge, ...numbers }], this.data.sweeps[i].kind, token);
      }));
      if (token.cancelled) return;
    }
    this.show();
  }

  play() {
    if (this.step === this.last) this.goTo(0);
    const beat = () => {
      this.goTo(this.step + 1, true);
      if (this.step === this.last || !this.root.isConnected) this.pause();
    };
    this.timer = setInterval(beat, BEAT);
    write(this.player, "❚❚ Pause");
    beat();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    write(this.player, "▶ Play");
  }

  onKey(event) {
    super.onKey(event);
    const target = { ArrowRight: this.step + 1, ArrowLeft: this.step - 1, Home: 0, End: this.last }[event.key];
    const isTaken = event.target.matches("input") || event.altKey || event.ctrlKey || event.metaKey;
    if (target === undefined || isTaken) return;
    event.preventDefault();
    this.pause();
    this.goTo(target, event.key === "ArrowRight");
  }

  show(isTravelling = false) {
    this.panels.forEach((panel, i) => this.showPanel(panel, i, isTravelling));
    const words = this.panels.map(({ caption }) => caption.textContent);
    write(this.status, `Step ${this.step} of ${this.last}. ${words.join(". ")}`);
    write(this.clock, `step ${this.step} of ${this.last}`);
    this.slider.value = this.step;
    this.showChosen();
    this.showTable();
  }

  showPanel(panel, i, isTravelling) {
    const { kind } = this.data.sweeps[i];
    const done = this.done[i].slice(0, this.step);
    const step = done.at(-1);
    const isOnItsWay = isTravelling && this.step <= this.done[i].length && step.edge !== null;
    const held = heldAfter(this.graph, done, done.length - isOnItsWay);
    // While the function is evaluated, what has no value yet has no local derivatives either.
    const isKnown = (edge) => kind !== "value" || held[this.edges[edge].child] !== undefined;
    const values = kind === "value" ? held : this.numbers.values;
    const locals = this.numbers.locals.map((local, edge) => (isKnown(edge) ? local : undefined));
    const nodes = step && !isOnItsWay ? [step.node] : [];
    panel.show({ values, locals }, kind === "value" ? {} : { [kind]: held }, { nodes, edges: [step?.edge] });
    const words = step ? wordsOf(this.graph, kind, step, this.numbers) : `no ${kind} is known yet`;
    write(panel.caption, `${done.length}. ${words}`);
  }

  sumsAt(node) {
    const sums = this.data.sweeps.map(({ kind }, i) => this.sumOf(kind, this.done[i].slice(0, this.step), node));
    return sums.filter((_, i) => this.data.sweeps[i].kind !== "value");
  }
}

// ---- Mode "turn": the reader says which node sends next ----

class Turn extends Sweeps {
  get summary() {
    return "The steps in an order that works";
  }

  makePanels() {
    const [{ kind, steps }] = this.data.sweeps;
    this.kind = kind;
    this.sent = [];
    this.seeds = steps.filter((step) => step.length === 2);
    this.controls.append(
      `Your turn: click the node that may send its ${kind} next.`,
      button("Which may send?", () => this.say(this.ready() || this.end())),
      button("Start again", () => this.restart()),
    );
    return super.makePanels();
  }

  update() {
    super.update();
    const start = startTurn(this.graph, this.kind, this.seeds);
    this.turn = this.sent.reduce((turn, node) => sendFrom(turn, node, this.numbers), start);
  }

  restart() {
    this.sent = [];
    this.recompute();
    this.say("Only the seeds are known.");
  }

  ready() {
    const ready = readyIn(this.turn).map((node) => this.label(node));
    return ready.length && `All has arrived at ${ready.join(", ")}.`;
  }

  say(words) {
    write(this.panels[0].caption, words);
    write(this.status, words);
  }

  choose(node) {
    const { locals, error } = this.numbers;
    const out = edgesOutOf(this.turn, node);
    const missing = missingAt(this.turn, node);
    if (error) return this.say("First give the inputs numbers that work.");
    if (this.turn.sent.has(node)) return this.say(`${this.label(node)} has sent already.`);
    if (!out.length) return this.say(`${this.label(node)} has nobody to send to: the sweep ends here.`);
    if (missing.length) return this.say(this.tooEarly(node, missing));
    const sent = this.turn.held[node];
    return this.send(node, out.map((edge) => ({ edge, sent, arrived: times(sent, locals[edge]) })));
  }

  async send(node, numbers) {
    const [panel] = this.panels;
    const parts = numbers.map(({ edge, sent, arrived }) => {
      const product = `${shortText(sent)} × ${shortText(this.numbers.locals[edge])} = ${shortText(arrived)}`;
      return `${product} to ${this.label(this.turn.edges[edge].receiver)}`;
    });
    this.token.cancelled = true;
    const token = (this.token = {});
    this.sent.push(node);
    this.update();
    const end = this.ready() ? "" : ` ${this.end()}`;
    this.say(`Right: ${this.label(node)} sends ${parts.join(" and ")}.${end}`);
    if (mayMove()) await panel.travel(numbers, this.kind, token);
    if (!token.cancelled) this.show();
  }

  tooEarly(node, missing) {
    const arrivals = missing.map((edge) => {
      const sender = this.label(this.turn.edges[edge].sender);
      return `from ${sender} over ${derivativeName(this.graph, this.edges[edge])}`;
    });
    const results = resultOfSendingNow(this.turn, node, this.numbers).map(
      ({ node: end, wrong, right }) => `${this.name(end)} would be ${shortText(wrong)} instead of ${shortText(right)}`,
    );
    const consequence = results.length
      ? `If it sent its ${shortText(this.turn.held[node])} now, ${results.join(" and ")}.`
      : "With these numbers the result would be the same, by chance.";
    return `Too early: ${this.label(node)} still waits for what arrives ${arrivals.join(" and ")}. ${consequence}`;
  }

  name(node) {
    return `the ${this.kind} of ${this.label(node)}`;
  }

  end() {
    const ends = this.turn.order.filter((node) => !edgesOutOf(this.turn, node).length);
    const results = ends.map((node) => `${this.name(node)} is ${shortText(this.turn.held[node])}`);
    return `All have sent: ${results.join(", ")}.`;
  }

  show() {
    const { held, sent, used, edges } = this.turn;
    const reached = new Set([...this.seeds.map(([node]) => node), ...[...used].map((edge) => edges[edge].receiver)]);
    const known = held.map((number, node) => (reached.has(node) ? number : undefined));
    this.panels[0].show(this.numbers, { [this.kind]: known }, { edges: [...used], sent: [...sent] });
    if (!this.sent.length) this.say("Only the seeds are known.");
    this.showTable();
  }
}

// ---- The entrance ----

const start = (root, data, style) => new { explore: Free, steps: Steps, turn: Turn }[data.mode](root, data, style);
