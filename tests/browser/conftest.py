"""A real JupyterLab and the real site on loopback, and a real browser in front of them."""

import contextlib
import functools
import http.server
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from filelock import FileLock

import chromium
from address import repository
from notebooks import ROOT, course_notebooks

TOKEN = "course"
BUILD = ROOT / "build" / "browser"
NARROW = {"width": 400, "height": 800}
WIDE = {"width": 1280, "height": 900}
SETTINGS = {
    # All cells in the page at once, or those out of sight could not be looked at.
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _write_settings(folder):
    for name, values in SETTINGS.items():
        path = folder / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


def _wait_until_it_answers(address, server, log):
    for _ in range(240):
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=5).close()
            return
        if server.poll() is not None:
            break
        time.sleep(0.25)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The address of a JupyterLab that serves a copy of the notebooks and nothing else."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    for path in course_notebooks():
        shutil.copy(path, folder / "notebooks")
    _write_settings(folder / "settings")
    port, log = _free_port(), folder / "log.txt"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--config={ROOT / 'tools' / 'jupyter_lab_config.py'}"]
    command += [f"--port={port}", "--ip=127.0.0.1", f"--ServerApp.root_dir={folder / 'notebooks'}"]
    command += [f"--IdentityProvider.token={TOKEN}", "--LabApp.extension_manager=readonly"]
    command += ["--LabApp.expose_app_in_browser=True"]
    # Nothing of this machine's own configuration, and nothing left behind in it.
    private = {
        "JUPYTER_CONFIG_DIR": folder / "config",
        "JUPYTER_DATA_DIR": folder / "data",
        "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
        "IPYTHONDIR": folder / "ipython",
    }
    environment = os.environ | {name: str(path) for name, path in private.items()}
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(address, server, log)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


