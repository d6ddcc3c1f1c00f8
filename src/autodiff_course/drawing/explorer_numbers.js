// What the explorer computes. No page, no picture: data in, numbers and words out.
//
// A graph is plain data, as explorer.py writes it and as a page may write it itself:
//
//     {nodes: [{label: "a", value: 2},
//              {label: "b", value: 1},
//              {label: "c", operation: "+", operands: [0, 1]},
//              {label: "d", operation: "+", operands: [1, [1, "1"]]},
//              {label: "e", operation: "*", operands: [2, 3]}],
//      outputs: [4]}
//
// Nodes stand parents first, in the order of `topological_order` in graph.py. A node without an
// operation is an input. An operand is the number of a node, or a constant: its value and Python's
// repr of it. Where JSON has no number, "inf", "-inf" and "nan" stand for one. Operations are those
// of graph.py: + - * / ** neg abs exp log sqrt sin cos tanh relu.
//
// An edge is known by its number: edges are counted node by node, operand by operand, constants left
// out. A sweep is a list of steps: [node, seed] puts a seed, [edge] sends a number along an edge.
// Seeds are [node, seed] pairs too. `kind` is "tangent" (forward) or "adjoint" (reverse).

const numberOf = (json) =>
  typeof json === "number" ? json : { inf: Infinity, "-inf": -Infinity, nan: NaN }[json];

// ---- Numbers as text, as Python writes them ----

