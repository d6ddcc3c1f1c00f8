"""What keeps the repository: workflows, commit hooks, the citation, and no trace of a machine."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from autodiff_course.exercises import record
from notebooks import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def project():
    return tomllib.loads(text_of("pyproject.toml"))["project"]


def lowest_python():
    return project()["requires-python"].removeprefix(">=")


# --- Workflows ------------------------------------------------------------------------------------


def jobs_of(workflow):
    """Each job with one set of its matrix's values; `{}` where it has no matrix."""
    for job in workflow["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        for values in matrix.get("include", [{}]):
            yield job, values


def commands_of(job, values):
    """Each line that a job runs, with the values of the matrix in their places."""

    def value(match):
        return values[match[1]]

    for step in job["steps"]:
        run = re.sub(r"\$\{\{ matrix\.(\w+) \}\}", value, step.get("run", ""))
        yield from run.splitlines()


def verbs_in(command):
    """The verbs of a call of make; none for another command."""
    program, *arguments = shlex.split(command)
    return [word for word in arguments if "=" not in word] if program == "make" else []


def verbs_of_makefile():
    return set(re.findall(r"^([a-z-]+):.*## ", text_of("Makefile"), flags=re.MULTILINE))


def pythons_by_verb(workflow):
    """Pairs (verb, Python) of every job that runs a verb of the Makefile."""
    return {
        (verb, values.get("python"))
        for job, values in jobs_of(workflow)
        for command in commands_of(job, values)
        for verb in verbs_in(command)
    }


def actions_of(workflow):
    """Each use of an action: its name, its version and its inputs."""
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if "uses" in step:
                name, _, version = step["uses"].partition("@")
                yield name, version, step.get("with", {})


def faults_of(workflow):
    """What a workflow may do, or may do for too long, though it need not."""
    faults = []
    if workflow.get("permissions") != {"contents": "read"}:
        faults.append("the workflow's permissions are not just to read")
    for name, job in workflow["jobs"].items():
        if "timeout-minutes" not in job:
            faults.append(f"{name}: no timeout-minutes")
        if "concurrency" not in workflow | job:
            faults.append(f"{name}: a newer run does not replace an older one")
    for action, version, inputs in actions_of(workflow):
        if not re.fullmatch(r"v\d+", version):
            faults.append(f"{action}: the version {version!r} is not a major one")
        if action == "actions/checkout" and inputs.get("persist-credentials") is not False:
            faults.append(f"{action}: leaves the token behind")
    return faults


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request):
    return yaml.safe_load(request.param.read_text(encoding="utf-8"))


def test_a_workflow_may_do_no_more_than_it_must(workflow):
    assert faults_of(workflow) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("contents: read", "contents: write", "the workflow's permissions"),
        ("    timeout-minutes: 60\n", "", "pins: no timeout-minutes"),
        ("concurrency:", "env_:", "pins: a newer run"),
        ("checkout@v", "checkout@main-v", "actions/checkout: the version 'main-v"),
        ("persist-credentials: false", "persist-credentials: true", "actions/checkout: leaves"),
    ],
)
def test_a_planted_fault_of_a_workflow_is_found(old, new, expected):
    text = text_of(".github/workflows/tests.yml")
    assert old in text
    found = faults_of(yaml.safe_load(text.replace(old, new, 1)))
    assert [fault for fault in found if fault.startswith(expected)]


def test_a_workflow_calls_verbs_that_the_makefile_has(workflow):
    called = {verb for verb, _ in pythons_by_verb(workflow)}
    assert called
    assert called - verbs_of_makefile() == set()


def test_the_lowest_python_is_tested_with_the_pins_and_with_the_lowest_versions():
    tested = pythons_by_verb(yaml.safe_load(text_of(".github/workflows/tests.yml")))
    assert {verb for verb, _ in tested} == {"lint", "test", "test-lowest", "test-newest"}
    assert {("test", lowest_python()), ("test-lowest", lowest_python())} <= tested


