"""Times Lumbar beside other runtimes on this machine: the same networks with the same weights, in
float32, batch 1. Called by compare.sh, which installs what is missing; uses the standard library.

Each runtime is a process of its own and has its turn, a slot: a few runs to warm up, then timed
ones for a fraction of a second, on the first N cores; meanwhile the others are stopped. A round is
a slot of each, in a rotating order; between rounds the multiply-add peak of a core is measured, and
with two threads the latency between two cores. A median is over all runs of all rounds.

A runtime counts only where its logits agree with PyTorch's to 1e-3 of the largest. Everything
is set up once, in build/peers.
"""

import argparse
import json
import os
import pathlib
import platform
import signal
import statistics
import sys
import time

import environment
import report
from environment import BUILD, HERE, MODELS, Failure
from measure import TOLERANCE, fault, measure, say, start, start_peer
from peers import PEERS, Peer
from processes import ProcessError

MODEL_NAMES = (
    "vgg16", "resnet18", "resnet50", "resnet152", "mobilenet_v1", "mobilenet_v2",
    "mobilenet_v3_large", "mobilenet_v3_small", "googlenet", "bn_inception", "inception_v3",
)


def names(text):
    return [name for name in text.split(",") if name]


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="sh benchmarks/peers/compare.sh", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit code 1, with one line, where Lumbar's logits disagree or a required ratio is "
               "missed;\nwith a requirement also where a runtime could not be set up.",
    )
    add = parser.add_argument
    add("--models", type=names, default=list(MODEL_NAMES), metavar="A,B",
        help=f"default: {','.join(MODEL_NAMES)}")
    add("--threads", type=lambda text: [int(n) for n in names(text)], default=[1, 2],
        metavar="N,M", help="thread counts (default: 1,2)")
    add("--peers", type=names, default=list(PEERS), metavar="P,Q",
        help=f"default: {','.join(PEERS)}")
    add("--minutes", type=float, default=20.0,
        help="of measuring, shared by models and thread counts; at least five rounds of each are "
             "made (default: 20)")
    add("--slot", type=float, default=0.2, metavar="SECONDS", help="of one turn (default: 0.2)")
    add("--tune", action="store_true",
        help="Lumbar chooses its algorithms by measuring them (lumbar::Tuner), once, before")
    add("--require-geomean", type=float, metavar="X",
        help="the geometric mean over the models of (fastest other runtime / Lumbar) must be this "
             "at least, for each thread count")
    add("--require-each", type=float, metavar="Y", help="and for each model")
    add("--json", type=pathlib.Path, metavar="FILE",
        help="everything that was measured (default: build/peers/results/comparison.json)")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.peers if name not in PEERS]:
        parser.error(f"no peer is named {unknown[0]}; there are {', '.join(PEERS)}")
    if min(options.threads, default=0) < 1:
        parser.error("--threads wants positive numbers")
    if not options.models:
        parser.error("--models wants names")
    return options


# --- Setting up -----------------------------------------------------------------------------------


def set_up(options, result):
    """Environments, runner and models; gives the runner's command and the peers that are there."""
    cores = len(os.sched_getaffinity(0))
    if max(options.threads) > cores:
        raise Failure(f"{max(options.threads)} threads on {cores} cores")
    say("==> Building Lumbar's runner")
    runner = [environment.build_runner()]
    if options.tune:
        runner.append(BUILD / "lumbar.tuning")
    lumbar = start(runner, "lumbar")
    about = json.loads(lumbar.ask("about"))
    about["settings"] = f"{about['isa']}, {about['compiler']}, workspace reused, N threads"
    about["settings"] += ", algorithms tuned" if options.tune else ""
    result["runtimes"]["lumbar"] = {"title": "Lumbar", **about}
    sizes = dict(pair.split(":") for pair in lumbar.ask("models").split())
    lumbar.close()
    if unknown := [model for model in options.models if model not in sizes]:
        raise Failure(f"Lumbar knows no model {unknown[0]}; there are {', '.join(sizes)}")
    say("==> Setting up PyTorch, which exports the models")
    environment.set_up_exporter()
    ready = []
    for name in options.peers:
        say(f"==> Setting up {PEERS[name].title}")
        try:
            environment.set_up_peer(name, PEERS[name])
            ready.append(name)
        except Failure as failure:
            fault(result, name, f"could not be set up: {failure}")
    for model in options.models:
        if not environment.export_stamp(model).current():
            say(f"==> Exporting {model}")
        environment.export_model(model, sizes[model])
    return runner, [name for name in ready if convert(name, options.models, result)]


