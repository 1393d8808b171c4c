# A disk that is mounted for a source, or for the whole run, can be unmounted by what follows: nothing holds a store open.
. "$TESTS/fixture.sh"
configure_files <<EOF
store = "disk"
before = [["mount", "--bind", "$PWD/real", "$PWD/disk"]]
finally = [["umount", "$PWD/disk"]]
[sources.other]
type = "directory"
path = "$PWD/tree"
push_to = ["disk"]
before = [["mount", "--bind", "$PWD/real", "$PWD/disk"]]
finally = [["umount", "$PWD/disk"]]
[stores.disk]
url = "$PWD/disk/st"
[retention]
keep_last = 1
EOF
mkdir real disk
make_store real/st
as_root=--map-root-user
if [ "$(id -u)" = 0 ]; then as_root=; fi
unshare $as_root --mount sh -c '
  cairn run --quiet
  echo "exit $?"
  cairn snapshot --quiet --push files other
  echo "exit $?"
  # A prune comes after the sources. Around the run its disk is there, too.
  config=$XDG_CONFIG_HOME/cairn/cairn.toml
  sed -n "/^before\|^finally/p" "$config" | sort -u >of_the_run
  sed "/^before\|^finally/d; s/^\[stores.disk\]$/&\nprune = true/" "$config" >rest
  cat of_the_run rest >"$config"
  cairn run
  echo "exit $?"
  grep "$PWD/disk" /proc/self/mounts || echo nothing is mounted
'
