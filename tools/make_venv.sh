#!/bin/sh
# Make the virtual environment $1, whose Python is $2, and install the pinned requirements and the
# course into it. PYTHON names the Python to make it with; TORCH_INDEX, where it is not empty, the
# package index that torch comes from. A script for plain sh, so that Git Bash on Windows runs it.
set -eu

venv=$1
venv_python=$2
minimum_minor=11  # the course needs Python 3.11 or newer, as pyproject.toml says

fail() {
    echo "$1" >&2
    exit 1
}

# Print the version of the Python $1 as "3.12", or nothing where it does not run.
version_of() {
    $1 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

is_new_enough() {
    case $1 in
        3.*) [ "${1#3.}" -ge "$minimum_minor" ] ;;
        *) false ;;
    esac
}

check_python() {
    choose="Choose another: make lab PYTHON=python3.12"
    found=$(version_of "$PYTHON")
    [ -n "$found" ] || fail "No Python runs as '$PYTHON'; the course needs Python 3.$minimum_minor or newer. $choose"
    is_new_enough "$found" ||
        fail "'$PYTHON' is Python $found; the course needs Python 3.$minimum_minor or newer. $choose"
    $PYTHON -c 'import venv, ensurepip' 2>/dev/null ||
        fail "'$PYTHON' (Python $found) lacks the modules venv or ensurepip, which make $venv. On Debian and Ubuntu: sudo apt install python$found-venv"
}

# True where an earlier call made a virtual environment that can still be used.
venv_works() {
    [ -x "$venv_python" ] &&
        is_new_enough "$(version_of "$venv_python")" &&
        "$venv_python" -m pip --version >/dev/null 2>&1
}

pip_install() {
    "$venv_python" -m pip install --quiet --no-input --disable-pip-version-check "$@"
}

if ! venv_works; then
    check_python
    echo "Making $venv with Python $found"
    # --clear: what a broken or interrupted call left behind would break this one too.
    $PYTHON -m venv --clear "$venv"
fi

if [ -n "$TORCH_INDEX" ]; then
    torch_pin=$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.txt)
    echo "Installing $torch_pin from $TORCH_INDEX"
    pip_install --index-url "$TORCH_INDEX" "$torch_pin"
fi

echo "Installing the packages of requirements.txt into $venv: this takes some minutes the first time"
pip_install --requirement requirements.txt --editable .
echo "Installed."
