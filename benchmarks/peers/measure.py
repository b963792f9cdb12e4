"""One network: the runtimes' processes, the check of their logits, the rounds of slots."""

import array
import math
import statistics
import time

import environment
from environment import HERE, LOGS, MODELS, Failure
from peers import PEERS
from processes import TICK, Process, ProcessError, machine_cpu_seconds

TOLERANCE = 1e-3  # of the largest logit
MIN_ROUNDS = 5
MAX_IDLE = 0.02  # of a slot's time: what stopped processes may use


def say(text):
    print(text, flush=True)


def start(command, log):
    LOGS.mkdir(parents=True, exist_ok=True)
    return Process(command, LOGS / f"run-{log}.log", environment.worker_environment())


def start_peer(name):
    python = environment.python(PEERS[name].environment)
    return start([python, HERE / "worker.py", name, MODELS], name)


def fault(result, name, what, model=None):
    """Notes what went wrong with a runtime, and says so."""
    title = PEERS[name].title if name in PEERS else "Lumbar"
    where = f" on {model}" if model else ""
    result["faults"].append({"runtime": name, "title": title, "model": model, "what": what})
    say(f"!!! {title}{where}: {what}")


def floats(path):
    values = array.array("f")
    values.frombytes(path.read_bytes())
    return values


def error_of(model, name):
    """The largest difference of the logits from PyTorch's, in units of the largest logit."""
    reference = floats(MODELS / f"{model}.reference")
    logits = floats(MODELS / f"{model}.{name}.out")
    if len(logits) != len(reference):
        raise ProcessError(f"{len(logits)} logits instead of {len(reference)}")
    worst = max(abs(a - b) if math.isfinite(a) else math.inf for a, b in zip(logits, reference))
    return worst / max(map(abs, reference))


def prepare(workers, model, threads, result):
    """Has everybody compile the model and checks the logits; gives {name: error} of the rest."""
    errors = {}
    unconverted = {f["runtime"] for f in result["faults"] if f["model"] == model
                   and f["what"].startswith("no conversion")}
    for name, worker in list(workers.items()):
        if name in unconverted:
            continue
        try:
            worker.ask(f"prepare {model} {threads}")
            worker.ask("run 0 0.001")  # the logits of a later run: buffers are used again
            worker.ask(f"output {MODELS / f'{model}.{name}.out'}")
            error = error_of(model, name)
            if not error <= TOLERANCE:
                if name == "lumbar":
                    raise Failure(f"Lumbar's logits of {model} are off by {error:.1e} of the "
                                  f"largest, {threads} thread(s)")
                raise ProcessError(f"not counted: logits off by {error:.1e} of the largest")
            errors[name] = error
        except ProcessError as what:
            if name == "lumbar":
                raise Failure(f"Lumbar on {model}: {what}") from what
            fault(result, name, str(what), model)
            if worker.ended():
                workers[name] = start_peer(name)
    return errors


class Turns:
    """What the runtimes did in their slots for one network."""

    def __init__(self, workers, names):
        self.workers = workers
        self.times = {name: [] for name in names}  # of the runs, slot by slot
        self.cores = {name: [] for name in names}  # in use on average during a slot
        self.idle = 0.0  # the largest share of a slot in which a stopped process ran
        self.strangers = []  # cores that other programs, or other guests, used during a slot

    def take(self, name, slot):
        """One slot of one runtime."""
        others = [worker for other, worker in self.workers.items() if other != name]

        def meters():
            return (self.workers[name].cpu_seconds(), sum(w.cpu_seconds() for w in others),
                    machine_cpu_seconds(), time.monotonic())

        before = meters()
        runs = self.workers[name].ask(f"run 2 {slot}").split()
        own, idle, machine, seconds = (b - a for a, b in zip(before, meters()))
        self.idle = max(self.idle, (idle - TICK) / seconds)
        self.strangers.append(max(machine - own - idle, 0.0) / seconds)
        self.times[name].append([float(run) for run in runs])
        self.cores[name].append(own / seconds)


def measure(workers, model, threads, seconds, slot, result):
    """Rounds of slots for one model, until the time is over."""
    errors = prepare(workers, model, threads, result)
    turns = Turns(workers, errors)
    peaks, latencies = [], []
    begin = time.monotonic()
    while len(peaks) < MIN_ROUNDS or time.monotonic() - begin < seconds:
        order = list(turns.times)
        first = len(peaks) % len(order)
        for name in order[first:] + order[:first]:
            try:
                turns.take(name, slot)
            except ProcessError as what:
                if name == "lumbar":
                    raise Failure(f"Lumbar on {model}: {what}") from what
                fault(result, name, str(what), model)
                del turns.times[name]
                workers[name].close()
                workers[name] = start_peer(name)
        peaks.append(float(workers["lumbar"].ask("peak")))
        if threads > 1:
            latencies.append(float(workers["lumbar"].ask("pingpong")))
    if turns.idle > MAX_IDLE:  # no reason to expect it: a stopped process does not run
        fault(result, "lumbar", f"stopped processes ran for {turns.idle:.0%} of a slot", model)
    return {
        "model": model, "threads": threads, "rounds": len(peaks),
        "peak_flops": statistics.median(peaks), "peaks": peaks,
        "core_to_core_seconds": statistics.median(latencies) if latencies else None,
        "latencies": latencies, "idle_share": turns.idle,
        "strangers_cores": statistics.mean(turns.strangers),
        "times": {
            name: {**summary(slots), "cores": statistics.mean(turns.cores[name]),
                   "error": errors[name]}
            for name, slots in turns.times.items()
        },
    }


def summary(slots):
    runs = sorted(run for slot in slots for run in slot)
    low, middle, high = (
        statistics.quantiles(runs, n=4, method="inclusive") if len(runs) > 1 else runs * 3
    )
    return {
        "median": middle, "quartiles": [low, high], "best": runs[0], "runs": len(runs),
        "slots": [statistics.median(slot) for slot in slots],
    }
