// What the explorer shows: the picture that Python drew, made to answer. It builds on
// explorer_numbers.js, which stands before it in one script; `start` is its only entrance.
//
// start(root, data, style): `root` is an element with the picture as an <img> whose address holds an
// SVG (or an inline <svg>), and a <table>. `data` is {graph, mode, sweeps, explore}:
//     graph    see explorer_numbers.js
//     mode     "explore", "steps" or "turn"
//     sweeps   modes "steps" and "turn": [{kind: "value" | "tangent" | "adjoint", steps: [...]}, ...]
//     explore  mode "explore": {tangent: {seeds, shown}, adjoint: {seeds, shown}}
// In the SVG the groups of class "node" stand in the order of the nodes (rectangles and lines of
// text), those of class "edge" in the order of the edges (path, polygon of the arrowhead, text).
// Returns {root, setInput(node, number), goTo(step), numbers()} for a page that drives it.

const SVG = "http://www.w3.org/2000/svg";
const LINE = 13.2; // the height of a line of text, in the units of the picture
const TRAVEL = 750; // milliseconds that a number takes along its edge
const BEAT = 1900; // milliseconds from step to step while playing

const titles = { value: "Evaluation", tangent: "Forward: tangents", adjoint: "Reverse: adjoints" };

const prefersStillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// h("button", {type: "button", onclick: f}, "Play"): an element of the page.
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function s(tag, attributes = {}) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// Writing what stands there already would cost a redraw, and a screen reader would speak again.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function svgTextOf(root) {
  const image = root.querySelector("img");
  if (!image) return root.querySelector("svg").outerHTML;
  const [head, body] = image.getAttribute("src").split(/,(.*)/s);
  if (!head.endsWith("base64")) return decodeURIComponent(body);
  return new TextDecoder().decode(Uint8Array.from(atob(body), (c) => c.charCodeAt(0)));
}

// ---- One picture ----

class Panel {
  // `kinds`: the sweeps whose numbers stand in the nodes; `flow`: in which direction arrows point.
  constructor(graph, svgText, kinds, flow, onNode) {
    this.graph = graph;
    this.edgeList = edgesOf(graph);
    this.kinds = kinds;
    this.svg = new DOMParser().parseFromString(svgText, "image/svg+xml").documentElement;
    this.svg = document.importNode(this.svg, true);
    this.svg.querySelectorAll("title, desc").forEach((element) => element.remove());
    this.svg.setAttribute("role", "group");
    this.svg.removeAttribute("style");
    // Narrower than this its text could not be read; it is then scrolled.
    this.svg.style.minWidth = `${0.8 * parseFloat(this.svg.getAttribute("width"))}pt`;
    this.nodes = [...this.svg.querySelectorAll("g.node")].map((group, i) => this.openNode(group, i, onNode));
    this.edges = [...this.svg.querySelectorAll("g.edge")].map((group) => this.openEdge(group));
    if (flow === "adjoint") this.edges.forEach(turnRound);
    this.bubbles = this.svg.querySelector("g.graph").appendChild(s("g", { class: "bubbles" }));
    this.caption = h("figcaption");
    this.scroller = h("div", { class: "picture" }, this.svg);
    this.element = h("figure", {}, this.scroller, this.caption);
  }

