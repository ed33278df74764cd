#!/usr/bin/env python3
"""Asks curl and requests what they make of the rows in rows.json, and writes it there.

Run by hand after a change of the rows: `python3 tests/it/as_curl/record.py`, with curl and Python's
requests at hand. The tests only read what was recorded.
"""
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import threading

import requests

# The headers that the server says it was sent.
ECHOED = ("content-length", "content-type", "cookie", "authorization", "x-own", "referer")
ROWS = pathlib.Path(__file__).with_name("rows.json")


def serve(listener, rows):
    def answer(connection):
        with connection:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    more = connection.recv(65536)
                    if not more:
                        return
                    data += more
                head, data = data.split(b"\r\n\r\n", 1)
                lines = head.decode("latin-1").split("\r\n")
                pairs = (line.split(": ", 1) for line in lines[1:] if ": " in line)
                headers = {name.lower(): value for name, value in pairs}
                length = int(headers.get("content-length", 0))
                while len(data) < length:
                    data += connection.recv(65536)
                data = data[length:]
                method, path, _ = lines[0].split(" ")
                row = re.fullmatch(r"/(\d+)", path)
                if row:
                    port = listener.getsockname()[1]
                    text = rows[int(row[1])]["answer"].replace("{port}", str(port))
                    connection.sendall(text.encode("latin-1"))
                    if rows[int(row[1])].get("ends"):
                        return
                    continue
                text = f"{method} {path}"
                for name in ECHOED:
                    if name in headers:
                        text += f" {name}={headers[name]}"
                # The usual one has a port, which is another each time.
                if headers.get("host") == "own.example":
                    text += " host=own.example"
                body = text.encode("latin-1")
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                if method != "HEAD":
                    connection.sendall(body)

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def by_curl(base, number, row):
    with tempfile.TemporaryDirectory() as folder:
        jar = f"{folder}/jar"
        # --compressed reads content encodings as the others do.
        line = ["curl", "-s", "-m", "3", "-L", "--compressed", "-c", jar, "-b", jar, "-w", "|%{http_code}"]
        line += ["-u", "ann:secret"] if row.get("auth") else []
        for name, value in row.get("headers", {}).items():
            line += ["-H", f"{name}: {value}"]
        method = row.get("method", "GET")
        empty = f"{folder}/empty"
        open(empty, "w").close()
        # What says what is to be done lets curl choose the method after a redirect; -X has it for
        # every hop, and there is no other way to a DELETE.
        line += {
            "GET": [],
            "HEAD": ["-I", "-o", "/dev/null"],
            "POST": ["-d", "a=1"],
            "PUT": ["-T", empty],
            "DELETE": ["-X", "DELETE"],
        }[method]
        done = subprocess.run(line + [f"{base}/{number}"], capture_output=True)
        if done.returncode:
            return "error"
        text, status = done.stdout.decode("latin-1").rsplit("|", 1)
        if row.get("then"):
            then = subprocess.run(["curl", "-s", "-b", jar, f"{base}/echo"], capture_output=True)
            text = then.stdout.decode("latin-1")
        return f"{status} {text}"


def by_requests(base, number, row):
    session = requests.Session()
    session.trust_env = False
    method = row.get("method", "GET")
    data = {"a": "1"} if method == "POST" else None
    auth = ("ann", "secret") if row.get("auth") else None
    try:
        answer = session.request(
            method,
            f"{base}/{number}",
            data=data,
            auth=auth,
            headers=row.get("headers"),
            timeout=3,
            allow_redirects=True,
        )
        text = answer.content.decode("latin-1")
        if row.get("then"):
            text = session.get(f"{base}/echo", timeout=3).content.decode("latin-1")
        return f"{answer.status_code} {text}"
    except (requests.RequestException, ValueError, UnicodeError):
        return "error"


def main():
    rows = json.loads(ROWS.read_text())
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, rows), daemon=True).start()
    port = listener.getsockname()[1]
    for number, row in enumerate(rows):
        for name, ask in (("curl", by_curl), ("requests", by_requests)):
            row[name] = ask(f"http://127.0.0.1:{port}", number, row).replace(str(port), "{port}")
    ROWS.write_text(json.dumps(rows, indent=1, ensure_ascii=True) + "\n")


main()
