#!/bin/sh
# Install the oldest supported versions into an environment of their own and run the tests there.
# Usage: tests/lowest_versions.sh [DIRECTORY [PYTEST ARGUMENTS ...]]; without a directory a temporary one, removed after.
set -eu
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
  venv=$1
  shift
else
  venv=$(mktemp -d)
  trap 'rm -rf "$venv"' EXIT
fi
[ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check ${PIP_INSTALL_ARGS:-} -c constraints-lowest.txt \
  -e '.[cluster,hf]' hypothesis mpmath pytest pytest-xdist
"$venv/bin/python" -m pytest -p no:cacheprovider "$@"
