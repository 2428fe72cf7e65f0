#!/bin/sh
# mu script kimai-sync from-kimai
# Each import is finished when its request is answered, so the order holds: tasks need customers.
set -eu

# POST to the service; an answer that is not 2xx is shown as the service gave it and ends the script.
# (`curl --fail-with-body` would do, but an older alpine/curl image does not know it.)
post() {
  path="$1"
  shift
  answer="$(curl --silent --show-error --connect-timeout 10 -X POST "$@" -w '\n%{http_code}' "http://kimai-sync$path")" || {
    echo "No answer from kimai-sync. Is it running? See: docker compose ps kimai-sync" >&2
    exit 1
  }
  status="${answer##*
}"
  case "$status" in
    2??) ;;
    *)
      echo "kimai-sync answered $status:" >&2
      echo "${answer%
*}" >&2
      exit 1
      ;;
  esac
}

echo "Import accounts from Kimai"
post /sync-from-kimai/accounts
echo "Import customers from Kimai"
post /sync-from-kimai/customers
echo "Import projects and activities from Kimai (our tasks)"
post /sync-from-kimai/tasks
echo "DONE"
