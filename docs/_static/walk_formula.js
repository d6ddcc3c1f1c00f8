// From a typed formula to the graph that graph.py would record for the same line of Python.
//
// jsep, from the npm registry, reads the text. Its grammar is JavaScript's: what differs in Python
// (a minus before a power, the names that are known) is put right here, and every node gets the
// place in the text that it comes from, so that an error can point there.
"use strict";

const walkFormula = (() => {
  const FUNCTIONS = ["exp", "log", "sqrt", "sin", "cos", "tanh", "relu", "abs"];
  const CONSTANTS = { pi: Math.PI };
  const NAME = "[\\p{L}_][\\p{L}\\p{Nd}_]*";
  const ASSIGNMENT = new RegExp(`^\\s*(${NAME})\\s*=(?!=)`, "u");
  const WHOLE_NAME = new RegExp(`^${NAME}$`, "u");

  // What to say of a character that a formula cannot have, or not there.
  const ADVICE = {
    "%": "The remainder % is not known.",
    "^": "For a power write **, as in x**2.",
    "=": "A name for a part stands at the beginning of its line: c = a + b.",
    "×": "For a product write *.",
    "·": "For a product write *.",
    "÷": "For a quotient write /.",
    "−": "This is a long dash: for a difference write -.",
    ")": "This ) closes nothing.",
  };

  /** What is wrong with a formula, and from where to where in its text. */
  class FormulaError extends Error {
    constructor(message, start, end = start + 1) {
      super(message);
      this.start = start;
      this.end = end;
    }
  }

  // --- Reading ------------------------------------------------------------------------------------

  jsep.removeAllUnaryOps().addUnaryOp("-").addUnaryOp("+");
  jsep.removeAllBinaryOps().removeAllLiterals().removeIdentifierChar("$");
  jsep.addBinaryOp("+", 1).addBinaryOp("-", 1).addBinaryOp("*", 2).addBinaryOp("/", 2);
  jsep.addBinaryOp("**", 3, true);

  const opened = []; // where the tokens begin that jsep is reading
  jsep.hooks.add("before-all", () => opened.splice(0));
  jsep.hooks.add("gobble-token", function (reading) {
    opened.push({ start: this.index, inParentheses: this.char === "(" });
    // By itself, jsep does not say when it has read a number.
    if (/[\d.]/.test(this.char)) reading.node = this.gobbleNumericLiteral();
  });
  jsep.hooks.add("after-token", function (reading) {
    const end = this.expr.slice(0, this.index).trimEnd().length;
    Object.assign(reading.node || {}, opened.pop(), { end });
  });

  /** Return the syntax tree of an expression that begins at `offset` of the whole text. */
  function parsed(text, offset) {
    let tree;
    try {
      tree = jsep(text);
    } catch (error) {
      if (error.index === undefined) throw error;
      throw unreadable(text, error, offset);
    }
    if (tree.type === "Compound" && tree.body.length === 0) {
      throw new FormulaError("Here a formula is missing.", offset, offset + text.length);
    }
    return located(tree, offset);
  }

  /** Say in the words of the course what jsep could not read. */
  function unreadable(text, error, offset) {
    const there = text[error.index];
    let message = ADVICE[there] ?? `This cannot be read: ${error.description}.`;
    let start = Math.min(error.index, Math.max(text.length - 1, 0));
    if (/cannot start with a number/.test(error.description)) {
      message = "For a product write *, as in 2*x.";
    } else if (/Unclosed|Expected \)/.test(error.description)) {
      message = "This ( is not closed.";
      start = lastOpen(text);
    } else if (there === undefined) {
      message = "The formula stops too early.";
    }
    return new FormulaError(message, offset + start);
  }

  /** Return where the last parenthesis stands that is not closed. */
  function lastOpen(text) {
    const open = [];
    [...text].forEach((character, index) => {
      if (character === "(") open.push(index);
      if (character === ")") open.pop();
    });
    return open.pop() ?? 0;
  }

  /** Give every part of a syntax tree its place in the whole text. */
  function located(tree, offset) {
    const { left, right, argument, callee, object, test, alternate } = tree;
    const parts = [left, right, argument, callee, object, test, alternate];
    parts.push(...(tree.arguments ?? []), ...(tree.body ?? []));
    const placed = parts.filter(Boolean).map((part) => located(part, offset));
    if (tree.start === undefined) {
      tree.start = Math.min(...placed.map((part) => part.start));
      tree.end = Math.max(...placed.map((part) => part.end));
    } else {
      tree.start += offset;
      tree.end += offset;
    }
    return tree;
  }

  /** Return the name (or null) and the syntax tree of each statement, in order. */
  function statements(text) {
    const found = [];
    let offset = 0;
    for (const line of text.split(/[;\n]/)) {
      const assignment = ASSIGNMENT.exec(line);
      const skipped = assignment ? assignment[0].length : 0;
      if (line.trim()) {
        const tree = parsed(line.slice(skipped), offset + skipped);
        const start = offset + line.search(/\S/);
        found.push({ name: assignment?.[1] ?? null, tree, start });
      }
      offset += line.length + 1;
    }
    if (!found.length) throw new FormulaError("Type a formula, such as (a + b)*(b + 1).", 0, 0);
    return found;
  }

  // --- Recording ----------------------------------------------------------------------------------

  // An operand is a node, {name, operation, operands, place}, or a constant, {value, isWhole}.
  const isConstant = (operand) => "value" in operand;
  const STAY_WHOLE = ["+", "-", "*", "**", "neg", "abs"];

  /** Write a constant as Python's repr does. */
  const constantText = ({ value, isWhole }, repr) => (isWhole ? String(value) : repr(value));

  /** Records operations as Python does: in their order, constants folded before they meet a node. */
  class Recorder {
    constructor({ applyRule, pythonRepr }) {
      this.applyRule = applyRule;
      this.repr = pythonRepr;
      const constants = Object.entries(CONSTANTS);
      this.named = new Map(constants.map(([name, value]) => [name, { value, isWhole: false }]));
    }

    value(tree) {
      const read = READERS[tree.type];
      if (!read) {
        throw new FormulaError("Only + - * / **, functions and names are known.", ...place(tree));
      }
      return read(this, tree);
    }

    record(operation, operands, tree) {
      if (operands.every(isConstant)) return this.folded(operation, operands, tree);
      return { name: null, operation, operands, place: place(tree) };
    }

    folded(operation, constants, tree) {
      const operands = constants.map((one) => [one.value, constantText(one, this.repr)]);
      try {
        const [value] = this.applyRule({ operation, operands }, []);
        const isWhole = STAY_WHOLE.includes(operation) && constants.every((one) => one.isWhole);
        return { value, isWhole: isWhole && Number.isSafeInteger(value) };
      } catch (error) {
        throw new FormulaError(`${error.message}.`, ...place(tree));
      }
    }

    assign(name, tree, start) {
      const end = start + name.length;
      if (FUNCTIONS.includes(name) || this.named.has(name)) {
        throw new FormulaError(`${name} stands for something already: take another name.`, start, end);
      }
      const value = this.value(tree);
      if (this.named.has(name)) {
        throw new FormulaError(`${name} cannot be made of itself: take another name.`, start, end);
      }
      if (value.operation && !value.name) value.name = name;
      this.named.set(name, value);
      return value;
    }
  }

  // How each kind of part is read; what has no entry is not known.
  const READERS = {
    Literal(_, tree) {
      if (typeof tree.value !== "number") {
        throw new FormulaError("This is no number.", ...place(tree));
      }
      return { value: tree.value, isWhole: /^\d+$/.test(tree.raw) };
    },

    Identifier(recorder, tree) {
      const { name } = tree;
      if (FUNCTIONS.includes(name)) {
        throw new FormulaError(`${name} needs an argument: ${name}(x).`, ...place(tree));
      }
      if (!WHOLE_NAME.test(name)) {
        throw new FormulaError(`${name} is no name. For a square write x**2.`, ...place(tree));
      }
      if (!recorder.named.has(name)) {
        recorder.named.set(name, { name, operation: "", operands: [], place: place(tree) });
      }
      return recorder.named.get(name);
    },

    UnaryExpression(recorder, tree) {
      const operand = recorder.value(tree.argument);
      if (tree.operator === "-") return recorder.record("neg", [operand], tree);
      if (isConstant(operand)) return operand;
      throw new FormulaError("A plus sign before a term changes nothing: leave it out.", tree.start);
    },

    BinaryExpression(recorder, tree) {
      const turned = powerFirst(tree);
      if (turned !== tree) return recorder.value(turned);
      const operands = [recorder.value(tree.left), recorder.value(tree.right)];
      return recorder.record(tree.operator, operands, tree);
    },

    CallExpression(recorder, tree) {
      const isMethod = tree.callee.type === "MemberExpression" && !tree.callee.computed;
      const name = isMethod ? tree.callee.property.name : tree.callee.name;
      const given = isMethod ? [tree.callee.object, ...tree.arguments] : tree.arguments;
      if (!FUNCTIONS.includes(name)) throw unknownFunction(tree, name);
      if (given.length !== 1) {
        const message = `${name} takes one argument, not ${given.length}.`;
        throw new FormulaError(message, ...place(tree));
      }
      return recorder.record(name, [recorder.value(given[0])], tree);
    },

    Compound(_, tree) {
      const [first, second] = tree.body;
      const message = FUNCTIONS.includes(first.name)
        ? `${first.name} needs its argument in parentheses: ${first.name}(x).`
        : "An operation is missing before this. For a product write *.";
      const there = ADVICE[second.name?.[0]] ?? message;
      throw new FormulaError(there, second.start, second.start + 1);
    },
  };

  const place = (tree) => [tree.start, tree.end];

  /** Turn (-x)**2 into -(x**2) where it was typed without parentheses: Python's minus binds less. */
  function powerFirst(tree) {
    const { left } = tree;
    const isBareMinus = left.type === "UnaryExpression" && !left.inParentheses;
    if (tree.operator !== "**" || !isBareMinus) return tree;
    const power = { ...tree, left: left.argument, start: left.argument.start, end: tree.right.end };
    return { ...left, argument: power, end: power.end };
  }

  function unknownFunction(tree, name) {
    const known = FUNCTIONS.join(", ");
    const message =
      name === undefined || name.length === 1
        ? `For a product write *, as in ${name ?? "(a + b)"}*(b + 1).`
        : `${name} is not known. Known are ${known}.`;
    const end = name === undefined ? tree.end : tree.start + name.length;
    return new FormulaError(message, tree.start, end);
  }

  // --- The graph ----------------------------------------------------------------------------------

  /** List the nodes that an output depends on, operands first, in graph.py's order. */
  function topologicalOrder(output) {
    const order = new Set();
    const visit = (node) => {
      if (isConstant(node) || order.has(node)) return;
      node.operands.forEach(visit);
      order.add(node);
    };
    visit(output);
    return [...order];
  }

  /** Return the labels of nodes: their names, else v1, v2, ... as drawing does. */
  function labelsOf(nodes) {
    const taken = new Set(nodes.map((node) => node.name));
    let number = 0;
    return nodes.map((node) => {
      if (node.name) return node.name;
      do number += 1;
      while (taken.has(`v${number}`));
      return `v${number}`;
    });
  }

  /**
   * Read a formula: lines, or statements between semicolons, of which the last is the output.
   *
   * `numbers` has the explorer's `applyRule` and `pythonRepr`. Returns {graph, places}: the graph as
   * the explorer wants it (see explorer_numbers.js), its inputs still without values, and for each
   * node where in the text it comes from, as [start, end]. Throws a FormulaError.
   */
  function read(text, numbers) {
    const recorder = new Recorder(numbers);
    let output;
    for (const { name, tree, start } of statements(text)) {
      output = name === null ? recorder.value(tree) : recorder.assign(name, tree, start);
    }
    if (isConstant(output) || !output.operation) {
      const message = isConstant(output)
        ? "There is no input in this: a name without a value, such as x, is one."
        : "There is no operation in this.";
      throw new FormulaError(message, 0, text.length);
    }
    const nodes = topologicalOrder(output);
    const labels = labelsOf(nodes);
    const indexOf = new Map(nodes.map((node, index) => [node, index]));
    const operandOf = (operand) =>
      indexOf.get(operand) ?? [operand.value, constantText(operand, numbers.pythonRepr)];
    const described = nodes.map(({ operation, operands }, index) =>
      operation
        ? { label: labels[index], operation, operands: operands.map(operandOf) }
        : { label: labels[index] },
    );
    const graph = { nodes: described, outputs: [nodes.length - 1] };
    return { graph, places: nodes.map((node) => node.place) };
  }

  return { read, FormulaError, FUNCTIONS };
})();
