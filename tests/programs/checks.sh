# What the tests of the programs share; they end with [ "$failures" -eq 0 ].
failures=0
bad() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# refuse WORDS COMMAND...: exit code 1, one line on standard error, which has the words.
refuse() {
    words=$1
    shift
    status=0
    timeout 60 "$@" >out 2>err || status=$?
    [ "$status" -eq 1 ] || bad "exit code $status, not 1: $*"
    [ "$(wc -l <err)" -eq 1 ] || bad "$(wc -l <err) lines, not one: $*: $(cat err)"
    grep -q -- "$words" err || bad "no '$words' for: $*: $(cat err)"
}
