"""A small model hub on this machine that takes uploads: what huggingface_hub says to it, answered as the hub does."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlparse

SHA = "c" * 40
TOKEN = "hf_testsOnlyQ7w9"
READS_ONLY = "hf_readsOnlyQ7w9"
LARGE = (".safetensors", ".onnx")
"""Files that go by LFS."""


class Hub:
    """What was uploaded."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        """Repository -> name -> content."""
        self.private: dict[str, bool] = {}
        self.stored: dict[str, bytes] = {}
        """Content by its sha256, before a commit names it."""
        self.headers: list[str] = []
        """What came in the header Authorization, of each request."""


@contextmanager
def serve() -> Iterator[tuple[str, Hub]]:
    """Yields the address and what was uploaded."""
    hub = Hub()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer()

        do_POST = do_PUT = do_GET

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = unquote(urlparse(self.path).path)
            if path.startswith("/store/"):
                key = path.removeprefix("/store/")
                hub.stored[key] = body
                assert hashlib.sha256(body).hexdigest() == key
                return self.say(200, {})
            told = self.headers.get("Authorization", "")
            hub.headers.append(told)
            if told not in (f"Bearer {TOKEN}", f"Bearer {READS_ONLY}"):
                return self.say(401, {"error": "Invalid credentials"})
            if self.command == "POST" and told != f"Bearer {TOKEN}" and path == "/api/repos/create":
                return self.say(403, {"error": "You don't have the rights to create a model"})
            if path == "/api/whoami-v2":
                return self.say(200, {"name": "ada", "type": "user", "orgs": []})
            if path == "/api/validate-yaml":
                return self.say(200, {"errors": [], "warnings": []})
            if path == "/api/repos/create":
                asked = json.loads(body)
                name = f"{asked.get('organization') or 'ada'}/{asked['name']}"
                if name in hub.files:
                    return self.say(409, {"error": "You already created this model repo", "url": f"{address}/{name}"})
                if not name.startswith("ada/"):
                    return self.say(404, {"error": "no such owner"})
                hub.files[name], hub.private[name] = {}, asked.get("visibility") == "private"
                return self.say(200, {"url": f"{address}/{name}", "name": name})
            found = re.match(r"/(?:api/models/)?([^/]+/[^/]+?)(?:\.git)?(/.*)?$", path)
            name, rest = found[1], found[2] or ""
            if name not in hub.files:
                return self.say(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            if rest.startswith("/preupload/"):
                files = [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                        "shouldIgnore": False,
                    }
                    for file in json.loads(body)["files"]
                ]
                return self.say(200, {"files": files})
            if rest == "/info/lfs/objects/batch":
                objects = [
                    {**one, "actions": {"upload": {"href": f"{address}/store/{one['oid']}", "header": {}}}}
                    for one in json.loads(body)["objects"]
                ]
                return self.say(200, {"transfer": "basic", "objects": objects})
            if rest.startswith("/commit/"):
                for line in map(json.loads, body.splitlines()):
                    value = line["value"]
                    if line["key"] == "file":
                        hub.files[name][value["path"]] = base64.b64decode(value["content"])
                    elif line["key"] == "lfsFile":
                        hub.files[name][value["path"]] = hub.stored[value["oid"]]
                return self.say(200, {"commitUrl": f"{address}/{name}/commit/{SHA}", "commitOid": SHA})
            self.say(200, {"id": name, "sha": SHA, "private": hub.private[name], "siblings": [], "tags": []})

        def say(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
            data = json.dumps(value).encode()
            self.send_response(status)
            for key, given in {
                "Content-Length": str(len(data)),
                "Content-Type": "application/json",
                **(headers or {}),
            }.items():
                self.send_header(key, given)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield address, hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
