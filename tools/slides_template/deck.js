// Typesets the formulas, makes every slide fit, and then starts reveal.js.

const WIDTH = 1280;
const HEIGHT = 720;
const SMALLEST_SCALE = 0.65;
// A table that was printed should not wrap. Smaller than this, long lines had better do.
const SMALLEST_WITHOUT_WRAPPING = 0.85;

// How large the pictures, the code and the whole content are, from the wish to the worst that is
// allowed. A picture is drawn for a page; on the wall it may be several times as large.
const range = (from, to, step) =>
  Array.from({ length: Math.round((from - to) / step) + 1 }, (_, i) => from - i * step);
const SHRUNK = [
  ...[0.95, 0.9, 0.85, 0.8].map((scale) => ({ pictures: 1.3, scale })),
  ...[0.8, 0.75, 0.7, SMALLEST_SCALE].map((scale) => ({ pictures: 1.1, scale })),
];
const DUMPED = [
  { pictures: 1.5, scale: 1.2 },
  { pictures: 1.5, scale: 1.1 },
  ...[1.9, 1.8, 1.7, 1.6, 1.5, 1.4, 1.3].map((pictures) => ({ pictures, scale: 1 })),
  ...SHRUNK,
];
// In a planned deck the type keeps its size from slide to slide: pictures, code and cards give.
const planned = (hasPictures) => [
  ...(hasPictures ? [28, 26, 24] : [40, 36, 34, 32, 30, 28, 26, 24]).flatMap((code) =>
    range(hasPictures ? 3.4 : 1.8, 1.8, 0.05).map((pictures) => ({ pictures, code, scale: 1 })),
  ),
  ...range(1.75, 1, 0.05).map((pictures) => ({ pictures, code: 24, scale: 1 })),
  ...SHRUNK,
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

const make = (tag, className) => Object.assign(document.createElement(tag), { className });

function setSize(box, { pictures, scale, code = 24 }) {
  box.style.setProperty("--code-size", `${code}px`);
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

// A graph is drawn for a page. On the wall it needs no margin of its own, its boxes leave room for
// larger type, and a line may pass below a label.
const GROWN = 1.2;
const MARGIN = 9;
const HALO = ".edge text { paint-order: stroke; stroke: white; stroke-width: 3px; }";

function forTheWall(svg) {
  for (const group of svg.querySelectorAll("[font-size]")) {
    group.setAttribute("font-size", GROWN * group.getAttribute("font-size"));
  }
  const [x, y, width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const [inner, high] = [width - 2 * MARGIN, height - 2 * MARGIN];
  svg.setAttribute("viewBox", [x + MARGIN, y + MARGIN, inner, high].join(" "));
  svg.setAttribute("width", `${inner}pt`);
  svg.setAttribute("height", `${high}pt`);
  const style = document.createElementNS("http://www.w3.org/2000/svg", "style");
  style.textContent = HALO;
  svg.prepend(style);
}

function redraw(image) {
  if (!image.src.startsWith("data:image/svg+xml;base64,")) return;
  const bytes = Uint8Array.from(atob(image.src.split(",")[1]), (c) => c.charCodeAt(0));
  const drawing = new DOMParser().parseFromString(new TextDecoder().decode(bytes), "image/svg+xml");
  forTheWall(drawing.documentElement);
  const text = new XMLSerializer().serializeToString(drawing);
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
}

const PICTURES = "img, svg[role=img]:not(mjx-container *), .ad-explorer .picture svg";

function fit(box) {
  for (const picture of box.querySelectorAll(PICTURES)) {
    picture.style.setProperty("--natural", `${picture.getBoundingClientRect().width}px`);
  }
  box.classList.add("measured");
  const sizes = box.closest(".planned") ? planned(box.querySelector(PICTURES)) : DUMPED;
  const largest = (isGood) =>
    sizes.find((candidate) => {
      setSize(box, candidate);
      return isGood(candidate);
    });
  const size =
    largest(({ scale }) => scale >= SMALLEST_WITHOUT_WRAPPING && fits(box) && !wraps(box)) ??
    largest(() => fits(box));
  box.dataset.fits = size ? "yes" : "no";
}

// The largest type in which all of a slide's notes are in sight in a speaker's view of 1280 × 800.
const NOTES = { width: 616, height: 545, window: 1280 };

function fitNotes(notes) {
  const text = notes.lastElementChild;
  const trial = make("div", "trial speaker-controls-notes");
  trial.style.width = `${NOTES.width}px`;
  trial.append(text);
  document.body.append(trial);
  const size = range(20, 12, 0.5).find((candidate) => {
    trial.style.fontSize = `${candidate}px`;
    return trial.offsetHeight <= NOTES.height;
  });
  notes.append(text);
  trial.remove();
  notes.dataset.size = size ?? "none";
  text.style.fontSize = `${(100 * (size ?? 12)) / NOTES.window}vw`;
}

// A fragment that takes the place of what stands before it: both lie in one cell of a grid.
function stack(fragment) {
  const before = fragment.previousElementSibling;
  const isStack = before.classList.contains("stack");
  const pile = isStack ? before : make("div", "stack");
  if (!isStack) before.replaceWith(pile);
  pile.append(...(isStack ? [] : [before]), fragment);
}

// Show a part of a plot: one of its panels, or all but the title that the slide's heading repeats.
async function crop(cell) {
  const [left, top, right, bottom] = cell.dataset.crop.split(" ").map((share) => share / 100);
  const picture = cell.querySelector("img[src^='data:image/png']");
  await picture.decode();
  const { naturalWidth: width, naturalHeight: height } = picture;
  const canvas = document.createElement("canvas");
  canvas.width = (right - left) * width;
  canvas.height = (bottom - top) * height;
  canvas.getContext("2d").drawImage(picture, -left * width, -top * height);
  picture.setAttribute("width", (right - left) * picture.getAttribute("width"));
  picture.src = canvas.toDataURL();
}

// A picture over which time passes: white strips over it go away one after the other.
function cover(cell) {
  const [direction, ...numbers] = cell.dataset.uncover.split(" ");
  const [left, top, right, bottom, steps] = numbers.map(Number);
  const picture = cell.querySelector("img");
  const frame = make("div", "frame");
  picture.replaceWith(frame);
  frame.append(picture);
  const [across, down] = direction === "right" ? [1, 0] : [0, 1];
  const width = (right - left) / (across ? steps : 1);
  const height = (bottom - top) / (down ? steps : 1);
  for (let i = 0; i < steps; i++) {
    const strip = make("span", "fragment fade-out strip");
    const place = { left: left + across * i * width, top: top + down * i * height, width, height };
    for (const [side, share] of Object.entries(place)) strip.style[side] = `${share}%`;
    frame.append(strip);
  }
}

// The key that goes on also moves a sweep that can be stepped through: each step is a fragment.
function stepsOf(explorer) {
  const slider = explorer.querySelector("input[aria-label=step]");
  const buttons = [...explorer.querySelectorAll("button")];
  const forward = buttons.find((one) => one.textContent.startsWith("Forward"));
  return slider && { slider, forward };
}

function addSteps(explorer) {
  const steps = stepsOf(explorer);
  for (let i = 0; i < Number(steps?.slider.max ?? 0); i++) {
    explorer.after(make("span", "fragment beat"));
  }
}

function showSteps(slide) {
  for (const explorer of slide?.querySelectorAll(".ad-explorer") ?? []) {
    const steps = stepsOf(explorer);
    const shown = [...explorer.parentElement.querySelectorAll(":scope > .beat.visible")].length;
    if (!steps || shown === Number(steps.slider.value)) continue;
    if (shown === Number(steps.slider.value) + 1) {
      steps.forward.click(); // the numbers are seen to travel
    } else {
      steps.slider.value = shown;
      steps.slider.oninput();
    }
  }
}

async function start() {
  await MathJax.startup.promise;
  document.querySelectorAll(".planned .fit img").forEach(redraw);
  document.querySelectorAll(".planned .ad-explorer .picture svg").forEach(forTheWall);
  // A broken image must not keep the deck from starting.
  await Promise.allSettled([...document.images].map((image) => image.decode()));
  document.querySelectorAll(".fragment.instead").forEach(stack);
  await Promise.all([...document.querySelectorAll("[data-crop]:not([data-crop=''])")].map(crop));
  document.querySelectorAll("[data-uncover]:not([data-uncover=''])").forEach(cover);
  document.querySelectorAll(".ad-explorer").forEach(addSteps);
  document.querySelectorAll(".fit").forEach(fit);
  document.querySelectorAll("aside.notes").forEach(fitNotes);
  await Reveal.initialize({
    width: WIDTH,
    height: HEIGHT,
    margin: 0, // deck.css has them
    center: false,
    hash: true,
    // Every key and clicker steps through all slides; no slide below another one is passed over.
    navigationMode: "linear",
    slideNumber: "c/t",
    transition: "none",
    // A narrow window shows slides, too, instead of a page that scrolls.
    scrollActivationWidth: 0,
    defaultTiming: 60,
    // On paper every slide is one page, with all that it shows in the end.
    pdfSeparateFragments: false,
    plugins: [RevealNotes],
  });
  if (Reveal.isPrintView()) {
    const explorers = [...document.querySelectorAll(".ad-explorer")];
    for (const { slider } of explorers.map(stepsOf).filter(Boolean)) {
      slider.value = slider.max;
      slider.oninput();
    }
    return;
  }
  const follow = () => showSteps(Reveal.getCurrentSlide());
  for (const event of ["fragmentshown", "fragmenthidden", "slidechanged"]) Reveal.on(event, follow);
}

document.addEventListener("DOMContentLoaded", start);
