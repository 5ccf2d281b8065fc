#!/usr/bin/env bash
# The shipped plan files, in a small form: few layers and GPUs, degrees that are fixed. The same
# bytes for any number of jobs, and after a kill.
set -euo pipefail
moesim=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "line $LINENO: $BASH_COMMAND"' ERR

# candidate TOPOLOGY GPUS PRICE...: one table of a list.
candidate() {
  printf '{topology = "../../topologies/%s.toml", gpus = %s, %s}' "$1" "$2" "$3"
}
bought='capital = 4e5, years = 4, power_price_per_kwh = 0.08'
small=(--set model.layers=4 --set training.tokens=1e10 --set training.deadline_days=1
  --set parallel.context=1 --set parallel.virtual_stages=1 --set parallel.schedule=1f1b
  --set parallel.recompute=full --set parallel.tensor=1 --set communication.overlap=none
  --set parallel.zero_stage=1)
for model in deepseek-v3 mixtral-8x22b; do
  # 7 GPUs divide neither the batch nor 4 layers; 100,000 are more than the cluster holds.
  candidates="[$(candidate hgx-h100-ndr400 '[16, 32, 7, 100000]' 'price_per_gpu_hour = 2.0'), "
  candidates+="$(candidate hgx-b200-ndr400 16 "$bought")]"
  batch=training.global_batch_tokens=1048576
  [[ $model == deepseek-v3 ]] || batch=training.global_batch=256
  plan=("$moesim" plan "$source/workloads/$model/plan.toml" "${small[@]}" --set "$batch"
    --set "candidate=$candidates" --format csv)
  "${plan[@]}" --out "$work/$model" --jobs 2 >"$work/two" 2>"$work/log"
  "${plan[@]}" --out "$work/$model-one" --jobs 1 >"$work/one" 2>/dev/null
  cmp "$work/$model/results.csv" "$work/$model-one/results.csv"
  cmp "$work/one" "$work/two"
  grep -q '^1 of 5 points are illegal' "$work/log"
  grep -q 'an assumption' "$work/log"
  # A lost answer is found again.
  sed -i '$d' "$work/$model-one/journal.txt"
  "${plan[@]}" --out "$work/$model-one" >/dev/null 2>"$work/log"
  grep -q 'points were finished before' "$work/log"
  cmp "$work/$model/results.csv" "$work/$model-one/results.csv"
  # So is a damaged one, with a warning.
  point=$(grep -o -m 1 '^point-[0-9a-f]*' "$work/$model-one/journal.txt")
  sed -i "s/^$point {/$point /" "$work/$model-one/journal.txt"
  "${plan[@]}" --out "$work/$model-one" >/dev/null 2>"$work/log"
  grep -q 'lines of journal.txt were damaged' "$work/log"
  cmp "$work/$model/results.csv" "$work/$model-one/results.csv"
  # Another price, deadline and number of tokens need no search.
  other=("${plan[@]}" --set training.tokens=2e10 --set training.deadline_days=3)
  dearer=${candidates//= 2.0/= 2.5}
  "${other[@]}" --set "candidate=$dearer" --out "$work/$model-one" >/dev/null 2>"$work/log"
  grep -q '^4 of 4 points were finished before' "$work/log"
  cp "$work/$model-one/results.csv" "$work/$model-dearer.csv"
  if cmp -s "$work/$model/results.csv" "$work/$model-dearer.csv"; then exit 1; fi
  # So do other failures.
  "${other[@]}" --set "candidate=$dearer" --set failures.fleet=rsc-1 --out "$work/$model-one" \
    >/dev/null 2>"$work/log"
  grep -q '^4 of 4 points were finished before' "$work/log"
  if cmp -s "$work/$model-dearer.csv" "$work/$model-one/results.csv"; then exit 1; fi
  # A new candidate is searched alone, wherever it stands; all give the bytes of a fresh run.
  more="[$(candidate hgx-h200-ndr400 16 'price_per_gpu_hour = 3.0'), ${dearer#[}"
  "${other[@]}" --set "candidate=$more" --out "$work/$model-one" >/dev/null 2>"$work/log"
  grep -q '^4 of 5 points were finished before' "$work/log"
  "${other[@]}" --set "candidate=$more" --out "$work/$model-more" --jobs 2 >/dev/null 2>/dev/null
  cmp "$work/$model-one/results.csv" "$work/$model-more/results.csv"
  grep -q '^ok,.*,hgx-h200-ndr400,' "$work/$model-more/results.csv"
  # Left out, it leaves no trace.
  "${other[@]}" --set "candidate=$dearer" --out "$work/$model-one" >/dev/null 2>"$work/log"
  cmp "$work/$model-dearer.csv" "$work/$model-one/results.csv"
  [[ $(grep -c '^hgx-.*,ok,' "$work/one") == 3 ]] || { cat "$work/one"; exit 1; }
  grep -q '100000 GPUs are more than' "$work/one"
  grep -q '^hgx-h100-ndr400,7,illegal,.*no plan among the choices' "$work/one"
  grep -q 'meets the deadline, with the fewest GPUs of this candidate' "$work/one"
  grep -q ' trains the model in ' "$work/$model/report.html"
  cp "$work/$model/report.html" "$work/first.html"
  "$moesim" report "$work/$model" >/dev/null
  cmp "$work/first.html" "$work/$model/report.html"
done
# The table for people is no wider than a screen.
"${plan[@]:0:${#plan[@]}-1}" table --out "$work/$model" >"$work/table" 2>/dev/null
awk '/^$/ { exit } length > 120 { print; exit 1 }' "$work/table"
grep -q '^hgx-h100-ndr400, 16 GPUs: ' "$work/table"
grep -q '^  tensor=1 ' "$work/table"

# Columns of days and cost follow those of a step; cost is GPU-hours at the price.
node -e '
  const [head, ...rows] = require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n");
  const names = head.split(",");
  for (const name of ["days", "gpu_hours", "cost", "energy_mwh", "effective_days", "effective_cost"])
    for (const end of ["", "_low", "_high"])
      if (!names.includes(name + end)) throw new Error(`no column ${name + end}`);
  const cells = rows[0].match(/("([^"]|"")*"|[^,]*)(,|$)/g).map((cell) => cell.replace(/,$/, ""));
  const value = (name) => Number(cells[names.indexOf(name)]);
  const days = 1e10 / value("tokens_per_s") / 86400;
  if (Math.abs(value("days") / days - 1) > 1e-6) throw new Error(`${value("days")} is not ${days}`);
  const cost = days * 24 * 16 * 2.0;
  if (Math.abs(value("cost") / cost - 1) > 1e-6) throw new Error(`${value("cost")} is not ${cost}`);
  const goodput = value("days") / value("effective_days");
  if (!(goodput > 0.9 && goodput < 1)) throw new Error(`goodput ${goodput}`);
  if (Math.abs(value("goodput_percent") / goodput - 100) > 1e-5) throw new Error("goodput_percent");
  // Spare hosts of 8 GPUs are paid for.
  const gpus = 16 + 8 * value("spare_hosts");
  const effective = value("effective_days") * 24 * gpus * 2.0;
  if (Math.abs(value("effective_cost") / effective - 1) > 1e-6)
    throw new Error(`${value("effective_cost")} is not ${effective}`);
' "$work/mixtral-8x22b/results.csv"
node "$source/tests/report/report_test.mjs" "$work/mixtral-8x22b/report.html" >/dev/null

# As shipped, both are read: a wrong key is refused before anything is searched.
for model in deepseek-v3 mixtral-8x22b; do
  if "$moesim" plan "$source/workloads/$model/plan.toml" --set training.tokns=1 --out "$work/no" \
    2>"$work/log"; then echo "a wrong key was taken"; exit 1; fi
  grep -q 'did you mean "tokens"' "$work/log"
done
"$moesim" plan --help >"$work/help"
grep -q 'price_per_gpu_hour' "$work/help"
echo "plans agree"
