#!/bin/sh
# The browser that the end-to-end tests drive: Debian's chromium, installed when it is missing.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done

root=""
if [ "$(id -u)" != 0 ]; then root="sudo -n"; fi
if ! command -v apt-get >/dev/null 2>&1 || ! $root true 2>/dev/null; then
    echo "The tests need a browser: install Chromium (on Debian: apt install chromium) and run make again." >&2
    exit 1
fi
echo "Installing chromium ..."
$root apt-get update -qq
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
