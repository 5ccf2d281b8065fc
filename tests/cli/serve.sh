#!/usr/bin/env bash
# The live page in headless Chromium and over HTTP: what it answers is what `moesim simulate`
# answers, the saved scenario gives it again, and strangers get nothing.
set -euo pipefail
moesim=$1
source=$2
work=$(mktemp -d)
server=
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

# Starts the server of $1 on a free port; sets `server` and `link`.
serve() {
  "$moesim" serve "$1" --port 0 >"$work/link" 2>"$work/log" &
  server=$!
  for _ in $(seq 100); do
    [[ ! -s $work/link ]] || break
    sleep 0.1
  done
  link=$(cat "$work/link")
  [[ $link == http://127.0.0.1:* ]]
}
# Ends it as Ctrl-C does; its exit code must be 0.
stop() {
  kill -INT "$server"
  wait "$server"
  server=
}

cp "$source/workloads/mixtral-8x7b/scenario.toml" "$work/scenario.toml"
sed -i "s|\"config.json\"|\"$source/workloads/mixtral-8x7b/config.json\"|
  s|\"../../topologies|\"$source/topologies|" "$work/scenario.toml"
ls "$work" >"$work/files"
cd "$work"
"$moesim" simulate scenario.toml --no-twins --set cluster.gpus=256 --format csv >told.csv 2>/dev/null
serve "$work/scenario.toml"
node "$source/tests/report/serve_test.mjs" "$link" told.csv saved.toml
mkdir elsewhere
(cd elsewhere && "$moesim" simulate ../saved.toml --no-twins --format csv 2>/dev/null) >saved.csv
cut -d, -f1,2,4- told.csv | cmp - saved.csv # the third column is the key that was set

# A taken port, a port that is none, a folder without a report.
code=0
"$moesim" serve scenario.toml --port "$(sed 's|.*:||; s|/||' link)" >/dev/null 2>taken || code=$?
[[ $code == 2 ]]
grep -q -- '--port 0 takes a free one' taken
code=0
"$moesim" serve elsewhere --port 0 >/dev/null 2>none || code=$?
[[ $code == 2 ]]
grep -q 'moesim report elsewhere' none
stop

# A folder of results: the report, whose scripts run by a nonce.
cat >sweep.toml <<TOML
scenario = "scenario.toml"
[set]
model.layers = 4
[axes]
cluster.gpus = [32, 64]
TOML
"$moesim" sweep sweep.toml --out out --no-twins >/dev/null 2>&1
serve "$work/out"
node "$source/tests/report/serve_test.mjs" "$link"
stop
