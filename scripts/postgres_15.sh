#!/bin/sh
# Postgres 15 with plpgsql_check, for the tests, from the system's own packages (Debian 12 has them). Never fails.
#
# The tests start servers of their own from its programs. A first installation would also make a cluster of the system's
# and start it on port 5432, which nobody asked for: that is switched off while it is installed.
bin=/usr/lib/postgresql/15/bin/postgres
check=/usr/lib/postgresql/15/lib/plpgsql_check.so
setting=/etc/postgresql-common/createcluster.conf
packages="$(dirname "$0")/system_packages.sh"

[ -x "$bin" ] && [ -e "$check" ] && exit 0

if [ ! -x "$bin" ]; then
  run=""
  [ "$(id -u)" = 0 ] || run="sudo -n"
  sh "$packages" pg_conftool:postgresql-common
  before=$(pg_conftool "$setting" show -s create_main_cluster 2>/dev/null)
  if [ -z "$before" ]; then
    $run pg_conftool "$setting" set create_main_cluster off 2>/dev/null ||
      { echo "Not installed, since it would start a cluster of its own: postgresql-15-plpgsql-check"; exit 0; }
    trap '$run pg_conftool "$setting" remove create_main_cluster' EXIT
  fi
fi
sh "$packages" "$check:postgresql-15-plpgsql-check"
