"""The measurements as tables.

Owns how they are printed; what the columns mean is in tests/bench/README.md.
"""

import statistics


def table(header, rows):
    """Columns as wide as they need to be, the first to the left, the others to the right."""
    lines = [header] + rows
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    text = []
    for line in lines:
        first = line[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        text.append("  ".join([first, *rest]).rstrip())
    text.insert(1, "-" * len(text[0]))
    return "\n".join(text)


def ratio(value, reference):
    return f"{value / reference:.2f}" if reference else "-"


def load(connections, summaries, instructions):
    """CPU, throughput, memory and instructions, the cheapest peer first."""
    wrk = summaries.get("wrk")
    instr_wrk = instructions.get("wrk")
    rows = []
    for name, peer in sorted(summaries.items(), key=lambda item: item[1]["best"]["total_us"]):
        best, median = peer["best"], peer["median"]
        instr = instructions.get(name)
        rows.append(
            [
                name,
                f"{best['user_us']:.2f}",
                f"{best['system_us']:.2f}",
                f"{best['total_us']:.2f}",
                ratio(best["total_us"], wrk and wrk["best"]["total_us"]),
                f"{median['user_us']:.2f}",
                f"{median['system_us']:.2f}",
                f"{median['total_us']:.2f}",
                ratio(median["total_us"], wrk and wrk["median"]["total_us"]),
                f"{instr:,.0f}" if instr else "-",
                ratio(instr, instr_wrk) if instr else "-",
                f"{peer['rps_best']:,.0f}",
                f"{peer['peak_rss_bytes'] / 1e6:.1f}",
                str(peer["rounds"]),
            ]
        )
    header = [
        f"{connections:,} connections", "user us", "sys us", "best us", "x wrk",
        "user us", "sys us", "median us", "x wrk", "instr", "x wrk", "req/s", "peak MB", "rounds",
    ]  # fmt: skip
    text = table(header, rows)
    katydid, locust = summaries.get("katydid"), summaries.get("locust")
    if katydid and locust:
        cheaper = locust["best"]["total_us"] / katydid["best"]["total_us"]
        text += f"\nkatydid is {cheaper:.1f} x cheaper than Locust's FastHttpUser (best rounds)"
    return text


def sizes(result):
    """Memory per user."""
    rows = []
    for kind, label in (("in_task", "in a task, with connection"), ("waiting", "waiting, without")):
        for size in result[kind]:
            rows.append(
                [
                    label,
                    f"{size['users']:,}",
                    f"{size['bytes'] / 1024:.2f}",
                    f"{size['stop_s']:.2f}",
                ]
            )
    return table(["katydid's users", "users", "KiB a user", "stopped in s"], rows)


def reloads(result):
    """What an edit a second costs; gaps as the median of the rounds."""
    rows, costs = [], []
    for each in result:
        ways, polled = sorted(each["ways_ms"]), sorted(each["polled_ms"])
        (without, edited), (p999, p999_edited) = each["largest_gap_ms"], each["p999_gap_ms"]
        soon, later = zip(*each["beside_ms"])
        more = [one - other for one, other in each["beside_ms"]]
        rows.append(
            [
                f"{each['lines']:,} lines",
                f"{each['edits']}",
                f"{each['requests']:,}",
                f"{statistics.median(p999):.0f} / {statistics.median(p999_edited):.0f}",
                f"{statistics.median(without):.0f} / {statistics.median(edited):.0f}",
                f"{statistics.median(each['grown_ms']):.0f} ({max(each['grown_ms']):.0f})",
                f"{statistics.median(later):.0f} / {statistics.median(soon):.0f}",
                f"{statistics.median(more):.0f} ({max(more):.0f})",
                f"{statistics.median(ways):.0f}",
                f"{ways[int(len(ways) * 0.95)]:.0f} / {ways[-1]:.0f}",
            ]
        )
        sizes = each["memory_bytes"]
        costs.append(
            [
                f"{each['lines']:,} lines",
                " / ".join(f"{size / 1e6:.1f}" for size in sizes.values()),
                f"{statistics.median(each['busy_ms']):.2f}",
                f"{max(each['busy_ms']):.2f}",
                f"{statistics.median(polled):.0f} / {polled[-1]:.0f}",
            ]
        )
    header = [
        "an edit a second", "edits", "requests", "p99.9 gap ms", "largest", "grown by (most)",
        "in a second", "grown by (most)", "save to request ms", "95% / most",
    ]  # fmt: skip
    looks = " / ".join(str(number) for number in result[0]["memory_bytes"])
    second = ["an edit", f"MB after {looks}", "busy ms", "most", "polled ms, most"]
    return table(header, rows) + "\n\n" + table(second, costs)


def tabs(result):
    """What people who watch cost: the load thread's time per request."""
    without, watched = zip(*result["pairs"])

    def median(rounds, field):
        return statistics.median(each[field] for each in rounds)

    rows = [
        [
            f"{median(without, 'us'):.3f}",
            f"{median(watched, 'us'):.3f}",
            f"{result['ratio']:.4f}",
            f"{median(watched, 'web_ms_per_s'):.1f}",
            f"{median(watched, 'bytes_per_s') / 1e3:,.0f}",
        ]
    ]
    header = ["load thread, us a request", "with 20 tabs", "ratio", "web thread ms/s", "kB/s"]
    return table(header, rows)


def workers(found):
    """What workers cost."""
    counts, costs = found["instructions"], found["costs"]
    rows = [
        [
            f"{counts['local']['load']:,.0f}",
            f"{counts['worker']['load']:,.0f}",
            f"{counts['ratio']:.4f}",
            f"{costs['load']:.4f}",
            f"{costs['whole']:.4f}",
            f"{costs['two']:.3f}",
        ]
    ]
    header = ["instr, local", "on a worker", "ratio", "CPU ratio", "of all threads", "two : one"]
    ways = found.get("edits_ms")
    edits = ["save to request with workers, ms", "median", "most"]
    if ways is None:
        return table(header, rows)
    times = [["", f"{statistics.median(ways):.0f}", f"{max(ways):.0f}"]]
    return table(header, rows) + "\n\n" + table(edits, times)


def starts(result):
    """Start to first request."""
    ordered = sorted(result.items(), key=lambda item: item[1]["best_ms"])
    rows = [
        [name, f"{times['best_ms']:.1f}", f"{times['median_ms']:.1f}"] for name, times in ordered
    ]
    return table(["start to first request", "best ms", "median ms"], rows)
