#!/bin/sh
# What a program with one network costs: the table in the README's section "Costs", which this writes
# there. From the repository's root, after cmake --preset native, with g++ 12:
#
#     sh benchmarks/costs.sh                # some minutes
#
# Compiled is tests/build/one_model.cpp with the family's network in place of its own, by g++ -O2
# without any -m flag; the program is linked and stripped, and run once on synthetic weights.
set -eu
cd "$(dirname "$0")/.."
built=build/native
cmake --build $built --target summary bench_load lumbar_measure >/dev/null
folder=$built/costs
rm -rf $folder
mkdir -p $folder

# measured COMMAND...: "SECONDS MEBIBYTES", user time and the most memory at a time.
measured() {
    $built/tests/lumbar_measure -- "$@" >$folder/cost
    sed -nE 's/^([0-9.]+) s of user time, ([0-9]+) MiB$/\1 \2/p' $folder/cost
}
# rounded DIVISOR DIGITS NUMBER
rounded() { awk -v d="$1" -v n="$2" -v x="$3" 'BEGIN { printf "%.*f", n, x / d }'; }

for model in vgg16 resnet50 densenet121 mobilenet_v1 mobilenet_v2 mobilenet_v3_large googlenet \
    bn_inception inception_v3; do
    size=224
    [ $model != inception_v3 ] || size=299
    sed "s/resnet50/$model/; s/224/$size/g" tests/build/one_model.cpp >$folder/$model.cpp
    compile=$(measured g++ -std=c++20 -O2 -Iinclude -c $folder/$model.cpp -o $folder/$model.o)
    g++ $folder/$model.o -pthread -s -o $folder/$model
    $built/benchmarks/load --model $model --make $folder/$model.safetensors >/dev/null
    run=$(measured $folder/$model $folder/$model.safetensors)
    arena=$($built/examples/summary --model $model | sed -nE 's/^ +arena +([0-9]+) bytes.*/\1/p')
    printf '| `%s` | %s | %s | %s | %s | %s | %s |\n' $model "${compile% *}" "${compile#* }" \
        "$(rounded 1000 0 "$(wc -c <$folder/$model)")" \
        "$(rounded 1000000 1 "$(wc -c <$folder/$model.safetensors)")" "${run#* }" \
        "$(rounded 1000000 1 "$arena")"
    rm $folder/$model $folder/$model.safetensors
done | tee $folder/rows

[ "$(grep -cE '^\| `[a-z0-9_]+` (\| [0-9.]+ ){6}\|$' $folder/rows)" = 9 ] ||
    { echo "costs: rows are missing; README.md stays as it is" >&2; exit 1; }
awk -v rows=$folder/rows '
    old && /^\| `/ { next }
    { old = 0; print }
    /^\| network \| compiling, s/ {
        getline
        print
        while ((getline row < rows) > 0) print row
        old = 1
    }' README.md >$folder/README.md
cp $folder/README.md README.md
