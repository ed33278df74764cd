"""The server under load: nginx or Katydid's embedded target, one process on one core.

Owns starting, stopping and, above all, counting: a request is one that the server says it got,
whatever the client reports.
"""

import json
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import machine

NGINX = """\
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {directory}/nginx.pid;
error_log {directory}/error.log crit;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=16384;
        location = /hello {{ default_type text/plain; return 200 "Hello, world!\\n"; }}
        location = /count {{ stub_status; }}
    }}
}}
"""


def free_port():
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running server."""

    def __init__(self, command, core, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process = machine.start(
            command, core, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                self.get("/hello")
                return
            except OSError as error:
                ended = self.process.poll() is not None
                if ended or time.monotonic() > deadline:
                    self.stop()
                    words = " ".join(map(str, command))
                    raise machine.Failed(f"the server does not answer: `{words}`") from error
                time.sleep(0.02)

    def get(self, path, method="GET"):
        request = urllib.request.Request(self.url + path, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                machine.kill(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Nginx(Server):
    """nginx with one process and the same answer as the target's /hello."""

    def __init__(self, core, files, text=NGINX):
        self.directory = tempfile.TemporaryDirectory(prefix="katydid-bench-")
        port = free_port()
        conf = Path(self.directory.name, "nginx.conf")
        conf.write_text(
            text.format(
                directory=self.directory.name,
                port=port,
                files=files,
                connections=max(64, min(files - 64, 65_000)),
            )
        )
        self.counted = 0
        super().__init__(["nginx", "-c", conf, "-p", self.directory.name], core, port)

    def count(self):
        """Requests received so far. Asking is a request too, hence the correction."""
        status = self.get("/count")
        requests = int(re.search(r"requests\s+\d+ \d+ (\d+)", status).group(1))
        self.counted += 1
        return requests - self.counted

    def stop(self):
        super().stop()
        self.directory.cleanup()

    @staticmethod
    def found():
        if not shutil.which("nginx"):
            return False
        version = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=False)
        return "http_stub_status_module" in version.stderr


class Target(Server):
    """Katydid's embedded target, which never counts its own `/requests`."""

    def __init__(self, core, command):
        port = free_port()
        words = [word.replace("{port}", str(port)) for word in command]
        super().__init__(words, core, port)

    def counts(self):
        return json.loads(self.get("/requests"))

    def count(self):
        return self.counts()["total"]

    def reset(self):
        self.get("/reset", method="POST")
