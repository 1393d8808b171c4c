# SIGTERM while a program runs before a source, while one reads a source, and while one cleans up.
. "$TESTS/fixture.sh"
configure_files <<EOF
before = [["sh", "-c", "touch in; test ! -e hang || exec sleep 1000"]]
finally = [["sh", "-c", "echo finally \$CAIRN_OUTCOME \$CAIRN_EXIT_STATUS"]]
[sources.dump]
type = "command"
command = ["sh", "-c", "touch in; exec sleep 1000"]
finally = [["sh", "-c", "touch cleaning; sleep 1; echo cleaned up after \$CAIRN_OUTCOME"]]
[sources.last]
type = "directory"
path = "$PWD/tree"
finally = [["sh", "-c", "touch cleaning; sleep 1; echo cleaned up after \$CAIRN_OUTCOME"]]
[groups.hanging]
sources = ["files", "last"]
finally = [["sh", "-c", "echo group \$CAIRN_OUTCOME"]]
EOF
exec 2>&1
# Runs cairn with the rest of the arguments, and ends it with the signal once the file is there.
end() {
  local signal=$1 file=$2
  shift 2
  rm -f in cleaning
  "$@" >out 2>said &
  local pid=$!
  until [ -e "$file" ]; do sleep 0.05; done
  kill -$signal $pid
  wait $pid
  echo "exit $?"
  cat said out
}
touch hang
end TERM in cairn run --json hanging
end INT in cairn run hanging
rm hang
end TERM in cairn run dump
end TERM in cairn snapshot dump
end TERM cleaning cairn run last files
cairn list --json | grep -o '"series":"[a-z]*"'
