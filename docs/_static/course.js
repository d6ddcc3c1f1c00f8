"use strict";

// A link to a section from the time when a notebook was one page leads to the section's page.
function followMovedAnchor() {
  const places = document.getElementById("moved");
  const place = places && JSON.parse(places.textContent)[decodeURIComponent(location.hash.slice(1))];
  if (place) location.replace(place);
}

// A formula or an output that is too wide for the screen scrolls by itself; with the keyboard, too.
// No other one is a stop of the Tab key.
function letWideOnesScroll() {
  for (const wide of document.querySelectorAll("div.math, .cell_output pre")) {
    if (wide.scrollWidth > wide.clientWidth + 2) wide.tabIndex = 0;
    else wide.removeAttribute("tabindex");
  }
}

// The code of a block; of a session with the prompts >>>, only what was typed.
function codeOf(block) {
  const text = block.querySelector("pre").textContent.trimEnd();
  if (!text.startsWith(">>> ")) return text;
  const typed = text.split("\n").filter((line) => /^(>>>|\.\.\.)( |$)/.test(line));
  return typed.map((line) => line.slice(4)).join("\n");
}

function addCopyButtons() {
  if (!navigator.clipboard) return;
  for (const block of document.querySelectorAll("article div.highlight")) {
    if (block.closest(".cell_output")) continue;
    const button = document.createElement("button");
    const say = (text) => (button.textContent = text);
    Object.assign(button, { type: "button", className: "copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      const done = await navigator.clipboard.writeText(codeOf(block)).then(
        () => true,
        () => false,
      );
      say(done ? "Copied" : "Not copied");
      button.classList.add("is-done");
      setTimeout(() => {
        say("Copy");
        button.classList.remove("is-done");
      }, 2000);
    });
    block.append(button);
  }
}

// The theme's arrows that open a part of the contents have a picture and no name.
function nameArrows() {
  for (const arrow of document.querySelectorAll("nav summary")) {
    const link = arrow.closest("li").querySelector("a");
    arrow.setAttribute("aria-label", `Pages of ${link.textContent.trim()}`);
  }
}

document.addEventListener("DOMContentLoaded", followMovedAnchor);
document.addEventListener("DOMContentLoaded", nameArrows);
document.addEventListener("DOMContentLoaded", letWideOnesScroll);
document.addEventListener("DOMContentLoaded", addCopyButtons);
window.addEventListener("resize", letWideOnesScroll);
