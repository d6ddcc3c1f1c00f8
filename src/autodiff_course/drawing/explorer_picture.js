// One picture of the explorer: the SVG that Python drew, whose texts and marks follow the numbers.
//
// In the SVG the groups of class "node" stand in the order of the nodes (rectangles, then lines of
// text), those of class "edge" in the order of the edges (path, polygon of the arrowhead, text).

const LINE = 13.2; // the height of a line of text, in units of the picture
const BORDER = 3; // the most that the border of a node takes outside it
const TRAVEL = 750; // milliseconds that a number takes along its edge

const mayMove = () => !matchMedia("(prefers-reduced-motion: reduce)").matches;

const setAll = (element, attributes) => {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

const svgElement = (tag, attributes = {}) =>
  setAll(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes);

// Writing what stands there already would cost a redraw, and a screen reader would speak again.
const write = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

const numbersIn = (text) => text.match(/-?[\d.]+/g).map(Number);

// The SVG behind the address of an <img>.
function svgTextOf(image) {
  const [head, body] = image.src.split(/,(.*)/s);
  if (!head.endsWith("base64")) return decodeURIComponent(body);
  return new TextDecoder().decode(Uint8Array.from(atob(body), (c) => c.charCodeAt(0)));
}

class Panel {
  // `kind` says in which direction the arrows point; `onNode(node)` is called for a chosen node.
  constructor(graph, svgText, kind, alt, onNode) {
    this.graph = graph;
    const { documentElement } = new DOMParser().parseFromString(svgText, "image/svg+xml");
    this.svg = setAll(document.importNode(documentElement, true), { role: "group", "aria-label": alt });
    for (const element of this.svg.querySelectorAll("title, desc")) element.remove();
    // Narrower than this its text could not be read; it is then scrolled.
    this.svg.style.minWidth = `${0.8 * parseFloat(this.svg.getAttribute("width"))}pt`;
    this.nodes = [...this.svg.querySelectorAll(".node")].map((group, node) => openNode(group, () => onNode(node)));
    this.edges = [...this.svg.querySelectorAll(".edge")].map((group) => {
      const [line, head, label] = ["path", "polygon", "text"].map((tag) => group.querySelector(tag));
      return { group, line, head, label };
    });
    if (kind === "adjoint") this.edges.forEach(turnRound);
    this.view = numbersIn(this.svg.getAttribute("viewBox"));
    this.shift = numbersIn(this.svg.querySelector(".graph").getAttribute("transform")).at(-1);
  }

  // Two sweeps in a node make it taller than Python drew it, and perhaps taller than the picture.
  makeRoom() {
    const [left, top, width, height] = this.view;
    const ends = this.nodes.flatMap(({ boxes }) => boxes.map((box) => {
      const [y, tall] = ["y", "height"].map((name) => Number(box.getAttribute(name)));
      return { first: y + this.shift - BORDER, last: y + this.shift + tall + BORDER };
    }));
    const first = Math.min(top, ...ends.map((end) => end.first));
    const last = Math.max(top + height, ...ends.map((end) => end.last));
    const taller = first < top || last > top + height;
    // A slide cuts the border off the picture: one that needs no more room stays as it is.
    if (taller || this.taller) {
      setAll(this.svg, { viewBox: [left, first, width, last - first].join(" "), height: `${last - first}pt` });
    }
    this.taller = taller;
  }

  // `held`: {kind: what each node holds}; `marks`: {nodes, edges, sent}, each an array of numbers.
  show({ values, locals }, held, { nodes = [], edges = [], sent = [] }) {
    this.nodes.forEach((drawn, i) => {
      const lines = { heading: headingOf(this.graph, i), value: shortText(values[i]) };
      if (sent.includes(i)) lines.heading += " ✓";
      for (const kind in held) lines[kind] = `${kind} ${shortText(held[kind][i])}`;
      showLines(drawn, lines);
      drawn.group.classList.toggle("on", nodes.includes(i));
      drawn.group.classList.toggle("sent", sent.includes(i));
    });
    edgesOf(this.graph).forEach((edge, i) => {
      write(this.edges[i].label, `${derivativeName(this.graph, edge)} = ${shortText(locals[i])}`);
      this.edges[i].group.classList.toggle("on", edges.includes(i));
    });
    this.makeRoom();
  }

  // Let numbers travel along edges: [{edge, sent, arrived}, ...]. The first half of the way shows
  // what is sent, the second what arrives. Resolves when they are there or `token` is cancelled.
  travel(numbers, kind, token) {
    const riders = numbers.map(({ edge, sent, arrived }) => {
      const bubble = svgElement("g", { class: "bubble" });
      const box = svgElement("rect", { rx: 8, height: 17, y: -8.5 });
      const text = svgElement("text", { y: 4 });
      bubble.append(box, text);
      this.svg.querySelector(".graph").append(bubble);
      const { line } = this.edges[edge];
      return { bubble, box, text, line, length: line.getTotalLength(), words: [sent, arrived].map(shortText) };
    });
    const begin = performance.now();
    return new Promise((resolve) => {
      const frame = (now) => {
        const part = Math.min(Math.max((now - begin) / TRAVEL, 0), 1);
        if (part === 1 || token.cancelled) {
          for (const { bubble } of riders) bubble.remove();
          return resolve();
        }
        for (const { bubble, box, text, line, length, words } of riders) {
          const { x, y } = line.getPointAtLength(length * (kind === "adjoint" ? 1 - part : part));
          write(text, words[part < 0.5 ? 0 : 1]);
          const width = text.textContent.length * 6.2 + 12;
          setAll(box, { x: -width / 2, width });
          setAll(bubble, { transform: `translate(${x} ${y})` });
        }
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });
  }
}

function openNode(group, choose) {
  const boxes = [...group.querySelectorAll("rect")];
  const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(boxes[0].getAttribute(name)));
  for (const line of group.querySelectorAll("text")) line.remove();
  setAll(group, { tabindex: 0, role: "button" });
  group.addEventListener("click", choose);
  group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose();
  });
  return { group, boxes, lines: [], x: x + width / 2, y: y + height / 2, width, height };
}

