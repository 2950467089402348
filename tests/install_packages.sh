#!/bin/sh
# The Debian packages of the virtual microphone, the examples, the browser, the brokers and
# the files that tests make: installed where that is possible, as root or with sudo that asks nothing.
# Elsewhere the tests that need them are skipped, and pytest's summary says so.
set -u
packages="pulseaudio pulseaudio-utils libasound2-plugins libportaudio2 socat jq chromium
ffmpeg sox libsox-fmt-mp3 tmux mosquitto nats-server openssl"
command -v dpkg-query >/dev/null 2>&1 || exit 0
missing=
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ]; then
    run=
elif sudo -n true 2>/dev/null; then
    run='sudo -n'
else
    echo "some tests will be skipped; they need: apt install$missing" >&2
    exit 0
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
exit 0
