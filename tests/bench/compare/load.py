"""CPU time, throughput, memory and instructions per request, peer by peer, round by round.

Owns the order of the runs and the subtraction of what starting costs; tables are `report`'s.
"""

import statistics

import machine
import peers as peer_list


def one(peer, server, core, connections, seconds):
    """One timed run; returns its usage and the requests that the server counted."""
    before = server.count()
    usage = machine.run(peer.timed(server.url, connections, seconds), core, seconds)
    requests = server.count() - before
    if usage.exit_code != 0 or requests == 0:
        raise machine.Failed(
            f"{peer.name} with {connections} connections ended with {usage.exit_code} after "
            f"{requests} requests\n{machine.tail(usage.stderr or usage.stdout)}"
        )
    wrong = None
    if peer.name == "katydid":
        wrong = peer_list.conservation(usage.stdout, requests, connections)
    return usage, requests, wrong


def one_round(peer, server, core, connections, seconds):
    """A short and a long run: their difference is `seconds` of load with everybody at work."""
    warm_up = peer.warm_up_s(connections)
    short, short_requests, short_wrong = one(peer, server, core, connections, warm_up)
    long, requests, wrong = one(peer, server, core, connections, warm_up + seconds)
    if requests <= short_requests:
        raise machine.Failed(f"{peer.name} sent no more requests in a longer run")
    per_request = 1e6 / (requests - short_requests)
    user_us = (long.user_s - short.user_s) * per_request
    system_us = (long.system_s - short.system_s) * per_request
    return {
        "user_us": user_us,
        "system_us": system_us,
        "total_us": user_us + system_us,
        "rps": (requests - short_requests) / seconds,
        "peak_rss_bytes": long.peak_rss_bytes,
        "requests": requests,
        "start_cpu_s": short.user_s + short.system_s - user_us * short_requests / 1e6
        - system_us * short_requests / 1e6,
        "conservation": short_wrong or wrong,
    }  # fmt: skip


def measure(chosen, server, core, connections, rounds, seconds, say):
    """All rounds at one number of connections: {peer: [round, …]}, and {peer: why it was left}."""
    results = {peer.name: [] for peer in chosen}
    failed = {}
    for number in range(rounds):
        # Whoever comes first in one round comes later in the next.
        turn = number % len(chosen)
        for peer in chosen[turn:] + chosen[:turn]:
            if peer.name in failed:
                continue
            try:
                result = one_round(peer, server, core, connections, seconds)
            except machine.Failed as failure:
                failed[peer.name] = str(failure)
                say(f"left out from here on: {failure}")
                continue
            results[peer.name].append(result)
            say(
                f"round {number + 1}/{rounds}, {connections} connections, {peer.name}: "
                f"{result['total_us']:.2f} us a request, {result['rps']:,.0f} requests/s"
            )
            if result["conservation"]:
                say(f"  {peer.name}: {result['conservation']}")
    return {name: rounds for name, rounds in results.items() if rounds}, failed


def summarize(rounds):
    """Best and median of a peer's rounds; the best round is the one with the least CPU."""
    best = min(rounds, key=lambda result: result["total_us"])

    def median(field):
        return statistics.median(result[field] for result in rounds)

    return {
        "rounds": len(rounds),
        "best": {field: best[field] for field in ("user_us", "system_us", "total_us")},
        "median": {field: median(field) for field in ("user_us", "system_us", "total_us")},
        "rps_best": max(result["rps"] for result in rounds),
        "rps_median": median("rps"),
        "peak_rss_bytes": max(result["peak_rss_bytes"] for result in rounds),
        "conservation": [r["conservation"] for r in rounds if r["conservation"]],
    }


def instructions(peer, server, core, connections, requests):
    """User-space instructions per request: a run and one twice as long, under callgrind."""
    exact = peer.counted is not None

    def one_run(factor):
        if exact:
            seconds = 0.0
            command = peer.counted(server.url, connections, requests * factor)
        else:
            # Under callgrind a generator sends a few thousand requests a second.
            seconds = 4.0 * factor
            command = peer.timed(server.url, connections, seconds)
        before = server.count()
        collected, usage = machine.instructions(command, core, seconds)
        counted = server.count() - before
        if exact and counted != requests * factor:
            raise machine.Failed(
                f"{peer.name} was to send {requests * factor} requests, the server counted "
                f"{counted}\n{machine.tail(usage.stderr)}"
            )
        return collected, counted

    short, short_requests = one_run(1)
    long, long_requests = one_run(2)
    if long_requests <= short_requests:
        raise machine.Failed(f"{peer.name} sent no more requests in a longer run")
    return (long - short) / (long_requests - short_requests)