// Write `texts` ({class: text}) into a node, one below the other.
function showLines(drawn, texts) {
  const { group, boxes, lines, x, y, width } = drawn;
  const count = Object.keys(texts).length;
  if (lines.length !== count) {
    for (const line of lines.splice(0)) line.remove();
    for (const kind in texts) {
      const line = svgElement("text", { x, y: y + (lines.length - (count - 1) / 2) * LINE + 3.9, class: kind });
      lines.push(line);
      group.append(line, " "); // a screen reader would join two lines without it
    }
    boxes.forEach((box, i) => {
      const height = Math.max(drawn.height, count * LINE + 10) + 8 * i;
      setAll(box, { y: y - height / 2, height });
    });
  }
  Object.values(texts).forEach((text, i) => {
    if (lines[i].textContent === text) return;
    lines[i].textContent = text;
    // A long number is set narrower rather than over the border; a letter is about 6 wide.
    if (i && text.length * 6 > width) {
      setAll(lines[i], { textLength: Math.min(text.length * 5.4, width - 4), lengthAdjust: "spacingAndGlyphs" });
    } else {
      lines[i].removeAttribute("textLength");
    }
    group.setAttribute("aria-label", Object.values(texts).join(" "));
  });
}

// Put the arrowhead at the other end of its edge: the number travels from the child to the parent.
function turnRound({ line, head }) {
  const path = line.getAttribute("d");
  const [x, y, nextX, nextY] = numbersIn(path);
  const [, , ...tip] = numbersIn(head.getAttribute("points")).slice(0, 4);
  const length = Math.hypot(nextX - x, nextY - y) || 1;
  const [u, v] = [(nextX - x) / length, (nextY - y) / length];
  const at = (along, across) => `${x + along * u - across * v},${y + along * v + across * u}`;
  line.setAttribute("d", `M${at(6, 0)}${path.replace(/^M[^CL]*/, "")}L${tip}`);
  head.setAttribute("points", [at(0, 0), at(7, 2.6), at(7, -2.6)].join(" "));
}
