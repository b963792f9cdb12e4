# Reads x86 assembly (AT&T syntax) and checks the hot loop of every tile function in it: the
# innermost loop with fused multiply-adds in it. Fails where
#  - an iteration has another number of packed multiply-adds than a multiple of the tile's (pixels x
#    groups; pixels x taps in a row for a depthwise tile), or none of the width that is expected;
#  - there is a separate multiplication or addition: a multiply-add that was not fused;
#  - a convolution tile of 8 lanes loads a weight or a value for each multiply-add;
#  - there is a stack reference: an accumulator, a weight or a pointer that did not find a register.
# A convolution tile of 8 lanes also has all channels of a tap in one run without jumps, which is
# checked in the same way. A depthwise tile whose loop over the rows of taps is unrolled is checked from
# its first multiply-add to its last, and so is a pair of rows of outputs, which always is. A pair of
# bfloat16 (vdpbf16ps) is one multiply-add.
#
# awk -v register=zmm -v tiles=7 -f hot_loops.awk FILE.s: vectors must be in zmm registers, and the
# file has to have this many tiles.

function fail(message) {
    printf "FAILED %s: %s\n", tile, message
    failures++
}

# Template arguments from the mangled name: ...conv_tileI<Arch>Li14ELi2E is <Arch, 14, 2>.
function parse(name,    kind, first, second) {
    kind = name ~ /conv_tileI/ ? "conv_tile" : name ~ /pairI/ ? "depthwise_pair" : "depthwise_tile"
    match(name, /Li[0-9]+ELi[0-9]+E/)
    first = substr(name, RSTART + 2)
    second = first
    sub(/E.*/, "", first)
    sub(/^[0-9]+ELi/, "", second)
    sub(/E.*/, "", second)
    tile = kind "<" first ", " second ">"
    kind_of = kind
    rows = 1
    if (kind == "conv_tile") {
        per_step = first * second
    } else {
        per_step = first + 0 > 0 ? first * second : second + 0
        if (first + 0 > 0) rows = kind == "depthwise_pair" ? 2 * first : first + 0
    }
}

# The hot loop is instructions [first, last].
function check(first, last,    i, fmas) {
    fmas = 0
    for (i = first; i <= last; i++) {
        if (text[i] ~ /^(vfn?m(add|sub)[0-9]+ps|vdpbf16ps)/) {
            fmas++
            if (kind_of == "conv_tile" && register == "ymm" && text[i] ~ /\(/)
                fail("a load for each multiply-add: " text[i])
            if (text[i] !~ ("%" register)) fail("not a " register " register: " text[i])
        } else if (text[i] ~ /^vfn?m(add|sub)/) {
            fail("not packed: " text[i])
        } else if (text[i] ~ /^v?(mul|add|sub)[ps][sd]/) {
            fail("not fused: " text[i])
        }
        if (text[i] ~ /%rsp/ || (has_frame && text[i] ~ /%rbp/)) fail("on the stack: " text[i])
    }
    if (fmas < per_step || fmas % per_step != 0)
        fail(fmas " multiply-adds in an iteration, not a multiple of " per_step)
    printf "%-24s %3d multiply-adds in %3d instructions\n", tile, fmas, last - first + 1
}

# The run of instructions, between jumps and labels, with 8 steps' multiply-adds.
function check_run(    i, l, first, last, start, target) {
    for (l in starts) delete starts[l]
    for (l in label) starts[label[l]] = 1
    for (i = 1; i <= size + 1; i++) {
        if (i > size || (i in starts) || text[i] ~ /^j/) {
            target = text[i]
            sub(/^j[a-z]+[ \t]+/, "", target)
            if (first && before[last] - before[first - 1] >= 8 * per_step) {
                if (i <= size && (target in label) && label[target] == start)
                    fail("the run is a loop of its own")
                check(first, last)
                return
            }
            first = 0
            start = text[i] ~ /^j/ ? i + 1 : i
        }
        if (i <= size && text[i] ~ multiply_add) {
            if (!first) first = i
            last = i
        }
    }
    fail("no run of " 8 * per_step " multiply-adds")
}

function check_function(    i, target, previous, found, seen, first) {
    checked++
    before[0] = 0
    previous = 0
    for (i = 1; i <= size; i++) before[i] = before[i - 1] + (text[i] ~ multiply_add)

    found = 0
    for (i = 1; i <= size; i++) {
        if (text[i] !~ /^j/) continue
        target = text[i]
        sub(/^j[a-z]+[ \t]+/, "", target)
        # A loop without a jump in it: the innermost, not the tail of an outer one.
        if ((target in label) && label[target] > previous && label[target] <= i &&
            before[i] > before[label[target] - 1]) {
            found++
            check(label[target], i)
        }
        previous = i
    }
    if (kind_of == "conv_tile" && register == "ymm") check_run()
    if (found) return
    if (rows == 1) {
        fail("no loop with multiply-adds")
        return
    }
    seen = 0
    for (i = 1; i <= size && seen < rows * per_step; i++)
        if (text[i] ~ multiply_add && ++seen == 1) first = i
    if (seen < rows * per_step) fail("no loop, and only " seen " multiply-adds")
    else check(first, i - 1)
}

BEGIN { multiply_add = "^(vfn?m(add|sub)|vdpbf16ps)" }
/^_Z[A-Za-z0-9_]*(conv_tile|depthwise_tile|depthwise_pair)I[A-Za-z0-9_]*:/ && $0 !~ /\.cold/ {
    name = $1
    sub(/:.*/, "", name)
    parse(name)
    inside = 1
    size = 0
    has_frame = 0
    for (l in label) delete label[l]
    next
}
inside && $1 == ".size" {
    check_function()
    inside = 0
}
inside && /^\.?L[A-Za-z0-9_]*:/ {
    name = $1
    sub(/:.*/, "", name)
    label[name] = size + 1
    next
}
inside && /^[ \t]+[a-z]/ {
    line = $0
    sub(/^[ \t]+/, "", line)
    sub(/[ \t]*#.*/, "", line)
    text[++size] = line
    if (line ~ /^mov[a-z]*[ \t]+%rsp,[ \t]*%rbp/) has_frame = 1
}
END {
    if (checked != tiles) {
        tile = FILENAME
        fail((checked + 0) " tiles, not " tiles)
    }
    exit failures > 0
}