  openNode(group, index, onNode) {
    const boxes = [...group.querySelectorAll("rect")];
    const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(boxes[0].getAttribute(name)));
    const lines = [...group.querySelectorAll("text")];
    lines.slice(1).forEach((line) => line.remove());
    for (const [name, value] of Object.entries({ tabindex: 0, role: "button" })) group.setAttribute(name, value);
    group.addEventListener("click", () => onNode(index));
    group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      onNode(index);
    });
    return { group, boxes, lines: [lines[0]], cx: x + width / 2, cy: y + height / 2, width, height };
  }

  openEdge(group) {
    const [line, head, label] = ["path", "polygon", "text"].map((tag) => group.querySelector(tag));
    return { group, line, head, label };
  }

  // `held`: {kind: what each node holds}; `marks`: {nodes, edges, sent}, each a Set of numbers.
  show({ values, locals }, held, marks) {
    this.nodes.forEach((drawn, i) => {
      const heading = headingOf(this.graph, i) + (marks.sent?.has(i) ? " ✓" : "");
      const more = this.kinds.map((kind) => [kind, `${kind} ${shortText(held[kind][i])}`]);
      this.showNode(drawn, [["heading", heading], ["value", shortText(values[i])], ...more]);
      drawn.group.classList.toggle("on", marks.nodes.has(i));
      drawn.group.classList.toggle("sent", Boolean(marks.sent?.has(i)));
    });
    this.edges.forEach((drawn, i) => {
      const name = derivativeName(this.graph, this.edgeList[i]);
      write(drawn.label, `${name} = ${shortText(locals[i])}`);
      drawn.group.classList.toggle("on", marks.edges.has(i));
    });
  }

  showNode(drawn, texts) {
    while (drawn.lines.length > texts.length) drawn.lines.pop().remove();
    while (drawn.lines.length < texts.length) {
      drawn.lines.push(drawn.group.appendChild(s("text", { x: drawn.cx, class: "number" })));
    }
    if (drawn.count !== texts.length) this.makeRoom(drawn, texts.length);
    texts.forEach(([kind, text], i) => {
      const line = drawn.lines[i];
      if (line.textContent === text) return;
      line.textContent = text;
      line.setAttribute("class", kind);
      // A long number is set narrower rather than over the border; 6 is the width of a letter.
      const isLong = text.length * 6 > drawn.width && i > 0;
      if (isLong) line.setAttribute("textLength", Math.min(text.length * 5.4, drawn.width - 4));
      else line.removeAttribute("textLength");
      line.setAttribute("lengthAdjust", "spacingAndGlyphs");
    });
    const words = texts.map(([, text]) => text).join(", ");
    if (drawn.words !== words) drawn.group.setAttribute("aria-label", (drawn.words = words));
  }

  makeRoom(drawn, count) {
    drawn.count = count;
    drawn.lines.forEach((line, i) => line.setAttribute("y", drawn.cy + (i - (count - 1) / 2) * LINE + 3.9));
    drawn.boxes.forEach((box, i) => {
      const height = Math.max(drawn.height, count * LINE + 10) + 8 * i;
      box.setAttribute("y", drawn.cy - height / 2);
      box.setAttribute("height", height);
    });
  }

  // Let numbers travel along edges: [{edge, sent, arrived}]; resolves when they are there. The first
  // half of the way shows what is sent, the second what arrives.
  travel(numbers, kind, token) {
    const riders = numbers.map(({ edge, sent, arrived }) => {
      const bubble = s("g", { class: "bubble" });
      const [box, text] = [s("rect", { rx: 8, height: 17, y: -8.5 }), s("text", { y: 4 })];
      bubble.append(box, text);
      this.bubbles.append(bubble);
      const { line } = this.edges[edge];
      return { bubble, box, text, line, length: line.getTotalLength(), texts: [sent, arrived].map(shortText) };
    });
    const begin = performance.now();
    return new Promise((resolve) => {
      const frame = (now) => {
        const part = Math.min(Math.max((now - begin) / TRAVEL, 0), 1);
        if (part === 1 || token.cancelled) {
          riders.forEach(({ bubble }) => bubble.remove());
          resolve();
          return;
        }
        for (const { bubble, box, text, line, length, texts } of riders) {
          const { x, y } = line.getPointAtLength(length * (kind === "adjoint" ? 1 - part : part));
          const words = texts[part < 0.5 ? 0 : 1];
          const width = words.length * 6.2 + 12;
          bubble.setAttribute("transform", `translate(${x} ${y})`);
          box.setAttribute("x", -width / 2);
          box.setAttribute("width", width);
          write(text, words);
        }
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });
  }
}

