"""A TCP proxy that cuts the line, or lets it hang, after so many bytes on their way to the server."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class WireCutter:
    """Forwards connections of 127.0.0.1:`port` to a server."""

    def __init__(self, server_port: int) -> None:
        self.cuts: list[int] = []
        """After how many bytes each next connection is cut; when it is empty, none is."""
        self.hangs = False
        """Whether a cut connection stays open in silence instead."""
        self.reached = threading.Event()
        """Set when a cut was made."""
        self.server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []

    def serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            budget = self.cuts.pop(0) if self.cuts else None
            threading.Thread(target=self._forward, args=(client, budget), daemon=True).start()

    def close(self) -> None:
        # On Linux a blocked accept() returns only after a shutdown.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            _end(each)

    def _forward(self, client: socket.socket, budget: int | None) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.server_port))
        except OSError:
            client.close()
            return
        self._open += [client, server]
        threading.Thread(target=_pump, args=(server, client), daemon=True).start()
        while True:
            try:
                data = client.recv(65536)
            except OSError:
                break
            if budget is not None and len(data) >= budget:
                server.sendall(data[:budget])
                self.reached.set()
                if self.hangs:
                    return
                break
            budget = None if budget is None else budget - len(data)
            if not data:
                break
            with contextlib.suppress(OSError):
                server.sendall(data)
        for each in (client, server):
            _end(each)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _end(target)


def _end(connection: socket.socket) -> None:
    """Close for both sides, and wake whoever waits on it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@contextmanager
def cutting(server_port: int) -> Iterator[WireCutter]:
    """A proxy in front of a server."""
    cutter = WireCutter(server_port)
    thread = threading.Thread(target=cutter.serve)
    thread.start()
    try:
        yield cutter
    finally:
        cutter.close()
        thread.join()
