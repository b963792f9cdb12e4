"""Processes that answer commands, one line each, and stand still in between."""

import atexit
import contextlib
import os
import select
import signal
import subprocess
import time

TICK = 1.0 / os.sysconf("SC_CLK_TCK")  # in which the kernel counts, seconds


def machine_cpu_seconds():
    """What all processors were busy with so far, a hypervisor's other guests included."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, soft_irq, steal = map(int, file.readline().split()[1:9])
    return TICK * (user + nice + system + irq + soft_irq + steal)


class ProcessError(Exception):
    """What a runtime or its process had to say."""


class Process:
    """One runtime. Outside `ask` all its threads are stopped, so that none spins while another
    runtime is timed."""

    def __init__(self, command, log, environment):
        self.log = log
        with open(log, "w") as errors:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=errors, env=environment, bufsize=0,
            )
        self.buffer = b""
        atexit.register(self.close)  # what is stopped does not see that nobody talks to it

    def ask(self, command, timeout=600):
        """The answer to a command. A process that gives none is ended."""
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(command.encode() + b"\n")
            answer = self.read_line(time.monotonic() + timeout)
        except OSError:
            answer = None
        except ProcessError:
            self.close()
            raise
        if answer is None:
            self.close()
            lines = self.log.read_text(errors="replace").strip().splitlines()
            raise ProcessError(f"the process ended: {lines[-1] if lines else 'no message'}")
        self.process.send_signal(signal.SIGSTOP)
        state, _, text = answer.partition(" ")
        if state != "ok":
            raise ProcessError(text or answer)
        return text

    def read_line(self, deadline):
        output = self.process.stdout
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([output], [], [], left)[0]:
                raise ProcessError("no answer in time")
            piece = os.read(output.fileno(), 1 << 16)
            if not piece:
                return None
            self.buffer += piece
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode().strip()

    def cpu_seconds(self):
        """The processor time of all its threads so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return TICK * (int(fields[11]) + int(fields[12]))

    def ended(self):
        return self.process.poll() is not None

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        atexit.unregister(self.close)
