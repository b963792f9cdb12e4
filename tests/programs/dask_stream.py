"""10,000 pictures through `classify --stream --resume` on two Dask workers, one of which is killed
half-way, in the middle of a partition, with all that it runs. The partitions' files, one after the
other, have to be what one process alone writes: nothing lost, nothing twice, nothing else.

usage: dask_stream.py CLASSIFY FOLDER
"""
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import dask
from distributed import Client, LocalCluster, as_completed, get_worker

PICTURES, PARTITIONS = 10_000, 10


def make_pictures(folder):
    """Blocks and stripes of 28 x 28, all different; every 1000th is cut off. Their paths."""
    rng = random.Random(28)
    os.mkdir(folder)
    paths = []
    for i in range(PICTURES):
        top, left = rng.randrange(12), rng.randrange(12)
        bottom, right, period = rng.randrange(14, 28), rng.randrange(14, 28), rng.randrange(1, 9)
        blank = bytes(28)
        row = bytes(
            rng.randrange(100, 256) if left <= x <= right and x % period < 6 else 0
            for x in range(28)
        )
        picture = b"".join(row if top <= y <= bottom else blank for y in range(28))
        if i % 1000 == 500:
            picture = picture[:100]
        paths.append(os.path.join(folder, f"{i:05}.pgm"))
        with open(paths[-1], "wb") as file:
            file.write(b"P5 28 28 255\n" + picture)
    return paths


def classify(program, name):
    """The task: a partition's paths in NAME.paths, its answers in NAME.jsonl. What classify said."""
    with open(name + ".paths", "rb") as paths:
        process = subprocess.Popen(
            [program, "--stream", "--resume", name + ".jsonl", "--threads", "1"],
            stdin=paths, stderr=subprocess.PIPE, text=True)
    with open(name + ".tmp", "w") as file:
        json.dump({"worker": get_worker().address, "pids": [process.pid, os.getpid()]}, file)
    os.replace(name + ".tmp", name + ".started")
    said = process.communicate()[1]
    if process.returncode != 0:
        raise RuntimeError(f"classify: exit code {process.returncode}: {said}")
    return said


def lines_of(path):
    try:
        with open(path, "rb") as file:
            return file.read().count(b"\n")
    except FileNotFoundError:
        return 0


def kill_one(names, size):
    """Kills a worker that is in the middle of a partition. True if there was one."""
    for name in names:
        if not os.path.exists(name + ".started"):
            continue
        with open(name + ".started") as file:
            pids = json.load(file)["pids"]
        if not 0 < lines_of(name + ".jsonl") < size:
            continue
        os.kill(pids[0], signal.SIGSTOP)  # a still target: it is surely not done
        if lines_of(name + ".jsonl") < size:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGKILL)
            print(f"killed the worker of {os.path.basename(name)} after "
                  f"{lines_of(name + '.jsonl')} of its {size} lines", flush=True)
            return True
        os.kill(pids[0], signal.SIGCONT)
    return False


def main(program, folder):
    start = time.monotonic()
    paths = make_pictures(os.path.join(folder, "pictures"))
    expected = subprocess.run(
        [program, "--stream"], input="".join(p + "\n" for p in paths), stdout=subprocess.PIPE,
        check=True, text=True).stdout.splitlines()
    assert len(expected) == PICTURES, len(expected)

    size = PICTURES // PARTITIONS
    names = []
    for k in range(PARTITIONS):
        names.append(os.path.join(folder, f"part-{k:02}"))
        with open(names[-1] + ".paths", "w") as file:
            file.writelines(p + "\n" for p in paths[k * size:(k + 1) * size])

    dask.config.set({"distributed.comm.timeouts.connect": "60s"})
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
                      local_directory=os.path.join(folder, "dask")) as cluster:
        with Client(cluster) as client:
            futures = [client.submit(classify, program, name, pure=False) for name in names]
            for number, _ in enumerate(as_completed(futures), 1):
                if number == PARTITIONS // 2:
                    while not kill_one(names, size):
                        assert not all(f.done() for f in futures), "nobody could be killed in time"
                        time.sleep(0.002)
                    break
            # Dask also repeats the tasks whose results died with the worker: they find all done.
            said = client.gather(futures)

    merged = []
    for k, name in enumerate(names):
        with open(name + ".jsonl", encoding="utf-8") as file:
            for i, line in enumerate(file):
                answer = json.loads(line)
                assert answer["index"] == i, (name, i, line)
                answer["index"] += k * size
                merged.append(answer)
    images = [answer["image"] for answer in merged]
    lost, twice = set(paths) - set(images), len(images) - len(set(images))
    assert not lost and not twice, f"{len(lost)} lost, {twice} twice"
    assert merged == [json.loads(line) for line in expected], "other answers than one process gives"
    bad = sum("error" in answer for answer in merged)
    assert bad == PICTURES // 1000, f"{bad} bad pictures"
    labels = {answer["top"][0]["label"] for answer in merged if "top" in answer}
    assert len(labels) >= 5, f"the pictures are all alike: {labels}"
    resumed = [int(n) for text in said for n in re.findall(r"; (\d+) were done before", text)]
    assert any(0 < n < size for n in resumed), f"nothing was resumed: {said}"
    print(f"{len(merged)} answers, {bad} of them of bad pictures, none lost, none twice; resumed "
          f"after {resumed}; {time.monotonic() - start:.1f} s")


if __name__ == "__main__":  # workers import this file
    main(*sys.argv[1:])
