# What a source's command inherits: not this program's secrets, but those that the source names.
. "$TESTS/fixture.sh"
configure_stores <<EOT
[sources.without]
type = "command"
command = ["sh", "-c", "env | grep -E '^(AWS|CAIRN)_(S|I)' | sort; echo end"]
[sources.with]
type = "command"
command = [["sh", "-c", "env | grep -E '^(AWS|CAIRN)_(S|I)' | sort; echo end"], ["cat"]]
env = ["AWS_SESSION_TOKEN", "CAIRN_IDENTITY"]
EOT
cairn key generate --quiet id.key >/dev/null
cairn key generate --quiet --signing sign.pem >/dev/null
export AWS_SECRET_ACCESS_KEY=hush AWS_SESSION_TOKEN=token CAIRN_IDENTITY=id.key CAIRN_SIGNING_KEY=sign.pem
export CAIRN_IDENTITY_COMMAND='cat id.key'
cairn snapshot --quiet without with
cairn snapshot --quiet --series typed -- sh -c "env | grep -E '^(AWS|CAIRN)_(S|I)' | sort; echo end"
unset CAIRN_IDENTITY CAIRN_IDENTITY_COMMAND
for series in without with typed; do
  echo "# $series"
  cairn restore --quiet "$series" "out-$series" && cat "out-$series"
done
echo '# What cannot be a name of a variable.'
printf '[sources.x]\ntype = "command"\ncommand = ["true"]\nenv = ["A=b"]\n' >bad.toml
cairn list --config bad.toml --store st