// Put the arrowhead at the other end of its edge: the number travels from the child to the parent.
function turnRound({ line, head }) {
  const points = line.getAttribute("d").match(/-?[\d.]+/g).map(Number);
  const [x, y] = points;
  const next = points.findIndex((number, i) => i > 1 && Math.abs(number - points[i % 2]) > 0.01) & ~1;
  const length = Math.hypot(points[next] - x, points[next + 1] - y);
  const [ux, uy] = [(points[next] - x) / length, (points[next + 1] - y) / length];
  const corner = (along, across) => `${x + along * ux - across * uy},${y + along * uy + across * ux}`;
  // The tip of the old head is its corner farthest from where the line ends.
  const end = points.slice(-2);
  const corners = head.getAttribute("points").trim().split(/\s+/).map((pair) => pair.split(",").map(Number));
  const distance = (pair) => Math.hypot(pair[0] - end[0], pair[1] - end[1]);
  const tip = corners.reduce((best, pair) => (distance(pair) > distance(best) ? pair : best));
  const curve = line.getAttribute("d").replace(/^M[^CL]*/, `M${corner(6, 0)}`);
  line.setAttribute("d", `${curve}L${tip.join(",")}`);
  head.setAttribute("points", [corner(0, 0), corner(7, 2.6), corner(7, -2.6)].join(" "));
}

// ---- Controls ----

const button = (words, onclick) => h("button", { type: "button", onclick }, words);

// A slider and a typed number for one quantity.
function dial(name, start, onNumber) {
  const reach = Math.max(4, Math.abs(start));
  const [low, high] = Number.isFinite(start) ? [start - reach, start + reach] : [-4, 4];
  const slider = h("input", { type: "range", min: low, max: high, step: (high - low) / 80, "aria-label": `${name}, slider` });
  const number = h("input", { type: "number", step: "any", "aria-label": `${name}, number` });
  slider.value = start;
  number.value = start;
  slider.addEventListener("input", () => {
    number.value = Number(Number(slider.value).toPrecision(12));
    onNumber(Number(number.value));
  });
  number.addEventListener("input", () => {
    if (number.value === "" || !Number.isFinite(number.valueAsNumber)) return;
    const value = number.valueAsNumber;
    slider.min = Math.min(slider.min, value);
    slider.max = Math.max(slider.max, value);
    slider.value = value;
    onNumber(value);
  });
  const set = (value) => {
    number.value = value;
    number.dispatchEvent(new Event("input"));
  };
  return { element: h("div", { class: "dial" }, h("b", {}, name), slider, number), set };
}

function seedField(words, start, onNumber) {
  const field = h("input", { type: "number", step: "any" });
  field.value = start;
  field.addEventListener("input", () => {
    if (Number.isFinite(field.valueAsNumber)) onNumber(field.valueAsNumber);
  });
  return h("label", { class: "seed" }, words, field);
}

// ---- What all modes share ----

class Explorer {
  constructor(root, data, style) {
    Object.assign(this, { root, data, graph: data.graph, inputs: startsOf(data.graph), token: {} });
    this.svgText = svgTextOf(root);
    this.table = root.querySelector("table");
    this.alt = root.querySelector("img")?.alt ?? "";
    this.chosen = null;
    this.status = h("p", { role: "status", class: "spoken" });
    this.alarm = h("p", { role: "alert", class: "alarm" });
    this.detail = h("p", { class: "detail", "aria-live": "polite" });
    this.controls = h("div", { class: "controls" });
    this.panels = this.makePanels();
    this.panels.forEach((panel) => panel.svg.setAttribute("aria-label", this.alt));
    this.dials = new Map(inputsOf(this.graph).map((node) => [node, this.makeDial(node)]));
    const pictures = h("div", { class: "panels" }, ...this.panels.map((panel) => panel.element));
    const dials = h("div", { class: "dials" }, ...[...this.dials.values()].map((d) => d.element));
    const steps = h("details", {}, h("summary", {}, this.summary()));
    const script = root.querySelector("script");
    root.replaceChildren(h("style", {}, style), this.controls, pictures, this.status, this.alarm, this.detail, dials, steps);
    if (script) root.append(script);
    if (this.table) steps.append(h("div", { class: "table" }, this.table));
    this.fold = steps;
    steps.addEventListener("toggle", () => this.showTable());
    root.addEventListener("keydown", (event) => this.onKey(event));
    this.recompute();
    for (const { scroller } of this.panels) makeReachable(scroller);
  }

  makeDial(node) {
    const { label } = this.graph.nodes[node];
    return dial(label, this.inputs[node], (value) => {
      this.inputs[node] = value;
      this.recompute();
    });
  }

