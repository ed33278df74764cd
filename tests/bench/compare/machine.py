"""Running a program on one core and measuring what it used.

Owns processes, pinning, CPU time, memory and callgrind. It knows no peer and no server.
"""

import os
import re
import resource
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass

# How often a running program's peak memory is looked at.
POLL_S = 0.05
# What a program gets beyond the time it was asked to run.
PATIENCE_S = 120


class Failed(Exception):
    """A program that did not do what it was started for."""


@dataclass
class Usage:
    """What one run of a program used, start and end included."""

    user_s: float
    system_s: float
    peak_rss_bytes: int
    elapsed_s: float
    exit_code: int
    stdout: str
    stderr: str


def raise_file_limit():
    """Lets this process and what it starts open as many files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def cores():
    """The cores this process may use: the server's and the client's."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise Failed("two cores are needed, one for the server and one for the client")
    return usable[0], usable[-1]


def start(command, core, **options):
    """Starts a program pinned to one core, in a process group of its own."""
    return subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        start_new_session=True,
        **options,
    )


def memory(pid, field):
    """A field of /proc/PID/status in bytes: VmRSS is memory now, VmHWM its peak.

    ru_maxrss would not do: on Linux it starts with the peak of the process that forked, so that
    no program would seem smaller than this one.
    """
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def finish(process, patience_s):
    """Waits for a program; returns its resource usage (its children's included) and peak RSS."""
    deadline = time.monotonic() + patience_s
    peak = 0
    while True:
        peak = max(peak, memory(process.pid, "VmHWM"))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage, peak
        if time.monotonic() > deadline:
            kill(process)
            raise Failed(f"`{process.args[0]}` did not end within {patience_s:.0f} s")
        time.sleep(POLL_S)


def kill(process):
    """Ends a program and what it started, now."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def run(command, core, seconds=0.0):
    """Runs a program that takes about so long, and measures it."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begin = time.monotonic()
        process = start(command, core, stdout=out, stderr=err)
        usage, peak = finish(process, seconds + PATIENCE_S)
        elapsed = time.monotonic() - begin
        out.seek(0)
        err.seek(0)
        return Usage(
            user_s=usage.ru_utime,
            system_s=usage.ru_stime,
            peak_rss_bytes=peak,
            elapsed_s=elapsed,
            exit_code=process.returncode,
            stdout=out.read(),
            stderr=err.read(),
        )


def instructions(command, core, seconds=0.0):
    """User-space instructions of one run under callgrind."""
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    usage = run(valgrind + list(command), core, seconds)
    collected = re.search(r"Collected\s*:\s*(\d+)", usage.stderr)
    if not collected:
        raise Failed(f"callgrind counted nothing:\n{tail(usage.stderr)}")
    return int(collected.group(1)), usage


def tail(text, lines=8):
    """The end of an output, for an error message."""
    return "\n".join("    " + line for line in text.strip().splitlines()[-lines:])
