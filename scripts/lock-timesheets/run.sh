#!/bin/sh
# mu script kimai-sync lock-timesheets MONTH YEAR
set -eu

month="${1:-}"
year="${2:-}"

usage() {
  echo "$1" >&2
  echo "Usage: mu script kimai-sync lock-timesheets MONTH YEAR, e.g. lock-timesheets 9 2024" >&2
  exit 2
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
      echo "  docker compose exec kimai-sync kimai-sync lock $year-$(printf %02d "${month#0}")" >&2
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

case "$month" in
  '') usage "Must supply month" ;;
  [1-9] | 0[1-9] | 1[0-2]) ;;
  *) usage "Not a month from 1 to 12: $month" ;;
esac
case "$year" in
  '') usage "Must supply year" ;;
  [0-9][0-9][0-9][0-9]) ;;
  *) usage "Not a year of four digits: $year" ;;
esac

post /timesheets/lock -H "Content-Type: application/vnd.api+json" -d "{ \"year\": \"$year\", \"month\": \"$month\" }"
# 204 says that the lock has ended, not that each timesheet is exported.
echo "The lock of $month/$year has ended. Which timesheets are exported, which are not, and why:"
echo "  docker compose logs kimai-sync"
