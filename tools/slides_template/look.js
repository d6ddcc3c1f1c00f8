// What is seen of every slide with all its fragments: what does not fit, and the smallest type. What
// lies inside a picture or a formula is theirs; their own box counts.
() => Reveal.getSlides().map((slide) => {
    const LITERAL = "pre, code, svg, script, style";
    const {h, v} = Reveal.getIndices(slide);
    Reveal.slide(h, v, 1000);
    const box = slide.querySelector(".fit"), edge = box.getBoundingClientRect(), faults = [];
    // Neither a folded part nor what only a screen reader is told takes room.
    const seen = (element) =>
        element.checkVisibility() && !getComputedStyle(element).clipPath.startsWith("inset(50%");
    const shown = [...box.querySelectorAll("*:not(svg *, mjx-container *)")].filter(seen);
    const name = (element) =>
        `<${element.tagName.toLowerCase()}> ${element.textContent.trim().slice(0, 40)}`;
    for (const element of shown) {
        const place = element.getBoundingClientRect(), style = getComputedStyle(element);
        if (place.right > edge.right + 1) faults.push(`too wide: ${name(element)}`);
        if (place.bottom > edge.bottom + 1) faults.push(`too low: ${name(element)}`);
        if (style.overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1)
            faults.push(`clipped: ${name(element)}`);
        if (element.tagName === "PRE" && element.scrollWidth > element.clientWidth + 1)
            faults.push(`a line is too long: ${name(element)}`);
    }
    if (box.dataset.fits !== "yes") faults.push("does not fit at the smallest scale: split it");
    for (const formula of slide.querySelectorAll("mjx-merror, [data-mml-node=merror]"))
        faults.push(`bad formula: ${name(formula)}`);
    const walker = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
    for (let text; (text = walker.nextNode()); )
        if (/\$|\\\(/.test(text.data) && !text.parentElement.closest(LITERAL))
            faults.push(`a formula that was not typeset: ${text.data.trim().slice(0, 40)}`);
    for (const image of box.querySelectorAll("img"))
        if (!image.alt || image.alt.startsWith("No description"))
            faults.push("an image without alt text");
    for (const svg of box.querySelectorAll("svg[role=img]:not(mjx-container *)"))
        if (!svg.getAttribute("aria-label") && !svg.querySelector(":scope > title"))
            faults.push("a picture without a label");
    // The smallest type of the text, and of the pictures, in pixels of a slide that is 720 high.
    const type = [], drawn = [], zoom = Number(box.dataset.scale);
    for (const element of shown) {
        const owns = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        if (owns && !element.closest("sup, sub, .adq-room, style, script"))
            type.push(parseFloat(getComputedStyle(element).fontSize) * zoom);
    }
    for (const text of box.querySelectorAll("svg text:not(mjx-container *)"))
        if (text.checkVisibility() && text.textContent.trim())
            drawn.push(
                parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a / Reveal.getScale()
            );
    for (const image of [...box.querySelectorAll("img")].filter(seen)) {
        const width = image.getBoundingClientRect().width / Reveal.getScale();
        if (image.src.startsWith("data:image/svg")) {
            const svg = decodeURIComponent(image.src);
            const units = parseFloat(svg.match(/viewBox="\S+ \S+ (\S+)/)[1]);
            const sizes = [...svg.matchAll(/font-size="([\d.]+)"/g)];
            drawn.push(Math.min(...sizes.map((found) => found[1])) * width / units);
        } else {
            // A plot's text has 10 points unless it says otherwise, and 96 pixels to the inch.
            drawn.push(10 / 72 * 96 * width / Number(image.getAttribute("width")));
        }
    }
    const smallest = (sizes) => (sizes.length ? Math.min(...sizes) : null);
    return {
        id: slide.id, h, v, faults, scale: zoom, type: smallest(type), drawn: smallest(drawn),
        notes: slide.querySelector("aside.notes").innerText,
        notesSize: Number(slide.querySelector("aside.notes").dataset.size),
    };
})
