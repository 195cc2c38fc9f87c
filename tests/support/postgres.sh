#!/bin/sh
# A private PostgreSQL for tests: in a directory of its own, on a free loopback port, with a password of its own.
#
#   postgres.sh start DIR [SETTING=VALUE …]   creates the cluster, starts it, prints its URL
#   postgres.sh standby DIR PRIMARY [SETTING=VALUE …]
#                                             creates a standby of the one in the directory PRIMARY, starts it, prints its URL
#   postgres.sh promote DIR                   makes a standby a primary
#   postgres.sh url DIR                       prints the URL again
#   postgres.sh kill DIR                      SIGKILL to all its processes: a crash
#   postgres.sh halt DIR                      an orderly stop; the data stays
#   postgres.sh restart DIR [SETTING=VALUE …] starts it again after kill or halt (or halts it first), on the same port
#   postgres.sh reload DIR [SETTING=VALUE …]  has it read its settings while it runs; all its processes will have when the next
#                                             statement comes
#   postgres.sh save DIR NAME                 keeps a copy of what a halted one holds, under a name
#   postgres.sh restore DIR NAME              brings back that copy, likewise
#   postgres.sh stop DIR                      stops it and removes DIR
#
# Root runs it as the user postgres, who then owns DIR and must be able to reach it.
set -eu

die() {
	echo "postgres.sh: $*" >&2
	exit 2
}

[ $# -ge 2 ] || die "usage: postgres.sh start|standby|promote|url|kill|halt|restart|reload|save|restore|stop DIR …"
verb=$1
directory=$2
shift 2
case $directory in
/*) ;;
*) directory=$PWD/$directory ;;
esac
data=$directory/data

as_server() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=postgres --regid=postgres --init-groups env -C / HOME=/ "$@"
	else
		"$@"
	fi
}

find_binaries() {
	initdb=$(command -v initdb || true)
	for found in /usr/lib/postgresql/*/bin/initdb; do
		[ ! -x "$found" ] || initdb=$found
	done
	[ -n "$initdb" ] || die "no PostgreSQL server found: apt install postgresql-15"
	binaries=$(dirname "$initdb")
}

# A process nobody has waited for yet is gone all the same.
alive() {
	[ -e "/proc/$1" ] && ! grep -q '^State:.*[ZX]' "/proc/$1/status" 2>/dev/null
}

# Prints the postmaster's process id if it is alive.
postmaster() {
	[ -f "$data/postmaster.pid" ] || return 1
	read -r pid <"$data/postmaster.pid"
	alive "$pid" && echo "$pid"
}

# With SLUICE_POSTGRES_FSYNC=none a server says that it syncs and does not: it loses nothing when it is killed, only when
# the power goes, and takes a fraction of the time where many tests share a disk.
launch() {
	without_sync=
	[ "${SLUICE_POSTGRES_FSYNC:-}" != none ] || ! command -v eatmydata >/dev/null || without_sync=eatmydata
	# shellcheck disable=SC2086 # one word or none
	as_server $without_sync "$binaries/pg_ctl" start -w -t 60 -D "$data" -l "$directory/log" -o "-p $1" >/dev/null 2>&1 </dev/null
}

random_hex() {
	od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'
}

configure() {
	for setting in "$@"; do
		echo "${setting%%=*} = '${setting#*=}'" >>"$data/postgresql.conf"
	done
}

make_directory() {
	mkdir -p "$directory"
	(umask 077 && random_hex 16 >"$directory/password")
	if [ "$(id -u)" = 0 ]; then
		chown -R postgres:postgres "$directory"
		as_server test -x "$directory" || die "the user postgres cannot enter $directory: open the folders above it"
	fi
}

# A new cluster with the database.
initialize() {
	{
		as_server "$binaries/initdb" -D "$data" -U sluice --pwfile="$directory/password" -A "$auth" -E UTF8 --locale=C.UTF-8 --no-sync &&
			echo 'CREATE DATABASE sluice' | as_server "$binaries/postgres" --single -F -D "$data" postgres
	} >"$directory/initdb.log" 2>&1 || {
		cat "$directory/initdb.log" >&2
		die "initdb failed"
	}
}

# A name that is taken meanwhile is another's doing, and as good. Where it cannot be kept, the next one is made again.
keep_template() {
	mkdir -p "$template.$$" && cp -a "$data" "$directory/password" "$template.$$" && mv -T "$template.$$" "$template" && return
	rm -rf "$template.$$"
} 2>/dev/null

