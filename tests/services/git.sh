#!/bin/bash
# git: a repository of 400 commits is made, cloned, repacked, checked, merged, searched and read back.
. "$(dirname "$0")/lib.sh"
need git awk
cd "$W"
git() { run git -c user.name=T -c user.email=t@example.org -c init.defaultBranch=main -c pack.threads=2 "$@"; }
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000' GIT_CONFIG_NOSYSTEM=1

# 400 commits on two branches, each changing some of 60 growing files.
history()
{
	awk 'BEGIN {
		for (c = 1; c <= 400; c++) {
			printf "commit refs/heads/%s\nmark :%d\n", c % 5 ? "main" : "side", c
			printf "committer T <t@example.org> %d +0000\ndata <<END\ncommit %d\nEND\n", 1600000000 + c * 60, c
			if (c == 5) print "from :4"
			for (f = c % 7 + c % 5 * 100; f < 60 + c % 5 * 100; f += 7) {
				printf "M 100644 inline dir%d/file%d\ndata <<END\n", f % 9, f
				for (l = 0; l < c; l++) print "line", l, "of file", f, l % 11 == c % 11 ? c : ""
				print "END"
			}
			print ""
		}
	}'
}

git init -q --bare origin.git
history | git -C origin.git fast-import --quiet --depth=20
git clone -q --no-local origin.git copy
cd copy
git merge -q --no-edit origin/side
git gc -q --aggressive --prune=now
git fsck --strict --full >&2
git rev-parse HEAD
git log -p --stat --all -M | sha256sum
git grep -c 'line 1[0-9]* of file' | sha256sum
git blame dir1/file1 | cut -c1-9,40- | sha256sum
git archive --format=tar HEAD | sha256sum
git rebase -q HEAD~3 >&2
git diff HEAD~20 | sha256sum
git repack -adfq
git verify-pack -v .git/objects/pack/*.idx | grep -c blob
counted git
