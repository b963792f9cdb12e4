"""Processes that answer commands, one line each, and stand still in between."""

import contextlib
import os
import select
import signal
import subprocess
import time


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

    def ask(self, command, timeout=600):
        """The answer to a command."""
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(command.encode() + b"\n")
            answer = self.read_line(time.monotonic() + timeout)
        except OSError:
            answer = None
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
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
