#!/bin/sh
# The Debian packages of the virtual microphone, the examples, the browser, the brokers and
# the files that tests make: installed where that is possible, as root or with sudo that asks
# nothing.
# Elsewhere the tests that need them are skipped, and pytest's summary says so.
set -u
packages="pulseaudio pulseaudio-utils libasound2-plugins libportaudio2 socat jq chromium
ffmpeg sox libsox-fmt-mp3 tmux mosquitto nats-server openssl"
# An installed one would serve: of these only the programs are taken, some 10 MB.
servers="nginx caddy"
unpacked="$(dirname "$0")/.web-servers"
command -v dpkg-query >/dev/null 2>&1 || exit 0
if [ "$(id -u)" = 0 ]; then
    run=
elif sudo -n true 2>/dev/null; then
    run='sudo -n'
else
    run=no
fi

install() {
    missing=
    for package in $packages; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$run" = no ]; then
        echo "some tests will be skipped; they need: apt install$missing" >&2
        return 0
    fi
    echo "installing what some tests need:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # both are lists of words
    $run apt-get update -qq && $run apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        echo "could not install$missing; the tests that need them will be skipped" >&2
    # Debian starts what serves; tests start their own, on ports of their own.
    for service in mosquitto nats-server; do
        case " $missing " in
        *" $service "*)
            $run systemctl disable --now --quiet "$service" 2>/dev/null ||
                $run service "$service" stop >/dev/null 2>&1
            ;;
        esac
    done
}

download() {
    (cd "$folder" && apt-get download -qq -o APT::Sandbox::User=root "$1" >/dev/null 2>&1)
}

unpack() {
    command -v "$1" >/dev/null 2>&1 && return 0
    ls "$unpacked"/usr/*bin/"$1" >/dev/null 2>&1 && return 0
    folder=$(mktemp -d) || return 0
    echo "unpacking $1, for some tests"
    download "$1" || { [ "$run" != no ] && $run apt-get update -qq && download "$1"; }
    dpkg -x "$folder"/*.deb "$unpacked" 2>/dev/null ||
        echo "could not unpack $1; the test that needs it will be skipped" >&2
    rm -rf "$folder"
}

install
for server in $servers; do
    unpack "$server"
done
exit 0
