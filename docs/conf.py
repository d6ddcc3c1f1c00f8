"""The settings of Sphinx for the course's site; `make site` builds it."""

import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path[:0] = [str(DOCS), str(ROOT / "tools")]

from address import repository  # noqa: E402  # it lies in tools/
from gather import EXTRA, STATIC  # noqa: E402

_settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_repository = repository(ROOT)

project = "Automatic differentiation in PyTorch"
author = _settings["authors"][0]["name"]
release = version = _settings["version"]
project_copyright = f"{author}. Text and figures: CC BY 4.0. Code: MIT."
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.githubpages",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "course_site",
    "formulas",
    "live_pages",
    "symbols",
]
# README.md is there to be included in the title page.
exclude_patterns = ["README.md", STATIC, EXTRA]

# --- Pages ----------------------------------------------------------------------------------------

nb_execution_mode = "off"  # the outputs are committed, and a test compares them with fresh ones
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
# The anchors that GitHub makes of headings, so that a link to one works there and here.
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "none"  # the docstrings say it in words
default_role = "py:obj"  # `name` in a docstring: a link where there is such a thing, else code
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]  # it may name several in one line
add_module_names = False
toc_object_entries_show_parents = "hide"

# --- Looks ----------------------------------------------------------------------------------------

html_theme = "sphinx_book_theme"
html_title = project
html_baseurl = _settings["urls"].get(
    "Documentation", f"https://{_repository.owner}.github.io/{_repository.name}/"
)
# Where the site begins on its host; 404.html is shown at any depth and must know.
html_context = {
    "default_mode": "auto",
    "html_baseurl_path": urlsplit(html_baseurl).path.rstrip("/") + "/",
}
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["course.css"]
html_js_files = ["course.js"]
html_additional_pages = {"404": "404.html"}
html_last_updated_fmt = None  # the same sources make the same site
html_copy_source = True  # for "Download this page"
html_theme_options = {
    "repository_url": _repository.url,
    "repository_branch": "main",
    "path_to_docs": "docs",
    "use_repository_button": True,
    "use_source_button": True,
    "use_edit_page_button": True,
    "home_page_in_toc": True,
    "show_toc_level": 2,
    # Only the pages of the notebook that is read: all of them on each page took a third of the
    # time that the whole site takes to build.
    "collapse_navbar": True,
    "navbar_persistent": [],
    "logo": {"text": "Automatic differentiation in PyTorch", "alt_text": ""},
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    # The addresses themselves come from course_site, which knows where the notebooks lie.
    "launch_buttons": {
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com",
    },
}

html_math_renderer = "built"  # by formulas.py