def test_all_workflows_use_the_same_version_of_an_action():
    versions = {}
    for path in WORKFLOWS:
        for name, version, _ in actions_of(yaml.safe_load(path.read_text(encoding="utf-8"))):
            versions.setdefault(name, set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_dependabot_looks_where_the_pins_are():
    files = {
        "pip": "requirements.txt",
        "npm": "package-lock.json",
        "github-actions": ".github/workflows",
    }
    updates = yaml.safe_load(text_of(".github/dependabot.yml"))["updates"]
    assert {update["package-ecosystem"] for update in updates} == files.keys()
    for update in updates:
        folder = ROOT / update["directory"].strip("/")
        assert (folder / files[update["package-ecosystem"]]).exists()


# --- Commit hooks ---------------------------------------------------------------------------------


def hooks():
    (local,) = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"]
    assert local["repo"] == "local", "a hook from elsewhere needs a version that a test compares"
    return local["hooks"]


def pinned_names():
    text = text_of("requirements.txt") + text_of("requirements-dev.txt")
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return {Requirement(line).name for line in lines if line}


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: hook["id"])
def test_a_hook_runs_a_pinned_program_or_a_tool_of_the_course(hook):
    program, *arguments = hook["args"]
    if program == "python":
        assert (ROOT / arguments[0]).is_file()
    else:
        assert program in pinned_names()


@pytest.mark.skipif(os.name == "nt" or not shutil.which("sh"), reason="needs a POSIX shell")
@pytest.mark.parametrize("folder", ["bin", "Scripts"])
def test_a_hook_finds_its_program_in_either_layout_and_nowhere_else(tmp_path, folder):
    programs = tmp_path / ".venv" / folder
    programs.mkdir(parents=True)
    (programs / "ruff").write_text('#!/bin/sh\necho "ruff of .venv: $*"\n')
    (programs / "ruff").chmod(0o755)

    def run(*arguments):
        command = [*shlex.split(hooks()[0]["entry"]), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert run("ruff", "check", "a file.py").stdout == "ruff of .venv: check a file.py\n"
    assert run("git", "--version").returncode != 0


def test_all_hooks_begin_alike():
    assert len({hook["entry"] for hook in hooks()}) == 1


# --- The citation ---------------------------------------------------------------------------------


def test_the_citation_agrees_with_the_package():
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert citation["version"] == project()["version"]
    assert citation["abstract"] == project()["description"]
    assert citation["license"] == project()["license"]
    authors = [author["name"].lower() for author in citation["authors"]]
    assert authors == [author["name"].lower() for author in project()["authors"]]
    assert text_of("README.md").startswith(f"# {citation['title']}\n")


# --- What the pages for contributors and readers name ---------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_a_page_names_verbs_that_the_makefile_has(name):
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", text_of(name), flags=re.MULTILINE))
    assert named
    assert named - verbs_of_makefile() == set()


def test_what_readme_prints_is_what_it_says():
    (block,) = re.findall(r"```python\n(import torch.*?)```", text_of("README.md"), re.DOTALL)
    said = [float(number) for number in re.findall(r"# (?:torch 2\.13: )?([\d.]+)", block)]
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=True)
    printed = [float(number) for number in re.findall(r"tensor\(([\d.]+)", done.stdout)]
    assert len(said) == 2
    if Version(metadata.version("torch")) >= Version("2.15"):  # which has mended it
        said[1] = said[0]
    assert printed == pytest.approx(said, abs=1e-3)


def test_readme_proves_each_claim_by_a_file_that_exists():
    claims = text_of("README.md").partition("## What it does that others do not")[2]
    claims = re.findall(r"^- .*$", claims.partition("\n## ")[0], flags=re.MULTILINE)
    assert len(claims) == 5
    for claim in claims:
        assert (ROOT / re.search(r"\]\((.*?)\)", claim)[1]).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the place is another one elsewhere")
