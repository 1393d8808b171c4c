# For the cases: a small tree with a bit of everything that any user can make, and a store.
make_tree() {
  mkdir -p "$1/sub"
  printf 'hello\n' >"$1/a"
  printf 'world\n' >"$1/sub/b"
  ln -s a "$1/link"
  touch -d 2026-01-02T03:04:05Z "$1/a" "$1/sub/b"
  touch -h -d 2026-01-02T03:04:05Z "$1/link"
  chmod 644 "$1/a" "$1/sub/b"
  touch -d 2026-01-02T03:04:05Z "$1/sub" "$1"
}
make_store() {
  cairn init --quiet --store "$1" --no-encryption
}
# A configuration with the stores st, taken where none is named, and offsite, and with one that is not there; the rest of
# it comes on standard input.
configure_stores() {
  make_store st
  make_store offsite
  mkdir -p "$XDG_CONFIG_HOME/cairn"
  {
    cat <<EOF
default_store = "local"
[stores.local]
url = "$PWD/st"
[stores.offsite]
url = "$PWD/offsite"
[stores.gone]
url = "$PWD/gone"
EOF
    cat
  } >"$XDG_CONFIG_HOME/cairn/cairn.toml"
}
# The same, and a tree with the source files, which is pushed to offsite.
configure_files() {
  make_tree tree
  {
    cat <<EOF
[sources.files]
type = "directory"
path = "$PWD/tree"
push_to = ["offsite"]
EOF
    cat
  } | configure_stores
}
