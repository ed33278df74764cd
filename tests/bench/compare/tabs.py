"""What people who watch cost a running load: CPU time per request of the load thread, without a tab
and with twenty of them, three that stream and seventeen that poll.

Owns the tabs and the measurements; requests are those that the server counts. Katydid alone.
"""

import re
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import machine

STREAMING = 3
POLLING = 17
USERS = 50
# Until all users run and the tabs have what they begin with.
WARM_UP_S = 2.0


class Tab(threading.Thread):
    """A browser's tab as the server sees it: it reads all that comes, a frame a second."""

    def __init__(self, port, is_streaming):
        super().__init__(daemon=True)
        self.port = port
        self.is_streaming = is_streaming
        self.frames = 0
        self.bytes = 0
        self.ended = threading.Event()

    def run(self):
        try:
            if self.is_streaming:
                self.stream()
            else:
                self.poll()
        except OSError:
            # The run has ended.
            pass

    def stream(self):
        with socket.create_connection(("127.0.0.1", self.port)) as link:
            link.settimeout(5)
            link.sendall(
                f"GET /api/v1/live HTTP/1.1\r\nHost: localhost:{self.port}\r\n"
                "Accept: text/event-stream\r\n\r\n".encode()
            )
            while not self.ended.is_set():
                part = link.recv(1 << 16)
                if not part:
                    return
                self.bytes += len(part)
                self.frames += part.count(b"event: frame")

    def poll(self):
        seq = 0
        while not self.ended.is_set():
            url = f"http://127.0.0.1:{self.port}/api/v1/live?after={seq}"
            text = urllib.request.urlopen(url, timeout=5).read()
            self.bytes += len(text)
            self.frames += 1
            seq = int(re.search(rb'"seq":(\d+)', text).group(1))
            self.ended.wait(1.0)


def busy_s(pid):
    """CPU time of a process's load threads, and of the one that serves the UI, in seconds."""
    load = web = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        used = int((task / "schedstat").read_text().split()[0]) / 1e9
        if name.startswith("load-"):
            load += used
        elif name == "web":
            web += used
    return load, web


def one(katydid, server, core, seconds, tabs, script):
    """One run with so many tabs: microseconds of the load thread per request."""
    with tempfile.TemporaryFile("w+") as log:
        process = machine.start(
            [
                katydid, "-f", script, "-H", server.url, "-u", USERS, "-r", 1_000, "--threads", 1,
                "--web-port", 0, "--autostart", "--only-summary", "--no-watch",
            ],
            core, stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
        try:
            port = listening(process, log)
            all_tabs = [Tab(port, number < STREAMING) for number in range(tabs)]
            for tab in all_tabs:
                tab.start()
            time.sleep(WARM_UP_S)
            (load, web), count, began = busy_s(process.pid), server.count(), time.monotonic()
            time.sleep(seconds)
            (load_end, web_end), requests = busy_s(process.pid), server.count() - count
            elapsed = time.monotonic() - began
        finally:
            machine.kill(process)
        for tab in all_tabs:
            tab.ended.set()
        for tab in all_tabs:
            tab.join(10)
    if requests == 0 or any(tab.frames < seconds / 2 for tab in all_tabs):
        raise machine.Failed(f"no load, or a tab without frames: {[tab.frames for tab in all_tabs]}")
    return {
        "us": (load_end - load) * 1e6 / requests,
        "web_ms_per_s": (web_end - web) * 1e3 / elapsed,
        "requests": requests,
        "bytes_per_s": sum(tab.bytes for tab in all_tabs) / (seconds + WARM_UP_S),
    }


def listening(process, log):
    """The port of the web UI, which the log tells."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        log.seek(0)
        found = re.search(r"web UI: http://[^:]+:(\d+)", log.read())
        if found:
            return int(found.group(1))
        time.sleep(0.02)
    raise machine.Failed("katydid serves no web UI")


def measure(katydid, server, core, rounds, seconds, script, say):
    """Pairs of runs, without tabs and with them, who is first changing each round."""
    pairs = []
    for number in range(rounds):
        order = [0, STREAMING + POLLING]
        if number % 2:
            order.reverse()
        results = {tabs: one(katydid, server, core, seconds, tabs, script) for tabs in order}
        pairs.append((results[0], results[STREAMING + POLLING]))
        without, watched = pairs[-1]
        say(
            f"round {number + 1}/{rounds}, tabs: {without['us']:.3f} us a request without, "
            f"{watched['us']:.3f} with {STREAMING + POLLING}"
        )
    return {
        "pairs": pairs,
        "ratio": statistics.median(watched["us"] / without["us"] for without, watched in pairs),
    }
