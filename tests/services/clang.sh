#!/bin/bash
# clang: the newest one that is installed.
. "$(dirname "$0")/lib.sh"
for version in -22 ''; do
	command -v "clang$version" >/dev/null && break
done
. "$here/compile.sh" "clang$version" "clang++$version"
