"""A reverse proxy in front of a studio: serves it under a path of its own host and strips that path, as nginx does."""

import threading
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route


@contextmanager
def under_a_path(url: str, path: str):
    """The address under which the server at ``url`` is reached; only what begins with ``path`` gets there."""

    async def pass_on(request: Request) -> StreamingResponse:
        inner = request.url.path.removeprefix(path)
        headers = [(name, value) for name, value in request.headers.raw if name != b"connection"]
        client = httpx.AsyncClient(timeout=None)
        sent = client.build_request(
            request.method,
            f"{url}{inner}?{request.url.query}",
            headers=headers,
            content=request.stream() if request.method in ("POST", "PUT") else None,
        )
        answer = await client.send(sent, stream=True)

        async def body():
            try:
                async for part in answer.aiter_raw():
                    yield part
            finally:
                await answer.aclose()
                await client.aclose()

        kept = [(n, v) for n, v in answer.headers.raw if n.lower() not in (b"connection", b"transfer-encoding")]
        streamed = StreamingResponse(body(), answer.status_code)
        streamed.raw_headers = kept
        return streamed

    async def elsewhere(request: Request) -> PlainTextResponse:
        return PlainTextResponse("not the studio's", 404)

    methods = ["GET", "HEAD", "POST", "PUT", "DELETE"]
    app = Starlette(routes=[Route(f"{path}/{{rest:path}}", pass_on, methods=methods), Route("/{rest:path}", elsewhere)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}{path}"
    finally:
        server.should_exit = True
        thread.join(10)
