"""The load generators compared: how each is found, installed and told what to do.

Owns command lines only; every one asks for GET /hello over kept-alive HTTP/1.1 connections with
as little else (output, checks, latency files) as the tool allows.
"""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FILES = HERE / "peers"

K9_PLAN = """\
flows:
  default:
    - request:
        url: "{url}/hello"
"""


@dataclass
class Peer:
    """One load generator. `timed` and `counted` make a command line from (url, connections, how
    many seconds or requests); `counted` is absent where a tool cannot stop after exactly n."""

    name: str
    program: Optional[str]
    install: str
    timed: Callable
    counted: Optional[Callable] = None
    # Seconds a run takes until all connections are at work, from the number of connections.
    warm_up_s: Callable = field(default=lambda connections: 1.0)
    # Under callgrind a Python interpreter or a garbage collector's threads take minutes.
    callgrind: bool = True


def find(name, hint=None):
    """A program by name: on PATH, or where `hint` (an environment variable) says."""
    path = os.environ.get(hint, "") if hint else ""
    return path if path and Path(path).is_file() else shutil.which(name)


def katydid(program):
    def command(url, users, how):
        return [
            program, "-f", ROOT / "scripts/hello.rhai", "-H", url,
            "-u", users, "-r", 50_000, *how,
            "--headless", "--only-summary", "--json", "--threads", 1,
        ]  # fmt: skip

    return Peer(
        "katydid",
        program if Path(program).is_file() else None,
        "cargo build --release",
        timed=lambda url, users, seconds: command(url, users, ["-t", f"{seconds:g}s"]),
        counted=lambda url, users, n: command(url, users, ["-i", n]),
    )


def peers(katydid_path, scratch):
    """All peers, wrk first: it is what the others are measured by."""
    wrk = find("wrk")
    wrk_lua = ["-s", FILES / "hello.lua"]
    oha = find("oha")
    oha_always = ["--no-tui", "--output-format", "quiet"]
    h2load = find("h2load")
    locust = find("locust")
    k9 = find("k9")
    k6 = find("k6")
    goose = find("goose-hello", "GOOSE_HELLO")

    def k9_plan(url):
        plan = Path(scratch, "hello.k9.yaml")
        plan.write_text(K9_PLAN.format(url=url))
        return plan

    return [
        Peer(
            "wrk",
            wrk,
            "apt-get install wrk",
            timed=lambda url, c, s: [wrk, "-t1", "-c", c, "-d", f"{s:g}s", url + "/hello"],
        ),
        katydid(katydid_path),
        Peer(
            "wrk+lua",
            wrk,
            "apt-get install wrk",
            timed=lambda url, c, s: [wrk, "-t1", "-c", c, "-d", f"{s:g}s", *wrk_lua, url],
        ),
        Peer(
            "oha",
            oha,
            "cargo install oha --locked",
            timed=lambda url, c, s: [oha, "-z", f"{s:g}s", "-c", c, *oha_always, url + "/hello"],
            counted=lambda url, c, n: [oha, "-n", n, "-c", c, *oha_always, url + "/hello"],
        ),
        Peer(
            "h2load",
            h2load,
            "apt-get install nghttp2-client",
            timed=lambda url, c, s: [
                h2load, "--h1", "-t1", "-c", c, "-D", f"{s:g}", url + "/hello",
            ],  # fmt: skip
            counted=lambda url, c, n: [h2load, "--h1", "-t1", "-c", c, "-n", n, url + "/hello"],
        ),
        Peer(
            "locust",
            locust,
            "pip install locust",
            timed=lambda url, c, s: [
                locust, "-f", FILES / "locustfile.py", "-H", url, "-u", c, "-r", c,
                "-t", f"{s:g}s", "--headless", "--only-summary", "--loglevel", "ERROR",
            ],  # fmt: skip
            # It takes whole seconds only, and starts a few hundred users in each.
            warm_up_s=lambda connections: 2.0 + connections // 250,
            callgrind=False,
        ),
        Peer(
            "k9-load",
            k9,
            "pip install k9-load",
            timed=lambda url, c, s: [
                k9, "run", "-u", c, "-d", f"{s:g}s", "--quiet", "--no-summary", k9_plan(url),
            ],  # fmt: skip
            callgrind=False,
        ),
        Peer(
            "k6",
            k6,
            "https://grafana.com/docs/k6/latest/set-up/install-k6/",
            timed=lambda url, c, s: [
                k6, "run", "--quiet", "--no-usage-report", "--no-summary",
                "--vus", c, "--duration", f"{s:g}s", "-e", f"URL={url}/hello",
                FILES / "hello.k6.js",
            ],  # fmt: skip
            warm_up_s=lambda connections: 2.0,
            callgrind=False,
        ),
        Peer(
            "goose",
            goose,
            "build a goose load test of GET /hello; name its binary in GOOSE_HELLO",
            timed=lambda url, c, s: [
                goose, "--host", url, "--users", c, "--hatch-rate", c,
                "--run-time", f"{s:g}s", "--no-print-metrics", "--quiet",
            ],  # fmt: skip
            warm_up_s=lambda connections: 3.0,
            callgrind=False,
        ),
    ]


def conservation(stdout, counted, users):
    """What is wrong between katydid's own report and the server's count; `None` if nothing is."""
    try:
        document = json.loads(stdout)
        reported = document["total"]["requests"]
        in_flight = document["in_flight_at_stop"]
        failures = document["total"]["failures"]
    except (ValueError, KeyError, TypeError) as error:
        return f"no JSON document as expected: {error!r}"
    if failures:
        return f"{failures} of {reported} requests failed"
    if not reported <= counted <= reported + in_flight:
        return f"reported {reported} + {in_flight} in flight, but the server counted {counted}"
    if in_flight > users:
        return f"{in_flight} in flight with {users} users"
    return None
