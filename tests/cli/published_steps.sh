#!/usr/bin/env bash
# Every published row of a training step is a case or has a reason, and every such case is a row.
set -euo pipefail
reference=$2/calibration/reference
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep -v '^#' "$reference/cases.csv" | tail -n +2 | cut -d, -f1,2 >"$work/cases"
grep -v '^#' "$reference/published.csv" >"$work/published"
[[ $(head -1 "$work/published") == publication,row,rows,case,reason ]] || {
  echo "published.csv: other columns"; exit 1; }

# A row has a name of its own, and either a case of cases.csv or a reason.
awk -F, '
  NR == FNR { known[$1] = 1; next }
  FNR == 1 { next }
  NF != 5 { print "not five cells: " $0; bad = 1 }
  ($4 == "") == ($5 == "") { print "neither or both of case and reason: " $0; bad = 1 }
  $4 != "" && !($4 in known) { print "no such case: " $0; bad = 1 }
  seen[$1 "," $2]++ { print "a second row of that name: " $0; bad = 1 }
  END { exit bad }' "$work/cases" "$work/published"

# The rows of each publication are as many as it has.
grep -v '^#' "$reference/publications.csv" | awk -F, '
  FNR == 1 { next }
  NR == FNR { expected[$1] = $2; next }
  { rows[$1] += $3 }
  END {
    for (name in expected)
      if (rows[name] != expected[name]) {
        print name ": " rows[name] + 0 " rows are listed of " expected[name]
        bad = 1
      }
    for (name in rows)
      if (!(name in expected)) { print name ": not in publications.csv"; bad = 1 }
    exit bad
  }' - "$work/published"

# A case that is a published step is listed.
cut -d, -f4 "$work/published" | sort -u >"$work/listed"
grep -E ',(step-[a-z-]*|deepseek-step)$' "$work/cases" | cut -d, -f1 | sort |
  comm -23 - "$work/listed" >"$work/missing"
[[ ! -s $work/missing ]] || { echo "cases that no row names:"; cat "$work/missing"; exit 1; }
echo "$(wc -l <"$work/listed") cases of $(($(wc -l <"$work/published") - 1)) published rows"