def test_readme_says_where_progress_is_kept(monkeypatch):
    for name in (record.VARIABLE, "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert f"`~/{record._file().relative_to(Path.home())}`" in text_of("README.md")


def test_the_table_of_speed_is_the_one_that_was_measured():
    kept = json.loads(text_of("benchmarks/sparse_hessian.json"))
    rows = [one for one in kept if (one["problem"], one["n"]) == ("rosenbrock", 1_000_000)]
    measured = [
        f"{one['first']:.2g} s | {1e3 * one['each']:.2g} ms | {one['peak'] / 1000:.2g} GB |"
        for one in rows
    ]
    table = re.findall(
        r"^\| (?:this|asdex|CasADi).*?\| [\d–]+ \| (.*)$", text_of("README.md"), re.M
    )
    assert [one["method"] for one in rows] == ["ours", "ours compiled", "asdex", "casadi mx"]
    assert table == measured


def test_the_contributors_page_names_files_and_tests_that_exist():
    page = text_of("CONTRIBUTING.md")
    sources = {path.name: path.read_text(encoding="utf-8") for path in ROOT.glob("tests/*.py")}
    for test in re.findall(r"`(test_\w+)`", page):
        assert any(f"def {test}(" in source for source in sources.values()), test
    assert set(re.findall(r"`(test_\w+\.py)`", page)) <= sources.keys()
    for path in re.findall(r"`((?:src|tests|tools|docs)/[\w./]*)`", page):
        # What a reader is to add has the number after the last notebook's.
        assert (ROOT / path.replace("ex08", "ex09")).exists(), path


# --- Files ----------------------------------------------------------------------------------------


def dotted(*parts):
    """A host's name, which does not stand in this file, so that this file may be looked at too."""
    return ".".join(parts)


# Which index a machine uses is its owner's choice: none is named, not even the usual one.
REGISTRIES = (
    dotted("pypi", "org"),
    dotted("pythonhosted", "org"),
    dotted("download", "pytorch", "org"),
    dotted("registry", "npmjs", "org"),
    dotted("conda", "anaconda", "org"),
)
# Python files and notebooks are left out: one looks for such paths, the other is looked at by it.
MACHINE_PATH = re.compile(r"(?<![\w.-])/(?:home|Users|root|tmp|work)/\S*")
LOOKED_AT_ELSEWHERE = (".py", ".ipynb")


def traces(name, text):
    """What in a file belongs to one machine, in words."""
    found = [f"{name}: the host {host}" for host in REGISTRIES if host in text]
    if not name.endswith(LOOKED_AT_ELSEWHERE):
        found += [f"{name}: the path {match[0]}" for match in MACHINE_PATH.finditer(text)]
    return found


def files_of_the_repository():
    """The names of all files that git keeps."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("this is no git checkout")
    command = ["git", "ls-files", "-z", "--cached"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip(f"git does not list the files: {listed.stderr}")
    return [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]


def test_no_file_names_a_package_registry_or_a_path_of_one_machine():
    found = []
    for name in files_of_the_repository():
        if not name.endswith(".png"):
            found += traces(name, text_of(name))
    assert found == []


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("a.md", f"see https://{REGISTRIES[0]}/simple", 1),
        ("a.py", f"INDEX = '{REGISTRIES[2]}'", 1),
        ("a.md", "look into /tmp/x and '/home/me/y'", 2),
        ("a.py", "look into /tmp/x", 0),
        ("a.md", "https://example.org/home/x, a/tmp/b, #!/usr/bin/env", 0),
    ],
)
def test_planted_traces_of_a_machine_are_found(name, text, count):
    assert len(traces(name, text)) == count


def is_used(script, makefile, sources):
    """Whether a rule of the Makefile calls a script of tools/, or Python code imports it."""
    imported = re.compile(rf"^\s*(?:from|import) {script.stem}\b", flags=re.MULTILINE)
    return f"tools/{script.name}" in makefile or any(map(imported.search, sources))


def test_every_script_in_tools_is_used():
    scripts = [path for path in (ROOT / "tools").iterdir() if path.suffix in (".py", ".sh")]
    folders = ("docs", "tests", "tools")
    sources = [
        path.read_text(encoding="utf-8")
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert scripts
    assert [s.name for s in scripts if not is_used(s, text_of("Makefile"), sources)] == []
    assert not is_used(ROOT / "tools/unheard_of.py", text_of("Makefile"), sources)
