"""What workers cost: a request on a worker beside one of a run without, two workers beside one, and
how long an edit takes to all of them.

Owns the processes of such a run and the measurements; requests are those that the server counts.
Katydid alone.
"""

import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import machine
import reload

USERS = 50
# Until all users run.
WARM_UP_S = 1.5
# What a worker gets to join, and a run to end.
PATIENCE_S = 60
# Edits that are timed, and workers that follow them.
EDITS = 10
FOLLOWING = 4
# Requests under callgrind: a run of as many, and one of ten times as many more.
FEW, MORE = 2_000, 20_000


class Cluster:
    """A master and workers of one load thread each; the master is on the server's core.

    With no workers it is a run in one process, with the same options.
    """

    def __init__(self, katydid, url, cores, count, arguments, before=()):
        server_core, client = cores
        self.logs, self.processes, self.master = [], [], None
        run = [katydid, "-f", *arguments, "-H", url, "--headless", "--only-summary"]
        if count == 0:
            self.workers = [self.start([*before, *run, "--threads", 1], client)]
            return
        run += ["--master", "--master-bind-port", 0, "--expect-workers", count]
        self.master = self.start(run, server_core)
        port = self.says(self.master, r"waiting for workers on [^\s]+:(\d+)").group(1)
        worker = [*before, katydid, "--worker", "--threads", 1, "--master-port", port]
        self.workers = [self.start(worker, client) for _ in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.returncode is None:
                machine.kill(process)
        for log in self.logs:
            log.close()

    def start(self, command, core):
        log = tempfile.TemporaryFile("w+")
        process = machine.start(command, core, stdout=subprocess.DEVNULL, stderr=log)
        self.logs.append(log)
        self.processes.append(process)
        return process

    def said(self, process):
        log = self.logs[self.processes.index(process)]
        log.seek(0)
        return log.read()

    def says(self, process, pattern):
        """Waits until it has said something."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and process.poll() is None:
            found = re.search(pattern, self.said(process))
            if found:
                return found
            time.sleep(0.01)
        raise machine.Failed(f"it never said `{pattern}`:\n{machine.tail(self.said(process))}")

    def head(self):
        """Who says how the run goes."""
        return self.master or self.workers[0]

    def wait(self):
        """Waits for the end."""
        for process in self.processes:
            machine.finish(process, 20 * PATIENCE_S)
            if process.returncode != 0:
                raise machine.Failed(f"it failed:\n{machine.tail(self.said(process))}")

    def stop(self):
        self.head().send_signal(signal.SIGINT)
        self.wait()


def busy_s(processes):
    """CPU seconds of their load threads, and of all their threads."""
    load = whole = 0.0
    for process in processes:
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            used = int((task / "schedstat").read_text().split()[0]) / 1e9
            whole += used
            if (task / "comm").read_text().startswith("load-"):
                load += used
    return load, whole


def loaded(katydid, server, cores, count, seconds, script):
    """CPU microseconds per request of so many workers (none: of a run without)."""
    arguments = [script, "-u", USERS, "-r", 1_000]
    with Cluster(katydid, server.url, cores, count, arguments) as cluster:
        cluster.says(cluster.head(), "all users spawned")
        time.sleep(WARM_UP_S)
        (load, whole), before = busy_s(cluster.workers), server.count()
        time.sleep(seconds)
        (load_end, whole_end), requests = busy_s(cluster.workers), server.count() - before
        cluster.stop()
    if requests == 0:
        raise machine.Failed("no load")
    return {
        "load_us": (load_end - load) * 1e6 / requests,
        "whole_us": (whole_end - whole) * 1e6 / requests,
        "requests": requests,
    }


def counted(katydid, server, cores, count, requests, script):
    """Instructions of the load thread, and of the whole process, for exactly so many requests."""
    with tempfile.TemporaryDirectory(prefix="katydid-bench-") as scratch:
        valgrind = [
            "valgrind", "--tool=callgrind", "--separate-threads=yes",
            f"--callgrind-out-file={scratch}/out",
        ]  # fmt: skip
        arguments = [script, "-u", USERS, "-r", 1_000, "-i", requests]
        before = server.count()
        with Cluster(katydid, server.url, cores, count, arguments, valgrind) as cluster:
            cluster.wait()
        made = server.count() - before
        if made != requests:
            raise machine.Failed(f"{requests} requests were asked for, and {made} came")
        threads = []
        for path in Path(scratch).iterdir():
            found = re.search(r"^(?:totals|summary): (\d+)", path.read_text(), re.MULTILINE)
            threads.append(int(found.group(1)) if found else 0)
        # The load thread is the one that does the work.
        return max(threads), sum(threads)


def instructions(katydid, server, cores, script, say):
    """Instructions a request: without workers and on one."""
    if not shutil.which("valgrind"):
        raise machine.Failed("it needs valgrind (to install: apt-get install valgrind)")
    found = {}
    for count, name in ((0, "local"), (1, "worker")):
        few = counted(katydid, server, cores, count, FEW, script)
        more = counted(katydid, server, cores, count, FEW + MORE, script)
        load, whole = ((b - a) / MORE for a, b in zip(few, more))
        found[name] = {"load": load, "whole": whole}
        say(f"instructions a request, {name}: {load:,.0f} on the load thread, {whole:,.0f} in all")
    found["ratio"] = found["worker"]["load"] / found["local"]["load"]
    return found


def costs(katydid, server, cores, rounds, seconds, script, say):
    """A local run, one worker and two, in turn, who is first changing each round."""
    found = []
    for number in range(rounds):
        order = [0, 1, 2]
        order = order[number % 3 :] + order[: number % 3]
        each = {n: loaded(katydid, server, cores, n, seconds, script) for n in order}
        found.append([each[n] for n in range(3)])
        say(
            f"round {number + 1}/{rounds}, us a request of the load thread (of the process): "
            + ", ".join(
                f"{name} {one['load_us']:.2f} ({one['whole_us']:.2f})"
                for name, one in zip(("local", "a worker", "two workers"), found[-1])
            )
        )

    def ratio(of, to, field):
        return statistics.median(one[of][field] / one[to][field] for one in found)

    return {
        "rounds": found,
        "load": ratio(1, 0, "load_us"),
        "whole": ratio(1, 0, "whole_us"),
        # Requests that two make in a second of each of them, to those of one.
        "two": 2 * ratio(1, 2, "whole_us"),
    }


def edits(katydid, server, cores, scratch, say):
    """From a save in place to the first request of the new generation, with some workers, in ms."""
    path = Path(scratch, "followed.rhai")
    path.write_text(reload.script(0, 10, 10), encoding="utf-8")
    since, saved = server.end_of_log(), []
    arguments = [path, "-u", 20, "-r", 1_000, "-s", 5, "--watch"]
    with Cluster(katydid, server.url, cores, FOLLOWING, arguments) as cluster:
        cluster.says(cluster.master, "all users spawned")
        for edit in range(1, EDITS + 1):
            # At any moment of a second of workers' beats.
            time.sleep(2 + 0.37 * edit % 1)
            path.write_text(reload.script(edit, 10, 10), encoding="utf-8")
            saved.append((edit, time.time()))
            cluster.says(cluster.master, f"generation {edit + 1} ")
        time.sleep(2)
        cluster.stop()
    ways = reload.ways_of(server.arrivals(since), saved)
    if len(ways) != EDITS:
        raise machine.Failed(f"{EDITS} edits, and {len(ways)} were seen")
    say(f"save to request with {FOLLOWING} workers: {', '.join(f'{way:.0f}' for way in ways)} ms")
    return ways
