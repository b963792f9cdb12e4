#!/bin/sh
# classify --stream through real pipes: co-processes, broken pipes, kills and restarts. What it
# answers is tested from the inside, in stream_test.cpp.
set -eu
classify=$BUILD_DIR/examples/classify
[ -x "$classify" ] || { echo "skipped: the examples are not built"; exit 77; }
pictures=$SOURCE_DIR/examples/fashion_mnist/images
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
cd "$SCRATCH"
. "$SOURCE_DIR/tests/programs/checks.sh"
lines() { wc -l <"$1" | tr -d ' '; }

ls "$pictures"/*.png >eight
"$classify" --stream <eight >expected 2>err || bad "exit code $?"
[ "$(lines expected)" -eq 8 ] && [ "$(grep -c '"error"' expected)" -eq 0 ] || bad "$(cat expected)"
grep -q "^classify: 8 images, 0 of them bad, .* s, .* a second$" err && [ "$(lines err)" -eq 1 ] ||
    bad "the summary: $(cat err)"
# The same answers as without --stream.
xargs "$classify" --json <eight | sed 's/.*"top":\(.*\),"milliseconds.*/\1/' >by_json
sed 's/.*"top":\(.*\)}$/\1/' expected >by_stream
cmp -s by_json by_stream || bad "--stream and --json differ"

# One bad image costs one line, and the run is well.
{
    head -n 4 eight
    printf '\n/\nmissing.png\nnot\377utf8.png\n%s\n' "$classify"
    tail -n 4 eight
} >mixed
status=0
"$classify" --stream --top 1 <mixed >out 2>err || status=$?
[ "$status" -eq 0 ] || bad "exit code $status for bad images"
[ "$(lines out)" -eq 13 ] && [ "$(grep -c '"error"' out)" -eq 5 ] || bad "bad images: $(cat out)"
for part in '"index":4,"image":"","error":".*path of the file is empty' '"index":5,"image":"/","error":".*a directory' \
    '"index":6,"image":"missing.png","error":".*No such file' '"index":7,"image":"not�utf8.png","error"' \
    '"index":8,.*"error":".*not a JPEG, PNG, BMP or PNM'; do
    grep -q "^{$part" out || bad "no $part: $(cat out)"
done
grep -q " 13 images, 5 of them bad" err || bad "$(cat err)"
: | "$classify" --stream >out 2>err || bad "an empty input is an error"
[ -s out ] && bad "lines for an empty input"

# Lengths and bytes.
boot=$pictures/0000-ankle_boot.png
size=$(wc -c <"$boot")
for _ in 1 2 3; do
    # shellcheck disable=SC2059
    printf "$(printf '\\000\\000\\%03o\\%03o' $((size / 256)) $((size % 256)))"
    cat "$boot"
done >three
"$classify" --stream=bytes <three >out 2>err || bad "exit code $? for bytes: $(cat err)"
[ "$(grep -c '^{"index":[012],"top":\[{"class":9,"label":"ankle_boot"' out)" -eq 3 ] || bad "bytes: $(cat out)"
head -c 1000 three >early
status=0
"$classify" --stream=bytes <early >out 2>err || status=$?
[ "$status" -eq 1 ] && grep -q "ends within image [0-9]: " err && [ "$(lines err)" -eq 1 ] ||
    bad "bytes that end early: $status $(cat err)"
printf '\377\377\377\377abc' >huge
refuse "3 of 4294967295 bytes" "$classify" --stream=bytes <huge

# What is wrong with the command costs one line.
refuse "takes no IMAGE" "$classify" --stream "$boot" <eight
refuse "nonsense" "$classify" --stream=nonsense <eight
refuse "requires --stream" "$classify" --resume x "$boot"
refuse "requires --stream" "$classify" --batch 2 "$boot"
refuse "batch" "$classify" --stream --batch 0 <eight
refuse "none/x: cannot be opened" "$classify" --stream --resume none/x <eight
refuse "not a regular file" "$classify" --stream --resume . <eight
refuse "line 1 is not of this input" "$classify" --stream --resume eight <eight
refuse "reading" "$classify" --stream <.
if [ -e /dev/full ]; then
    status=0
    "$classify" --stream <eight 2>err >/dev/full || status=$?
    [ "$status" -eq 1 ] && grep -q "No space left" err && [ "$(lines err)" -eq 1 ] || bad "/dev/full: $status $(cat err)"
fi

# A program that asks for one image, and waits for the answer before it asks for the next.
mkfifo questions answers
timeout 60 "$classify" --stream --batch 16 <questions >answers 2>err &
pid=$!
exec 3>questions 4<answers
: >out
while read -r path; do
    echo "$path" >&3
    read -r answer <&4 || break
    printf '%s\n' "$answer" >>out
done <eight
exec 3>&-
wait "$pid" || bad "the co-process: exit code $?: $(cat err)"
exec 4<&-
cmp -s out expected || bad "the co-process: $(cat out)"

# A reader that goes away ends the run at once with one line, although the input stays open.
mkfifo idle
timeout 60 "$classify" --stream <idle >answers 2>err &
pid=$!
exec 3>idle 4<answers
head -n 1 eight >&3
read -r answer <&4
exec 4<&-
cat eight >&3
status=0
wait "$pid" || status=$?
exec 3>&-
[ "$status" -eq 1 ] && grep -q "standard output: writing failed: Broken pipe" err && [ "$(lines err)" -eq 1 ] ||
    bad "a broken pipe: $status $(cat err)"

# Killed in the middle, and started again: nothing lost, nothing twice.
for _ in $(seq 100); do cat eight; done >many
"$classify" --stream <many >expected 2>/dev/null
mkfifo slow
"$classify" --stream --resume part <slow 2>/dev/null &
pid=$!
exec 3>slow
head -n 300 many >&3
tries=0
until [ -e part ] && [ "$(lines part)" -ge 250 ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || break
    sleep 0.1
done
kill -KILL "$pid"
wait "$pid" 2>/dev/null || :
exec 3>&-
before=$(lines part)
[ "$before" -ge 250 ] && [ "$before" -le 300 ] || bad "$before lines when killed"
printf '{"index":%s,"ima' "$before" >>part # as if it had been killed within a line
"$classify" --stream --resume part <many 2>err || bad "the restart: exit code $?: $(cat err)"
cmp -s part expected || bad "the restart lost or repeated something"
grep -q "^classify: $((800 - before)) images, .*; $before were done before$" err || bad "the restart: $(cat err)"

# Two at once on one file, as when an engine gives up on a process that still lives.
"$classify" --stream --resume both <many 2>err1 &
pid=$!
"$classify" --stream --resume both <many 2>err2 || bad "two at once: $(cat err2)"
wait "$pid" || bad "two at once: $(cat err1)"
cmp -s both expected || bad "two at once lost or repeated something"
grep -q "800 were done before" err1 err2 || bad "two at once: $(cat err1 err2)"

# The bar is for terminals.
if command -v script >/dev/null; then
    script -qec "'$classify' --stream <many >out" /dev/null >terminal </dev/null || bad "on a terminal"
    grep -q "classify: \[#*\.*\] [0-9]* images, 0 of them bad" terminal || bad "no bar: $(cat terminal)"
    cmp -s out expected || bad "other lines on a terminal"
fi
[ "$failures" -eq 0 ]
