"""The Makefile, in a copy whose Python is a small script that writes down what it is asked."""

import json
import os
import re
import shutil
import subprocess
import tomllib

import pytest

from notebooks import ROOT

pytestmark = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("make"), reason="needs make and a POSIX shell"
)

STAMP, DEV_STAMP = ".venv/.installed", ".venv/.installed-dev"
# What the set-up reads.
READ = (
    *("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml"),
    *("tools/make_venv.sh", "tools/lab_settings.json"),
)
LAB_SETTINGS = "share/jupyter/lab/settings/overrides.json"
# Answers as the Makefile's Python must: its version, its modules, `-m venv` and `-m pip`.
FAKE_PYTHON = """#!/bin/sh
echo "$*" >> {log}
case "$*" in
    *version_info*) echo {version} ;;
    *"import venv"*) exit {venv_status} ;;
    "-m venv --clear"*) rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip install"*)
        echo "Downloading torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl (190.3 MB)"
        echo "  Downloading idna-3.10-py3-none-any.whl (70 kB)"
        echo "Processing /wheels/torch-2.13.0-cp311-cp311-linux_x86_64.whl"
        echo "Installing collected packages: torch, idna"
        sleep {unpacking}
        [ ! -e {offline} ] ;;
esac
"""


def clean_environment():
    """The environment without what a make around these tests hands on."""
    handed_on = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "TORCH_INDEX", "LAB_FLAGS", "NAMES", "TIMING"}
    return {name: value for name, value in os.environ.items() if name not in handed_on}


