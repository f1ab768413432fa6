#!/bin/bash
# vsftpd: files both ways on loopback. Its children are made by clone, and limit their address space.
. "$(dirname "$0")/lib.sh"
need vsftpd curl
[ "$(id -u)" = 0 ] || { echo "vsftpd: is for root to start" >&2; exit 77; }

mkdir -p "$W/empty" "$W/pub"
mkdir -m 1777 "$W/pub/in"
seq 1 500000 >"$W/pub/out"
port=$(free_port)
cat >"$W/conf" <<EOF
listen=YES
listen_port=$port
listen_address=127.0.0.1
background=NO
anonymous_enable=YES
write_enable=YES
anon_upload_enable=YES
anon_root=$W/pub
anon_umask=022
secure_chroot_dir=$W/empty
EOF
start vsftpd "$W/conf" >&2
server=$PID
url=ftp://127.0.0.1:$port
await curl -s "$url/"
loaded "$server"
curl -s "$url/" | awk '{ print $1, $5, $9 }'
for i in 1 2 3 4 5 6 7 8; do curl -s "$url/out" | sha256sum; done
seq 1 300000 >"$W/up"
for i in 1 2 3; do curl -s -T "$W/up" "$url/in/up$i" && sha256sum <"$W/pub/in/up$i"; done
curl -s "$url/none" || echo "none: $?"
for i in $(seq 10); do curl -s "$url/out" >"$W/copy$i" & pids+=($!); done
for pid in "${pids[@]}"; do [ "$pid" = "$server" ] || finish "$pid"; done
cat "$W"/copy* | sha256sum
kill "$server"
wait "$server" || [ $? = 143 ] || die "vsftpd ended with status $?"
pids=()