  recompute() {
    this.stop?.();
    this.numbers = evaluate(this.graph, this.inputs);
    const { error } = this.numbers;
    write(this.alarm, error ? `${error.type}: ${error.message}` : "");
    this.update();
    this.show();
  }

  update() {}

  showChosen() {
    write(this.detail, this.chosen === null ? "" : this.describe(this.chosen));
  }

  // The value of a node, the local derivatives around it, and the sum that makes its number.
  describe(node) {
    const edges = edgesOf(this.graph);
    const { values, locals } = this.numbers;
    const { label, operation } = this.graph.nodes[node];
    const sentences = [
      operation
        ? wordsOf(this.graph, "value", { node, total: values[node] }, this.numbers)
        : `${label} = ${shortText(values[node])} (input)`,
    ];
    const around = edges.flatMap((edge, i) =>
      edge.parent === node || edge.child === node
        ? [`${derivativeName(this.graph, edge)} = ${shortText(locals[i])}`]
        : [],
    );
    if (around.length) sentences.push(`Local derivatives: ${around.join(", ")}`);
    return `${[...sentences, ...this.sumsAt(node)].join(". ")}.`;
  }

  sumsAt() {
    return [];
  }

  onKey() {}

  // Rows of texts, the first of them the heading, into the table.
  fill(rows, current = null) {
    if (!this.table || !this.fold.open) return;
    const cell = (tag, text, scope) => h(tag, scope ? { scope } : {}, text);
    const [heading, ...others] = rows;
    const body = others.map(([first, ...rest], i) =>
      h("tr", { "aria-current": i === current ? "step" : null }, cell("th", first, "row"), ...rest.map((text) => cell("td", text))),
    );
    this.table.replaceChildren(
      h("thead", {}, h("tr", {}, ...heading.map((text) => cell("th", text, "col")))),
      h("tbody", {}, ...body),
    );
  }
}

// A picture wider than its place can be scrolled by keyboard too.
function makeReachable(scroller) {
  const look = () => {
    if (scroller.scrollWidth > scroller.clientWidth + 1) scroller.setAttribute("tabindex", "0");
    else scroller.removeAttribute("tabindex");
  };
  new ResizeObserver(look).observe(scroller);
}

// The arrivals at a node of a sweep that has been replayed, as a sum.
function sumOf(graph, kind, done, node, locals) {
  const arrivals = done.filter((step) => step.node === node);
  if (!arrivals.length) return `${graph.nodes[node].label}: no ${kind} has arrived`;
  const terms = arrivals.map((step) =>
    step.edge === null ? `${shortText(step.sent)} (seed)` : `${shortText(step.sent)} × ${shortText(locals[step.edge])}`,
  );
  const sum = `${kind} of ${graph.nodes[node].label} = ${terms.join(" + ")}`;
  return arrivals.some((step) => step.edge !== null) ? `${sum} = ${shortText(arrivals.at(-1).total)}` : sum;
}

// ---- Mode "explore": sliders, everything computed to its end ----

class Sliders extends Explorer {
  makePanels() {
    this.seeds = {};
    this.shown = {};
    for (const kind of ["tangent", "adjoint"]) {
      this.seeds[kind] = new Map(this.data.explore[kind].seeds);
      this.shown[kind] = this.data.explore[kind].shown;
      this.controls.append(this.makeChoice(kind));
    }
    const flow = "tangent";
    const panel = new Panel(this.graph, this.svgText, this.kinds(), flow, (node) => {
      this.chosen = this.chosen === node ? null : node;
      this.show();
    });
    return [panel];
  }

  kinds() {
    return ["tangent", "adjoint"].filter((kind) => this.shown[kind]);
  }

  makeChoice(kind) {
    const box = h("input", { type: "checkbox" });
    box.checked = this.shown[kind];
    const ends = kind === "tangent" ? inputsOf(this.graph) : this.graph.outputs;
    const seeds = ends.map((node) => {
      const start = this.seeds[kind].get(node) ?? 0;
      return seedField(`seed of ${this.graph.nodes[node].label} `, start, (value) => {
        this.seeds[kind].set(node, value);
        this.recompute();
      });
    });
    const fields = h("span", { class: "seeds" }, ...seeds);
    fields.hidden = !box.checked;
    box.addEventListener("change", () => {
      this.shown[kind] = box.checked;
      fields.hidden = !box.checked;
      this.recompute();
    });
    return h("div", { class: "choice" }, h("label", {}, box, ` ${kind}s`), fields);
  }

