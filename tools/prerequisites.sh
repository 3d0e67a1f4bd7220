#!/bin/sh
# Names every program that the set-up needs and does not find, with the remedy.
missing=0

complain() {
  printf '\033[31mmissing:\033[0m %s\n         %s\n' "$1" "$2" >&2
  missing=1
}

python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null; then
  complain "$python" "Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11 …"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  complain "Python 3.11 or newer ($python is $("$python" --version 2>&1))" "Name another one: make PYTHON=/path/to/python3.11 …"
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  complain "Python's venv module" "On Debian and Ubuntu: apt-get install python3-venv"
fi

if ! command -v npm >/dev/null; then
  complain "npm" "Install Node 20 or newer, which brings npm; the project then uses its own Node."
elif ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)'; then
  complain "Node 20 or newer (node is $(node --version))" "Install a newer Node; the project then uses its own."
fi

exit $missing
