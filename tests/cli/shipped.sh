#!/usr/bin/env bash
# Every shipped scenario simulates, shows its stages, and prints the same bytes twice.
set -euo pipefail
moesim=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for scenario in "$source"/workloads/*/scenario.toml; do
  for run in first second; do
    "$moesim" simulate "$scenario" --format json >"$work/$run" 2>"$work/err"
    grep -q '^simulation_wall_ms: [0-9.]*$' "$work/err"
  done
  cmp "$work/first" "$work/second"
  grep -q '^  "status": "ok",' "$work/first" || { echo "$scenario: $(head -5 "$work/first")"; exit 1; }
  for stage in model topology schedule memory; do
    "$moesim" show "$stage" "$scenario" --format csv >"$work/$stage"
    (($(wc -l <"$work/$stage") > 3)) || { echo "$scenario: show $stage is empty"; exit 1; }
  done
done
scenario=$source/workloads/mixtral-8x7b/scenario.toml
"$moesim" show routing "$scenario" --set cluster.gpus=32 --format csv >"$work/routing"
grep -q '^0,0,' "$work/routing"
# A router is trained where its loads are asked for; a thousand million steps would outlast the test.
trained=(--set routing.load=trained --set routing.balancing=none --set routing.step=1000000000)
"$moesim" show model "$scenario" "${trained[@]}" >"$work/model"
"$moesim" show topology "$scenario" "${trained[@]}" >"$work/topology"
"$moesim" show topology "$scenario" --graphviz "$work/graph.dot" >/dev/null
grep -q 'Leaf\[0\]' "$work/graph.dot"
"$moesim" simulate "$scenario" --trace "$work/trace.json" --links "$work/links.csv" \
  --format json >"$work/result.json" 2>/dev/null
[[ $(head -1 "$work/links.csv") == time_ms,link_class,mean_percent,max_percent,busiest_link ]]
[[ $(grep -c ',NIC egress,' "$work/links.csv") == 100 ]]
# Fabrics without regular routes, by kind or by a fault, have dense twins too.
for irregular in 'cluster.topology="../../topologies/torus-h100.toml"' \
  'cluster.topology="../../topologies/dragonfly-h100.toml"' \
  'cluster.fault=[{nic="Node[0].Nic[1]"}]' 'cluster.fault=[{gpu="Node[1].Gpu[3]"}]'; do
  "$moesim" simulate "$scenario" --set "$irregular" --set cluster.gpus=32 --format csv \
    >"$work/irregular" 2>"$work/err" || { echo "$irregular"; cat "$work/err"; exit 1; }
  grep -q '^ok,' "$work/irregular" || { echo "$irregular: $(tail -1 "$work/irregular")"; exit 1; }
done
# Measurements of something else are named in the result: NVLink 6 was not measured.
sed 's/"nvlink5"/"nvlink6"/' "$source/topologies/gb200-nvl72.toml" >"$work/nvlink6.toml"
stand_in='all_to_all on nvlink6: the curve of all_to_all on nvlink5'
"$moesim" simulate "$scenario" --set "cluster.topology=\"$work/nvlink6.toml\"" --no-twins \
  --set cluster.gpus=64 --format csv >"$work/nvlink6" 2>/dev/null
grep -q "$stand_in" "$work/nvlink6" || { echo "$stand_in"; tail -1 "$work/nvlink6"; exit 1; }
"$moesim" collective all-to-all "$work/nvlink6.toml" --gpus 8 --bytes 1M 2>"$work/err" >"$work/out"
grep -q "stand in for $stand_in" "$work/err"
# Into a file: a pipe that grep leaves early would end the program.
"$moesim" simulate "$scenario" >"$work/table" 2>/dev/null
grep -q '^bottleneck_use_percent ' "$work/table"
grep -q '^NOTE: [0-9]* % of the step time rests on extrapolated ' "$work/table"
node -e '
  const fs = require("fs");
  const [trace, result] = process.argv.slice(1).map((file) => JSON.parse(fs.readFileSync(file)));
  const spans = trace.traceEvents.filter((event) => event.ph === "X");
  if (spans.length < 1000) throw new Error(`only ${spans.length} spans`);
  const end = Math.max(...spans.map((span) => span.ts + span.dur)) / 1e3;
  if (Math.abs(end / result.step_time_ms - 1) > 1e-6) throw new Error(`${end} ms in the trace`);
  const rows = new Map(), arrows = new Map();
  for (const event of trace.traceEvents)
    if (event.name === "thread_name") rows.set(event.tid, {name: event.args.name, spans: []});
  for (const span of spans) rows.get(span.tid).spans.push(span);
  for (const {name, spans} of rows.values()) {
    if (spans.length === 0) throw new Error(`${name} is an empty row`);
    spans.sort((a, b) => a.ts - b.ts || a.dur - b.dur);
    spans.slice(1).forEach((span, i) => {
      if (span.ts < spans[i].ts + spans[i].dur - 1e-4) throw new Error(`${span.name} overlaps`);
    });
  }
  for (const event of trace.traceEvents) if (event.ph === "s") arrows.set(event.id, event.ts);
  // 4 stages have 3 borders, which each micro-batch crosses there and back.
  if (arrows.size !== 3 * 2 * result.micro_batches) throw new Error(`${arrows.size} arrows`);
  for (const event of trace.traceEvents)
    if (event.ph === "f" && !(arrows.get(event.id) < event.ts && arrows.delete(event.id)))
      throw new Error(`arrow ${event.id} has no start before it`);
  if (arrows.size > 0) throw new Error(`${arrows.size} arrows have no end`);
  const parts = ["compute", "ep_exposed", "pp_bubble", "tp_exposed", "dp_exposed", "optimizer", "other"];
  const sum = parts.reduce((total, part) => total + result[part + "_ms"], 0);
  if (Math.abs(sum / result.step_time_ms - 1) > 1e-6) throw new Error(`waterfall sums to ${sum} ms`);
  if (!result.diagnostics.dense_twin_plan) throw new Error("no plan of the dense twin");
' "$work/trace.json" "$work/result.json"

# GPUs that stay idle so that groups are placed whole are told.
"$moesim" simulate "$source/workloads/mixtral-8x7b/scenario.toml" --no-twins --set model.layers=4 \
  --set model.experts=64 --set parallel.expert=64 --set parallel.pipeline=1 \
  --set "cluster.topology=\"$source/topologies/gb200-nvl72.toml\"" >/dev/null 2>"$work/log"
grep -q '^placement: groups are placed whole: 8 GPUs of each scale-up domain of 72' "$work/log"

# The scope of CUDA graphs and its origin are told: given, the framework's default, or searched.
# scope ORIGIN ARGUMENT...: prints the scope of a step, which must be of that origin.
scope() {
  local origin=$1
  shift
  "$moesim" simulate "$@" --no-twins --format json >"$work/scope.json" 2>"$work/log"
  node -e '
    const result = JSON.parse(require("fs").readFileSync(process.argv[1]));
    if (result.cuda_graph_scope_origin !== process.argv[2])
      throw new Error(`origin ${result.cuda_graph_scope_origin}`);
    const words = result.plan.match(/ training.cuda_graph_scope=(\S+)/)[1].match(/\w+/g);
    if (words.join(" ") !== result.cuda_graph_scope) throw new Error(`the plan is ${result.plan}`);
    console.log(result.cuda_graph_scope);
  ' "$work/scope.json" "$origin"
}
small=(--set model.layers=4 --set cluster.gpus=16 --set training.global_batch=64
  --set parallel.pipeline=1)
[[ $(scope given "$scenario" "${small[@]}") == full_iteration ]]
grep -v '^cuda_graph_scope' "$scenario" | sed "s|\"\.\./\.\./|\"$source/|;
  s|\"config.json\"|\"${scenario%/*}/config.json\"|" >"$work/unsaid.toml"
[[ $(scope default "$work/unsaid.toml" "${small[@]}") == none ]]
grep -q '"cuda_graphs": "none, as Megatron-Core captures none by default' "$work/scope.json"
best=("$source/workloads/mixtral-8x7b/best-plan.toml" "${small[@]}" --set parallel.tensor=1
  --set parallel.recompute=none)
[[ $(scope search "${best[@]}") == 'attn moe_router moe_preprocess' ]]
[[ $(scope given "${best[@]}" --set training.cuda_graph_scope=none) == none ]]

# Every shipped topology carries every collective, and says what bounds it.
tokens=(--set collective.tokens=64 --set collective.hidden=7168 --set collective.experts=256
  --set collective.experts_per_token=8)
for topology in "$source"/topologies/*.toml; do
  for collective in all-to-all all-gather reduce-scatter all-reduce dispatch combine; do
    amount=(--bytes 1M)
    [[ $collective == dispatch || $collective == combine ]] && amount=("${tokens[@]}")
    "$moesim" collective "$collective" "$topology" --gpus 16 "${amount[@]}" --format csv \
      >"$work/collective" 2>/dev/null
    grep -qE '^[0-9]+,[0-9.]+,[0-9.]+,[0-9.]+,[A-Z][A-Za-z]+\[.*,[a-z-]+$' "$work/collective" ||
      { echo "$topology: $collective"; cat "$work/collective"; exit 1; }
  done
done

# What an import writes is a topology like any other.
{
  printf '\t%s' GPU0 GPU1 GPU2 GPU3 NIC0
  printf '\nGPU0\t X \tNV18\tNV18\tNV18\tPIX\nGPU1\tNV18\t X \tNV18\tNV18\tSYS'
  printf '\nGPU2\tNV18\tNV18\t X \tNV18\tSYS\nGPU3\tNV18\tNV18\tNV18\t X \tSYS'
  printf '\nNIC0\tPIX\tSYS\tSYS\tSYS\t X \n'
} >"$work/matrix.txt"
"$moesim" import nvidia-smi-topo "$work/matrix.txt" --gpu h100-sxm --out "$work/node.toml" \
  2>"$work/gaps" >/dev/null
grep -q '^not in the file, assumed: ' "$work/gaps"
"$moesim" collective all-to-all "$work/node.toml" --gpus 4 --bytes 1M --format csv 2>/dev/null |
  grep -q 'ScaleUp'
echo "every shipped scenario and topology runs"
