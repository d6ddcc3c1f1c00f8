// The page "Walk any formula": a typed formula becomes a graph (walk_formula.js) and a picture
// (walk_picture.js), which the explorer of the notebooks then makes answer.
"use strict";

const walk = (() => {
  const { start, evaluate, inputsOf, edgesOf, planSweep, planValues, replay, heldAfter, shortText } =
    courseExplorer;
  const MOST_NODES = 150; // as in rendering.py: larger graphs are laid out slowly, and read by nobody
  const STARTS = [2, 1, 3, 0.5, 1.5]; // the values of inputs that nobody has chosen, in order

  const EXAMPLES = [
    ["e = (a + b)(b + 1), with which the course begins", "c = a + b\nd = b + 1\ne = c*d", "a:2,b:1"],
    ["z = y·y + y with y = x·x: who may send first?", "y = x*x\nz = y*y + y", "x:3"],
    ["f = sin(x)·exp(-x·y)", "f = sin(x)*exp(-x*y)", "x:2,y:0.5"],
    ["A quotient", "q = x/(x + y)", "x:1,y:3"],
    ["A tower of three layers: eight paths", "u = sin(x) + cos(x)\nv = sin(u) + cos(u)\nw = sin(v) + cos(v)", "x:0.5"],
    ["A neuron", "n = tanh(w1*x1 + w2*x2 + b)", "w1:2,x1:1,w2:-1,x2:3,b:0.5"],
    ["A logistic loss", "loss = log(1 + exp(-y*(w*x + b)))", "y:1,w:2,x:0.5,b:-1"],
    ["Rosenbrock's valley", "f = (1 - x)**2 + 100*(y - x**2)**2", "x:-1.2,y:1"],
  ];

  // What can be shown: the words, and what the explorer is told. `from`: the seed of the tangents.
  const SHOWN = {
    move: ["Move the inputs", (graph, from) => ({
      mode: "explore",
      explore: {
        tangent: { seeds: [[from, 1]], shown: false },
        adjoint: { seeds: [[graph.outputs[0], 1]], shown: true },
      },
    })],
    value: ["Evaluate", (graph) => ({ mode: "steps", sweeps: [valueSweep(graph)] })],
    forward: ["Forward", (graph, from) => ({ mode: "steps", sweeps: [forward(graph, from)] })],
    reverse: ["Reverse", (graph) => ({ mode: "steps", sweeps: [reverse(graph)] })],
    both: ["Both", (graph, from) => ({
      mode: "steps",
      sweeps: [forward(graph, from), reverse(graph)],
    })],
    "turn-forward": ["You, forward", (graph, from) => ({
      mode: "turn",
      sweeps: [forward(graph, from)],
    })],
    "turn-reverse": ["You, reverse", (graph) => ({ mode: "turn", sweeps: [reverse(graph)] })],
  };
  const valueSweep = (graph) => ({ kind: "value", steps: planValues(graph) });
  const sweepOf = (graph, kind, node) => ({ kind, steps: planSweep(graph, kind, [[node, 1]]) });
  const forward = (graph, from) => sweepOf(graph, "tangent", from);
  const reverse = (graph) => sweepOf(graph, "adjoint", graph.outputs[0]);

  // --- What is computed beside the picture --------------------------------------------------------

  /** The derivative of the output by each input: by a reverse sweep, and by a central difference. */
  function gradients(graph, inputs) {
    const numbers = evaluate(graph, inputs);
    const [output] = graph.outputs;
    const done = replay(graph, "adjoint", planSweep(graph, "adjoint", [[output, 1]]), numbers);
    const adjoints = heldAfter(graph, done, done.length);
    const at = (node, value) => evaluate(graph, inputs.with(node, value)).values[output];
    return inputsOf(graph).map((node) => {
      const h = Math.cbrt(Number.EPSILON) * Math.max(1, Math.abs(inputs[node]));
      const [above, below] = [inputs[node] + h, inputs[node] - h];
      const difference = (at(node, above) - at(node, below)) / (above - below);
      return { label: graph.nodes[node].label, adjoint: adjoints[node], difference };
    });
  }

  /** What evaluating the graph and its sweeps cost: `count_operations` of graph.py. */
  function costs(graph) {
    const edges = edgesOf(graph).length;
    const operations = graph.nodes.filter((node) => node.operation).length;
    const inputs = graph.nodes.length - operations;
    return {
      operations,
      inputs,
      edges,
      forwardAdditions: edges - operations,
      reverseAdditions: edges - (graph.nodes.length - 1),
    };
  }

  // --- Parts of the page --------------------------------------------------------------------------

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  function table(caption, heading, rows) {
    const cells = ([first, ...others], tag) =>
      element("tr", {}, element("th", { scope: tag === "th" ? "col" : "row" }, first),
        ...others.map((text) => element(tag, tag === "th" ? { scope: "col" } : {}, text)));
    return element("div", { class: "walk-table" }, element("table", {},
      element("caption", {}, caption),
      element("thead", {}, cells(heading, "th")),
      element("tbody", {}, ...rows.map((row) => cells(row, "td")))));
  }

  const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

  function costTable(graph) {
    const { operations, inputs, edges, forwardAdditions, reverseAdditions } = costs(graph);
    const row = (words, sweeps, additions) => [
      words,
      String(sweeps),
      String(sweeps * edges),
      String(sweeps * additions),
    ];
    return table(
      `Counted: ${count(operations, "operation")}, ${count(inputs, "input")}, ${count(edges, "edge")}`,
      ["the whole gradient", "sweeps", "multiplications", "additions"],
      [row("forward", inputs, forwardAdditions), row("reverse", 1, reverseAdditions)],
    );
  }

  function gradientTable(graph, inputs) {
    const output = graph.nodes[graph.outputs[0]].label;
    const rows = gradients(graph, inputs).map(({ label, adjoint, difference }) => [
      `∂${output}/∂${label}`,
      shortText(adjoint),
      Number.isNaN(difference) ? "outside the domain" : shortText(difference),
      Number.isNaN(difference) ? "" : Math.abs(adjoint - difference).toExponential(1),
    ]);
    const heading = ["derivative", "reverse sweep", "central difference", "they differ by"];
    return table("The gradient, in two ways", heading, rows);
  }

  // --- The address --------------------------------------------------------------------------------

  const valuesToText = (values) => [...values].map(([name, value]) => `${name}:${value}`).join(",");

  function textToValues(text) {
    const pairs = (text ?? "").split(",").map((pair) => pair.split(":"));
    const numbers = pairs.map(([name, value]) => [name, Number(value)]);
    return new Map(numbers.filter(([name, value]) => name && Number.isFinite(value)));
  }

  // --- The page -----------------------------------------------------------------------------------

  class Page {
    constructor(root) {
      this.root = root;
      this.values = new Map(); // of the inputs, by name; those of earlier formulas too
      this.shown = "move";
      this.from = null; // the name of the input whose tangent is seeded
      this.timers = {};
      this.build();
      addEventListener("hashchange", () => this.readAddress());
      this.readAddress();
    }

    build() {
      this.field = element("textarea", {
        id: "walk-formula", spellcheck: "false", autocapitalize: "off", autocomplete: "off",
        "aria-describedby": "walk-fault",
        oninput: () => this.later("read", 250),
      });
      this.menu = element("select", { id: "walk-menu", onchange: () => this.choose() },
        element("option", { value: "" }, "…"),
        ...EXAMPLES.map(([words], index) => element("option", { value: index }, words)));
      this.fault = element("div", { id: "walk-fault", role: "alert" });
      this.modes = element("fieldset", { class: "walk-modes" }, element("legend", {}, "Show"),
        ...Object.entries(SHOWN).map(([name, [words]]) => this.modeButton(name, words)));
      this.seed = element("select", { id: "walk-seed", onchange: () => this.reseed() });
      this.seedLine = element("div", { class: "walk-line" },
        element("label", { for: "walk-seed" }, "Forward with respect to "), this.seed);
      this.picture = element("div", { class: "walk-picture" });
      this.beside = element("div", { class: "walk-beside" });
      this.told = element("span", { role: "status" });
      const button = (words, onclick) => element("button", { type: "button", onclick }, words);
      this.root.replaceChildren(
        element("div", { class: "walk-line" },
          element("label", { for: "walk-menu" }, "A graph of the course "), this.menu,
          button("Copy the link", () => this.copyLink()),
          button("Fill the screen", () => this.fillScreen()), this.told),
        element("label", { for: "walk-formula" }, "Your formula"),
        this.field, this.fault, this.modes, this.seedLine, this.picture, this.beside,
      );
    }

    modeButton(name, words) {
      const radio = element("input", {
        type: "radio", name: "walk-mode", value: name,
        onchange: () => this.show(name),
      });
      return element("label", {}, radio, words);
    }

    /** Do something when the reader pauses; of several calls of one method, the last. */
    later(method, pause) {
      clearTimeout(this.timers[method]);
      this.timers[method] = setTimeout(() => this[method](), pause);
    }

    choose() {
      const [, formula, values] = EXAMPLES[this.menu.value] ?? [];
      if (!formula) return;
      this.values = textToValues(values);
      this.field.value = formula;
      this.read();
    }

    // From the formula to the graph; where it cannot be read, the last picture stays, paler.
    read() {
      this.field.rows = this.field.value.split("\n").length;
      try {
        const { graph, places } = walkFormula.read(this.field.value, courseExplorer);
        if (graph.nodes.length > MOST_NODES) {
          const message = `A graph of ${graph.nodes.length} nodes is too large to draw (the limit is ${MOST_NODES}).`;
          throw new walkFormula.FormulaError(message, 0, this.field.value.length);
        }
        Object.assign(this, { graph, places });
      } catch (error) {
        if (!(error instanceof walkFormula.FormulaError)) throw error;
        this.picture.classList.add("walk-stale");
        this.showFault(error.message, error.start, error.end);
        return Promise.resolve();
      }
      this.giveValues();
      this.offerSeeds();
      return this.show(this.shown);
    }

    giveValues() {
      inputsOf(this.graph).forEach((node, index) => {
        const { label } = this.graph.nodes[node];
        if (!this.values.has(label)) this.values.set(label, STARTS[index % STARTS.length]);
        this.graph.nodes[node].value = this.values.get(label);
      });
    }

    offerSeeds() {
      const labels = inputsOf(this.graph).map((node) => this.graph.nodes[node].label);
      this.seed.replaceChildren(...labels.map((label) => element("option", {}, label)));
      if (!labels.includes(this.from)) [this.from] = labels;
      this.seed.value = this.from;
    }

    reseed() {
      this.from = this.seed.value;
      this.show(this.shown);
    }

    // Show the graph in one of the ways, with the values that it has now.
    async show(name) {
      this.shown = name;
      this.modes.querySelector(`[value="${name}"]`).checked = true;
      this.seedLine.hidden = !["forward", "both", "turn-forward"].includes(name);
      if (!this.graph) return;
      this.turn = (this.turn ?? 0) + 1;
      const { graph, turn } = this;
      let still;
      try {
        still = await walkPicture.draw(graph);
      } catch (error) {
        this.showFault(`The graph could not be drawn: ${error.message}`, 0, 0);
        return;
      }
      if (turn !== this.turn) return; // a newer one is on its way
      const from = inputsOf(graph).find((node) => graph.nodes[node].label === this.from);
      const root = element("div", { class: "ad-explorer" }, still, element("table"));
      this.picture.replaceChildren(root);
      this.picture.classList.remove("walk-stale");
      const data = { graph: structuredClone(graph), ...SHOWN[name][1](graph, from) };
      this.explorer = start(root, data, courseExplorer.style);
      this.explorer.onchange = () => this.later("follow", 30);
      // A reverse sweep begins at the right end of a picture that is wider than the screen.
      const pictures = root.querySelectorAll(".picture");
      data.sweeps?.forEach(({ kind }, index) => {
        if (kind === "adjoint") pictures[index].scrollLeft = pictures[index].scrollWidth;
      });
      this.follow();
      this.writeAddress();
    }

    // What follows the values that the explorer now has: the tables, the address, the fault.
    follow() {
      const { values, error } = this.explorer.numbers;
      for (const node of inputsOf(this.graph)) {
        this.graph.nodes[node].value = values[node];
        this.values.set(this.graph.nodes[node].label, values[node]);
      }
      if (error) this.showFault(`${error.type}: ${error.message}`, ...this.places[error.node]);
      else this.fault.replaceChildren();
      this.field.toggleAttribute("aria-invalid", Boolean(error));
      const inputs = this.graph.nodes.map((node) => node.value);
      const gradient = error ? "" : gradientTable(this.graph, inputs);
      this.beside.replaceChildren(costTable(this.graph), gradient);
      for (const part of this.beside.children) {
        // What is wider than the screen can be scrolled with the keyboard, too.
        if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
      }
      this.later("writeAddress", 300); // browsers refuse too many in a row
    }

    /** Say what is wrong, and mark where. */
    showFault(message, from, to) {
      const text = this.field.value;
      this.field.setAttribute("aria-invalid", "true");
      const marked = element("pre", {}, text.slice(0, from), element("mark", {}, text.slice(from, to) || " "), text.slice(to));
      this.fault.replaceChildren(element("p", {}, message), marked);
    }

    // --- The link ---------------------------------------------------------------------------------

    writeAddress() {
      const own = inputsOf(this.graph).map((node) => this.graph.nodes[node].label);
      const at = valuesToText(own.map((label) => [label, this.values.get(label)]));
      const parts = new URLSearchParams({ f: this.field.value, at, show: this.shown });
      history.replaceState(null, "", `#${parts}`);
    }

    readAddress() {
      const parts = new URLSearchParams(location.hash.slice(1));
      const [, formula, values] = EXAMPLES[0];
      this.field.value = parts.get("f") ?? formula;
      this.values = textToValues(parts.has("f") ? parts.get("at") : values);
      this.shown = parts.get("show") in SHOWN ? parts.get("show") : "move";
      return this.read();
    }

    async copyLink() {
      try {
        await navigator.clipboard.writeText(location.href);
        this.told.textContent = "Copied.";
      } catch {
        this.told.textContent = "It stands in the address bar.";
      }
    }

    fillScreen() {
      if (document.fullscreenElement) document.exitFullscreen();
      else this.root.requestFullscreen();
    }
  }

  document.addEventListener("DOMContentLoaded", () => new Page(document.getElementById("walk")));
  return { costs, gradients };
})();
