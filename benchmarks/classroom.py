"""Measure a class on one JupyterHub: memory and seconds, for each student and for all of them.

    python benchmarks/classroom.py [--students 1 5 10 30] [--notebooks 01 08] [--write]

The hub has the settings that docs/teaching.md shows, but for its doors: whoever comes is let in.
Students arrive a few at a time; each starts a server, opens a notebook and runs all of its cells,
through the hub's proxy, as a browser would. Their kernels stay open, as they do in a lesson.

Memory is counted as PSS (proportional set size): a page that k processes share counts 1/k in each,
so that the sum is what the class takes. Of the students the median is kept, and as `above` by how
much a kernel was at most seen to have more while it ran than at its end. Seconds are told by the
clock and, on a machine that others use as well, by the processor. `--write` keeps the numbers in
benchmarks/classroom.json, from which tools/lectures.py makes the tables of the page.

Linux only. Needs, beside the course, in one environment: pip install jupyterhub; and on the PATH,
npm install --global configurable-http-proxy.
"""

import argparse
import contextlib
import json
import re
import secrets
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEPT = Path(__file__).with_suffix(".json")
HOST, PORT = "127.0.0.1", 8765
SPARE = 2000  # megabytes that are left to others on the machine
OPEN_DOORS = """
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r} + "/{{username}}"
c.Spawner.environment["NUMBA_CACHE_DIR"] = lambda spawner: {homes!r} + "/" + spawner.user.name
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser", "--allow-root"]
c.JupyterHub.bind_url = "http://{host}:{port}"
c.JupyterHub.hub_port = {port} + 1
c.ConfigurableHTTPProxy.api_url = "http://{host}:" + str({port} + 2)
c.JupyterHub.services = [{{"name": "measure", "api_token": {token!r}}}]
c.JupyterHub.load_roles = [
    {{"name": "all", "scopes": ["admin:users", "admin:servers", "access:servers"],
      "services": ["measure"]}}
]
c.Spawner.http_timeout = c.Spawner.start_timeout = 300
c.JupyterHub.concurrent_spawn_limit = 100
"""


def megabytes(process):
    return process.memory_full_info().pss / 1e6


def processor_seconds(process):
    return sum(process.cpu_times()[:4])  # of its children, too


