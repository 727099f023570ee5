#!/bin/bash
# Runs the unit of docs/operations.md in a Debian of its own, under systemd-nspawn, and says what it saw.
#
#   tools/run_unit.sh FOLDER
#
# As root, with debootstrap and systemd-container; Debian and PyPI must be reachable the first time. FOLDER keeps the
# Debian, so a second run takes seconds. Weights that this user has are given to the service, else it answers with `echo`.
set -euo pipefail
cd "$(dirname "$0")/.."
root=${1:?a folder for the Debian}/root
key=a-key-of-mine-that-is-long
nspawn=(systemd-nspawn --quiet --register=no --keep-unit --directory "$root")

if [ ! -e "$root/etc/os-release" ]; then
  debootstrap --variant=minbase --include=systemd-sysv,dbus,python3,python3-venv,ca-certificates bookworm "$root"
  "${nspawn[@]}" useradd --system --home-dir /var/lib/vidi vidi
  "${nspawn[@]}" python3 -m venv /opt/vidi
fi
rm -rf "$root/srv/vidi" && mkdir -p "$root/srv/vidi"
.venv/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$root/srv/vidi" .
# What pip is told here (an index, a certificate) it is told there too.
settings=$(env | sed -n '/^PIP_\(INDEX_URL\|CERT\|TRUSTED_HOST\)=/s/^/--setenv=/p')
# shellcheck disable=SC2086
"${nspawn[@]}" $settings ${PIP_CERT:+--bind-ro="$PIP_CERT"} --bind-ro=/etc/resolv.conf /bin/sh -c \
  '/opt/vidi/bin/pip install --quiet --no-cache-dir --force-reinstall --no-deps /srv/vidi/*.whl && /opt/vidi/bin/pip install --quiet --no-cache-dir /srv/vidi/*.whl'

sed -n '/^```ini$/,/^```$/p' docs/operations.md | sed '/^```/d' > "$root/etc/systemd/system/vidi.service"
install -m 600 /dev/null "$root/etc/vidi.env"
echo "VIDI_API_KEYS=$key" > "$root/etc/vidi.env"
ln -sf ../vidi.service "$root/etc/systemd/system/multi-user.target.wants/"
cache=${VIDI_CACHE_DIR:-$HOME/.cache/vidi}
rm -rf "$root/var/cache/vidi" "$root/var/lib/vidi"
if [ -d "$cache" ]; then
  cp -r "$cache" "$root/var/cache/vidi"
  "${nspawn[@]}" chown -R vidi: /var/cache/vidi
fi

"${nspawn[@]}" --private-network --boot < /dev/null > "$root/../console" &
machine=$!
inside() { nsenter --target "$(pgrep -P "$machine" | head -1)" --mount --uts --ipc --net --pid "$@"; }
shown() { inside systemctl show vidi --property "$1" --value; }
# Until a command prints what it should; a hang ends after a minute.
until_it_says() {
  local wanted=$1 said=
  shift
  for _ in {1..240}; do
    said=$("$@" 2> /dev/null) && [ "$said" = "$wanted" ] && return
    sleep 0.25
  done
  echo "FAILED: $* says “$said”, not “$wanted”" >&2
  inside journalctl --unit vidi --no-pager --lines 20 >&2 || true
  inside systemctl poweroff || true
  exit 1
}
code() { inside /opt/vidi/bin/python3 -c "
import sys, urllib.error, urllib.request
call = urllib.request.Request('http://127.0.0.1:8484' + sys.argv[1], headers={'x-goog-api-key': sys.argv[2]} if sys.argv[2] else {})
try: print(urllib.request.urlopen(call).status)
except urllib.error.HTTPError as error: print(error.code)
" "$@"; }

until_it_says 200 code /ready ''
echo "at boot: up, as the user $(inside ps -o user= -p "$(shown MainPID)" 2> /dev/null || shown User)"
until_it_says 403 code /v1beta/models ''
until_it_says 200 code /v1beta/models "$key"
echo 'a caller: 403 without a key, 200 with it'
inside systemctl kill --signal KILL vidi
until_it_says 1 shown NRestarts
until_it_says 200 code /ready ''
echo 'kill -9: started anew'
inside systemctl stop vidi
until_it_says success shown Result
echo 'stop: clean'
echo 'VIDI_DRAIN_SECONDS=nonsense' >> "$root/etc/vidi.env"
inside systemctl start vidi
until_it_says failed shown ActiveState
until_it_says 2 shown ExecMainStatus
until_it_says 0 shown NRestarts
echo 'a wrong setting: code 2, left alone'
inside systemctl poweroff
wait "$machine"
