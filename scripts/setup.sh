#!/bin/sh
# Makes .venv with the first Python that is new enough and installs the studio into it. $1: the extra to install.
# PYTHON=... names a Python to use instead.
set -eu
cd "$(dirname "$0")/.."

usable() {
    "$1" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

if ! .venv/bin/python -m pip --version >/dev/null 2>&1 || ! usable .venv/bin/python; then
    new_enough=""
    complete=""
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        usable "$candidate" || continue
        new_enough=$candidate
        if "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
            complete=$candidate
            break
        fi
    done
    if [ -z "$new_enough" ]; then
        echo "Sentence Studio needs Python 3.11 to 3.14; found: $(${PYTHON:-python3} --version 2>/dev/null || echo none)." >&2
        exit 1
    fi
    if [ -z "$complete" ]; then
        echo "$new_enough cannot make virtual environments: install its venv package (on Debian and Ubuntu: apt install python3-venv)." >&2
        exit 1
    fi
    echo "Making .venv with $("$complete" --version) ..."
    "$complete" -m venv --clear .venv
fi

echo "Installing; the first time this takes some minutes ..."
.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$1]"
