#!/usr/bin/env bash
# Starts an S3-compatible server (moto) on a free port of this machine, for tests/s3.rs.
#
# Prints two lines, `endpoint=http://127.0.0.1:PORT` and `pid=PID`; the caller ends the server with
# `kill PID`. The server is installed once, into a Python environment below the target folder.
set -euo pipefail

version=5.2.5
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
home=${CARGO_TARGET_DIR:-$root/target}/moto
python=$home/venv-$version/bin/python

if [ ! -e "$home/venv-$version/installed" ]; then
    rm -rf "$home/venv-$version"
    mkdir -p "$home"
    python3 -m venv "$home/venv-$version" >&2
    "$python" -m pip install --quiet --disable-pip-version-check "moto[server]==$version" >&2
    touch "$home/venv-$version/installed"
fi

# Another process may take the port between choosing and using it: then choose again.
for _ in 1 2 3 4 5; do
    port=$("$python" -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])')
    # Not a child that waits for this script's output, and not stopped by its end.
    nohup "$home/venv-$version/bin/moto_server" --host 127.0.0.1 --port "$port" \
        >"$home/server-$port.log" 2>&1 </dev/null &
    pid=$!
    for _ in $(seq 1 300); do
        if ! kill -0 "$pid" 2>/dev/null; then
            break
        fi
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "endpoint=http://127.0.0.1:$port"
            echo "pid=$pid"
            exit 0
        fi
        sleep 0.1
    done
    kill "$pid" 2>/dev/null || true
done
echo "moto did not start; see $home/server-*.log" >&2
exit 1
