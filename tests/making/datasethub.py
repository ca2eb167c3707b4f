"""A small dataset hub on this machine: what ``datasets`` and huggingface_hub ask for, answered from folders."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlparse

SHA = "b" * 40
TOKEN = "hf_tests"
REFUSED = {
    "shy/gated": (403, "GatedRepo"),
    "shy/private": (401, "RepoNotFound"),
    "shy/token": (401, ""),
    "shy/broken": (500, ""),
}
"""Name -> (status, error code) of datasets that are not given out."""
WITH_TOKEN = "shy/mine"
"""Is given to who brings TOKEN."""


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    datasets: dict[str, Path]
    log: list[str]
    slow_s = 0.0
    """Waited before each part of a file."""

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_POST(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        path = unquote(urlparse(self.path).path)
        self.log.append(f"{self.command} {path} {self.headers.get('Range', '')}")
        found = re.match(r"/(api/)?datasets/([^/]+/[^/]+)(?:/([a-z-]+)(?:/([^/]+))?(?:/(.*))?)?$", path)
        name, what, rest = found[2], found[3] or "revision", found[5] or ""
        status, code = REFUSED.get(name, (200, "") if name in self.datasets else (404, "RepoNotFound"))
        if name == WITH_TOKEN and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            status, code = 401, "RepoNotFound"
        if status != 200:
            return self.say(status, b"{}", {"X-Error-Code": code} if code else {}, body)
        folder = self.datasets[name]
        files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
        if what == "resolve":
            return self.give(files.get(rest), body)
        if what == "revision":
            value = {"id": name, "sha": SHA, "private": False, "gated": False, "downloads": 0, "likes": 0, "tags": []}
            value["siblings"] = [{"rfilename": file} for file in files]
        elif what == "tree":
            under = {file: path for file, path in files.items() if not rest or file.startswith(rest + "/")}
            folders = {str(parent) for file in under for parent in Path(file).parents} - {".", rest}
            value = [*map(self.file, under.items()), *({"type": "directory", "path": f, "oid": SHA} for f in folders)]
            if not value:
                return self.say(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body)
        elif what == "paths-info":
            asked = json.loads(sent)["paths"] if sent.startswith("{") else parse_qs(sent)["paths"]
            value = [self.file((file, files[file])) for file in asked if file in files]
            value += [
                {"type": "directory", "path": folder, "oid": SHA}
                for folder in asked
                if any(file.startswith(folder + "/") for file in files)
            ]
        else:
            value = {}
        return self.say(200, json.dumps(value).encode(), {"Content-Type": "application/json"}, body)

    @staticmethod
    def file(item: tuple[str, Path]) -> dict[str, object]:
        name, path = item
        oid = hashlib.sha1(path.read_bytes()).hexdigest()
        return {"type": "file", "path": name, "size": path.stat().st_size, "oid": oid}

    def give(self, path: Path | None, body: bool) -> None:
        if path is None:
            return self.say(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body)
        data = path.read_bytes()
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": SHA, "Accept-Ranges": "bytes"}
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if part is None:
            return self.say(200, data, headers, body)
        if body:
            time.sleep(self.slow_s)
        first, last = int(part[1]), min(int(part[2] or len(data)), len(data) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
        return self.say(206, data[first : last + 1], headers, body)

    def say(self, status: int, data: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return None


@contextmanager
def serve(datasets: dict[str, Path], log: list[str], slow_s: float = 0.0) -> Iterator[str]:
    """``datasets``: name -> folder. ``log`` gets what was asked for. Yields the address."""
    handler = type("Here", (Hub,), {"datasets": datasets, "log": log, "slow_s": slow_s})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