class Hub:
    """A JupyterHub in a folder of its own, and calls to it."""

    def __init__(self, folder):
        import psutil
        import requests

        token, self.folder = secrets.token_hex(16), Path(folder)
        shown = re.search(
            r"```python\n(# jupyterhub_config\.py.*?)```",
            (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8"),
            re.DOTALL,
        )[1]
        doors = OPEN_DOORS.format(
            homes=folder, python=sys.executable, host=HOST, port=PORT, token=token
        )
        (self.folder / "jupyterhub_config.py").write_text(shown + doors)
        self.web = requests.Session()
        self.web.headers["Authorization"] = f"token {token}"
        with (self.folder / "log").open("w") as log:
            command = [sys.executable, "-m", "jupyterhub", "--config=jupyterhub_config.py"]
            started = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        self.process = psutil.Process(started.pid)
        self.wait("get", "hub/api/", 200)

    def call(self, verb, path, **data):
        return self.web.request(verb, f"http://{HOST}:{PORT}/{path}", json=data, timeout=300)

    def wait(self, verb, path, status, seconds=300):
        """Call until the answer has the status."""
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError):
                answer = self.call(verb, path)
                if answer.status_code == status:
                    return answer
            if time.monotonic() > end:
                raise TimeoutError(f"{path}: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def processes(self):
        """The processes of the hub by kind: hub, proxy, server or kernel."""
        kinds = {"hub": [self.process], "proxy": [], "server": [], "kernel": []}
        marks = {"configurable-http-proxy": "proxy", "singleuser": "server", "ipykernel": "kernel"}
        for process in self.process.children(recursive=True):
            command = " ".join(process.cmdline())
            kind = next((kind for mark, kind in marks.items() if mark in command), "hub")
            kinds[kind].append(process)
        return kinds

    def memory(self):
        kinds = self.processes()
        return {kind: sum(map(megabytes, found)) for kind, found in kinds.items()}

    def close(self):
        children = self.process.children(recursive=True)
        self.process.terminate()
        with contextlib.suppress(Exception):
            self.process.wait(30)
        for process in children:
            with contextlib.suppress(Exception):
                process.kill()


def run_cell(socket, code):
    """Run one cell over the kernel's web socket; return the name of its error, if it has one."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
    header |= {"username": "", "session": "measure", "date": "2000-01-01T00:00:00Z"}
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
    content |= {"allow_stdin": False, "stop_on_error": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    socket.send(json.dumps(message | {"channel": "shell"}))
    error = None
    while True:
        told = json.loads(socket.recv())
        if told["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        if told["msg_type"] == "error":
            error = told["content"]["ename"]
        if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
            return error


def watch(process, seen, stop):
    while not stop.wait(0.5):
        with contextlib.suppress(Exception):
            seen.append(megabytes(process))


def attend(hub, name, notebook):
    """Let one student start a server and run a notebook; return what it took."""
    import psutil
    import websocket

    took, clock = {}, time.monotonic()
    hub.call("post", f"hub/api/users/{name}")
    hub.call("post", f"hub/api/users/{name}/server")
    hub.wait("get", f"user/{name}/api/status", 200)
    took["start clock"] = time.monotonic() - clock
    servers = {one.environ().get("JUPYTERHUB_USER"): one for one in hub.processes()["server"]}
    took["start processor"] = processor_seconds(servers[name])

    clock = time.monotonic()
    kernel = hub.call("post", f"user/{name}/api/kernels", name="python3").json()["id"]
    process = next(p for p in servers[name].children() if kernel in " ".join(p.cmdline()))
    socket = websocket.create_connection(
        f"ws://{HOST}:{PORT}/user/{name}/api/kernels/{kernel}/channels",
        header={"Authorization": hub.web.headers["Authorization"]},
        timeout=600,
    )
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    cells = [cell for cell in cells if cell["cell_type"] == "code"]
    run_cell(socket, "import torch, autodiff_course.drawing, matplotlib.pyplot")
    took["imports clock"] = time.monotonic() - clock
    took["imports processor"] = processor_seconds(process)
    took["imports memory"] = megabytes(process)
    seen, stop = [0.0], threading.Event()
    thread = threading.Thread(target=watch, args=(process, seen, stop))
    thread.start()
    for cell in cells:
        error = run_cell(socket, "".join(cell["source"]))
        if error and "raises-exception" not in cell["metadata"].get("tags", []):
            raise RuntimeError(f"{notebook.name}, {cell['id']}: {error}")
    stop.set()
    thread.join()
    socket.close()
    took["run clock"] = time.monotonic() - clock - took["imports clock"]
    took["run processor"] = processor_seconds(process) - took["imports processor"]
    took["memory"] = megabytes(process)
    took["above"] = max(*seen, took["memory"]) - took["memory"]
    took["server memory"] = megabytes(psutil.Process(servers[name].pid))
    return took


def free_megabytes():
    import psutil

    return psutil.virtual_memory().available / 1e6


def needs(size, classes, each):
    """What so many students will need beyond those that are there, a peak at a time included."""
    already = classes[-1]["students"]
    return (size - already) * classes[-1]["all"] / already + max(one["above"] for one in each)


def measure(notebook, sizes, at_once):
    """Let classes of growing size run one notebook, each student once."""
    folder = tempfile.mkdtemp(prefix="classroom-")
    hub, each, classes = Hub(folder), [], []
    try:
        for size in sizes:
            if classes and needs(size, classes, each) > free_megabytes() - SPARE:
                print(f"{size} students left out: the machine has not the memory for them")
                break
            clock = time.monotonic()
            with ThreadPoolExecutor(at_once) as pool:
                new = [f"student{number:02}" for number in range(len(each), size)]
                each += pool.map(lambda name: attend(hub, name, notebook), new)
            memory = hub.memory()
            row = {"students": size, "seconds": time.monotonic() - clock, **memory}
            row["all"] = sum(memory.values())
            classes.append({name: round(value) for name, value in row.items()})
            print(notebook.name[:2], classes[-1], flush=True)
    finally:
        hub.close()
        shutil.rmtree(folder, ignore_errors=True)
    median = {name: round(statistics.median(one[name] for one in each), 1) for name in each[0]}
    median["above"] = round(max(one["above"] for one in each), 1)
    print(notebook.name[:2], median, flush=True)
    return {"each": median, "classes": classes}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--students", type=int, nargs="+", default=[1, 5, 10, 30])
    parser.add_argument("--notebooks", nargs="+", default=["01", "08"])
    parser.add_argument("--at-once", type=int, default=2, help="how many students run at a time")
    parser.add_argument("--write", action="store_true", help=f"keep the numbers in {KEPT.name}")
    options = parser.parse_args()
    if not (shutil.which("configurable-http-proxy") and shutil.which("jupyterhub")):
        print("left out: needs jupyterhub and configurable-http-proxy on the PATH")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and let the hub close
    found = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for number in options.notebooks:
        (notebook,) = (ROOT / "notebooks").glob(f"{number}_*.ipynb")
        found[number] = measure(notebook, sorted(options.students), options.at_once)
        if options.write:
            KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
