#!/bin/sh
# Lumbar beside other runtimes on this machine; see --help. Sets up what is missing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-/usr/bin/python3}

case " $* " in
    *" --help "* | *" -h "*) ;;
    *) sh "$here/../../cmake/setup.sh" peers ;;
esac
exec "$python" "$here/compare.py" "$@"
