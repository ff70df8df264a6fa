#!/bin/sh
# Install system packages where the system lets us, and say so where it does not. Never fails.
#
#   system_packages.sh COMMAND:PACKAGE ...      installs PACKAGE where COMMAND is not to be found
missing=""
for pair in "$@"; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
done
[ -z "$missing" ] && exit 0

run=""
if [ "$(id -u)" != 0 ]; then
  sudo -n true 2>/dev/null && run="sudo -n"
  [ -z "$run" ] && { echo "Not installed, since this is not root:$missing (apt-get install$missing)"; exit 0; }
fi
command -v apt-get >/dev/null 2>&1 || { echo "Not installed, since there is no apt-get here:$missing"; exit 0; }

echo "Installing system packages:$missing"
export DEBIAN_FRONTEND=noninteractive
# The package lists may be missing or stale: refresh them only if the first try fails.
# shellcheck disable=SC2086
install() { $run timeout 600 apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null 2>&1; }
install || { $run timeout 300 apt-get update -qq </dev/null >/dev/null 2>&1; install; } ||
  echo "Could not be installed:$missing; going on without"
exit 0
