"""What an edit of the script costs a running load: gaps, latency, memory, and that nothing is lost.

Owns the edits and the measurements; the arrivals are the ones that nginx logs. Katydid alone.
"""

import json
import signal
import threading
import time
from pathlib import Path

import machine
import server as servers

USERS = 100
# Each user's requests a second: 5,000 for all.
PACE = 50
COUNT = "location = /count {{ stub_status; }}"
MARK = """
        location = /mark {{
            access_log {log} arrivals buffer=64k flush=1s;
            default_type text/plain; return 200 "Hello, world!\\n";
        }}"""
FORMAT = "access_log off;\n    log_format arrivals '$msec $arg_u $arg_e';"


class Logging(servers.Nginx):
    """nginx, which also notes when each user's request came, in milliseconds."""

    def __init__(self, core, files, scratch):
        self.log = Path(scratch, "arrivals.log")
        mark = MARK.replace("{log}", str(self.log))
        conf = servers.NGINX.replace(COUNT, COUNT + mark).replace("access_log off;", FORMAT)
        super().__init__(core, files, conf)

    def end_of_log(self):
        """The size of the log, when all that came so far is in it."""
        time.sleep(1.5)
        return self.log.stat().st_size if self.log.exists() else 0

    def arrivals(self, since):
        """(seconds since 1970, user, edit) of each request from that byte of the log on."""
        self.end_of_log()
        with open(self.log, encoding="ascii") as lines:
            lines.seek(since)
            return [(float(at), user, int(edit)) for at, user, edit in map(str.split, lines)]


