// The exercises that can be written and checked in the page. Python is loaded at the first click
// and runs in a worker, so that an answer without end can be ended with it.
"use strict";

const SECONDS = 15; // for one click, once Python runs
const HERE = document.currentScript.src;

// --- Python ---------------------------------------------------------------------------------------

/** Python in a worker. `say` is told, in words, what it is doing. */
class Python {
  constructor(say) {
    this.say = say;
    this.stop();
  }

  /** End whatever runs; the next question starts a fresh Python. */
  stop() {
    this.worker?.terminate();
    this.worker = null;
    this.settle?.({ stopped: true });
    this.settle = null;
  }

  async start() {
    if (location.protocol === "file:") {
      throw new Error("a browser runs no worker from a file. Serve the folder: python -m http.server");
    }
    this.say("Python is being loaded: 6 to 14 MB the first time.");
    const began = performance.now();
    this.worker = new Worker(new URL("live_worker.js", HERE), { type: "module" });
    const { kind, message } = await this.nextMessage();
    if (kind === "failed") throw new Error(message);
    if (kind === "ready") this.say(`Python is ready after ${secondsSince(began)} s.`);
  }

  nextMessage() {
    return new Promise((resolve, reject) => {
      this.settle = resolve;
      this.worker.onmessage = ({ data }) => resolve(data);
      this.worker.onerror = (event) => reject(new Error(event.message ?? "no worker"));
    });
  }

  /** Ask, and return {pieces}, or {stopped} or {timedOut} where there was no answer. */
  async ask(question) {
    if (!this.worker) await this.start();
    if (!this.worker) return { stopped: true };
    this.say("Python works …");
    this.worker.postMessage(question);
    const began = performance.now();
    let timedOut = false;
    const limit = setTimeout(() => {
      timedOut = true;
      this.stop();
    }, SECONDS * 1000);
    const answer = await this.nextMessage();
    clearTimeout(limit);
    if (answer.pieces) this.say(`Done in ${secondsSince(began)} s.`);
    return timedOut ? { timedOut } : answer;
  }
}

const secondsSince = (began) => ((performance.now() - began) / 1000).toFixed(1);

// --- The editor -----------------------------------------------------------------------------------

/** Let Tab and Enter indent. After Escape, Tab leaves the field, as everywhere else. */
function indentWithKeys(field) {
  let leaves = false;
  field.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && !leaves) {
      event.preventDefault();
      event.shiftKey ? dedent(field) : insert(field, "    ");
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      insert(field, `\n${indentAfter(lineBefore(field))}`);
    }
    leaves = event.key === "Escape" || (leaves && event.key === "Shift");
  });
  field.addEventListener("blur", () => (leaves = false));
}

const lineBefore = (field) => field.value.slice(0, field.selectionStart).split("\n").at(-1);

const indentAfter = (line) => /^ */.exec(line)[0] + (line.trimEnd().endsWith(":") ? "    " : "");

function insert(field, text) {
  field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input"));
}

function dedent(field) {
  const start = field.selectionStart - lineBefore(field).length;
  const spaces = /^ {0,4}/.exec(field.value.slice(start))[0].length;
  field.setRangeText("", start, start + spaces, "preserve");
  field.dispatchEvent(new Event("input"));
}

// --- One exercise ---------------------------------------------------------------------------------

const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

/** What was typed, kept in the browser; without a store (a private window) for this page only. */
const store = {
  get(name) {
    try {
      return localStorage.getItem(`autodiff-course:${name}`);
    } catch {
      return null;
    }
  },
  set(name, text) {
    try {
      localStorage.setItem(`autodiff-course:${name}`, text);
    } catch {
      // It is then lost with the page.
    }
  },
};

const words = { check: "Check", run: "Run", hint: "Hint", solution: "Solution" };

/** Put an editor and its buttons in place of the stub of an exercise. */
function makeLive(place, python, all) {
  const { name, kind } = place.dataset;
  const stub = place.querySelector("pre").textContent.trimEnd();
  const code = element("textarea", { value: store.get(name) ?? stub, spellcheck: false });
  code.setAttribute("aria-label", `Your answer to ${name}`);
  code.setAttribute("autocapitalize", "off");
  code.setAttribute("aria-describedby", "live-keys");
  const output = element("div", { className: "live-output" });
  output.setAttribute("role", "status");
  const buttons = element("div", { className: "live-buttons" });
  const least = kind === "drill" ? 1 : 4;
  const fit = () => (code.rows = Math.max(least, code.value.split("\n").length + (least > 1)));

  const button = (textContent, onclick) => {
    const made = element("button", { type: "button", textContent, onclick });
    buttons.append(made);
    return made;
  };
  const ask = (action) => () =>
    whileBusy(all, () => python.ask({ name, action, code: code.value })).then(
      (answer) => show(output, answer),
      (error) => {
        python.stop();
        python.say("");
        show(output, { pieces: [["error", `Python could not be loaded: ${error.message}`]] });
      },
    );
  const actions = kind === "drill" ? ["run"] : ["check", "run", "hint", "solution"];
  const [first] = actions.map((action) => button(words[action], ask(action)));
  first.title = "Ctrl+Enter";
  button("Start again", () => {
    const isLost = code.value !== stub;
    if (isLost && !confirm("Put the first lines back? What you have typed is lost.")) return;
    code.value = stub;
    code.dispatchEvent(new Event("input"));
    code.focus();
  });

  code.addEventListener("input", () => {
    store.set(name, code.value);
    fit();
  });
  code.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) first.click();
  });
  indentWithKeys(code);
  fit();
  place.replaceChildren(code, buttons, output);
}

/** While Python works, its buttons cannot be pressed; Stop can. */
async function whileBusy(all, work) {
  const busy = [...all.querySelectorAll(".live-buttons button:not(:disabled)")];
  const focused = document.activeElement;
  busy.forEach((button) => (button.disabled = true));
  all.classList.add("live-is-busy");
  try {
    return await work();
  } finally {
    busy.forEach((button) => (button.disabled = false));
    all.classList.remove("live-is-busy");
    focused?.focus();
  }
}

function show(output, { pieces, stopped, timedOut }) {
  if (timedOut) {
    const words = `No result after ${SECONDS} s. Is there a loop that never ends? Python was ended; `;
    pieces = [["error", `${words}the next click starts a fresh one.`]];
  } else if (stopped) {
    pieces = [["text", "Stopped. The next click starts a fresh Python."]];
  }
  const parts = pieces.map(([kind, content]) =>
    kind === "html"
      ? // It comes from the course's own classes, which escape what a reader typed.
        element("div", { innerHTML: content })
      : element("pre", { className: `live-${kind}`, textContent: content, tabIndex: 0 }),
  );
  output.replaceChildren(...parts);
}

document.addEventListener("DOMContentLoaded", () => {
  const all = document.querySelector("article");
  const told = element("span");
  told.setAttribute("role", "status");
  const python = new Python((text) => (told.textContent = text));
  const stop = element("button", { type: "button", textContent: "Stop", onclick: () => python.stop() });
  all.append(element("div", { className: "live-bar" }, told, stop));
  for (const place of all.querySelectorAll(".live")) makeLive(place, python, all);
});
