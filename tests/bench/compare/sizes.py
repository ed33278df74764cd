"""What a virtual user weighs, and how long it takes from start to the first request.

Owns the measurements that have nothing to do with requests per second. The scripts are those of
`tests/bench/scripts`.
"""

import json
import signal
import socket
import statistics
import time

import machine
from peers import ROOT

SCRIPTS = ROOT / "tests/bench/scripts"


def command(program, script, url, users, seconds, rate):
    return [
        program, "-f", SCRIPTS / script, "-H", url, "-u", users, "-r", rate, "-t", f"{seconds}s",
        "--headless", "--only-summary", "--json", "--threads", 1,
    ]  # fmt: skip


def hanging(program, target, core, users):
    """Memory with so many users inside a task, each with its connection: bytes."""
    target.reset()
    process = machine.start(
        command(program, "hanging.rhai", target.url, users, 300, 5_000),
        core,
        stdout=machine.subprocess.DEVNULL,
        stderr=machine.subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    try:
        while target.counts()["by_path"].get("/stall", 0) < users:
            if process.poll() is not None or time.monotonic() > deadline:
                raise machine.Failed(f"{users} users never were in their tasks all at once")
            time.sleep(0.1)
        # The last ones have sent; what their threads do afterwards is over soon.
        time.sleep(0.5)
        resident = machine.memory(process.pid, "VmRSS")
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        machine.finish(process, 30)
        return resident, time.monotonic() - begin
    finally:
        if process.returncode is None:
            machine.kill(process)


def waiting(program, url, core, users, seconds):
    """Memory with so many users that wait and have no connection: bytes."""
    with machine.tempfile.TemporaryFile("w+") as out:
        begin = time.monotonic()
        process = machine.start(
            command(program, "waiting.rhai", url, users, seconds, 100_000),
            core,
            stdout=out,
            stderr=machine.subprocess.DEVNULL,
        )
        samples = []
        # The second half of the run, its last moment left out: all have started, none stops yet.
        while (elapsed := time.monotonic() - begin) < seconds - 0.5:
            if elapsed > seconds / 2:
                samples.append(machine.memory(process.pid, "VmRSS"))
            time.sleep(0.1)
        machine.finish(process, machine.PATIENCE_S)
        stopping = time.monotonic() - begin - seconds
        out.seek(0)
        text = out.read()
    if process.returncode != 0:
        raise machine.Failed(f"{users} waiting users ended with exit code {process.returncode}")
    peak = json.loads(text)["users"]["peak"]
    if peak != users:
        raise machine.Failed(f"{peak} of {users} waiting users started within {seconds} s")
    resident = statistics.median(samples)
    if max(samples) - min(samples) > 0.02 * resident:
        raise machine.Failed(f"memory did not settle within {seconds} s with {users} users")
    return resident, stopping


def per_user(program, target, core, in_task, asleep):
    """Bytes per user in a task and per waiting user, against a run with one user."""
    result = {"in_task": [], "waiting": []}
    base, _ = hanging(program, target, core, 1)
    for users in in_task:
        resident, stop_s = hanging(program, target, core, users)
        result["in_task"].append(
            {"users": users, "bytes": (resident - base) / (users - 1), "stop_s": stop_s}
        )
    base, _ = waiting(program, target.url, core, 1, 3)
    for users in asleep:
        # Room to start them at 100,000 a second, and as long again to be looked at.
        resident, stop_s = waiting(program, target.url, core, users, 6 + users // 25_000)
        result["waiting"].append(
            {"users": users, "bytes": (resident - base) / (users - 1), "stop_s": stop_s}
        )
    return result


def first_request(peer, core, rounds):
    """Milliseconds from starting a program to its first request's first byte, each round."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi\n"
    times = []
    for _ in range(rounds):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(30)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            words = peer.counted(url, 1, 1) if peer.counted else peer.timed(url, 1, 1)
            begin = time.monotonic()
            process = machine.start(
                words, core, stdout=machine.subprocess.DEVNULL, stderr=machine.subprocess.DEVNULL
            )
            try:
                times.append(first_byte(listener, answer, begin))
            except OSError as error:
                raise machine.Failed(f"{peer.name} sent no request: {error}") from error
            finally:
                machine.kill(process)
    return {"best_ms": min(times), "median_ms": statistics.median(times), "rounds": len(times)}


def first_byte(listener, answer, begin):
    """Accepts until a connection sends something: wrk connects once before, only to see if it can."""
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(30)
            if connection.recv(65_536):
                elapsed = (time.monotonic() - begin) * 1e3
                connection.sendall(answer)
                return elapsed
