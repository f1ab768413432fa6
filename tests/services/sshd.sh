#!/bin/bash
# sshd: logins and copies on loopback. Its unprivileged child filters its own system calls; another key exchange every 2 MiB.
. "$(dirname "$0")/lib.sh"
need sshd ssh ssh-keygen scp
[ "$(id -u)" = 0 ] || { echo "sshd: is for root to start" >&2; exit 77; }
mkdir -p /run/sshd

# No statistics: whoever asks for them makes a process that may hardly do anything write a file when it ends.
[ -z "$LIB" ] || environment=("LD_PRELOAD=$LIB" "TYPED_MALLOC_OPTIONS=${TYPED_MALLOC_OPTIONS-}")

ssh-keygen -q -t ed25519 -N "" -f "$W/host" && ssh-keygen -q -t ed25519 -N "" -f "$W/key" || die "no keys"
port=$(free_port)
cat >"$W/sshd_config" <<EOF
Port $port
ListenAddress 127.0.0.1
HostKey $W/host
AuthorizedKeysFile $W/key.pub
PermitRootLogin yes
StrictModes no
UsePAM no
PidFile none
RekeyLimit 2M
Subsystem sftp internal-sftp
EOF
options=(-q -i "$W/key" -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null)
start /usr/sbin/sshd -D -e -f "$W/sshd_config" >&2
server=$PID
login() { ssh "${options[@]}" -p "$port" root@127.0.0.1 "$@"; }
await login true
loaded "$server"
for i in $(seq 60); do login "echo $i" || die "login $i failed"; done | sha256sum
seq 1 600000 >"$W/in"
scp "${options[@]}" -P "$port" "$W/in" "root@127.0.0.1:$W/there" && scp "${options[@]}" -C -P "$port" "root@127.0.0.1:$W/there" "$W/out"
echo "copied: $?"
sha256sum <"$W/out"
login "sort -rn" <"$W/in" | sha256sum
kill "$server"
wait "$server" || [ $? = 255 ] || die "sshd ended with status $?"
pids=()
