#!/bin/sh
# Files that PyTorch and Lumbar both accept have the same tensors for both; by hand, with more of
# them: PYTHON differential.py LIST_TENSORS --mutations N.
set -eu
list_tensors=$BUILD_DIR/tests/fuzz/lumbar_list_tensors
[ -x "$list_tensors" ] || { echo "skipped: lumbar_list_tensors is not built"; exit 77; }
mkdir -p "$SCRATCH"
for python in python3 /usr/bin/python3; do
    if "$python" -c "import torch" 2>/dev/null; then
        exec "$python" "$SOURCE_DIR/tests/fuzz/differential.py" "$list_tensors" --keep "$SCRATCH"
    fi
done
echo "skipped: no python3 has PyTorch (python3-torch)"
exit 77
