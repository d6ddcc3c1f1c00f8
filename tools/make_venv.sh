#!/bin/sh
# Make the virtual environment $1, whose Python is $2, where it is missing, and install the pins of the
# file $3 and the course into it. PYTHON names the Python to make it with; TORCH_INDEX, where it is not
# empty, the package index that torch comes from. uv installs where it is there, else pip.
# A script for plain sh, so that Git Bash on Windows runs it.
set -eu

venv=$1
venv_python=$2
requirements=$3
minimum_minor=11  # the course needs Python 3.11 or newer, as pyproject.toml says
pause=30  # seconds between two signs of life

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

# What pip tells, less all that is small: a name and a size for each large download.
large_downloads() {
    sed -n -e 's/^ *Downloading \([^ ]*\)-[^- ]*-[^- ]*-[^- ]* (\(.* [MG]B\))$/  downloading \1, \2/p' \
        -e 's/^ *Using cached \([^ ]*\)-[^- ]*-[^- ]*-[^- ]* (\(.* [MG]B\))$/  taking \1, \2, from the cache/p' \
        -e 's/^ *Processing .*[/]\(torch-[^- ]*\)-.*$/  taking \1 from a file/p'
}

# Tell it line by line, since a filter in a pipe keeps lines back, and that unpacking is still going on.
tell_progress() {
    ticker=
    while IFS= read -r line; do
        case $line in
            "Installing collected packages: "*)
                commas=$(printf %s "$line" | tr -cd , | wc -c)
                echo "  unpacking $((commas + 1)) packages, the longest part"
                # The sleep outlives the end of the loop, and must not keep a reader waiting.
                while sleep "$pause" >/dev/null 2>&1 3>&- 4>&-; do echo "  still unpacking"; done 3>&- &
                ticker=$! ;;
            *) printf '%s\n' "$line" | large_downloads ;;
        esac
    done
    [ -z "$ticker" ] || kill "$ticker"
}

pip_install() {
    # The status of pip travels on a file descriptor of its own, since a pipe tells only the last one.
    status=$(
        { { "$venv_python" -m pip install --no-input --disable-pip-version-check \
            --progress-bar off "$@" 3>&- || echo failed >&3; } | tell_progress >&4; } 3>&1
    ) 4>&1
    [ -z "$status" ]
}

install() {
    if command -v uv >/dev/null 2>&1; then
        uv pip install --python "$venv_python" "$@" && return
        echo "uv could not; trying pip"
    fi
    pip_install "$@"
}

if ! venv_works; then
    check_python
    echo "Making $venv with Python $found"
    # --clear: what a broken or interrupted call left behind would break this one too.
    $PYTHON -m venv --clear "$venv"
fi

if [ -n "$TORCH_INDEX" ] && [ "$requirements" = requirements.txt ]; then
    torch_pin=$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.txt)
    echo "Installing $torch_pin from $TORCH_INDEX"
    install --index-url "$TORCH_INDEX" "$torch_pin"
fi

echo "Installing the packages of $requirements into $venv: this takes some minutes the first time"
install --requirement "$requirements" --editable .
# JupyterLab then opens without a question about news.
mkdir -p "$venv/share/jupyter/lab/settings"
cp tools/lab_settings.json "$venv/share/jupyter/lab/settings/overrides.json"
packages=$("$venv_python" -m pip list --disable-pip-version-check 2>/dev/null | tail -n +3 | wc -l)
echo "Installed: $((packages)) packages, $(du -sm "$venv" | cut -f 1) MB in $venv."
