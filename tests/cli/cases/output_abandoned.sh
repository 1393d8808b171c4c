. "$TESTS/fixture.sh"
make_store st
# More than a buffer holds, so that it is met on the way, too.
mkdir src
(cd src && seq -f 'a-rather-long-name-so-that-the-list-outgrows-a-buffer-%g' 3000 | xargs touch)
# Standard output is a pipe whose reader is gone.
abandoned() {
  python3 -c 'import os, subprocess, sys
r, w = os.pipe(); os.close(r)
print(" ".join(sys.argv[1:3]), subprocess.call(sys.argv[1:], stdout=w))' "$@"
}
# What there is to do is done all the same.
abandoned cairn snapshot --store st ./src
abandoned cairn list --store st
abandoned cairn list src --files --store st
abandoned cairn diff src ./ --store st
abandoned cairn show src --store st --json
abandoned cairn --help
# A status that tells more stays.
abandoned cairn list --store st --series other
cairn list --store st | grep -c src