  summary() {
    return "As a table";
  }

  update() {
    this.done = {};
    for (const kind of this.kinds()) {
      const steps = planSweep(this.graph, kind, [...this.seeds[kind]]);
      this.done[kind] = replay(this.graph, kind, steps, this.numbers);
    }
  }

  show() {
    const [panel] = this.panels;
    panel.kinds = this.kinds();
    this.held = Object.fromEntries(
      panel.kinds.map((kind) => [kind, heldAfter(this.graph, this.done[kind])]),
    );
    const nodes = new Set(this.chosen === null ? [] : [this.chosen]);
    const edges = edgesOf(this.graph);
    const around = edges.flatMap(({ parent, child }, i) => (nodes.has(parent) || nodes.has(child) ? [i] : []));
    panel.show(this.numbers, this.held, { nodes, edges: new Set(around) });
    this.showChosen();
    this.showTable();
  }

  sumsAt(node) {
    return this.kinds().map((kind) => sumOf(this.graph, kind, this.done[kind], node, this.numbers.locals));
  }

  showTable() {
    const kinds = this.kinds();
    const edges = edgesOf(this.graph);
    const { values, locals } = this.numbers;
    const rows = this.graph.nodes.map((node, i) => {
      const into = edges.flatMap((edge, e) =>
        edge.child === i ? [`${derivativeName(this.graph, edge)} = ${shortText(locals[e])}`] : [],
      );
      const madeBy = node.operation ? formula(node, labelsOf(this.graph)) : "input";
      const held = kinds.map((kind) => shortText(this.held[kind][i]));
      return [node.label, madeBy, shortText(values[i]), ...held, into.join(", ")];
    });
    this.fill([["node", "made by", "value", ...kinds, "local derivatives"], ...rows]);
  }
}

// ---- Mode "steps": sweeps side by side, one clock ----

class Steps extends Explorer {
  makePanels() {
    this.step = 0;
    this.slider = h("input", { type: "range", min: 0, max: this.last, step: 1, "aria-label": "step" });
    this.slider.value = 0;
    this.slider.addEventListener("input", () => this.goTo(Number(this.slider.value)));
    this.player = button("▶ Play", () => this.togglePlaying());
    this.clock = h("span", { class: "clock" });
    const back = button("◀ Back", () => this.goTo(this.step - 1));
    const forward = button("Forward ▶", () => this.goTo(this.step + 1, true));
    this.controls.append(this.player, back, forward, this.slider, this.clock);
    return this.data.sweeps.map(({ kind }) => {
      const kinds = kind === "value" ? [] : [kind];
      const panel = new Panel(this.graph, this.svgText, kinds, kind, (node) => {
        this.chosen = this.chosen === node ? null : node;
        this.showChosen();
      });
      panel.element.prepend(h("b", {}, titles[kind]));
      return panel;
    });
  }

  get last() {
    return Math.max(...this.data.sweeps.map(({ steps }) => steps.length));
  }

  summary() {
    return "All steps as a table";
  }

  update() {
    this.done = this.data.sweeps.map(({ kind, steps }) => replay(this.graph, kind, steps, this.numbers));
  }

  stop() {
    this.token.cancelled = true;
  }

  // Show the state after `step` steps; with `moving` numbers are seen to travel to the next one.
  async goTo(step, moving = false) {
    this.stop();
    step = Math.min(Math.max(step, 0), this.last);
    const travels = moving && step === this.step + 1 && !prefersStillness();
    this.step = step;
    if (travels) {
      const token = (this.token = {});
      this.show(true);
      await Promise.all(this.panels.map((panel, i) => this.travel(panel, i, token)));
      if (token.cancelled) return;
    }
    this.show();
  }

  travel(panel, i, token) {
    const step = this.done[i][this.step - 1];
    if (!step || step.edge === null) return Promise.resolve();
    return panel.travel([step], this.data.sweeps[i].kind, token);
  }

