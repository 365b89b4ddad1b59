"""What a fresh process and its parent say to each other: numbers of calls, and latencies back.

Each message is its length in bytes and the bytes. A closed end is the end of the work: neither
outlives the other.
"""

import socket
import struct
from collections.abc import Callable

_LENGTH = struct.Struct("<Q")


def send(connection: socket.socket, data: bytes | memoryview) -> None:
    """Sends one message.

    Raises:
        ConnectionError: The other side is gone.
    """
    connection.sendall(_LENGTH.pack(memoryview(data).nbytes))
    connection.sendall(data)


def send_calls(connection: socket.socket, calls: int) -> None:
    """Asks for a run of so many calls; a `send` without bytes, in one piece.

    Raises:
        ConnectionError: The other side is gone.
    """
    connection.sendall(_LENGTH.pack(calls))


def receive_calls(connection: socket.socket) -> int | None:
    """Waits for a run to be asked for; None when there is no more."""
    data = _exactly(connection, _LENGTH.size)
    return None if data is None else int(_LENGTH.unpack(data)[0])


def receive(connection: socket.socket, waiting: Callable[[], None]) -> bytearray | None:
    """Waits for one message; None when there is no more.

    Args:
        connection: One end.
        waiting: Is called whenever the connection's timeout has passed; what it raises ends it.
    """
    head = _exactly(connection, _LENGTH.size, waiting)
    return None if head is None else _exactly(connection, _LENGTH.unpack(head)[0], waiting)


def _exactly(
    connection: socket.socket, length: int, waiting: Callable[[], None] = lambda: None
) -> bytearray | None:
    data = bytearray(length)
    view, got = memoryview(data), 0
    while got < length:
        try:
            read = connection.recv_into(view[got:])
        except TimeoutError:
            waiting()
            continue
        except ConnectionError:
            return None
        if not read:
            return None
        got += read
    return data
