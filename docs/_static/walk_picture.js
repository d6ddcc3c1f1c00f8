// From a graph to its picture: the DOT that drawing writes in Python, laid out by Graphviz in the
// page, and made fit for the explorer as rendering.py does it. The styles are Python's own:
// docs/gather.py writes them into explorer.js.
"use strict";

const walkPicture = (() => {
  const { styles, headingOf, derivativeName, edgesOf, evaluate, shortText } = courseExplorer;
  const PLAIN = /^([A-Za-z_]\w*|-?(\.\d+|\d+(\.\d*)?))$/;

  // --- DOT ----------------------------------------------------------------------------------------

  const quoted = (text) => (PLAIN.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`);

  function attributes(given, label) {
    const pairs = Object.keys(given).sort().map((name) => `${name}=${quoted(given[name])}`);
    if (label !== undefined) pairs.unshift(`label=${quoted(label)}`);
    return `[${pairs.join(" ")}]`;
  }

  // Lines of a label that mean just what they say.
  const escaped = (lines) =>
    lines.map((line) => line.replaceAll("&", "&amp;").replaceAll("\\", "\\\\")).join("\n");

  // Headings are drawn bold but measured by Graphviz as regular text, which is narrower.
  const roomFor = (heading) => ({ margin: `${(0.14 + 0.006 * heading.length).toFixed(3)},0.07` });

  /** Write the graph in Graphviz's language; `numbers` are what `evaluate` gives. */
  function dot(graph, numbers = evaluate(graph)) {
    const lines = [`\tgraph ${attributes(styles.graph)}`];
    lines.push(`\tnode ${attributes(styles.node)}`, `\tedge ${attributes(styles.edge)}`);
    graph.nodes.forEach((node, index) => {
      const heading = headingOf(graph, index);
      const own = { id: `n${index}`, ...roomFor(heading) };
      if (!node.operation) Object.assign(own, styles.input);
      if (graph.outputs.includes(index)) Object.assign(own, styles.output);
      const label = escaped([heading, shortText(numbers.values[index])]);
      lines.push(`\tn${index} ${attributes(own, label)}`);
    });
    edgesOf(graph).forEach((edge, index) => {
      const slope = `${derivativeName(graph, edge)} = ${shortText(numbers.locals[index])}`;
      const own = attributes({ id: `e${index}` }, escaped([` ${slope} `]));
      lines.push(`\tn${edge.parent} -> n${edge.child} ${own}`);
    });
    return `digraph {\n${lines.join("\n")}\n}\n`;
  }

  // --- SVG ----------------------------------------------------------------------------------------

  const CLASSES = ["node", "edge"];
  const place = (group) => [CLASSES.indexOf(group.getAttribute("class")), Number(group.id.slice(1))];

  /** Put nodes first, then edges, each in their order; turn outlines into rectangles. */
  function finished(svg) {
    const graph = svg.querySelector("g.graph");
    for (const [name, value] of Object.entries(styles.text)) graph.setAttribute(name, value);
    svg.querySelectorAll("title").forEach((title) => title.remove());
    svg.querySelectorAll("text").forEach((text) => {
      ["font-family", "font-size", "text-anchor"].forEach((name) => text.removeAttribute(name));
      text.textContent = text.textContent.trim();
    });
    const groups = [...graph.querySelectorAll("g.node, g.edge")];
    groups.sort((one, other) => {
      const [kind, number] = place(one);
      const [otherKind, otherNumber] = place(other);
      return kind - otherKind || number - otherNumber;
    });
    groups.forEach((group) => {
      group.removeAttribute("id");
      graph.append(group);
    });
    graph.querySelectorAll("g.node > polygon, g.node > path").forEach(makeBox);
    return svg;
  }

  function makeBox(outline) {
    const isRound = outline.tagName === "path";
    const corners = outline.getAttribute(isRound ? "d" : "points").match(/-?[\d.]+/g).map(Number);
    const [xs, ys] = [0, 1].map((which) => corners.filter((_, index) => index % 2 === which));
    const [x, y] = [Math.min(...xs), Math.min(...ys)];
    const box = document.createElementNS(outline.namespaceURI, "rect");
    for (const { name, value } of outline.attributes) {
      if (name !== "d" && name !== "points") box.setAttribute(name, value);
    }
    const size = { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
    for (const [name, value] of Object.entries(size)) box.setAttribute(name, value);
    if (isRound) box.setAttribute("rx", 6);
    outline.replaceWith(box);
  }

  const graphviz = Viz.instance();

  /** Draw a graph; resolves to an <img> that holds the picture, as in the notebooks. */
  async function draw(graph) {
    const svg = finished((await graphviz).renderSVGElement(dot(graph)));
    const image = new Image();
    const text = new XMLSerializer().serializeToString(svg);
    image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
    const names = graph.outputs.map((node) => graph.nodes[node].label).join(", ");
    image.alt = `Computational graph of ${names}: ${graph.nodes.length} nodes.`;
    return image;
  }

  return { dot, draw };
})();
