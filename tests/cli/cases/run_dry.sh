# A rehearsal tells the whole plan, also of a store that cannot be reached, and changes nothing: no program is run, and
# nothing is made in a store or in this host's state.
. "$TESTS/fixture.sh"
configure_files <<EOF
before = [["touch", "$PWD/ran"]]
[sources.dump]
type = "command"
command = ["touch", "$PWD/ran"]
push_to = ["gone"]
verify = "none"
[groups.node]
sources = ["dump", "files"]
finally = [["touch", "$PWD/ran"]]
[retention]
keep_last = 1
EOF
sed -i 's/^\[stores.local\]$/&\nprune = true/' "$XDG_CONFIG_HOME/cairn/cairn.toml"
cairn snapshot --quiet ./tree --series files
cairn snapshot --quiet ./tree --series files
cairn list --quiet --store offsite >/dev/null # a store that was not met before is noted
print_all() { find st offsite "$HOME" "$TMPDIR" -type f -printf '%p %s %T@\n' -o -printf '%p\n' | sort; }
print_all >before
cairn run --dry-run
echo "exit $?"
cairn run --dry-run --json
echo "exit $?"
cairn run --dry-run --if-older-than 1h files
print_all | diff before - && echo nothing has changed
test ! -e ran && echo no program was run
