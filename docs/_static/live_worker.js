// Python beside the page: loads Pyodide, the course's package and live_python.py, all from this
// site, and answers one question after the other. The page may end it at any time.
import { loadPyodide } from "./pyodide/pyodide.mjs";

async function started() {
  const python = await loadPyodide();
  const answer = await fetch("autodiff_course.zip");
  python.unpackArchive(await answer.arrayBuffer(), "zip");
  return python.pyimport("live_python");
}

const ready = started();
ready.then(
  () => postMessage({ kind: "ready" }),
  (error) => postMessage({ kind: "failed", message: error.message }),
);

onmessage = async ({ data: { name, action, code } }) => {
  const live = await ready;
  const pieces = live.pieces(name, action, code);
  postMessage({ kind: "answer", pieces: pieces.toJs() });
  pieces.destroy();
};
