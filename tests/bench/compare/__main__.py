"""Katydid and its peers against the same server, in turn: `make bench`, or `python3 tests/bench/compare`.

Owns the options and the order of the parts. What the numbers mean: tests/bench/README.md.
"""

import argparse
import json
import os
import platform
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path

# Before the modules beside this one are imported: it leaves nothing in the source tree.
sys.dont_write_bytecode = True

import load
import machine
import peers as peer_list
import reload
import report
import server as servers
import sizes
import tabs
import workers

PARTS = ["load", "instructions", "memory", "start", "reload", "tabs", "workers"]
# Requests under callgrind; the second run sends twice as many.
INSTRUCTION_REQUESTS = 20_000


def numbers(text):
    return [int(number) for number in text.replace("_", "").split(",")]


def words(text):
    return [word.strip() for word in text.split(",") if word.strip()]


def arguments():
    parser = argparse.ArgumentParser(prog="tests/bench/compare", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each peer (default: 7)")
    parser.add_argument(
        "--seconds", type=int, default=4, help="seconds that count in each round (default: 4)"
    )
    parser.add_argument(
        "--connections", type=numbers, default=[50, 1000], help="default: 50,1000"
    )
    parser.add_argument("--only", type=words, help="peers, such as wrk,katydid (default: all)")
    parser.add_argument("--parts", type=words, default=PARTS, help=f"default: {','.join(PARTS)}")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="2 rounds of 2 s, 50 connections, load and start only: to see that all works",
    )
    parser.add_argument(
        "--server", choices=["auto", "nginx", "target"], default="auto",
        help="auto takes nginx if it is there, else Katydid's target",
    )  # fmt: skip
    parser.add_argument(
        "--katydid", default=str(peer_list.ROOT / "target/release/katydid"), help="its binary"
    )
    parser.add_argument(
        "--target-command", help="starts the target on {port} (default: katydid target …)"
    )
    parser.add_argument(
        "--waiting", type=numbers, default=[200_000], help="waiting users (default: 200000)"
    )
    parser.add_argument(
        "--reload-seconds", type=int, default=20, metavar="SECONDS",
        help="seconds of each run that is edited once a second (default: 20)",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, default=peer_list.ROOT / "target/bench/compare.json",
        help="everything measured, as JSON (default: target/bench/compare.json)",
    )  # fmt: skip
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.connections = 2, 2, [50]
        options.parts = [part for part in options.parts if part in ("load", "start")]
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"no part `{part}`: there are {', '.join(PARTS)}")
    if options.rounds < 1 or options.seconds < 1:
        parser.error("at least one round of one second")
    options.target_command = shlex.split(
        options.target_command
        or f"{shlex.quote(options.katydid)} target --port {{port}} --threads 1"
    )
    return parser, options


def say(text):
    print(text, file=sys.stderr, flush=True)


def choose(parser, options, scratch):
    """The peers to run, and those that are missing."""
    known = peer_list.peers(options.katydid, scratch)
    for name in options.only or []:
        if name not in [peer.name for peer in known]:
            parser.error(f"no peer `{name}`: there are {', '.join(peer.name for peer in known)}")
    known = [peer for peer in known if not options.only or peer.name in options.only]
    for peer in known:
        if not peer.program:
            say(f"missing: {peer.name} (to install: {peer.install})")
    missing = {peer.name: peer.install for peer in known if not peer.program}
    return [peer for peer in known if peer.program], missing


def open_server(options, core, files):
    nginx = servers.Nginx.found()
    if options.server == "nginx" and not nginx:
        raise machine.Failed("no nginx with stub_status (to install: apt-get install nginx-light)")
    if nginx and options.server != "target":
        return servers.Nginx(core, files)
    if options.server == "auto":
        say("missing: nginx (to install: apt-get install nginx-light); using Katydid's target")
    return servers.Target(core, options.target_command)


def measure(options, chosen, result, client, server_core, files):
    """All the parts asked for; each is printed when it is done and kept in `result`."""
    if "reload" in options.parts and any(peer.name == "katydid" for peer in chosen):
        attempt(result, "reload", lambda: reloads(options, result, client, server_core, files))
    if "workers" in options.parts and any(peer.name == "katydid" for peer in chosen):
        attempt(result, "workers", lambda: on_workers(options, result, client, server_core, files))
    if set(options.parts) <= {"reload", "workers"}:
        return
    with open_server(options, server_core, files) as server:
        result["server"] = type(server).__name__.lower()
        per_request = {}
        if "instructions" in options.parts:
            per_request = instructions(options, chosen, server, client, result)
        if "load" in options.parts:
            for connections in options.connections:
                rounds, failed = load.measure(
                    chosen, server, client, connections, options.rounds, options.seconds, say
                )
                summaries = {name: load.summarize(each) for name, each in rounds.items()}
                result["load"].append(
                    {
                        "connections": connections,
                        "summaries": summaries,
                        "rounds": rounds,
                        "failed": failed,
                    }
                )
                counted = per_request if connections == options.connections[0] else {}
                print("\n" + report.load(connections, summaries, counted), flush=True)
        elif per_request:
            rows = [[name, f"{number:,.0f}"] for name, number in per_request.items()]
            print("\n" + report.table(["", "instructions a request"], rows), flush=True)
    if "start" in options.parts:
        for peer in chosen:
            attempt(result, peer.name, lambda peer=peer: result["start"].update(
                {peer.name: sizes.first_request(peer, client, options.rounds)}
            ))  # fmt: skip
        print("\n" + report.starts(result["start"]), flush=True)
    if "tabs" in options.parts and any(peer.name == "katydid" for peer in chosen):
        with open_server(options, server_core, files) as server:
            attempt(result, "tabs", lambda: watched(options, result, server, client))
    if "memory" in options.parts and any(peer.name == "katydid" for peer in chosen):
        attempt(result, "memory", lambda: memory(options, result, client, server_core))