  togglePlaying() {
    if (this.timer) return this.pause();
    if (this.step === this.last) this.goTo(0);
    write(this.player, "❚❚ Pause");
    const beat = () => {
      this.goTo(this.step + 1, true);
      if (this.step === this.last || !this.root.isConnected) this.pause();
    };
    this.timer = setInterval(beat, BEAT);
    beat();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    write(this.player, "▶ Play");
  }

  onKey(event) {
    const isOwn = event.target.matches("input") || event.altKey || event.ctrlKey || event.metaKey;
    const move = {
      ArrowRight: () => this.goTo(this.step + 1, true),
      ArrowLeft: () => this.goTo(this.step - 1),
      Home: () => this.goTo(0),
      End: () => this.goTo(this.last),
    }[event.key];
    // A notebook and a deck of slides have uses of their own for these keys.
    event.stopPropagation();
    if (!move || isOwn) return;
    event.preventDefault();
    this.pause();
    move();
  }

  show(isTravelling = false) {
    this.panels.forEach((panel, i) => this.showPanel(panel, i, isTravelling));
    const words = this.panels.map((panel) => panel.caption.textContent);
    write(this.status, `Step ${this.step} of ${this.last}. ${words.join(". ")}`);
    write(this.clock, `step ${this.step} of ${this.last}`);
    this.slider.value = this.step;
    this.showChosen();
    this.showTable();
  }

  showPanel(panel, i, isTravelling) {
    const { kind } = this.data.sweeps[i];
    const done = this.done[i];
    const count = Math.min(this.step, done.length);
    const step = done[count - 1];
    const arrives = isTravelling && this.step <= done.length && step.edge !== null;
    const held = heldAfter(this.graph, done, arrives ? count - 1 : count);
    const { values, locals } = this.numbers;
    // While the function is evaluated, what has no value yet has no local derivatives either.
    const known = kind !== "value" ? this.numbers : {
      values: held,
      locals: locals.map((slope, e) => (held[panel.edgeList[e].child] === undefined ? undefined : slope)),
    };
    const nodes = new Set(step && !arrives ? [step.node] : []);
    const edges = new Set(step && step.edge !== null ? [step.edge] : []);
    panel.show(known, { [kind]: held }, { nodes, edges });
    const words = step ? wordsOf(this.graph, kind, step, { values, locals }) : `no ${kind} is known yet`;
    write(panel.caption, `${count}. ${words}`);
  }

  sumsAt(node) {
    return this.data.sweeps.flatMap(({ kind }, i) =>
      kind === "value" ? [] : [sumOf(this.graph, kind, this.done[i].slice(0, this.step), node, this.numbers.locals)],
    );
  }

  showTable() {
    this.fill(stepRows(this), this.step);
  }
}

// The table of all steps: one column per sweep, the state before the first step included.
function stepRows({ graph, data, done, numbers }) {
  const columns = data.sweeps.map(({ kind }, i) => [
    `no ${kind} is known yet`,
    ...done[i].map((step) => wordsOf(graph, kind, step, numbers)),
  ]);
  const last = Math.max(...columns.map((column) => column.length));
  const rows = Array.from({ length: last }, (_, i) => [String(i), ...columns.map((c) => c[i] ?? "")]);
  return [["step", ...data.sweeps.map(({ kind }) => kind)], ...rows];
}

// ---- Mode "turn": the reader says which node sends next ----

class Turn extends Explorer {
  makePanels() {
    const [{ kind, steps }] = this.data.sweeps;
    this.kind = kind;
    this.seeds = steps.filter((step) => step.length === 2);
    this.sent = [];
    this.controls.append(
      h("span", {}, `Your turn: click the node that may send its ${kind} next.`),
      button("Which may send?", () => this.tell()),
      button("Start again", () => this.restart()),
    );
    const panel = new Panel(this.graph, this.svgText, [kind], kind, (node) => this.choose(node));
    panel.element.prepend(h("b", {}, titles[kind]));
    return [panel];
  }

  summary() {
    return "The steps in an order that works";
  }

  label(node) {
    return this.graph.nodes[node].label;
  }

  stop() {
    this.token.cancelled = true;
  }

  onKey(event) {
    event.stopPropagation();
  }