# To make a cluster takes most of the time of a start, so all are copies of one, which lies in build/: they have its system
# identifier, and get passwords of their own.
#
# SLUICE_POSTGRES_AUTH=md5 asks for passwords in a way that costs little: SCRAM has 4,096 rounds a connection, on both sides,
# which a sanitizer makes slow.
create() {
	auth=${SLUICE_POSTGRES_AUTH:-scram-sha-256}
	template=$(cd "$(dirname "$0")/../.." && pwd)/build/postgres-$({ "$initdb" --version; id -u; cat "$0"; } | cksum | tr ' ' -)-$auth
	make_directory
	password=$(cat "$directory/password")
	old_password=$password
	if [ -e "$template" ]; then
		cp -a "$template/data" "$data"
		old_password=$(cat "$template/password")
	else
		initialize
		keep_template
	fi
	configure "listen_addresses=127.0.0.1" "unix_socket_directories=" "shared_buffers=32MB" "$@"
}

# Sets `url`, without a database.
launch_somewhere() {
	for attempt in 1 2 3 4 5 6 7 8 9 10; do
		port=$((20000 + 0x$(random_hex 2) % 12000))
		if launch "$port"; then
			echo "$port" >"$directory/port"
			url=postgresql://sluice:$password@127.0.0.1:$port
			echo "$url/sluice" >"$directory/url"
			return
		fi
	done
	tail -n 20 "$directory/log" >&2
	die "the server did not start ($attempt tries)"
}

start() {
	find_binaries
	postmaster >/dev/null && die "already running in $directory"
	rm -rf "$data"
	create "$@"
	launch_somewhere
	PGPASSWORD=$old_password "$binaries/psql" -q "host=127.0.0.1 port=$port user=sluice dbname=sluice" -c "ALTER ROLE sluice PASSWORD '$password'"
	cat "$directory/url"
}

standby() {
	primary=$1
	shift
	find_binaries
	mkdir -p "$directory"
	cp "$primary/password" "$directory/password"
	password=$(cat "$directory/password")
	[ "$(id -u)" != 0 ] || chown -R postgres:postgres "$directory"
	origin="host=127.0.0.1 port=$(cat "$primary/port") user=sluice password=$password"
	as_server "$binaries/pg_basebackup" -d "$origin" -D "$data" -R -X stream -c fast --no-sync >"$directory/initdb.log" 2>&1 || {
		cat "$directory/initdb.log" >&2
		die "pg_basebackup failed"
	}
	configure "$@"
	launch_somewhere
	cat "$directory/url"
}

# The settings that its processes have read so far cannot be seen from outside, but a new session has them once the
# postmaster has.
reload() {
	find_binaries
	configure "$@"
	pid=$(postmaster) || die "no server runs in $directory"
	kill -HUP "$pid"
	for setting in "$@"; do
		while [ "$("$binaries/psql" -XAtq "$(cat "$directory/url")" -c "SHOW ${setting%%=*}")" != "${setting#*=}" ]; do
			sleep 0.02
		done
	done
}

crash() {
	pid=$(postmaster) || return 0
	kill -STOP "$pid"
	victims="$pid $(cat "/proc/$pid/task/$pid/children")"
	# shellcheck disable=SC2086 # a list of numbers
	kill -KILL $victims 2>/dev/null || true
	for victim in $victims; do
		while alive "$victim"; do
			sleep 0.01
		done
	done
	rm -f "$data/postmaster.pid" # its number may live on as a zombie, which the next start would take for a server
}

halt() {
	find_binaries
	[ -z "$(postmaster)" ] || as_server "$binaries/pg_ctl" stop -w -t 60 -m fast -D "$data" >/dev/null
}

case $verb in
start) start "$@" ;;
standby) standby "$@" ;;
promote)
	find_binaries
	as_server "$binaries/pg_ctl" promote -w -t 60 -D "$data" >/dev/null
	;;
reload) reload "$@" ;;
save)
	rm -rf "${directory:?}/$1"
	cp -a "$data" "$directory/$1"
	;;
restore)
	rm -rf "$data"
	cp -a "$directory/$1" "$data"
	;;
url) cat "$directory/url" ;;
kill) crash ;;
halt) halt ;;
restart)
	halt
	configure "$@"
	launch "$(cat "$directory/port")" || {
		tail -n 20 "$directory/log" >&2
		die "the server did not start again"
	}
	;;
stop)
	[ -e "$directory/password" ] || die "no server of mine in $directory"
	halt
	rm -rf "$directory"
	;;
*) die "unknown verb $verb" ;;
esac
