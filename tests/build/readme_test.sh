#!/bin/sh
# The README's snippets as they stand: all C++ in one program, one after the other, built by its
# CMake snippet and run. The files that they name are made first, of synthetic weights.
set -eu
case " $CXX_FLAGS " in *" -O3 "*) ;; *) echo "skipped: the optimised build has this test"; exit 77 ;; esac
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
cd "$SCRATCH"
ln -s "$SOURCE_DIR" lumbar
cp "$SOURCE_DIR/examples/fashion_mnist/images/0010-coat.png" cat.jpg  # the bytes tell, not the name

# snippets LANGUAGE: their lines, each snippet after a line of three dashes.
snippets() {
    awk -v fence='```'"$1" '
        $0 == fence { inside = 1; print "---"; next }
        /^```/ { inside = 0 }
        inside { print }' "$SOURCE_DIR/README.md"
}
snippets cmake | sed 1d >CMakeLists.txt
count=$(snippets cpp | grep -c '^---$')
[ "$count" -ge 4 ] || { echo "found $count snippets of C++ in the README"; exit 1; }

{
    cat <<'TEXT'
#include <cstdio>
#include <fstream>
#include <lumbar/lumbar.hpp>
#include <lumbar/runtime/synthetic_weights.hpp>
#include <lumbar/weights/safetensors_save.hpp>
TEXT
    snippets cpp | grep '^#include'
    cat <<'TEXT'
void make_file(const char* path, const lumbar::Graph& graph) {
    const lumbar::Weights weights = lumbar::synthetic_weights(graph);
    lumbar::save_safetensors(path, weights.tensors(), weights.metadata());
}
int main() {
    make_file("resnet50-0676ba61.pth", lumbar::resnet50());
    make_file("mobilenet_v2_tf.safetensors", lumbar::mobilenet_v2({.classes = 1001}));
    for (std::ofstream names("1001_names.txt"); names.tellp() < 1001 * 2;) names << "n\n";
    const lumbar::Weights weights = lumbar::load_weights("resnet50-0676ba61.pth");
TEXT
    snippets cpp | grep -v '^#include' | awk '
        /^---$/ { if (n++) print "}"; printf "std::puts(\"snippet %d\");\n{\n", n; next }
        { print }
        END { print "}\n}" }'
} >app.cpp

cmake -S . -B build -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_CXX_FLAGS= >cmake.log 2>&1 || { cat cmake.log; exit 1; }
cmake --build build >build.log 2>&1 || { tail -n 40 build.log; exit 1; }
./build/app >out
[ "$(grep -c '^snippet' out)" -eq "$count" ] || { cat out; exit 1; }
# Both pictures got their five classes.
[ "$(grep -c '%  ' out)" -eq 10 ] || { echo "expected ten predictions:"; cat out; exit 1; }
