"""A Docker engine of its own, for one test: a namespace with nothing but loopback, a folder below
/tmp, and no process that outlives it. Nothing of the machine's network or engine is touched.

No image can be pulled here: the image is the last stage of the Dockerfile, with the binary that was
built outside."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

# The longest that one wait may take on a slow and busy machine.
BOUND_S = 120


class Failed(Exception):
    """What does not hold, in words."""


def run(*command, check=True, **options):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def until(what, look):
    """Looks again and again until there is something to see."""
    begun = time.monotonic()
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() - begun > BOUND_S:
            raise Failed(f"not within {BOUND_S} s: {what}")
        time.sleep(0.2)


def enter_namespaces():
    """Starts this script again where it has a network, mounts and processes of its own. They all end
    with it, whatever happens."""
    os.execvp(
        "unshare",
        ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
        + [sys.executable, *sys.argv, "--inside"],
    )


class Engine:
    """dockerd, and what is asked of it."""

    def __init__(self, folder):
        self.folder = folder
        self.group = f"/katydid-{folder.name}"
        self.socket = f"unix://{folder}/docker.sock"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("KATYDID_")},
            "DOCKER_HOST": self.socket,
            "DOCKER_BUILDKIT": "0",
            "DOCKER_CONFIG": str(folder / "config"),
            "COMPOSE_PROJECT_NAME": "katydid-test",
        }
        run("ip", "link", "set", "lo", "up")
        self.log = open(folder / "dockerd.log", "w", encoding="utf-8")
        self.daemon = subprocess.Popen(
            ["dockerd", "-H", self.socket, "--data-root", folder / "data", "--exec-root"]
            + [folder / "exec", "--pidfile", folder / "dockerd.pid", "--cgroup-parent", self.group],
            stdout=self.log,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
        )
        until("dockerd answers", self.answers)

    def answers(self):
        if self.daemon.poll() is not None:
            text = (self.folder / "dockerd.log").read_text()
            raise Failed(f"dockerd has ended:\n{text[-3000:]}")
        return "Server Version" in self.docker("info", check=False)

    def docker(self, *arguments, **options):
        return run("docker", *arguments, env=self.environment, **options)

    def compose(self, *arguments, **options):
        command = ["docker-compose"]
        if "Docker Compose" in self.docker("compose", "version", check=False):
            command = ["docker", "compose"]
        return run(*command, *arguments, env=self.environment, cwd=self.project, **options)

    def build(self, binary):
        """The image as the Dockerfile's last stage makes it. Returns its size in bytes."""
        context = self.folder / "image"
        (context / "image/empty").mkdir(parents=True)
        shutil.copy(binary, context / "image/katydid")
        certificates = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
        (context / "etc/ssl/certs").mkdir(parents=True)
        to = context / "etc/ssl/certs/ca-certificates.crt"
        to.write_bytes(certificates.read_bytes() if certificates.exists() else b"")
        text = (ROOT / "Dockerfile").read_text()
        last = text[text.rindex("\nFROM ") + 1 :]
        (context / "Dockerfile").write_text(re.sub(r"--from=build (--\S+ )?/", r"\1", last))
        self.docker("build", "-q", "-t", "katydid", context)
        return json.loads(self.docker("image", "inspect", "katydid"))[0]["Size"]

    def clone(self):
        """What docker-compose.yml needs of a fresh clone, to be edited."""
        self.project = self.folder / "clone"
        self.project.mkdir()
        shutil.copy(ROOT / "docker-compose.yml", self.project)
        shutil.copytree(ROOT / "scripts", self.project / "scripts")

    def containers(self, service):
        text = self.docker(
            "ps", "-q", "--filter", f"label=com.docker.compose.service={service}"
        )
        return text.split()

    def logs(self, service):
        return self.compose("logs", "--no-color", service)

    def says(self, service, text, times=1):
        def lines():
            found = [line for line in self.logs(service).splitlines() if text in line]
            return found if len(found) >= times else None

        try:
            return until(f"{service} says `{text}`", lines)
        except Failed as failed:
            raise Failed(f"{failed}\n{self.logs(service)[-3000:]}") from failed

    def are_healthy(self, services):
        def look():
            for service in services:
                for container in self.containers(service):
                    found = json.loads(self.docker("inspect", container))[0]
                    if found["State"]["Health"]["Status"] != "healthy":
                        return False
            return True

        until(f"{', '.join(services)} are healthy", look)

    def end(self):
        if hasattr(self, "project"):
            self.compose("down", "-v", "-t", "10", check=False)
        self.daemon.terminate()
        try:
            self.daemon.wait(30)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
        self.log.close()


def clean(folder):
    """What is left when all its processes have ended: the folder, and its empty control groups."""
    for group in pathlib.Path("/sys/fs/cgroup").glob(f"**/katydid-{folder.name}"):
        for inner in sorted(group.glob("**/"), reverse=True):
            try:
                inner.rmdir()
            except OSError:
                pass
    shutil.rmtree(folder, ignore_errors=True)