  update() {
    const [{ kind, steps }] = this.data.sweeps;
    this.done = [replay(this.graph, kind, steps, this.numbers)];
    const start = startTurn(this.graph, kind, this.seeds);
    this.turn = this.sent.reduce((turn, node) => sendFrom(turn, node, this.numbers), start);
  }

  restart() {
    this.sent = [];
    this.say(`Only the seeds are known.`);
    this.recompute();
  }

  tell() {
    const ready = readyIn(this.turn).map((node) => this.label(node));
    this.say(ready.length ? `Nothing more arrives at ${ready.join(", ")}.` : this.end());
  }

  say(words) {
    write(this.panels[0].caption, words);
    write(this.status, words);
  }

  async choose(node) {
    const out = edgesOutOf(this.turn, node);
    const missing = missingAt(this.turn, node);
    if (this.numbers.error) return this.say("First give the inputs numbers that work.");
    if (this.turn.sent.has(node)) return this.say(`${this.label(node)} has sent already.`);
    if (!out.length) return this.say(`${this.label(node)} has nobody to send to: here the sweep ends.`);
    if (missing.length) return this.say(this.tooEarly(node, missing));
    const numbers = out.map((edge) => {
      const sent = this.turn.held[node];
      return { edge, sent, arrived: times(sent, this.numbers.locals[edge]) };
    });
    this.stop();
    const token = (this.token = {});
    this.sent.push(node);
    this.say(this.sending(node, numbers));
    this.update();
    if (!prefersStillness()) {
      this.panels[0].nodes[node].group.classList.add("on");
      await this.panels[0].travel(numbers, this.kind, token);
      if (token.cancelled) return;
    }
    this.show();
    if (!readyIn(this.turn).length) this.say(`${this.panels[0].caption.textContent} ${this.end()}`);
  }

  sending(node, numbers) {
    const parts = numbers.map(({ edge, sent, arrived }) => {
      const { receiver } = this.turn.edges[edge];
      const product = `${shortText(sent)} × ${shortText(this.numbers.locals[edge])} = ${shortText(arrived)}`;
      return `${product} to ${this.label(receiver)}`;
    });
    return `Right: ${this.label(node)} sends ${parts.join(" and ")}.`;
  }

  tooEarly(node, missing) {
    const edges = edgesOf(this.graph);
    const arrivals = missing.map(
      (edge) => `from ${this.label(this.turn.edges[edge].sender)} over ${derivativeName(this.graph, edges[edge])}`,
    );
    const results = resultOfSendingNow(this.turn, node, this.numbers).map(
      ({ node: end, wrong, right }) =>
        `the ${this.kind} of ${this.label(end)} would be ${shortText(wrong)} instead of ${shortText(right)}`,
    );
    const consequence = results.length
      ? `If it sent its ${shortText(this.turn.held[node])} now, ${results.join(" and ")}.`
      : "With these numbers the result would be the same, by chance.";
    return `Too early: ${this.label(node)} still waits for what arrives ${arrivals.join(" and ")}. ${consequence}`;
  }

  end() {
    const ends = this.turn.order.filter((node) => !edgesOutOf(this.turn, node).length);
    const words = ends.map((node) => `the ${this.kind} of ${this.label(node)} is ${shortText(this.turn.held[node])}`);
    return `All have sent: ${words.join(", ")}.`;
  }

  show() {
    const { held, sent, used, edges } = this.turn;
    const reached = held.map((number, node) =>
      this.seeds.some(([seed]) => seed === node) || [...used].some((edge) => edges[edge].receiver === node) ? number : undefined,
    );
    this.panels[0].show(this.numbers, { [this.kind]: reached }, { nodes: new Set(), edges: used, sent });
    if (!this.panels[0].caption.textContent) this.say("Only the seeds are known.");
    this.showTable();
  }

  showTable() {
    this.fill(stepRows(this));
  }
}

// ---- The entrance ----

const modes = { explore: Sliders, steps: Steps, turn: Turn };

function start(root, data, style) {
  const explorer = new modes[data.mode](root, data, style);
  return {
    root,
    setInput: (node, number) => explorer.dials.get(node).set(number),
    goTo: (step) => explorer.goTo?.(step),
    numbers: () => ({ ...explorer.numbers, done: explorer.done }),
  };
}
