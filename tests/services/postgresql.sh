#!/bin/bash
# PostgreSQL: initdb, pgbench with 4 clients, consistency of its balances, a crash and recovery, big queries.
. "$(dirname "$0")/lib.sh"
bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
PATH=$bin:$PATH
need initdb postgres pgbench psql setpriv
port=$(free_port)
as=()
[ "$(id -u)" != 0 ] || as=(setpriv --reuid=postgres --regid=postgres --init-groups) # postgres refuses to be root
user=$(id -un)
[ "$(id -u)" != 0 ] || user=postgres
mkdir "$W/pg"
chown "$user" "$W/pg"
cd "$W/pg"

query() { psql -XAtq -h "$W/pg" -p "$port" -U "$user" -d postgres -v ON_ERROR_STOP=1 "$@"; }

start_server()
{
	start "${as[@]}" "$bin/postgres" -D "$W/pg/data" -p "$port" -k "$W/pg" -c listen_addresses= -c fsync=off \
		-c shared_buffers=32MB -c min_parallel_table_scan_size=0 -c parallel_setup_cost=0 -c parallel_tuple_cost=0 >&2
	server=$PID
	await query -c 'select 1'
	loaded "$server"
	if [ -n "$LIB" ]; then # in a backend, too
		[ "$(query -c "select strpos(pg_read_file('/proc/self/maps'), '$LIB') > 0")" = t ] || die "not loaded in a backend"
	fi
}

balances()
{
	query -c 'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)
				 and (select sum(tbalance) from pgbench_tellers) = (select sum(delta) from pgbench_history)
				 and (select sum(bbalance) from pgbench_branches) = (select sum(delta) from pgbench_history)
				 and (select count(*) from pgbench_history) > 100'
}

run "${as[@]}" "$bin/initdb" -D "$W/pg/data" -U "$user" -A trust -E UTF8 --no-sync >&2
counted initdb
start_server
run pgbench -h "$W/pg" -p "$port" -U "$user" -i -s 2 -q postgres >&2
run pgbench -h "$W/pg" -p "$port" -U "$user" -c 4 -j 2 -T 10 postgres >&2
counted pgbench
balances
query -f "$here/postgresql.sql"

stop "$server" QUIT # as in a crash
start_server
balances
query -c 'select count(*), md5(string_agg(abalance::text || aid, $$,$$ order by aid)) is not null from pgbench_accounts'
stop "$server" INT
counted postgres
