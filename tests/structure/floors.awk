# Reads headers below include/lumbar and reports every #include that goes up a floor. Paths on the
# command line are relative to include/: lumbar/FLOOR/NAME.hpp. Exits with 1 where one does.
BEGIN {
    # What each floor stands on; every floor may include itself. A name with a slash allows one
    # header of a floor.
    below["config"]  = ""
    below["core"]    = "config"
    below["simd"]    = "config core"
    below["kernels"] = "config core simd"
    below["layers"]  = "config core kernels"
    below["graph"]   = "config core"
    below["models"]  = "config core graph"
    below["weights"] = "config core"
    below["image"]   = "config core"
    below["runtime"] = "config core kernels/table.hpp layers graph weights models"
}

function complain(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    bad = 1
}

function allowed(name) { return index(" " below[floor] " ", " " name " ") > 0 }

FNR == 1 {
    # lumbar/NAME.hpp, at the top, may include anything.
    parts = split(FILENAME, path, "/")
    floor = parts > 2 ? path[2] : ""
    if (floor != "" && !(floor in below)) complain("the floor " floor " is not in floors.awk")
}

/^[ \t]*#[ \t]*include[ \t]*"/ { complain("headers of the library are included as <lumbar/...>") }

/^[ \t]*#[ \t]*include[ \t]*<lumbar\// {
    if (floor == "") next
    header = $0
    sub(/^[^<]*<lumbar\//, "", header)
    sub(/>.*/, "", header)
    target = header
    if (!sub(/\/.*/, "", target)) {
        complain(floor " includes " header ", which lies above all floors")
    } else if (target != floor && !allowed(target) && !allowed(header)) {
        complain(floor " includes " header ", and stands on: " (below[floor] ? below[floor] : "nothing"))
    }
}

END { exit bad }
