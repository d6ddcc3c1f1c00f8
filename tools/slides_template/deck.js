// Typesets the formulas, makes every slide fit, and then starts reveal.js.

const WIDTH = 1280;
const HEIGHT = 720;
// The box of the content inside a slide; deck.css has the same margins.
const BOX = { width: WIDTH - 2 * 48, height: HEIGHT - 32 - 44 };
const SMALLEST_SCALE = 0.65;
// A table that was printed should not wrap. Smaller than this, long lines had better do.
const SMALLEST_WITHOUT_WRAPPING = 0.85;

// How large the pictures and the whole content are, from the wish to the worst that is allowed.
// A picture is drawn for a page; on the wall it may be almost twice as large.
const SIZES = [
  { pictures: 1.5, scale: 1.2 },
  { pictures: 1.5, scale: 1.1 },
  ...[1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3].map((pictures) => ({ pictures, scale: 1 })),
  ...[0.95, 0.9, 0.85, 0.8].map((scale) => ({ pictures: 1.3, scale })),
  ...[0.8, 0.75, 0.7, SMALLEST_SCALE].map((scale) => ({ pictures: 1.1, scale })),
];

// Formulas become SVG without a shared cache, so that the speaker view can show copies of them.
window.MathJax = {
  tex: {
    inlineMath: [["$", "$"], ["\\(", "\\)"]],
    displayMath: [["$$", "$$"], ["\\[", "\\]"]],
    processEscapes: true,
  },
  svg: { fontCache: "local", scale: 0.92 },
  options: { enableMenu: false },
};

function setSize(box, { pictures, scale }) {
  box.style.setProperty("--pictures", pictures);
  box.style.setProperty("--scale", scale);
  box.dataset.scale = scale;
}

function fits(box) {
  const wide = (element) => element.scrollWidth > element.clientWidth + 1;
  if (wide(box) || box.scrollHeight > box.clientHeight + 1) return false;
  return ![...box.querySelectorAll("pre")].some(wide);
}

function wraps(box) {
  return [...box.querySelectorAll("pre")].some((pre) => {
    pre.style.whiteSpace = "pre";
    const tooWide = pre.scrollWidth > pre.clientWidth + 1;
    pre.style.whiteSpace = "";
    return tooWide;
  });
}

function fit(box) {
  for (const picture of box.querySelectorAll("img, svg[role=img]:not(mjx-container *)")) {
    picture.style.setProperty("--natural", `${picture.getBoundingClientRect().width}px`);
  }
  box.classList.add("measured");
  const largest = (isGood) =>
    SIZES.find((candidate) => {
      setSize(box, candidate);
      return isGood(candidate);
    });
  const size =
    largest(({ scale }) => scale >= SMALLEST_WITHOUT_WRAPPING && fits(box) && !wraps(box)) ??
    largest(() => fits(box));
  box.dataset.fits = size ? "yes" : "no";
}

async function start() {
  await MathJax.startup.promise;
  // A broken image must not keep the deck from starting.
  await Promise.allSettled([...document.images].map((image) => image.decode()));
  document.querySelectorAll(".fit").forEach(fit);
  await Reveal.initialize({
    width: WIDTH,
    height: HEIGHT,
    margin: 0.02,
    center: false,
    hash: true,
    // Every key and clicker steps through all slides; no slide below another one is passed over.
    navigationMode: "linear",
    slideNumber: "c/t",
    transition: "none",
    // A narrow window shows slides, too, instead of a page that scrolls.
    scrollActivationWidth: 0,
    defaultTiming: 60,
    plugins: [RevealNotes],
  });
}

document.addEventListener("DOMContentLoaded", start);