const exponentText = (exponent) =>
  `e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;

const nameOfSpecial = (x) => (Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf");

// Python's repr of a float.
function pythonRepr(x) {
  if (!Number.isFinite(x)) return nameOfSpecial(x);
  if (Object.is(x, -0)) return "-0.0";
  if (x === 0) return "0.0";
  const [digits, exponent] = x.toExponential().split("e");
  if (exponent < -4 || exponent >= 16) return digits + exponentText(Number(exponent));
  return Number.isInteger(x) ? `${x}.0` : String(x);
}

// Python's format(x, "z.4g"); "?" where nothing is known.
function shortText(x) {
  if (x === undefined || x === null) return "?";
  if (!Number.isFinite(x)) return nameOfSpecial(x);
  let [digits, exponent] = x.toExponential(3).split("e");
  // Halfway between two texts Python takes the even one, JavaScript the larger.
  const exact = x.toExponential(40);
  const cut = exact.slice(0, exact.indexOf(".") + 4);
  if (/\.\d{3}50*e/.test(exact) && "02468".includes(cut.at(-1))) {
    [digits, exponent] = [cut, exact.split("e")[1]];
  }
  exponent = Number(exponent);
  if (exponent < -4 || exponent >= 4) return String(Number(digits)) + exponentText(exponent);
  return String(Number(`${digits}e${exponent}`) + 0);
}

// ---- Local rules: numbers in; the value and its local derivatives out, as in graph.py ----

class PythonError extends Error {
  constructor(type, message) {
    super(message);
    this.type = type;
  }
}

const outsideDomain = (isOutside) => {
  if (isOutside) throw new PythonError("ValueError", "math domain error");
};

const unaryRules = {
  neg: (x) => [-x, -1],
  abs: (x) => [Math.abs(x), x < 0 ? -1 : x === 0 ? 0 : 1],
  exp(x) {
    const value = Math.exp(x);
    if (value === Infinity && x !== Infinity) {
      throw new PythonError("OverflowError", "math range error");
    }
    return [value, value];
  },
  log(x) {
    outsideDomain(x <= 0);
    return [Math.log(x), 1 / x];
  },
  sqrt(x) {
    outsideDomain(x < 0);
    const value = Math.sqrt(x);
    return [value, value ? 0.5 / value : Number.isNaN(value) ? NaN : Infinity];
  },
  sin(x) {
    outsideDomain(Math.abs(x) === Infinity);
    return [Math.sin(x), Math.cos(x)];
  },
  cos(x) {
    outsideDomain(Math.abs(x) === Infinity);
    return [Math.cos(x), -Math.sin(x)];
  },
  tanh(x) {
    const value = Math.tanh(x);
    return [value, 1 - value * value];
  },
  relu: (x) => (x <= 0 ? [0, 0] : [x, 1]),
};

const binaryRules = {
  "+": (x, y) => [x + y, 1, 1],
  "-": (x, y) => [x - y, 1, -1],
  "*": (x, y) => [x * y, y, x],
  "/"(x, y) {
    if (y === 0) throw new PythonError("ZeroDivisionError", "float division by zero");
    const quotient = x / y;
    return [quotient, 1 / y, -quotient / y];
  },
  "**"(x, n) {
    const value = power(x, n);
    const byExponent = x > 0 ? value * Math.log(x) : x === 0 ? 0 : NaN;
    return [value, powerSlope(x, n), byExponent];
  },
};

function power(x, n) {
  // Where JavaScript says NaN and Python 1.
  if (x === 1 || (x === -1 && Math.abs(n) === Infinity)) return 1;
  if (x === 0 && n < 0 && n !== -Infinity) {
    throw new PythonError("ZeroDivisionError", "0.0 cannot be raised to a negative power");
  }
  const isComplex = x < 0 && Number.isFinite(x) && Number.isFinite(n) && !Number.isInteger(n);
  const value = (isComplex ? Math.abs(x) : x) ** n;
  if (Math.abs(value) === Infinity && Number.isFinite(x) && Number.isFinite(n)) {
    const words = isComplex ? "complex exponentiation" : "Numerical result out of range";
    throw new PythonError("OverflowError", words);
  }
  if (isComplex) {
    const words = "a negative number has no real power with a fractional exponent";
    throw new PythonError("ValueError", words);
  }
  return value;
}

function powerSlope(x, n) {
  if (n === 0) return 0;
  if (x === 0) return n > 1 ? 0 : n === 1 ? 1 : Infinity;
  return x === 1 ? n : n * x ** (n - 1);
}

// ---- The graph ----

const isNode = (operand) => typeof operand === "number";

const parentsOf = (node) => (node.operands ?? []).filter(isNode);

// All edges in their order: [{parent, child, position}, ...].
const edgesOf = (graph) =>
  graph.nodes.flatMap((node, child) =>
    parentsOf(node).map((parent, position) => ({ parent, child, position })),
  );

const inputsOf = (graph) =>
  [...graph.nodes.keys()].filter((node) => !graph.nodes[node].operation);

const startsOf = (graph) => graph.nodes.map((node) => numberOf(node.value));

// The nodes that `outputs` depend on, parents first: `topological_order` of graph.py.
function topologicalOrder(graph, outputs) {
  const stack = [...outputs].reverse();
  const opened = new Set();
  const order = [];
  while (stack.length) {
    const node = stack.pop();
    if (node === null) {
      order.push(stack.pop());
    } else if (!opened.has(node)) {
      opened.add(node);
      stack.push(node, null, ...parentsOf(graph.nodes[node]).reverse());
    }
  }
  return order;
}

// Values and local derivatives of all nodes; `inputs[node]` holds the numbers of the inputs.
// Returns {values, locals, error}: locals per edge. After an error (null, or {type, message, node})
// what could not be computed is undefined.
function evaluate(graph, inputs = startsOf(graph)) {
  const values = [];
  const locals = [];
  let error = null;
  graph.nodes.forEach((node, index) => {
    if (!node.operation) {
      values.push(inputs[index]);
      return;
    }
    const parents = parentsOf(node);
    let slopes = parents.map(() => undefined);
    let value;
    if (parents.every((parent) => values[parent] !== undefined)) {
      try {
        [value, slopes] = applyRule(node, values);
      } catch (raised) {
        if (!(raised instanceof PythonError)) throw raised;
        error ??= { type: raised.type, message: raised.message, node: index };
      }
    }
    values.push(value);
    locals.push(...slopes);
  });
  return { values, locals, error };
}

function applyRule(node, values) {
  const { operation, operands } = node;
  const numbers = operands.map((o) => (isNode(o) ? values[o] : numberOf(o[0])));
  const texts = operands.map((o) => (isNode(o) ? pythonRepr(values[o]) : o[1]));
  const isUnary = operands.length === 1;
  const heading = isUnary ? `${operation} of ${texts[0]}` : texts.join(` ${operation} `);
  try {
    if (operation === "**" && isNode(operands[1]) && numbers[0] < 0) {
      const words = "with a Scalar as exponent the base must not be negative; ";
      throw new PythonError("ValueError", `${words}give a whole exponent as an int`);
    }
    const rule = (isUnary ? unaryRules : binaryRules)[operation];
    if (!rule) throw new TypeError(`the explorer does not know the operation ${operation}`);
    const [value, ...slopes] = rule(...numbers);
    return [value, slopes.filter((_, position) => isNode(operands[position]))];
  } catch (raised) {
    if (!(raised instanceof PythonError)) throw raised;
    throw new PythonError(raised.type, `${heading}: ${raised.message}`);
  }
}

// ---- Sweeps ----

// The steps of `forward_sweep` (kind "tangent") or `reverse_sweep` (kind "adjoint") of graph.py.
function planSweep(graph, kind, seeds) {
  const edges = edgesOf(graph);
  const seedOf = new Map(seeds.map(([node, seed]) => [node, numberOf(seed)]));
  const edgesInto = (node) => [...edges.keys()].filter((edge) => edges[edge].child === node);
  if (kind === "adjoint") {
    const order = topologicalOrder(graph, [...seedOf.keys()]).reverse();
    return [...seedOf, ...order.flatMap(edgesInto).map((edge) => [edge])];
  }
  return topologicalOrder(graph, graph.outputs).flatMap((node) => {
    const isSeed = seedOf.has(node) || !graph.nodes[node].operation;
    return isSeed ? [[node, seedOf.get(node) ?? 0]] : edgesInto(node).map((edge) => [edge]);
  });
}

// The evaluation as a sweep: one step per node.
const planValues = (graph) => [...graph.nodes.keys()].map((node) => [node, null]);

// After an error in the evaluation some numbers are unknown, and so is what comes of them.
const times = (x, y) => (x === undefined || y === undefined ? undefined : x * y);
const plus = (x, y) => (x === undefined || y === undefined ? undefined : x + y);

// Carry out the steps of a sweep. Returns one {node, edge, sent, arrived, total} per step: `edge` is
// null for a seed, `total` is what the node then holds.
function replay(graph, kind, steps, { values, locals }) {
  const edges = edgesOf(graph);
  const held = graph.nodes.map(() => 0);
  return steps.map((step) => {
    if (step.length === 2) {
      const [node] = step;
      held[node] = kind === "value" ? values[node] : numberOf(step[1]);
      return { node, edge: null, sent: held[node], arrived: held[node], total: held[node] };
    }
    const [edge] = step;
    const [sender, node] = endsOf(edges[edge], kind);
    const sent = held[sender];
    const arrived = times(sent, locals[edge]);
    held[node] = plus(held[node], arrived);
    return { node, edge, sent, arrived, total: held[node] };
  });
}

// Who sends and who receives over an edge.
const endsOf = (edge, kind) =>
  kind === "adjoint" ? [edge.child, edge.parent] : [edge.parent, edge.child];

// What every node holds after the first `count` (default: all) of the steps that `replay` gave; undefined: nothing.
function heldAfter(graph, done, count = done.length) {
  const held = graph.nodes.map(() => undefined);
  for (const { node, total } of done.slice(0, count)) held[node] = total;
  return held;
}

// ---- Words, the same as those of stepper.py and scalar_graph.py ----

// A node's formula; `names[node]` is what to call its operands.
function formula(node, names) {
  const words = node.operands.map((o) => (isNode(o) ? names[o] : shortText(numberOf(o[0]))));
  if (words.length === 2) return `${words[0]} ${node.operation} ${words[1]}`;
  return node.operation === "neg" ? `-${words[0]}` : `${node.operation}(${words[0]})`;
}

const labelsOf = (graph) => graph.nodes.map((node) => node.label);

const headingOf = (graph, node) =>
  graph.nodes[node].operation
    ? `${graph.nodes[node].label} = ${formula(graph.nodes[node], labelsOf(graph))}`
    : graph.nodes[node].label;

const derivativeName = (graph, edge) =>
  `∂${graph.nodes[edge.child].label}/∂${graph.nodes[edge.parent].label}`;

// The arithmetic of one step, as the table of steps shows it.
function wordsOf(graph, kind, step, { values, locals }) {
  const { label } = graph.nodes[step.node];
  if (kind === "value") {
    const node = graph.nodes[step.node];
    if (!node.operation) return `${label} = ${shortText(step.total)} (input)`;
    const inNumbers = formula(node, values.map(shortText));
    return `${headingOf(graph, step.node)} = ${inNumbers} = ${shortText(step.total)}`;
  }
  if (step.edge === null) return `${kind} of ${label} = ${shortText(step.total)} (seed)`;
  const edge = edgesOf(graph)[step.edge];
  const [sender] = endsOf(edge, kind);
  const numbers = `${shortText(step.sent)} × ${shortText(locals[step.edge])}`;
  const factors = `${kind} of ${graph.nodes[sender].label} × ${derivativeName(graph, edge)}`;
  return `${kind} of ${label} += ${factors} = ${numbers}, now ${shortText(step.total)}`;
}

// ---- Your turn: which node may send next? ----

// A state to play on: what each node holds, which edges have been used, which nodes have sent.
function startTurn(graph, kind, seeds) {
  const seeded = seeds.map(([node]) => node);
  const order = topologicalOrder(graph, kind === "adjoint" ? seeded : graph.outputs);
  const inPlay = new Set(order);
  const seedOf = new Map(seeds.map(([node, seed]) => [node, numberOf(seed)]));
  // A seeded node of a forward sweep counts as an input: nothing arrives there.
  const edges = edgesOf(graph).map((edge) => {
    const [sender, receiver] = endsOf(edge, kind);
    const isUsed = inPlay.has(edge.child) && !(kind === "tangent" && seedOf.has(edge.child));
    return { sender, receiver, isUsed };
  });
  const held = graph.nodes.map((_, node) => seedOf.get(node) ?? 0);
  return { kind, order, edges, held, used: new Set(), sent: new Set() };
}

const edgesWhere = (turn, test) =>
  [...turn.edges.keys()].filter((edge) => turn.edges[edge].isUsed && test(turn.edges[edge], edge));

// The edges over which something must still arrive before the node may send.
const missingAt = (turn, node) =>
  edgesWhere(turn, (edge, number) => edge.receiver === node && !turn.used.has(number));

const edgesOutOf = (turn, node) => edgesWhere(turn, (edge) => edge.sender === node);

// The nodes that may send next.
const readyIn = (turn) =>
  turn.order.filter(
    (node) =>
      !turn.sent.has(node) && edgesOutOf(turn, node).length && !missingAt(turn, node).length,
  );

// Let a node send to all that it sends to. Returns the new state; `turn` stays as it is.
function sendFrom(turn, node, { locals }) {
  const next = { ...turn, held: [...turn.held], used: new Set(turn.used), sent: new Set(turn.sent) };
  next.sent.add(node);
  for (const edge of edgesOutOf(turn, node)) {
    const { receiver } = turn.edges[edge];
    next.held[receiver] = plus(next.held[receiver], times(turn.held[node], locals[edge]));
    next.used.add(edge);
  }
  return next;
}

// What all nodes hold in the end, each that has not sent yet sending once, as soon as it may. Those
// that wait for a node that has sent too early get what it sent.
function finish(turn, numbers) {
  const order = turn.kind === "adjoint" ? [...turn.order].reverse() : turn.order;
  for (const node of order) {
    if (!turn.sent.has(node)) turn = sendFrom(turn, node, numbers);
  }
  return turn.held;
}

// What would come out if `node` sent now, before all has arrived: the ends of the sweep where the
// result would be another. Returns [{node, wrong, right}, ...].
function resultOfSendingNow(turn, node, numbers) {
  const right = finish(turn, numbers);
  const wrong = finish(sendFrom(turn, node, numbers), numbers);
  return turn.order
    .filter((end) => !edgesOutOf(turn, end).length && !Object.is(wrong[end], right[end]))
    .map((end) => ({ node: end, wrong: wrong[end], right: right[end] }));
}
