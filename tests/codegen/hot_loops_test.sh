# The inner loops of the tiles are what they were written to be: fused multiply-adds on whole vectors,
# all accumulators in registers; at -O2 and -O3, and where contraction is off. hot_loops.awk checks; it
# is tried on loops that break each rule first.
set -eu
case $(uname -m) in x86_64) ;; *) echo "skipped: not x86-64"; exit 77 ;; esac

here=$SOURCE_DIR/tests/codegen
mkdir -p "$SCRATCH"
cd "$SCRATCH"
check() { # check REGISTER TILES FILE
    awk -v register="$1" -v tiles="$2" -f "$here/hot_loops.awk" "$3"
}

# ---------------------------------------------------------------- the check can fail
# A tile of two pixels and one group; the arguments are the lines of its loop. Behind it comes a tap
# of 8 channels, with a line of its own in between.
middle=
write_tile() {
    {
        printf '%s:\n' _ZN6lumbar9conv_tileI4ArchLi2ELi1EEEvRKNS_8ConvTileE
        printf '\tvmovaps\t-64(%%rsp), %%ymm0\n\tvaddps\t%%ymm0, %%ymm1, %%ymm1\n.L3:\n'
        printf '\t%s\n' "$@"
        printf '\tcmpq\t%%rax, %%rdx\n\tjne\t.L3\n'
        printf '.L4:\n'
        for i in 1 2 3 4 5 6 7 8; do
            printf '\t%s\n' "$fma1" "$fma2"
            [ "$i" != 4 ] || [ -z "$middle" ] || printf '\t%s\n' "$middle"
        done
        printf '\tvaddps\t(%%rdx), %%ymm1, %%ymm1\n\tret\n\t.size\tx, .-x\n'
    } >tile.s
}
fma1='vfmadd231ps %ymm13, %ymm14, %ymm1'
fma2='vfmadd231ps %ymm12, %ymm14, %ymm2'
must_fail() { # must_fail REGISTER TILES WHAT
    if check "$1" "$2" tile.s >/dev/null; then
        echo "the check accepts $3"
        exit 1
    fi
}
write_tile "$fma1" "$fma2"
check ymm 1 tile.s >/dev/null || { echo "the check refuses a good loop"; exit 1; }
must_fail zmm 1 "half vectors"
must_fail ymm 2 "a missing tile"
write_tile "$fma1" "$fma2" "$fma1"
must_fail ymm 1 "a multiply-add too many"
write_tile "vmovaps (%rax), %ymm13"
must_fail ymm 1 "a loop without multiply-adds"
write_tile "$fma1" "$fma2" "vmulps %ymm1, %ymm2, %ymm3"
must_fail ymm 1 "a multiplication of its own"
write_tile "$fma1" "$fma2" "vaddps (%rax), %ymm2, %ymm3"
must_fail ymm 1 "an addition of its own"
write_tile "$fma1" "vfmadd231ss %xmm12, %xmm14, %xmm2"
must_fail ymm 1 "a multiply-add of one lane"
write_tile "$fma1" "$fma2" "vmovups %ymm2, 96(%rsp)"
must_fail ymm 1 "an accumulator on the stack"
write_tile "$fma1" "vfmadd231ps -32(%rsp), %ymm14, %ymm2"
must_fail ymm 1 "a weight on the stack"

write_tile "$fma1" "vfmadd231ps 32(%rdi), %ymm14, %ymm2"
must_fail ymm 1 "a weight that is loaded for each pixel"

write_tile "$fma1" "$fma2"
sed '/\.L4/,$d' tile.s >loop.s
printf '\tret\n\t.size\tx, .-x\n' >>loop.s
mv loop.s tile.s
must_fail ymm 1 "a tile without a tap in one run"
middle='vmovaps %ymm2, -88(%rsp)'
write_tile "$fma1" "$fma2"
must_fail ymm 1 "an accumulator on the stack, within a tap"
middle='jle .L3'
write_tile "$fma1" "$fma2"
must_fail ymm 1 "a tap in two runs"
middle=
write_tile "$fma1" "$fma2"
sed '/vaddps\t(%rdx)/,$d' tile.s >loop.s
printf '\tcmpq\t%%rax, %%rdx\n\tjne\t.L4\n\tret\n\t.size\tx, .-x\n' >>loop.s
mv loop.s tile.s
must_fail ymm 1 "a tap that is a loop of its own"

# ---------------------------------------------------------------- the tiles pass
checked=0
failed=0
for isa in "x86-64-v4 zmm 11" "cooperlake zmm 15" "x86-64-v3 ymm 7"; do
    # shellcheck disable=SC2086  # three words
    set -- $isa
    for options in "-O2" "-O3" "-O2 -ffp-contract=off"; do
        # shellcheck disable=SC2086
        if ! "$CXX" -std=c++20 -march="$1" $options -S $INCLUDES "$here/tiles.cpp" -o tiles.s \
            2>messages.txt; then
            if grep -q "march" messages.txt; then
                echo "skipped: $CXX does not know $1"
                continue
            fi
            cat messages.txt
            exit 1
        fi
        echo "$CXX -march=$1 $options"
        check "$2" "$3" tiles.s || failed=$((failed + 1))
        checked=$((checked + 1))
    done
done
[ $checked -gt 0 ] || { echo "skipped: no compiler for x86-64-v3 or v4"; exit 77; }
echo "$checked combinations, $failed failed"
[ $failed -eq 0 ]
