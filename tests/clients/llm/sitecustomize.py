"""Sends what llm-gemini means for Google to the server in VIDI; Python runs this when it starts."""

import os

import httpx

_send = httpx.HTTPTransport.handle_request


def _redirected(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
    if request.url.host == "generativelanguage.googleapis.com":
        server = httpx.URL(os.environ["VIDI"])
        request.url = request.url.copy_with(scheme=server.scheme, host=server.host, port=server.port)
        request.headers["host"] = server.netloc.decode()
    return _send(self, request)


httpx.HTTPTransport.handle_request = _redirected