@pytest.fixture(scope="session")
def web():
    """The folder of the JavaScript packages that slides and site bring along."""
    for program in ("make", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine")
    # What a make around these tests hands on is not meant for this one.
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    BUILD.mkdir(parents=True, exist_ok=True)
    # Test processes run side by side, and one installation serves them all.
    with FileLock(BUILD / "web.lock"):
        done = subprocess.run(
            ["make", "build/web/.installed"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        pytest.fail(f"the JavaScript packages could not be installed:\n{done.stderr}")
    return ROOT / "build" / "web" / "node_modules"


@pytest.fixture(scope="session")
def browser():
    """The system's own Chromium, driven by Playwright."""
    program = chromium.find()
    if program is None:
        names = ", ".join(chromium.PROGRAMS)
        pytest.skip(f"no browser on this machine: none of {names} is installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=chromium.QUIET)
        yield started
        started.close()


class Visit:
    """A page with a notebook that has been run, and everything that went wrong on it."""

    def __init__(self, page, address, notebook):
        self.page, self.address, self.notebook = page, address, notebook
        self.faults = []
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("request", self._note_request)
        # The page does not show the ids, only the order of the cells.
        cells = json.loads((ROOT / "notebooks" / notebook).read_text(encoding="utf-8"))["cells"]
        self._ids = [cell["id"] for cell in cells]

    def _note_request(self, request):
        own = (self.address, self.address.replace("http", "ws"), "data:", "blob:")
        if not request.url.startswith(own):
            self.faults.append(f"request to another host: {request.url}")

    def restart_and_run_all(self):
        """Open the notebook, restart its kernel, and run every cell to the end."""
        self.page.goto(f"{self.address}/lab/tree/{self.notebook}?token={TOKEN}&reset")
        self.page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        self.page.evaluate(RESTART)
        # While a kernel restarts, JupyterLab's own connections to it may fail in the page.
        self.faults = [fault for fault in self.faults if not fault.startswith("page error")]
        self.page.evaluate(RUN_ALL)

    def cell(self, cell_id):
        """The output area of the cell with this id."""
        index = self._ids.index(cell_id)
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-Cell-outputArea")

    def keep_picture(self, name):
        """Keep what is in sight as a picture under build/."""
        self.page.screenshot(path=BUILD / f"{name}.png")

    def keep_numbers(self, name, numbers):
        """Keep measured numbers under build/: a time is noisy, so it is not asserted."""
        (BUILD / f"{name}.json").write_text(json.dumps(numbers))


# The commands of JupyterLab's own menus, called where one can wait for their end.
RESTART = """async () => {
    const context = window.jupyterapp.shell.currentWidget.sessionContext;
    await context.ready;
    await context.session.kernel.info;
    await context.restartKernel();
    await context.session.kernel.info;
}"""
RUN_ALL = """async () => {
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
}"""


@pytest.fixture(scope="session")
def visit_to(lab, browser):
    """Return the page of a notebook; it is opened and run once, for all tests that look at it."""
    BUILD.mkdir(parents=True, exist_ok=True)

    @functools.cache
    def visit(notebook):
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        opened = Visit(page, lab, notebook)
        try:
            opened.restart_and_run_all()
        finally:
            opened.keep_picture(f"{notebook}-after-running")
        return opened

    return visit


# --- The site ------------------------------------------------------------------------------------


def recipe(verb):
    """The commands that a verb of the Makefile runs after what it depends on."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.search(rf"^{verb}:.*\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)[1]
    return [line.strip().replace("$(BIN)/python", sys.executable) for line in lines.splitlines()]


@pytest.fixture(scope="session")
def site(web, tmp_path_factory):
    """The folder of a site that has just been built."""
    pytest.importorskip("sphinx", reason="the site needs what requirements-dev.txt pins")
    # Test processes run side by side in folders beside each other, and one site serves them all.
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "whole-site"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        if not (folder / "built").exists():
            _build_site(folder)
            (folder / "built").touch()
    return folder / "site"


def _build_site(folder):
    for command in recipe("site"):
        arguments = shlex.split(command.replace("build/", f"{folder.as_posix()}/"))
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0 or done.stderr:
            pytest.fail(f"{command}\n{done.stdout}{done.stderr}")


@pytest.fixture(scope="session")
def address(site):
    """Where a server shows the site, with its own page for what is missing, as hosts do."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path):
            # The site also stands in a folder, as it does on GitHub Pages.
            return super().translate_path(path.removeprefix(f"/{repository().name}"))

        def send_error(self, code, *_):
            content = (site / "404.html").read_bytes()
            self.send_response(code)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Visitor:
    """A tab of a browser, and what went wrong in it."""

    def __init__(self, page, address, web):
        self.page, self.address = page, address
        self.axe = (web / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
        self.faults = []
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("console", self._note_message)
        page.on("request", self._note_request)

    def _note_message(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.type}: {message.text}")

    def _note_request(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"request to another host: {request.url}")

    def open(self, name, size=WIDE, theme="light"):
        """Open a page."""
        self.faults = []
        self.page.set_viewport_size(size)
        self.page.emulate_media(color_scheme=theme)
        self.page.goto(f"{self.address}/{name}")

    def violations(self, *rules, code=False):
        """What axe finds that keeps people out, by all of its rules or by some.

        The thousands of words in the cells of a notebook have few colours, so that it is enough
        to look at the `code` of some pages. The inside of a drawing is its own: it has one name.
        """
        self.page.evaluate(LIGHTEN, "svg > g")
        if not code:
            self.page.evaluate(LIGHTEN, ".highlight pre span")
        self.page.evaluate(self.axe)
        return self.page.evaluate(RUN_AXE, list(rules))


# Leaves of an element what is text.
LIGHTEN = """(selector) => document.querySelectorAll(selector).forEach(
    (part) => part.replaceWith(part.closest("svg") ? "" : part.textContent))"""
RUN_AXE = """async (rules) => {
    const how = rules.length ? {runOnly: rules} : {};
    const found = await axe.run({resultTypes: ["violations"], ...how});
    return found.violations
        .filter(({impact}) => ["serious", "critical"].includes(impact))
        .map(({id, nodes}) => [id, nodes.map(({target}) => target.join(" "))]);
}"""


@pytest.fixture(scope="session")
def visitor(browser, address, web):
    page = browser.new_page()
    yield Visitor(page, address, web)
    page.close()
