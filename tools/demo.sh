#!/bin/bash
# demo.sh PREFIX: real programs on the library installed in PREFIX, with their results checked and their tables shown.
# `tools/dev demo' calls it. Exit status 0, and a last line `demo: ok', only if all of it worked.

set -euo pipefail
usage='usage: demo.sh PREFIX'
if [ $# -ne 1 ]; then echo "$usage" >&2; exit 2; fi
prefix=$(cd "$1" && pwd -P)
here=$(cd "$(dirname "$0")" && pwd)
unset LD_PRELOAD TYPED_MALLOC_OPTIONS TYPED_MALLOC_LIB
export LC_ALL=C
work=$(cd "$(mktemp -d)" && pwd -P)
pids=()

cleanup()
{
	local status=$? pid
	trap - EXIT
	if [ "$status" -ne 0 ]; then echo "demo: FAILED" >&2; fi
	exec 2>/dev/null
	for pid in "${pids[@]}"; do kill -9 "$pid" || :; done
	wait
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

say() { printf '%s\n' "$*"; }

# fail WHY [LOG]
fail()
{
	echo "demo: $1" >&2
	if [ $# -gt 1 ] && [ -s "$2" ]; then tail -n 15 "$2" | sed 's/^/    /' >&2; fi
	exit 1
}

# await WHY COMMAND...: until it succeeds, 60 s at most.
await()
{
	local i
	for ((i = 0; i < 600; i++)); do
		if "${@:2}" >/dev/null 2>&1; then return; fi
		sleep 0.1
	done
	fail "$1"
}

# The library's complaints about a program are on its standard error.
no_complaints()
{
	if grep '^typed_malloc: ' "$1" >&2; then fail "the library complained"; fi
}

# rows FILE: the table's rows: key kind size live peak slabs committedKiB allocations.
rows() { grep -E ' [a-z]+-(fixed|var|large|guard)( +[0-9]+){6}$' "$1"; }

# show_table FILE N: its head, the N rows with the most allocations, its totals.
show_table()
{
	if ! grep -q '^typed_malloc statistics: ' "$1" 2>/dev/null || [ -z "$(rows "$1")" ]; then
		fail "no table of allocations was written: the library was not loaded"
	fi
	{
		grep -E '^(typed_malloc statistics: |# key)' "$1"
		rows "$1" | sed -E 's/.* ([0-9]+)$/\1 &/' | sort -k 1,1nr |
			awk -v n="$2" 'NR <= n { sub(/^[0-9]+ /, ""); print } END { if (NR > n) print "... and " NR - n " more rows" }'
		grep -E '^(total|keys|mappings|untyped) ' "$1"
	} | sed 's/^/    /'
}

# --- redis-server: load, a background save in the middle of it, a restart ---

free_port()
{
	while
		port=$((20000 + RANDOM % 12000))
		(: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null
	do :; done
}

cli() { timeout 60 redis-cli -p "$port" "$@"; }
value() { cli info "$1" | tr -d '\r' | sed -n "s/^$2://p"; }
saved() { [ "$(value persistence rdb_bgsave_in_progress)" = 0 ]; }
dead() { ! kill -0 "$server"; }

# start_redis N: with its table in redis.N.stats.
start_redis()
{
	"$prefix/bin/typed-run" --stats="$work/redis.$1.stats" -- redis-server --bind 127.0.0.1 --port "$port" \
		--dir "$work" --dbfilename demo.rdb --save "" --enable-debug-command local >"$work/redis.$1.log" 2>&1 &
	server=$!
	pids=("$server")
	for ((i = 0; i < 300; i++)); do
		if [ "$(cli ping 2>/dev/null)" = PONG ]; then break; fi
		if dead 2>/dev/null; then fail "redis-server did not start" "$work/redis.$1.log"; fi
		sleep 0.1
	done
	grep -q "$prefix/lib/libtyped_malloc" "/proc/$server/maps" || fail "the library is not loaded in redis-server"
}

stop_redis()
{
	local status=0
	cli shutdown "$2" >/dev/null || true
	await "redis-server does not end" dead
	wait "$server" || status=$?
	pids=()
	no_complaints "$work/redis.$1.log"
	if [ "$status" -ne 0 ]; then fail "redis-server ended with status $status" "$work/redis.$1.log"; fi
}

# Commands for known data of several kinds.
known_data()
{
	awk 'BEGIN {
		for (i = 0; i < 5000; i++) {
			printf "SET known:%d value-%d-%s\nRPUSH known:list:%d %d\nHSET known:hash:%d f%d %d\n",
				i, i, substr("abcdefghijklmnopqrst", 1 + i % 20), i % 50, i, i % 40, i, i * i
			printf "ZADD known:zset %d member:%d\n", i * 7919 % 10007, i
		}
	}'
}

# Some of it, as read back.
known_answers()
{
	printf '%s\n' 'MGET known:0 known:1234 known:4999' 'LRANGE known:list:7 0 -1' 'HGET known:hash:39 f4999' \
		'ZRANGE known:zset 100 120 WITHSCORES' 'ZCARD known:zset' | cli
}

redis_demo()
{
	local load digest first
	free_port
	say "==> typed-run --stats=FILE -- redis-server --port $port"
	start_redis 1
	known_data | cli --pipe >"$work/pipe.log" || fail "redis-server took no data" "$work/pipe.log"
	first=$(known_answers)
	[[ $first == *value-1234-* ]] || fail "redis-server lost what was just stored"
	say "    redis-benchmark: 200,000 requests from 20 clients, with a background save (fork) in the middle"
	timeout 300 redis-benchmark -p "$port" -q -c 20 -n 25000 -r 5000 -d 64 -P 4 \
		-t set,get,incr,lpush,sadd,hset,zadd,mset >"$work/benchmark.log" 2>&1 &
	load=$!
	pids+=("$load")
	sleep 0.3
	cli bgsave >/dev/null
	kill -0 "$load" || fail "the load was over before the background save"
	wait "$load" || fail "redis-benchmark failed" "$work/benchmark.log"
	pids=("$server")
	await "the background save does not end" saved
	[ "$(value persistence rdb_last_bgsave_status)" = ok ] || fail "the background save failed" "$work/redis.1.log"
	tr '\r' '\n' <"$work/benchmark.log" | grep 'requests per second' | sed 's/^ */    /'
	[ "$(known_answers)" = "$first" ] || fail "redis-server's data changed under load"
	digest=$(cli debug digest)
	say "    $(value keyspace db0) ; digest $digest"
	stop_redis 1 save
	show_table "$work/redis.1.stats" 8

	say "    restart from the file it saved"
	start_redis 2
	[ "$(cli debug digest)" = "$digest" ] || fail "redis-server's data changed over the restart"
	[ "$(known_answers)" = "$first" ] || fail "redis-server's data changed over the restart"
	say "    the same data: $(value keyspace db0) ; digest $(cli debug digest)"
	stop_redis 2 nosave
}

# --- sqlite3: the same work with and without the library ---

sqlite_work()
{
	cat <<-'END'
		create table item (id integer primary key, kind int, name text, price int);
		with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
			insert into item select i, i % 997, 'item ' || hex(i * 2654435761 % 4294967296), i * 7919 % 10007 from n;
		create index item_kind on item (kind, price);
		create index item_name on item (name);
		select count(*), sum(a.price) from item a join item b on a.name = b.name where b.kind < 300;
		select kind, count(*), max(name) from item group by kind order by sum(price) desc limit 3;
		select sum(r) from (select rank() over (partition by kind order by price desc, id) r from item);
		select sum(length(j)) from (select json_group_array(name) j from item group by kind);
		delete from item where id % 3 = 0;
		vacuum;
		pragma integrity_check;
		select count(*), sum(price), sum(length(name)) from item;
	END
}

sqlite_demo()
{
	say "==> typed-run --stats=FILE -- sqlite3"
	sqlite_work | timeout 300 sqlite3 -bail "$work/plain.db" >"$work/plain.out" || fail "sqlite3 itself failed"
	sqlite_work | timeout 300 "$prefix/bin/typed-run" --stats="$work/sqlite.stats" -- sqlite3 -bail "$work/typed.db" \
		>"$work/typed.out" 2>"$work/sqlite.log" || fail "sqlite3 failed" "$work/sqlite.log"
	no_complaints "$work/sqlite.log"
	sed 's/^/    /' "$work/typed.out"
	cmp "$work/plain.out" "$work/typed.out" || fail "sqlite3 gave other answers than without the library"
	[ "$(sqlite3 "$work/plain.db" .dump | sha256sum)" = "$(sqlite3 "$work/typed.db" .dump | sha256sum)" ] ||
		fail "sqlite3 made another database than without the library"
	say "    the same answers and the same database as without the library"
	show_table "$work/sqlite.stats" 8
}

# --- A program recompiled against typed_malloc.h: a row for each type ---

types_demo()
{
	local cc=cc flags token kind count name n caches
	if command -v clang-22 >/dev/null; then cc=clang-22; fi
	flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags --libs typed_malloc)
	say "==> $cc types.c \$(pkg-config --cflags --libs typed_malloc) ; TYPED_MALLOC_OPTIONS=stats=1:sample=0 ./types"
	# shellcheck disable=SC2086 # several words
	"$cc" -std=gnu11 -O2 -Wall -Wextra "$here/demo/types.c" -o "$work/types" $flags "-Wl,-rpath,$prefix/lib"
	# No samples: they would be rows of their own.
	TYPED_MALLOC_OPTIONS=stats=1:sample=0 timeout 120 "$work/types" >"$work/types.out" 2>"$work/types.stats" ||
		fail "types failed" "$work/types.stats"
	no_complaints "$work/types.stats"
	sed '/^type /d; s/^/    /' "$work/types.out"
	show_table "$work/types.stats" 12
	if grep -q '^type 0x0 ' "$work/types.out"; then
		say "    $cc infers no types, so each call site has a row; clang-22 would give each type one"
		return
	fi
	say
	say "    One row for each type: its key, its caches of one size each, their objects, and its name."
	printf '    %-18s  %-5s  %6s  %11s  %s\n' '# key' kind caches allocations type
	while read -r _ token kind count name; do
		# A type that grows may also have objects too large for any bucket.
		read -r n caches < <(rows "$work/types.stats" | awk -v key="$token" -v kind="type-$kind" \
			'$1 == key && ($2 == kind || kind == "type-var" && $2 == "type-large") { n += $8; caches++ }
			END { print n + 0, caches + 0 }')
		printf '    %-18s  %-5s  %6d  %11d  %s\n' "$token" "$kind" "$caches" "$n" "$name"
		# The program also counts the reallocations that stayed in place.
		if [ "$n" -eq 0 ] || [ "$n" -gt "$count" ] || { [ "$kind" = fixed ] && [ "$n" -ne "$count" ]; }; then
			fail "the program itself counted $count allocations of $name"
		fi
	done < <(grep '^type ' "$work/types.out")
}

redis_demo
sqlite_demo
types_demo
say "demo: ok"
