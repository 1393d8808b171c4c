# A dump is measured against the newest one that is trusted, and that this host can open.
. "$TESTS/fixture.sh"
mkdir -p "$XDG_CONFIG_HOME/cairn"
cairn key generate --quiet --signing sign.pem >public 2>&1
cairn key generate --quiet identity >recipient 2>&1
cat >"$XDG_CONFIG_HOME/cairn/cairn.toml" <<EOC
[stores.signed]
url = "$PWD/signed"
trusted_keys = [{ key = "$(grep -o 'RW[A-Za-z0-9+/=]*' public)", series = "*" }]
[stores.sealed]
url = "$PWD/sealed"
[sources.dump]
type = "command"
command = ["cat", "$PWD/dump"]
max_drop = "50%"
EOC
cairn init --quiet --store signed --no-encryption
cairn init --quiet --store sealed --recipient "$(grep -o 'age1[a-z0-9]*' recipient)"
export CAIRN_SIGNING_KEY=$PWD/sign.pem
dump() {
  head -c "$1" /dev/zero >dump
  cairn snapshot --quiet dump --store "$2" 2>&1 | sed -E 's/snapshot [0-9a-f]{16} /snapshot ID16 /'
  echo "exit ${PIPESTATUS[0]}"
}
dump 1000 signed
echo "# Somebody without a signing key plants a small one."
CAIRN_SIGNING_KEY= CAIRN_STATE_DIR=$PWD/other cairn snapshot --quiet --store signed --series dump -- echo tiny
dump 6 signed
dump 600 signed
echo "# One newer than this host's is sealed to another host's key."
dump 1000 sealed
CAIRN_STATE_DIR=$PWD/other cairn snapshot --quiet --store sealed --series dump -- echo tiny
dump 6 sealed
dump 600 sealed
echo "# Where all of them are, it is said."
CAIRN_STATE_DIR=$PWD/third dump 6 sealed
