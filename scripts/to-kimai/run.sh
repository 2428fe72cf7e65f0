#!/bin/sh
# mu script kimai-sync to-kimai START END
set -eu

start="${1:-}"
end="${2:-}"

usage() {
  echo "$1" >&2
  echo "Usage: mu script kimai-sync to-kimai START END, e.g. to-kimai 2024-09-01 2024-09-30" >&2
  exit 2
}

# The service judges the dates; here we only keep out what would break the JSON around them.
checked() {
  case "$2" in
    '') usage "Must supply $1 date in format yyyy-MM-dd" ;;
    *[!0-9A-Za-z:.+-]*) usage "Not a date in format yyyy-MM-dd: $2" ;;
  esac
}

token="${OPS_TOKEN:-}"

call() {
  if [ -n "$token" ]; then
    # On its standard input: as an argument `ps` would show it.
    printf 'Authorization: Bearer %s\n' "$token" | curl -H @- "$@"
  else
    curl "$@"
  fi
}

# POST to the service; an answer that is not 2xx is shown as the service gave it and ends the script.
# (`curl --fail-with-body` would do, but an older alpine/curl image does not know it.)
post() {
  path="$1"
  shift
  answer="$(call --silent --show-error --connect-timeout 10 -X POST "$@" -w '\n%{http_code}' "http://kimai-sync$path")" || {
    echo "No answer from kimai-sync. Is it running? See: docker compose ps kimai-sync" >&2
    exit 1
  }
  status="${answer##*
}"
  case "$status" in
    2??) ;;
    401)
      echo "kimai-sync requires its OPS_TOKEN, which mu-cli does not pass to scripts. Run this instead:" >&2
      echo "  docker compose exec kimai-sync kimai-sync sweep --from $start --to $end" >&2
      exit 1
      ;;
    *)
      echo "kimai-sync answered $status:" >&2
      echo "${answer%
*}" >&2
      exit 1
      ;;
  esac
}

checked start "$start"
checked end "$end"

post /sync-to-kimai/work-logs -H "Content-Type: application/vnd.api+json" -d "{ \"start\": \"$start\", \"end\": \"$end\" }"
echo "The work logs from $start to $end are being synced. To follow it: docker compose logs -f kimai-sync"
