. "$TESTS/fixture.sh"
make_store st
cd "$(mktemp -d)"
mkdir t
touch -d 2026-01-02T03:04:05Z t/plain t/"$(printf 'new\nline')" t/"$(printf '\377')"
chmod 640 t/*
touch -d 2026-01-02T03:04:05Z t
cairn snapshot --quiet --store "$OLDPWD/st" ./t
cairn list t --files --store "$OLDPWD/st" | sed "s/$(id -un)/USER/; s/$(id -gn)/GROUP/" | tr -s ' '
cairn list t --files --store "$OLDPWD/st" --json | sed 's/"uid.*"group":"[^"]*"/OWNER/; s/"ctime":"[^"]*"/CTIME/'