class Course:
    """A copy of what the Makefile reads, with a fake Python."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {"PATH": "/usr/bin:/bin"}  # without uv
        self.log = folder / "log"
        self.offline = folder / "offline"
        (folder / "tools").mkdir()
        for name in READ:
            shutil.copy2(ROOT / name, folder / name)

    def python(self, version="3.12", venv_status=0, unpacking=0):
        script = self.folder / "fake_python"
        script.write_text(
            FAKE_PYTHON.format(
                version=version,
                venv_status=venv_status,
                unpacking=unpacking,
                log=self.log,
                offline=self.offline,
            )
        )
        script.chmod(0o755)
        return script

    def make(self, *arguments, python=None):
        python = python or self.python()
        return subprocess.run(
            ["make", *arguments, f"PYTHON={python}"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env=clean_environment() | self.environment,
        )

    def asked(self, what):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if what in line]


@pytest.fixture
def course(tmp_path):
    return Course(tmp_path)


def test_make_alone_lists_the_verbs_and_does_nothing_else(course):
    done = course.make()
    listed = re.findall(r"^make ([\w-]+) +\S", done.stdout, flags=re.MULTILINE)
    assert listed == [
        *("help", "lab", "test", "test-lowest", "test-newest", "test-colab", "slides", "site"),
        *("report", "outputs", "address", "benchmarks", "fuzz", "lint", "format", "clean"),
    ]
    assert not (course.folder / ".venv").exists()


def test_the_first_call_installs_the_pins_and_the_course(course):
    done = course.make(STAMP)
    assert done.returncode == 0, done.stderr
    (installed,) = course.asked("pip install")
    assert installed.endswith("--requirement requirements.txt --editable .")
    assert course.asked("-m venv")


def test_the_second_call_installs_nothing(course):
    course.make(STAMP)
    course.log.unlink()
    course.make(STAMP)
    assert course.asked("") == []


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_a_changed_requirement_is_installed_into_the_same_venv(course, name):
    course.make(STAMP)
    course.log.unlink()
    later = (course.folder / STAMP).stat().st_mtime + 10
    os.utime(course.folder / name, (later, later))
    course.make(STAMP)
    assert len(course.asked("pip install")) == 1
    assert course.asked("-m venv") == []


def test_a_reader_gets_nothing_that_only_developers_need(course):
    course.make("report", "FOLDER=.")
    assert not [line for line in course.asked("pip install") if "requirements-dev.txt" in line]
    assert not (course.folder / DEV_STAMP).exists()


def test_the_verbs_of_developers_install_the_rest_once(course):
    course.make("lint")
    first, second = course.asked("pip install")
    assert "--requirement requirements.txt" in first
    assert "--requirement requirements-dev.txt" in second
    course.log.unlink()
    course.make("lint")
    assert course.asked("pip install") == []


def test_the_set_up_says_what_it_takes_and_how_large_it_is(course):
    done = course.make(STAMP)
    told = [line.strip() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert told == [
        "downloading torch-2.13.0+cpu, 190.3 MB",
        "taking torch-2.13.0 from a file",
        "unpacking 2 packages, the longest part",
    ]
    assert re.search(r"Installed: \d+ packages, \d+ MB in .venv", done.stdout)
    settings = json.loads((course.folder / ".venv" / LAB_SETTINGS).read_text())
    assert settings["@jupyterlab/apputils-extension:notification"]["fetchNews"] == "false"


def test_a_long_silence_of_pip_is_broken(course):
    script = course.folder / "tools/make_venv.sh"
    script.write_text(script.read_text().replace("pause=30", "pause=0.1"))
    done = course.make(STAMP, python=course.python(unpacking=0.35))
    assert done.stdout.count("  still unpacking\n") in (1, 2, 3)
    assert done.stdout.rstrip().splitlines()[-1].startswith("Installed: ")


def test_uv_installs_where_it_is_there_and_pip_where_it_fails(course):
    uv = course.folder / "bin/uv"
    uv.parent.mkdir()
    uv.write_text(f'#!/bin/sh\necho "uv $*" >> {course.log}\n[ ! -e {course.offline} ]\n')
    uv.chmod(0o755)
    course.environment["PATH"] = f"{uv.parent}:/usr/bin:/bin"
    assert course.make(STAMP).returncode == 0
    assert course.asked("uv pip install") and not course.asked("-m pip install")
    (course.folder / STAMP).unlink()
    course.offline.touch()
    assert course.make(STAMP).returncode != 0
    assert course.asked("-m pip install")


def test_an_interrupted_installation_is_repeated(course):
    course.offline.touch()
    assert course.make(STAMP).returncode != 0
    assert not (course.folder / STAMP).exists()
    course.offline.unlink()
    assert course.make(STAMP).returncode == 0
    assert len(course.asked("pip install")) == 2


def test_a_half_made_venv_is_made_again(course):
    (course.folder / ".venv/bin").mkdir(parents=True)
    (course.folder / ".venv/bin/python").symlink_to("/nowhere")
    assert course.make(STAMP).returncode == 0
    assert course.asked("-m venv --clear")


def test_test_runs_pytest_after_the_set_up(course):
    done = course.make("test")
    assert done.returncode == 0, done.stderr
    assert course.asked("")[-1].startswith("-m pytest ")


@pytest.mark.parametrize("version", ["2.7", "3.9", "3.10"])
def test_a_python_that_is_too_old_gets_one_clear_line(course, version):
    python = course.python(version)
    done = course.make(STAMP, python=python)
    assert done.returncode != 0
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert ours == [
        f"'{python}' is Python {version}; the course needs Python 3.11 or newer. "
        "Choose another: make lab PYTHON=python3.12"
    ]
    assert not (course.folder / ".venv").exists()


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.20", "3.100"])
def test_a_python_that_is_new_enough_is_taken(course, version):
    assert course.make(STAMP, python=course.python(version)).returncode == 0


def test_the_oldest_python_is_the_one_of_pyproject():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    script = (ROOT / "tools/make_venv.sh").read_text(encoding="utf-8")
    (minor,) = re.findall(r"^minimum_minor=(\d+)", script, flags=re.MULTILINE)
    assert pyproject["project"]["requires-python"] == f">=3.{minor}"


def test_a_missing_python_gets_one_clear_line(course):
    done = course.make(STAMP, python="no_such_python")
    assert done.returncode != 0
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(ours) == 1 and ours[0].startswith("No Python runs as 'no_such_python'")


def test_a_python_without_venv_gets_one_clear_line(course):
    done = course.make(STAMP, python=course.python(venv_status=1))
    assert done.returncode != 0
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(ours) == 1 and "lacks the modules venv or ensurepip" in ours[0]
    assert "apt install python3.12-venv" in ours[0]


def test_torch_comes_from_the_chosen_index_before_the_rest(course):
    course.make(STAMP, "TORCH_INDEX=https://example.org/cpu")
    first, second = course.asked("pip install")
    pin = re.search(r"^torch==\S+", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)[0]
    assert first.endswith(f"--index-url https://example.org/cpu {pin}")
    assert "--index-url" not in second


def test_clean_removes_what_make_made(course):
    course.make(STAMP)
    (course.folder / "src").mkdir()
    course.make("clean")
    assert not (course.folder / ".venv").exists()
    assert (course.folder / "requirements.txt").exists()
