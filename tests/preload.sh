#!/bin/sh
# How `make check` runs a test program: with the library preloaded, as a user would. Unit tests carry their own copy of its parts.
case ${1##*/} in
unit_*) exec "$@" ;;
esac
ulimit -c 0
exec env LD_PRELOAD="${TYPED_MALLOC_LIB:?is not set}" "$@"