def script(edit, lines):
    """A scenario of about so many lines, of which only the first task runs."""
    text = [
        f"// Edit {edit}.",
        f"const EDIT = {edit};",
        'user("Visitor", #{',
        f"    wait_time: constant_throughput({PACE}),",
        "    state: #{ visits: 0, last: () },",
        "    mark: task(|| {",
        "        this.visits += 1;",
        '        this.client.get(`/mark?u=${vu_id()}&e=${EDIT}`, #{ name: "/mark" });',
        "    }),",
    ]
    for number in range((lines - len(text)) // 10):
        text += [
            f"    product_{number}: task(0, || {{",
            f'        let r = this.client.get("/products/{number}", #{{ name: "/products/[id]" }});',
            "        if r.status == 200 {",
            '            let price = r.json("/price");',
            f'            r.check("there is a price", price > {number});',
            "        } else {",
            f'            log_warn(`product {number}: ${{r.status}}`);',
            "        }",
            "        this.last = r.status;",
            "    }),",
        ]
    return "\n".join(text + ["});", ""])


class Run:
    """A run of Katydid whose script can be edited."""

    def __init__(self, program, core, url, scratch, lines, *more):
        self.path = Path(scratch, "edited.rhai")
        self.lines = lines
        self.edit = 0
        self.save()
        self.out = open(Path(scratch, "edited.json"), "w+", encoding="utf-8")
        self.process = machine.start(
            [program, "-f", self.path, "-H", url, "-u", USERS, "-r", 1_000, "-s", 5, "--headless",
             "--only-summary", "--json", "--threads", 1, *more],
            core, stdout=self.out, stderr=machine.subprocess.PIPE, text=True,
        )  # fmt: skip
        self.heard = threading.Condition()
        self.said = []
        threading.Thread(target=self.listen, daemon=True).start()
        self.wait_for("all users spawned")

    def listen(self):
        for line in self.process.stderr:
            with self.heard:
                self.said.append(line)
                self.heard.notify_all()

    def wait_for(self, text):
        with self.heard:
            if not self.heard.wait_for(lambda: any(text in line for line in self.said), 60):
                raise machine.Failed(f"it never said `{text}`:\n{''.join(self.said)[-2000:]}")

    def save(self):
        """Saves the next edit as an editor does; returns when that was, in s since 1970."""
        saved = self.path.with_suffix(".new")
        saved.write_text(script(self.edit, self.lines), encoding="utf-8")
        saved.rename(self.path)
        self.edit += 1
        return time.time()

    def in_service(self):
        self.wait_for(f"generation {self.edit} ")

    def end(self):
        """Ends it; returns its report."""
        self.process.send_signal(signal.SIGINT)
        machine.finish(self.process, 30)
        self.out.seek(0)
        report = json.load(self.out)
        self.out.close()
        return report


def gaps(arrivals):
    """By user: the gaps between its requests, in ms, in order of size."""
    moments = {}
    for at, user, _ in arrivals:
        moments.setdefault(user, []).append(at)
    found = {}
    for user, times in moments.items():
        times.sort()
        found[user] = sorted((b - a) * 1_000 for a, b in zip(times, times[1:]))
    return found


def paced(program, core, server, scratch, lines, seconds, edits):
    """A run of so many seconds, with an edit a second or none: gaps, edits' ways, its report."""
    since, saved = server.end_of_log(), []
    run = Run(program, core, server.url, scratch, lines, "--watch")
    begun = time.monotonic()
    for second in range(seconds):
        time.sleep(max(0, begun + second + 1 - time.monotonic()))
        if edits:
            saved.append((run.edit, run.save()))
    time.sleep(1)
    report = run.end()
    arrivals = server.arrivals(since)
    first = {}
    for at, _, edit in arrivals:
        first[edit] = min(at, first.get(edit, at))
    ways = [(first[edit] - at) * 1_000 for edit, at in saved if edit in first]
    total, in_flight = report["total"], report["in_flight_at_stop"]
    counted = len(arrivals)
    if not total["requests"] <= counted <= total["requests"] + in_flight or total["failures"]:
        raise machine.Failed(
            f"reported {total['requests']}, {total['failures']} failed, in flight {in_flight}, "
            f"counted {counted}"
        )
    if len(report["generations"]) != 1 + len(saved) or len(ways) != len(saved):
        raise machine.Failed(f"{len(saved)} edits, {len(report['generations'])} generations")
    return {"gaps": gaps(arrivals), "ways_ms": ways, "requests": counted, "seconds": seconds}


def resident(program, core, server, scratch, lines):
    """Memory after the second and the hundredth reload, in bytes."""
    run = Run(program, core, server.url, scratch, lines)
    sizes = []
    for edit in range(1, 101):
        run.save()
        run.process.send_signal(signal.SIGHUP)
        run.in_service()
        if edit in (2, 100):
            time.sleep(1)
            sizes.append(machine.memory(run.process.pid, "VmRSS"))
    run.end()
    return sizes


def measure(program, core, server, scratch, rounds, seconds, say):
    """Everything, for a script of a few lines and one of 1,000."""
    result = []
    for lines in (10, 1_000):
        say(f"reload: a script of {lines:,} lines, {rounds} pairs of runs of {seconds} s")
        grown, largest, p999, ways, requests = [], ([], []), ([], []), [], 0
        for number in range(rounds):
            order = (False, True) if number % 2 else (True, False)
            pair = {
                edits: paced(program, core, server, scratch, lines, seconds, edits)
                for edits in order
            }
            ways += pair[True]["ways_ms"]
            requests += pair[True]["requests"]
            without, edited = pair[False]["gaps"], pair[True]["gaps"]
            grown.append(max(edited[user][-1] - without[user][-1] for user in edited))
            for which, found in enumerate((without, edited)):
                every = sorted(gap for each in found.values() for gap in each)
                largest[which].append(every[-1])
                p999[which].append(every[int(len(every) * 0.999)])
        say(f"reload: memory with {lines:,} lines")
        second, last = resident(program, core, server, scratch, lines)
        result.append(
            {
                "lines": lines,
                "rounds": rounds,
                "requests": requests,
                "edits": len(ways),
                "grown_ms": grown,
                "largest_gap_ms": largest,
                "p999_gap_ms": p999,
                "ways_ms": ways,
                "memory_bytes": [second, last],
            }
        )
    return result

