"""One runtime in a process of its own: answers the commands of lumbar_runner.cpp, and

    convert MODEL    makes the runtime's own files of it

    python3 worker.py PEER MODELS
"""

import json
import os
import pathlib
import sys
import time

from peers import PEERS


class Worker:
    def __init__(self, name, models):
        self.peer = PEERS[name]()
        self.models = pathlib.Path(models)
        self.cores = sorted(os.sched_getaffinity(0))

    def about(self):
        return json.dumps({"version": self.peer.version(), "settings": self.peer.settings})

    def convert(self, model):
        self.peer.convert(self.models / model)
        return ""

    def prepare(self, model, threads):
        import numpy as np

        threads = int(threads)
        if threads > len(self.cores):
            raise RuntimeError("there are not that many cores")
        os.sched_setaffinity(0, self.cores[:threads])
        stem = self.models / model
        shape = json.loads(pathlib.Path(f"{stem}.shape").read_text())
        image = np.fromfile(f"{stem}.input", np.float32).reshape(shape)
        self.peer.prepare(stem, image, threads)
        self.peer.run()
        return ""

    def run(self, warmups, seconds):
        run, now = self.peer.run, time.perf_counter
        for _ in range(int(warmups)):
            run()
        times = []
        end = now() + float(seconds)
        while True:
            start = now()
            run()
            stop = now()
            times.append(stop - start)
            if stop >= end:
                return " ".join(f"{t:.9f}" for t in times)

    def output(self, path):
        self.peer.output().astype("float32").tofile(path)
        return ""


def main():
    # Answers go to what was standard output; what a runtime prints goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(sys.argv[1], sys.argv[2])
    for line in sys.stdin:
        command, *arguments = line.split()
        try:
            answer = "ok " + getattr(worker, command)(*arguments)
        except Exception as error:  # whatever a runtime throws
            text = str(error).strip().splitlines() or [type(error).__name__]
            answer = "error " + text[0]
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    main()
