#!/usr/bin/env bash
# Runs every command of docs/*.md. A `text` block after a `sh` block names lines that its command
# prints, with runs of spaces as one. Checks links between files and the size of the glossary.
set -euo pipefail
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
moesim=$(realpath "$1")
moesim() { "$moesim" "$@"; }
export MOESIM_CALIBRATION=$source/calibration
cd "$work"
cp -r "$source/workloads" "$source/topologies" .

squeeze() { sed -E 's/ +/ /g; s/^ //; s/ $//'; }

# run_page PAGE: its blocks in order.
run_page() {
  local block="" line
  while IFS= read -r line; do
    case $line in
      '```sh') block=sh ;;
      '```text') block=text ;;
      '```') block="" ;;
      '```'*) echo "$1: only sh and text blocks are tested: $line"; exit 1 ;;
      *) if [[ $block == sh ]]; then
           echo "$line"
           eval "$line" >out.txt 2>err.txt </dev/null || { cat out.txt err.txt; exit 1; }
           squeeze <out.txt >printed.txt
           ran=$((ran + 1))
         elif [[ $block == text ]]; then
           grep -qF -- "$(squeeze <<<"$line")" printed.txt ||
             { echo "$1: not printed: $line"; cat printed.txt; exit 1; }
         fi ;;
    esac
  done <"$1"
}

# check_links PAGE: files that it links to exist.
check_links() {
  local target
  while IFS= read -r target; do
    [[ -e $source/docs/${target%%#*} ]] || { echo "$1: no such file: $target"; exit 1; }
  done < <(grep -oE '\]\([^)]+\)' "$1" | sed -E 's/^\]\(//; s/\)$//' | grep -v '^https\?:' || true)
}

ran=0
for page in "$source"/docs/*.md; do
  check_links "$page"
  run_page "$page"
  (($(wc -l <"$page") <= 200)) || { echo "$page: more than 200 lines"; exit 1; }
done
((ran >= 6)) || { echo "only $ran commands found"; exit 1; }
terms=$(grep -c '^| [^-]' "$source/docs/glossary.md")
((terms - 1 <= 40)) || { echo "glossary: $((terms - 1)) terms, at most 40"; exit 1; }
