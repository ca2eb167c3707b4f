"""A small model hub on this machine: what huggingface_hub asks for, answered from folders. No test reaches the real one."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

SHA = "a" * 40
REFUSED = {
    "shy/gated": (403, "GatedRepo"),
    "shy/private": (401, "RepoNotFound"),
    "shy/token": (401, ""),
    "shy/broken": (500, ""),
}
"""Name -> (status, error code) of models that are not given out."""


@contextmanager
def serve(models: dict[str, Path], log: list[str]) -> Iterator[str]:
    """``models``: name -> folder. ``log`` gets the path of every file that was asked for. Yields the address."""

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(body=True)

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def answer(self, body: bool) -> None:
            path = unquote(urlparse(self.path).path)
            name = re.match(r"(?:/api/models)?/([^/]+/[^/]+)", path)[1]
            status, code = REFUSED.get(name, (200, "") if name in models else (404, "RepoNotFound"))
            if status != 200:
                self.say(status, b"{}", {"X-Error-Code": code} if code else {}, body)
            elif path.startswith("/api/models/"):
                found = [p for p in sorted(models[name].rglob("*")) if p.is_file()]
                siblings = [
                    {"rfilename": p.relative_to(models[name]).as_posix(), "size": p.stat().st_size} for p in found
                ]
                value = {
                    "id": name,
                    "modelId": name,
                    "sha": SHA,
                    "siblings": siblings,
                    "private": False,
                    "downloads": 0,
                }
                self.say(200, json.dumps({**value, "likes": 0, "tags": []}).encode(), {}, body)
            else:
                file = models[name] / path.split("/resolve/main/")[1]
                if body:
                    log.append(f"{name}/{file.relative_to(models[name])}")
                data = file.read_bytes()
                etag = hashlib.sha256(data).hexdigest()
                self.say(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": SHA}, body)

        def say(self, status: int, data: bytes, headers: dict[str, str], body: bool) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
