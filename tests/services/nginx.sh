#!/bin/bash
# nginx: 4 workers serve static, compressed, proxied and TLS requests while the configuration is reloaded.
. "$(dirname "$0")/lib.sh"
need nginx ab curl openssl
port=$(free_port)
tls=$(free_port)

mkdir -p "$W/www" "$W/tmp"
seq 1 50000 >"$W/www/text.txt"
seq 1 500 >"$W/www/small.txt"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$W/key" -out "$W/cert" 2>/dev/null
[ "$(id -u)" = 0 ] && user="user www-data;" && chown www-data "$W/tmp" || user=
cat >"$W/conf" <<CONF
$user
worker_processes 4;
daemon off;
pid $W/pid;
error_log stderr warn;
events { worker_connections 256; }
http {
	access_log off;
	gzip on;
	gzip_types text/plain;
	client_body_temp_path $W/tmp/body;
	proxy_temp_path $W/tmp/proxy;
	fastcgi_temp_path $W/tmp/fastcgi;
	uwsgi_temp_path $W/tmp/uwsgi;
	scgi_temp_path $W/tmp/scgi;
	server {
		listen 127.0.0.1:$port;
		listen 127.0.0.1:$tls ssl;
		ssl_certificate $W/cert;
		ssl_certificate_key $W/key;
		root $W/www;
		rewrite ^/numbers-([0-9]+)\$ /small.txt?n=\$1;
		location /proxy/ { proxy_pass http://127.0.0.1:$port/; }
	}
}
CONF

workers() { cat "/proc/$server/task/$server/children"; }
four_workers() { [ "$(workers | wc -w)" = 4 ]; }
new_workers() { four_workers && [ "$(workers)" != "$old" ]; }

start nginx -c "$W/conf" -p "$W" >&2
server=$PID
await four_workers
await curl -s "http://127.0.0.1:$port/small.txt"
# shellcheck disable=SC2046 # one word a worker
loaded "$server" $(workers)

ab -q -r -n 30000 -c 16 -H 'Accept-Encoding: gzip' "http://127.0.0.1:$port/proxy/small.txt" >"$W/load" &
load=$!
pids+=("$load")
for _ in 1 2 3; do
	sleep 0.4
	old=$(workers)
	kill -HUP "$server"
	await new_workers
done
finish "$load"
grep -E '^(Complete|Failed) requests:' "$W/load"
# shellcheck disable=SC2046
loaded "$server" $(workers)

for url in "http://127.0.0.1:$port/text.txt" "http://127.0.0.1:$port/proxy/text.txt" \
	"http://127.0.0.1:$port/proxy/numbers-7" "https://127.0.0.1:$tls/text.txt"; do
	curl -sSk --compressed "$url" | sha256sum
done
ab -q -n 200 -c 4 "https://127.0.0.1:$tls/text.txt" | grep -E '^(Complete|Failed) requests:'
stop "$server" QUIT
counted nginx
