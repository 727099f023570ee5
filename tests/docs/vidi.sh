# Before a page's commands: `vidi serve` starts for real, says where it listens, and is stopped again.
vidi() {
  # One server answers for all pages, so that the model is not loaded for each line; one page does without.
  if [ -n "${ASKED_SERVER-}" ]; then
    case "${1-}" in ask | caption | chat | detect)
      command vidi "$@" --server "$ASKED_SERVER"
      return
      ;;
    esac
  fi
  if [ "${1-}" != serve ] || [ "${2-}" = --help ]; then
    command vidi "$@"
    return
  fi
  local log=serve.log server
  rm -f "$log"
  # A page that names no port means its usual one, where the server of the test listens.
  if [ "${VIDI_PORT-}" = "$TAKEN_PORT" ] && [ "${*/--port/}" = "$*" ]; then
    env VIDI_PORT=0 vidi "$@" 2>"$log" &
  else
    env vidi "$@" 2>"$log" &
  fi
  server=$!
  until grep -qs BASE_URL= "$log"; do
    kill -0 "$server" 2>/dev/null || { cat "$log" >&2; return 1; }
    sleep 0.05
  done
  until curl --silent --fail --output health.txt "http://127.0.0.1:$(sed -n 's/.*BASE_URL=.*:\([0-9]*\)$/\1/p' "$log")/health"; do
    sleep 0.05
  done
  kill -TERM "$server"
  wait "$server"
}
