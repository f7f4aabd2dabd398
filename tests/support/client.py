"""A client that sends exactly the bytes it is given and reads answers as RFC 9112 frames them."""

import socket
from dataclasses import dataclass, field

import tcp

PATIENCE = 30


@dataclass
class Response:
    version: str = ''
    status: int = 0
    reason: str = ''
    headers: list = field(default_factory=list)
    body: bytes = b''
    complete: bool = True

    def header(self, name: str) -> str:
        """Its only value, or ''."""
        values = [value for known, value in self.headers if known.lower() == name.lower()]
        assert len(values) < 2, f'{name} is there {len(values)} times'
        return values[0] if values else ''


class Closed(Exception):
    """The server has closed where an answer should begin."""


class Connection:
    def __init__(self, address, timeout: float = PATIENCE):
        if isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(str(address))
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode('latin-1') if isinstance(data, str) else data)

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def far_queues(self):
        """What the kernel holds at the server's end of TCP: bytes not sent and not read yet."""
        here, there = (name[1] for name in (self.socket.getsockname(), self.socket.getpeername()))
        for end in tcp.ends():
            if (end.port, end.peer) == (there, here):
                return end.unsent, end.unread
        return None

    # --- bytes --------------------------------------------------------------------------

    def _more(self) -> bool:
        data = self.socket.recv(1 << 20)
        self.buffer += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        data = bytes(memoryview(self.buffer)[:size])
        del self.buffer[:size]
        return data

    def _line(self) -> bytes:
        while b'\n' not in self.buffer:
            if not self._more():
                raise EOFError(bytes(self.buffer))
        line = self._take(self.buffer.index(b'\n') + 1)
        assert line.endswith(b'\r\n'), f'a line without CR: {line!r}'
        return line[:-2]

    def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            if not self._more():
                raise EOFError(bytes(self.buffer))
        return self._take(size)

    def rest(self) -> bytes:
        """Everything until the server closes."""
        try:
            while self._more():
                pass
        except ConnectionResetError:
            pass
        return self._take(len(self.buffer))

    def is_closed(self, within: float = PATIENCE) -> bool:
        """Does the server close, without another byte?"""
        self.socket.settimeout(within)
        try:
            return not self.buffer and self.socket.recv(1) == b''
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    # --- answers ------------------------------------------------------------------------

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            size = int(self._line().split(b';')[0], 16)
            if size == 0:
                assert self._line() == b'', 'trailers were not asked for'
                return bytes(body)
            body += self._exactly(size)
            assert self._line() == b''

    def response(self, head_only: bool = False) -> Response:
        """The next answer, whole; an interim one (1xx) is an answer of its own."""
        if not self.buffer and not self._more():
            raise Closed
        version, status, reason = self._line().decode('latin-1').split(' ', 2)
        answer = Response(version, int(status), reason)
        while line := self._line():
            name, value = line.decode('latin-1').split(':', 1)
            answer.headers.append((name, value.strip(' \t')))
        length = answer.header('Content-Length')
        try:
            if head_only or answer.status < 200 or answer.status in (204, 304):
                pass
            elif answer.header('Transfer-Encoding').lower() == 'chunked':
                assert not length, 'both Content-Length and Transfer-Encoding'
                answer.body = self._chunks()
            elif length:
                answer.body = self._exactly(int(length))
            else:
                answer.body = self.rest()
        except (EOFError, ConnectionResetError):
            answer.complete = False
        return answer

    def request(self, method: str, target: str, headers=(), body: bytes = b'') -> Response:
        lines = [f'{method} {target} HTTP/1.1', 'Host: test']
        lines += [f'{name}: {value}' for name, value in headers]
        if body:
            lines.append(f'Content-Length: {len(body)}')
        self.send('\r\n'.join(lines).encode('latin-1') + b'\r\n\r\n' + body)
        return self.response(head_only=method == 'HEAD')

    def get(self, target: str, headers=()) -> Response:
        return self.request('GET', target, headers)


def exchange(address, data, timeout: float = PATIENCE) -> Response:
    """Send these bytes on a new connection: the first answer."""
    with Connection(address, timeout) as connection:
        connection.send(data)
        return connection.response()


def get(address, target: str = '/', headers=(), timeout: float = PATIENCE) -> Response:
    """GET on a connection of its own."""
    with Connection(address, timeout) as connection:
        return connection.get(target, [('Connection', 'close'), *headers])


def refused(address) -> bool:
    """Is nobody listening there any more?"""
    try:
        socket.create_connection(address, 2).close()
    except OSError:
        return True
    return False
