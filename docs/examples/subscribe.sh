#!/usr/bin/env bash
# Prints each emotion as it begins: socat reads the daemon's socket, jq its lines.
# Usage: subscribe.sh [SOCKET]
set -euo pipefail
socket=${1:-${XDG_RUNTIME_DIR:-/run}/ser-stream/ser-stream.sock}

# ignoreeof: the request is short, and socat shall stay when it is through.
printf '%s\n' '{"type":"subscribe","only":["emotion"]}' |
    socat STDIO,ignoreeof "UNIX-CONNECT:$socket" |
    jq --unbuffered --raw-output \
        'select(.phase == "start") | "\(.time) \(.label) \(.confidence)"'
