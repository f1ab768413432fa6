# shellcheck shell=bash
# What the scripts of programs/ and services/ share, which run real programs; their lib.sh sources it.
#
#   die WHAT            end, with a line that says why
#   need CMD...         skip unless these are installed
#   pids                processes in the background that must not outlive the script
#   leave STATUS        the lib.sh's own: called at the end, whatever the reason

set -euo pipefail
ulimit -c 0
unset LD_PRELOAD
export LC_ALL=C TZ=UTC
name=$(basename "$0" .sh)
pids=()

on_exit()
{
	local status=$?
	trap - EXIT
	set +e
	leave "$status"
	exit "$status"
}
trap on_exit EXIT
trap 'exit 1' HUP INT TERM

die()
{
	echo "$name: $*" >&2
	exit 1
}

need()
{
	local cmd
	for cmd; do
		command -v "$cmd" >/dev/null && continue
		echo "$name: $cmd is not installed" >&2
		exit 77
	done
}