def convert(name, models, result):
    """Makes a peer's own files; False where the runtime does not even start."""
    worker = start_peer(name)
    try:
        about = json.loads(worker.ask("about"))
    except ProcessError as error:
        fault(result, name, f"could not be set up: {error}")
        return False
    result["runtimes"][name] = {"title": PEERS[name].title, **about}
    for model in models:
        stamp = environment.Stamp(
            MODELS / f"{model}.{name}.converted", environment.export_stamp(model).value,
            about["version"], HERE / "peers.py", HERE / "onnx_to_tflite.py",
        )
        if stamp.current():
            continue
        if PEERS[name].convert is not Peer.convert:
            say(f"==> Converting {model} for {PEERS[name].title}")
        try:
            worker.ask(f"convert {model}")
            stamp.set()
        except ProcessError as error:
            fault(result, name, f"no conversion: {error}", model)
            if worker.ended():
                worker = start_peer(name)
    worker.close()
    return True


# --- Measuring ----------------------------------------------------------------------------------


def measure_all(options, runner, ready, result):
    share = 60.0 * options.minutes / (len(options.models) * len(options.threads))
    say(f"==> Measuring: {share:.0f} s for each network and number of threads")
    for threads in options.threads:
        # New processes: threads that a runtime has started keep the cores that they were given.
        workers = {"lumbar": start(runner, "lumbar")}
        try:
            workers.update({name: start_peer(name) for name in ready})
            for model in options.models:
                row = measure(workers, model, threads, share, options.slot, result)
                result["rows"].append(row)
                say(report.progress(row, result["runtimes"]))
        finally:
            for worker in workers.values():
                worker.close()


# --- The verdict ----------------------------------------------------------------------------------


def verdict(options, result):
    """What was required and is not so, a line each."""
    missed = []
    required = options.require_geomean is not None or options.require_each is not None
    if required:
        missing = [f for f in result["faults"] if f["model"] is None]
        missed += [f"{f['title']} {f['what']}" for f in missing]
    for threads in options.threads:
        rows = [row for row in result["rows"] if row["threads"] == threads]
        ratios = {row["model"]: report.ratio(row) for row in rows}
        if required and None in ratios.values():
            missed.append(f"no other runtime to compare with, {threads} thread(s)")
            continue
        if options.require_geomean is not None:
            mean = statistics.geometric_mean(ratios.values())
            if not mean >= options.require_geomean:
                missed.append(f"geometric mean of the ratios {mean:.3f}, "
                              f"required {options.require_geomean}, {threads} thread(s)")
        if options.require_each is not None:
            missed += [
                f"ratio of {model} {ratio:.3f}, required {options.require_each}, "
                f"{threads} thread(s)"
                for model, ratio in ratios.items() if not ratio >= options.require_each
            ]
    return missed


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("compare: ended"))
    result = {
        "cpu": cpu_name(), "cores": len(os.sched_getaffinity(0)), "system": platform.platform(),
        "started": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "load": os.getloadavg()[0], "minutes": options.minutes, "slot_seconds": options.slot,
        "tolerance": TOLERANCE, "runtimes": {}, "faults": [], "rows": [],
    }
    try:
        runner, ready = set_up(options, result)
        measure_all(options, runner, ready, result)
    except (Failure, ProcessError) as failure:
        print(f"compare: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("compare: interrupted", file=sys.stderr)
        return 1
    missed = verdict(options, result)
    result["missed"] = missed
    results = BUILD / "results"
    results.mkdir(parents=True, exist_ok=True)
    say("\n" + report.write(result, results, options.json or results / "comparison.json"))
    for line in missed[:1]:
        more = f" (and {len(missed) - 1} more)" if len(missed) > 1 else ""
        print(f"compare: {line}{more}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
