#!/bin/bash
# redis: its own test units that need no more than this machine and a few minutes. The work fills a server with data of every
# kind by redis-cli and lets it save, and shuts it down with the data in it.
. "$(dirname "$0")/lib.sh"
package=redis process=redis-server
need tclsh8.6

build()
{
	# Declarations of functions that the header has made macros; they say "deprecated" and nothing else.
	[ "$build" != header ] || sed -i '/^void \*[cmre]*alloc(.*deprecated/d' src/server.h
	# The libraries in deps do not have the wrappers.
	[ -z "$wrap" ] || wrap="-iquote . $wrap"
	make -j"$jobs" V=1 MALLOC=libc CC="$CC" OPTIMIZATION=-O2 CFLAGS="$cflags" LDFLAGS="$ldflags" REDIS_CFLAGS="$wrap"
}

units='unit/type/string unit/type/incr unit/type/list unit/type/list-2 unit/type/set unit/type/zset unit/type/hash
	unit/type/stream unit/type/stream-cgroups unit/keyspace unit/scan unit/info unit/protocol unit/sort unit/dump
	unit/expire unit/other unit/multi unit/quit unit/acl unit/acl-v2 unit/auth unit/scripting unit/functions unit/pubsub
	unit/pubsubshard unit/bitops unit/bitfield unit/geo unit/lazyfree unit/introspection unit/introspection-2 unit/aofrw
	unit/querybuf unit/networking unit/tracking unit/slowlog integration/rdb integration/aof integration/replication-psync'

check()
{
	local unit selection=() status=0 out=$scratch/out
	for unit in $units; do selection+=(--single "$unit"); done
	timeout 1200 ./runtest --clients 2 --no-latency --tags -large-memory --baseport $((21111 + RANDOM % 200 * 40)) \
		--portcount 4000 "${selection[@]}" >"$out" 2>&1 </dev/null || status=$?
	sed 's/\x1b\[[0-9;]*m//g' "$out"
	run=$(sed 's/\x1b\[[0-9;]*m//g' "$out" | grep -c '^\[\(ok\|err\)\]') || :
	failed=$(sed 's/\x1b\[[0-9;]*m//g' "$out" | grep -c '^\[\(err\|exception\|timeout\)\]') || :
	[ $status = 0 ] || [ "$failed" -gt 0 ] || failed=1
}

cli() { "$tree/src/redis-cli" -p "$port" "$@"; }

data()
{
	awk 'BEGIN {
		for (i = 0; i < 60000; i++) {
			printf "SET string:%d %d-%s\n", i, i, substr("abcdefghijklmnopqrstuvwxyz0123456789", 1 + i % 30)
			printf "RPUSH list:%d %d\n", i % 100, i * i
			printf "HSET hash:%d field:%d %d\n", i % 50, i, i * 3
			printf "HSET small:%d a %d b x\n", i % 5000, i
			printf "SADD set:%d member:%d\n", i % 40, i
			printf "SADD numbers:%d %d\n", i % 300, i
			printf "ZADD zset:%d %d member:%d\n", i % 30, i % 997, i
			printf "XADD stream:%d %d-1 k %d\n", i % 20, i + 1, i
			if (i % 4 == 0) printf "APPEND string:%d more-%d\n", i / 2, i
			if (i % 5 == 0) printf "EXPIRE string:%d 3600\n", i / 5
		}
		for (i = 1; i <= 8; i++) printf "SETRANGE large:%d %d end\n", i, i * 500000
		print "EVAL \"for i = 1, 2000 do redis.call(\47SET\47, \47lua:\47 .. i, string.rep(\47x\47, i)) end\" 0"
		for (i = 0; i < 60000; i += 3) printf "UNLINK string:%d\n", i
		for (i = 0; i < 300; i++) printf "SORT list:%d desc limit 0 5\nZRANGE zset:%d 0 20\nLRANGE list:%d 0 50\n", i % 100, i % 30, i % 100
	}'
}

work()
{
	local server
	port=$((20000 + RANDOM % 10000))
	data >"$WORK/$name/commands"
	program ./src/redis-server --bind 127.0.0.1 --port "$port" --dir "$scratch" --save '' --logfile "$scratch/log" &
	server=$!
	pids+=("$server")
	for _ in {1..100}; do cli ping >/dev/null 2>&1 && break; sleep 0.1; done
	cli ping
	cli --pipe <"$WORK/$name/commands"
	cli bgsave
	for _ in {1..100}; do cli info persistence | grep -q rdb_bgsave_in_progress:0 && break; sleep 0.1; done
	cli info persistence | grep rdb_last_bgsave_status:ok
	cli info memory | grep used_memory_human
	cli shutdown nosave || :
	wait "$server"
	pids=()
}

main
