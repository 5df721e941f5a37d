"""The socket that a server listens on."""

from __future__ import annotations

import socket

from toolkit.server.serving import listen


def test_connections_send_at_once_what_there_is_to_send() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()) as calling:
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert calling.getpeername() == listening.getsockname()
