# A secret that is given where a file, a name or an address is expected is in no message.
recipient=$(cairn key generate --quiet identity)
cairn key generate --quiet --signing sign.pem >/dev/null
secret=$(tail -1 identity)
pem=$(cat sign.pem)
body=$(sed -n 2p sign.pem)
random=wJ4lrXUtnF3MI/K7MDENG+bPxRf1CYaEXz9Kq2Lm
cairn init --quiet --store st --recipient "$recipient"
echo text >note
cairn snapshot --quiet --store st ./note
tried=0
# What is printed, without secrets; that is looked at first.
shows() {
  local out
  out=$("$@" 2>&1) && echo "no failure: ${*//$secret/SECRET}"
  for each in "$secret" "$body" "$random" "${random#*/}" "${secret#AGE-SECRET-KEY-1}"; do
    [[ $out != *"$each"* ]] || echo "shown: ${out//$each/<<SECRET>>}"
  done
  [[ -n $out ]] || echo 'no message'
  tried=$((tried + 1))
}
for given in "$secret" "$(cat identity)" "$pem" "$body" "$random"; do
  for json in '' --json; do
    shows cairn restore --store st note out --identity "$given" $json
    shows env CAIRN_IDENTITY="$given" cairn restore --store st note out $json
    shows env CAIRN_IDENTITY_COMMAND="$given" cairn restore --store st note out $json
    shows env CAIRN_SIGNING_KEY="$given" cairn snapshot --store st ./note $json
    shows env CAIRN_CONFIG="$given" cairn list --store st $json
    shows cairn list --store st --config "$given" $json
    shows cairn list --store "$given" $json
    shows env CAIRN_STORE="$given" cairn list $json
    shows cairn push --from st --to "$given" $json
    shows cairn init --store new --recipient "$given" $json
    shows cairn init --store new --recipients-file "$given" $json
    shows cairn list --store st --trusted-key "$given" $json
    shows cairn key add --store st "$given" $json
    shows cairn key generate a "$given" $json
    shows cairn key revoke "$given" $json
    shows cairn key "$given" $json
    shows cairn show --store st "$given" $json
    shows cairn restore --store st "$given" out $json
    shows cairn snapshot --store st "$given" $json
    shows cairn diff --store st note "$given" $json
    shows env CAIRN_STATE_DIR="$given" cairn list --store st $json
    shows env CAIRN_CACHE_DIR="$given" cairn list --store st $json
    shows env AWS_CA_BUNDLE="$given" AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b cairn list --store s3://bucket/x $json
    shows cairn list --store st note extra "$given" $json
    shows cairn verify --store st --level "$given" $json
    shows env AWS_PROFILE="$given" cairn list --store s3://bucket/x $json
    shows env AWS_SHARED_CREDENTIALS_FILE="$given" cairn list --store s3://bucket/x $json
    shows env AWS_ENDPOINT_URL="$given" AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b cairn list --store s3://bucket/x $json
    shows env AWS_REGION="$given" AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b cairn list --store s3://bucket/x $json
    printf 'identity = """%s"""\n' "$given" >in-a-key.toml
    shows cairn restore --config in-a-key.toml --store st note out $json
    printf '%s\n' "$given" >no-toml.toml
    shows cairn list --config no-toml.toml --store st $json
  done
done
echo "$tried ways"
ls
cairn restore --store st note out --identity "$secret" --json | sed "s/$secret/SHOWN/"
