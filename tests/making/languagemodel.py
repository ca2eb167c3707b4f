"""A service of the tests' own that speaks OpenAI's chat completions: good answers, and every kind of trouble."""

import json
import re
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-secret-4711"
MODEL = "tiny-llm"


def good(request: dict[str, Any]) -> tuple[int, Any]:
    """Two questions of the passage's first word."""
    word = passage_of(request).split()[0]
    return 200, completion(json.dumps([f"What is there to know about {word}?", f"How does {word} work here?"]))


def completion(text: str | None, **message: Any) -> dict[str, Any]:
    return {
        "choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20},
    }


def passage_of(request: dict[str, Any]) -> str:
    return re.search(r"<passage>\n(.*)\n</passage>", request["messages"][-1]["content"], re.DOTALL)[1]


class LanguageModel:
    """``answer`` is called with each request's body and gives (status, body); it may be changed while the server runs."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any]], tuple[int, Any]] = good
        self.headers: dict[str, str] = {}
        self.requests: list[dict[str, Any]] = []
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["content-length"]))
                if not content:
                    return  # whoever asked has gone
                body = json.loads(content)
                with model._lock:
                    model.requests.append({"path": self.path, "authorization": self.headers["authorization"], **body})
                    model.at_once += 1
                    model.most_at_once = max(model.most_at_once, model.at_once)
                try:
                    if self.headers["authorization"] != f"Bearer {KEY}":
                        status, answer = 401, {"error": {"message": f"wrong key {self.headers['authorization']}"}}
                    else:
                        status, answer = model.answer(body)
                finally:
                    with model._lock:
                        model.at_once -= 1
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in model.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                try:
                    self.wfile.write(content)
                except OSError:
                    self.close_connection = True  # whoever asked did not wait

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def slow(seconds: float) -> Callable[[dict[str, Any]], tuple[int, Any]]:
    def answer(request: dict[str, Any]) -> tuple[int, Any]:
        time.sleep(seconds)
        return good(request)

    return answer