def instructions(options, chosen, server, client, result):
    if not shutil.which("valgrind"):
        say("missing: valgrind (to install: apt-get install valgrind); no instruction counts")
        result["missing"]["valgrind"] = "apt-get install valgrind"
        return {}
    connections = options.connections[0]
    for peer in chosen:
        if peer.callgrind:
            say(f"instructions a request, {connections} connections: {peer.name}")
            attempt(result, peer.name, lambda peer=peer: result["instructions"].update(
                {peer.name: load.instructions(
                    peer, server, client, connections, INSTRUCTION_REQUESTS)}
            ))  # fmt: skip
    return result["instructions"]


def memory(options, result, client, server_core):
    say("memory per user")
    with servers.Target(server_core, options.target_command) as target:
        result["memory"] = sizes.per_user(
            options.katydid, target, client, [1_000, 10_000], options.waiting
        )
    print("\n" + report.sizes(result["memory"]), flush=True)


def reloads(options, result, client, server_core, files):
    if not servers.Nginx.found():
        raise machine.Failed("it needs nginx, which logs each request's time")
    with tempfile.TemporaryDirectory(prefix="katydid-bench-") as scratch:
        with reload.Logging(server_core, files, scratch) as server:
            result["reload"] = reload.measure(
                options.katydid, client, server, scratch, max(1, options.rounds // 2),
                options.reload_seconds, say,
            )
    print("\n" + report.reloads(result["reload"]), flush=True)


def watched(options, result, server, client):
    say("people who watch")
    script = peer_list.ROOT / "scripts/hello.rhai"
    result["tabs"] = tabs.measure(
        options.katydid, server, client, options.rounds, options.seconds, script, say
    )
    print("\n" + report.tabs(result["tabs"]), flush=True)


def on_workers(options, result, client, server_core, files):
    script, cores = peer_list.ROOT / "scripts/hello.rhai", (server_core, client)
    found = result["workers"] = {}
    with open_server(options, server_core, files) as server:
        found["instructions"] = workers.instructions(options.katydid, server, cores, script, say)
        found["costs"] = workers.costs(
            options.katydid, server, cores, options.rounds, options.seconds, script, say
        )
    if servers.Nginx.found():
        with tempfile.TemporaryDirectory(prefix="katydid-bench-") as scratch:
            with reload.Logging(server_core, files, scratch) as server:
                found["edits_ms"] = workers.edits(options.katydid, server, cores, scratch, say)
    else:
        say("missing: nginx, which logs when an edit comes to the first request")
    print("\n" + report.workers(found), flush=True)


def attempt(result, what, part):
    """One part's failure is told and kept, and does not lose the others."""
    try:
        part()
    except machine.Failed as failure:
        say(f"left out: {what}: {failure}")
        result["left_out"].append({"what": what, "why": str(failure)})


def main():
    parser, options = arguments()
    files = machine.raise_file_limit()
    server_core, client = machine.cores()
    # This program watches from the server's core: the client's is the one being measured.
    os.sched_setaffinity(0, {server_core})
    result = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {
            "kernel": platform.release(),
            "cpu": processor(),
            "load_before": os.getloadavg()[0],
        },
        "options": {
            "rounds": options.rounds,
            "seconds": options.seconds,
            "connections": options.connections,
        },
        "load": [],
        "instructions": {},
        "start": {},
        "memory": None,
        "reload": [],
        "tabs": None,
        "workers": None,
        "left_out": [],
    }
    with tempfile.TemporaryDirectory(prefix="katydid-bench-") as scratch:
        chosen, result["missing"] = choose(parser, options, scratch)
        if not chosen:
            raise machine.Failed("none of the load generators asked for is here")
        if result["machine"]["load_before"] > 0.5:
            say(f"this machine is busy (load {result['machine']['load_before']:.1f}): trust the "
                "best rounds and the instructions, not the medians")  # fmt: skip
        try:
            measure(options, chosen, result, client, server_core, files)
        finally:
            options.output.parent.mkdir(parents=True, exist_ok=True)
            options.output.write_text(json.dumps(result, indent=1) + "\n")
            say(f"\neverything measured: {options.output}")
    failed = result["left_out"] or any(part["failed"] for part in result["load"])
    wrong = any(
        summary["conservation"] for part in result["load"] for summary in part["summaries"].values()
    )
    return 1 if failed or wrong else 0


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except machine.Failed as failure:
        sys.exit(f"error: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
