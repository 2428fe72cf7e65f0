#!/bin/sh
# mu script kimai-sync from-kimai
# Each import is finished when its request is answered, so the order holds: tasks need customers. One that
# is refused does not keep the others from being done: of all, accounts need the most rights in Kimai.
set -eu

token="${OPS_TOKEN:-}"

call() {
  if [ -n "$token" ]; then
    # On its standard input: as an argument `ps` would show it.
    printf 'Authorization: Bearer %s\n' "$token" | curl -H @- "$@"
  else
    curl "$@"
  fi
}

# POST to the service; an answer that is not 2xx is shown as the service gave it and fails. Where the next
# request would fare no better, that ends the script.
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
      echo "  docker compose exec kimai-sync kimai-sync import" >&2
      exit 1
      ;;
    *)
      echo "kimai-sync answered $status:" >&2
      echo "${answer%
*}" >&2
      return 1
      ;;
  esac
}

left=''
echo "Import accounts from Kimai"
post /sync-from-kimai/accounts || left="$left accounts"
echo "Import customers from Kimai"
post /sync-from-kimai/customers || left="$left customers"
echo "Import projects and activities from Kimai (our tasks)"
post /sync-from-kimai/tasks || left="$left tasks"
if [ -n "$left" ]; then
  echo "Not imported, for the reasons above:$left" >&2
  exit 1
fi
echo "DONE"
