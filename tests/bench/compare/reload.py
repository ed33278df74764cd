"""What an edit of the script costs a running load: gaps, latency, memory, the load thread's time,
and that nothing is lost.

Owns the edits and the measurements; the arrivals are the ones that nginx logs. Katydid alone.
"""

import bisect
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
# So few that the load thread has nothing to do but what an edit gives it.
SELDOM = 0.001
# Reloads after which memory is looked at: after two there are two generations.
LOOKS = (2, 5, 10, 25, 50, 100)
# Saves that are found by polling, and edits that the load thread's time is the median of.
POLLED = 10
TIMED = 30
# Seconds from a save on in which its gaps come, and as many later when it is long in service.
WINDOW_S = 0.45
LATER_S = 0.5
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


def script(edit, lines, pace):
    """A scenario of about so many lines, of which only the first task runs."""
    text = [
        f"// Edit {edit}.",
        f"const EDIT = {edit};",
        'user("Visitor", #{',
        f"    wait_time: constant_throughput({pace}),",
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

    def __init__(self, program, core, url, scratch, lines, *more, users=USERS, pace=PACE):
        self.path = Path(scratch, "edited.rhai")
        self.lines = lines
        self.pace = pace
        self.edit = 0
        self.save()
        self.out = open(Path(scratch, "edited.json"), "w+", encoding="utf-8")
        self.process = machine.start(
            [program, "-f", self.path, "-H", url, "-u", users, "-r", 1_000, "-s", 5, "--headless",
             "--only-summary", "--json", "--threads", 1, *more],
            core, stdout=self.out, stderr=machine.subprocess.PIPE, text=True,
        )  # fmt: skip
        self.heard = threading.Condition()
        self.said = []
        threading.Thread(target=self.listen, daemon=True).start()

    def __enter__(self):
        try:
            self.wait_for("all users spawned")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        # It has no end of its own, and its session does not hear a Ctrl-C of ours.
        if self.process.returncode is None:
            machine.kill(self.process)
        self.out.close()

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
        saved.write_text(script(self.edit, self.lines, self.pace), encoding="utf-8")
        saved.rename(self.path)
        self.edit += 1
        return time.time()

    def reload(self):
        """Saves the next edit, asks for it by signal, and waits until it is in service."""
        self.save()
        self.process.send_signal(signal.SIGHUP)
        self.wait_for(f"generation {self.edit} ")

    def load_thread_ms(self):
        """What the load thread has had of its core so far."""
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == "load-0":
                return int((task / "schedstat").read_text().split()[0]) / 1e6
        raise machine.Failed("it has no thread `load-0`")

    def end(self):
        """Ends it; returns its report."""
        self.process.send_signal(signal.SIGINT)
        machine.finish(self.process, 30)
        self.out.seek(0)
        return json.load(self.out)


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


def ways_of(arrivals, saved):
    """From each save to the first request that carries it, in ms."""
    first = {}
    for at, _, edit in arrivals:
        first[edit] = min(at, first.get(edit, at))
    return [(first[edit] - at) * 1_000 for edit, at in saved if edit in first]


def beside(arrivals, saves):
    """By save: the largest gap of any user that ended soon after it, and later, in ms.

    Both come from the same second of the same run, so that a busy machine is in both.
    """
    last, ended = {}, []
    for at, user, _ in sorted(arrivals):
        if user in last:
            ended.append((at, (at - last[user]) * 1_000))
        last[user] = at

    def largest(since):
        begin = bisect.bisect_left(ended, (since, 0))
        end = bisect.bisect_left(ended, (since + WINDOW_S, 0))
        return max((gap for _, gap in ended[begin:end]), default=0)

    return [(largest(at), largest(at + LATER_S)) for at in saves]


def paced(program, core, server, scratch, lines, seconds, edits):
    """A run of so many seconds, with an edit a second or none: gaps, edits' ways, its report."""
    since, saved = server.end_of_log(), []
    with Run(program, core, server.url, scratch, lines, "--watch") as run:
        begun = time.monotonic()
        for second in range(seconds):
            time.sleep(max(0, begun + second + 1 - time.monotonic()))
            if edits:
                saved.append((run.edit, run.save()))
        time.sleep(1)
        report = run.end()
    arrivals = server.arrivals(since)
    ways = ways_of(arrivals, saved)
    total, in_flight = report["total"], report["in_flight_at_stop"]
    counted = len(arrivals)
    if not total["requests"] <= counted <= total["requests"] + in_flight or total["failures"]:
        raise machine.Failed(
            f"reported {total['requests']}, {total['failures']} failed, in flight {in_flight}, "
            f"counted {counted}"
        )
    if len(report["generations"]) != 1 + len(saved) or len(ways) != len(saved):
        raise machine.Failed(f"{len(saved)} edits, {len(report['generations'])} generations")
    return {
        "gaps": gaps(arrivals),
        "ways_ms": ways,
        "requests": counted,
        "beside_ms": beside(arrivals, [at for _, at in saved]),
    }


def resident(program, core, server, scratch, lines):
    """Memory after so many reloads, in bytes."""
    sizes = []
    with Run(program, core, server.url, scratch, lines) as run:
        for edit in range(1, LOOKS[-1] + 1):
            run.reload()
            if edit in LOOKS:
                time.sleep(1)
                sizes.append(machine.memory(run.process.pid, "VmRSS"))
        run.end()
    return sizes


def busy(program, core, server, scratch, lines):
    """The load thread's time for each edit, in ms, with one user that waits."""
    times = []
    with Run(program, core, server.url, scratch, lines, users=1, pace=SELDOM) as run:
        for _ in range(TIMED):
            before = run.load_thread_ms()
            run.reload()
            # That control says so is not yet that the thread has called its users.
            time.sleep(0.05)
            times.append(run.load_thread_ms() - before)
        run.end()
    return times


def polled(program, core, server, scratch, lines):
    """From a save to the first request that carries it, in ms, where no events tell of it."""
    since, saved = server.end_of_log(), []
    with Run(program, core, server.url, scratch, lines, "--watch-poll") as run:
        for number in range(POLLED):
            # Anywhere between two looks, which are half a second apart.
            time.sleep(1.5 + 0.5 * number / POLLED)
            saved.append((run.edit, run.save()))
        time.sleep(1.5)
        run.end()
    ways = ways_of(server.arrivals(since), saved)
    if len(ways) != len(saved):
        raise machine.Failed(f"{len(saved)} saves, {len(ways)} of them found by polling")
    return ways


def measure(program, core, server, scratch, rounds, seconds, say):
    """Everything, for a script of a few lines and one of 1,000."""
    result = []
    for lines in (10, 1_000):
        say(f"reload: a script of {lines:,} lines, {rounds} pairs of runs of {seconds} s")
        grown, largest, p999, ways, requests, sides = [], ([], []), ([], []), [], 0, []
        for number in range(rounds):
            order = (False, True) if number % 2 else (True, False)
            pair = {
                edits: paced(program, core, server, scratch, lines, seconds, edits)
                for edits in order
            }
            ways += pair[True]["ways_ms"]
            requests += pair[True]["requests"]
            sides += pair[True]["beside_ms"]
            without, edited = pair[False]["gaps"], pair[True]["gaps"]
            grown.append(max(edited[user][-1] - without[user][-1] for user in edited))
            for which, found in enumerate((without, edited)):
                every = sorted(gap for each in found.values() for gap in each)
                largest[which].append(every[-1])
                p999[which].append(every[int(len(every) * 0.999)])
        say(f"reload: memory with {lines:,} lines")
        sizes = resident(program, core, server, scratch, lines)
        say(f"reload: the load thread's time, and polling, with {lines:,} lines")
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
                "beside_ms": sides,
                "memory_bytes": dict(zip(LOOKS, sizes)),
                "busy_ms": busy(program, core, server, scratch, lines),
                "polled_ms": polled(program, core, server, scratch, lines),
            }
        )
    return result

