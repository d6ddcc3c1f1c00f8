// Sets formulas with MathJax, whose folder is the first argument: each line that comes in is
// [TeX, display] as JSON, each line that goes out the HTML as JSON. With "css" as the second
// argument it prints the style sheet that all of them need.
const [, , home, task] = process.argv;
const settings = {
  loader: { load: ["input/tex", "output/chtml", "a11y/assistive-mml"] },
  chtml: { fontURL: "mathjax", adaptiveCSS: false },
};

require(`${home}/es5/node-main.js`)
  .init(settings)
  .then((MathJax) => {
    const { adaptor } = MathJax.startup;
    if (task === "css") {
      console.log(adaptor.textContent(MathJax.chtmlStylesheet()));
      return;
    }
    const lines = require("readline").createInterface({ input: process.stdin });
    lines.on("line", (line) => {
      const [tex, display] = JSON.parse(line);
      console.log(JSON.stringify(adaptor.outerHTML(MathJax.tex2chtml(tex, { display }))));
    });
  });
