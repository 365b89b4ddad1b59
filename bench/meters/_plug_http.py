"""One HTTP request to a plug: it ends in time, shows no password, and is sent nowhere else.

Only the standard library's `http.client` is used: no proxy of the environment, no redirect.
"""

import base64
import errno
import http.client
import secrets
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, unquote, urlsplit

from bench.meter import Clock, MeterUnavailable, Status
from bench.meters._plug_digest import HASHES, digest, fields

_MOST_BYTES = 65536  # the longest reply of a plug, Shelly's /status, has about 4 kB
_SHOWN = 60  # characters of somebody else's text in a message of ours
_GONE = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH}
_FORM = "http://host, http://host:port or http://user:password@host"
# Tasmota before 8.2.3 says so with code 200, later ones with 401 and no challenge.
_TASMOTA_REFUSES = b"Need user=<username>&password=<password>"


class PlugError(Exception):
    """A request that gave nothing to read, with status, reason and fix; none shows a password."""

    def __init__(self, status: Status, reason: str, fix: str = "") -> None:
        super().__init__(f"{reason}; {fix}" if fix else reason)
        self.status, self.reason, self.fix = status, reason, fix


@dataclass(frozen=True, slots=True)
class Address:
    """Where a plug is, and who may ask it; as text it names neither user nor password."""

    host: str
    port: int = 80
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}" if self.port == 80 else f"http://{host}:{self.port}"  # noqa: PLR2004


def addresses(text: str) -> tuple[Address, ...]:
    """The plugs that a setting names, separated by semicolons.

    >>> [str(address) for address in addresses("http://admin:secret@10.0.0.7;plug.lan:8080")]
    ['http://10.0.0.7', 'http://plug.lan:8080']

    Raises:
        MeterUnavailable: It names none, or one that is not understood; the text is not shown,
            for what is in the wrong place may be the password.
    """
    parts = [part.strip() for part in text.split(";")]
    return tuple(_address(part, number) for number, part in enumerate(parts, start=1) if part)


def _address(text: str, number: int) -> Address:
    unclear = MeterUnavailable(
        f"address {number} of JOULES_PLUG is not of the form {_FORM}",
        "in a password, write / ? # @ : ; , % as %2F %3F %23 %40 %3A %3B %2C %25",
        Status.ERROR,
    )
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise unclear from None  # its text may hold a part of the password
    if parts.scheme != "http" or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise unclear
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(host, port or 80, user or "admin", password)  # Shelly's user is always admin


class Reply(NamedTuple):
    """What a server answered: its code, its ``WWW-Authenticate`` headers, its body."""

    code: int
    challenges: tuple[str, ...]
    body: bytes


class Transport(Protocol):
    """Carries one request."""

    def peers(self, address: Address) -> frozenset[str]:
        """The network addresses behind a name, to know one device by two names."""
        ...

    def get(self, address: Address, path: str, authorization: str, seconds: float) -> Reply:
        """The reply to a request, which took no longer than *seconds* in all."""
        ...


class _TimedSocket(socket.socket):
    """A socket of which all calls together end by *end_s*.

    A plain time limit starts anew with every byte: who sends one byte a second is never late.
    """

    end_s: float

    def limit(self) -> None:
        left = self.end_s - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401 - passed on as they are
        self.limit()
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they are
        self.limit()
        super().sendall(*args, **kwargs)


class Network:
    """The network. A name is looked up once: a lookup has no time limit, and a read needs one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], list[tuple[Any, ...]]] = {}

    def peers(self, address: Address) -> frozenset[str]:
        """The addresses and ports behind a name.

        Raises:
            PlugError: Nobody knows that name.
        """
        return frozenset(f"{peer[4][0]}:{peer[4][1]}" for peer in self._found(address))

    def get(self, address: Address, path: str, authorization: str, seconds: float) -> Reply:
        """The reply to ``GET path``, read up to one byte more than a plug may send.

        Raises:
            OSError: There was no reply; a `TimeoutError` if it was late.
            http.client.HTTPException: What came was no HTTP.
        """
        end_s = time.monotonic() + seconds
        connection = http.client.HTTPConnection(address.host, address.port)
        connection.sock = self._connect(address, end_s)
        headers = {"Connection": "close", "Accept": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        try:
            connection.request("GET", path, headers=headers)
            with connection.getresponse() as response:
                body = response.read(_MOST_BYTES + 1)
                challenges = tuple(response.headers.get_all("WWW-Authenticate", ()))
                return Reply(response.status, challenges, body)
        finally:
            connection.close()

    def _found(self, address: Address) -> list[tuple[Any, ...]]:
        key = (address.host, address.port)
        if key not in self._known:
            try:
                self._known[key] = [*socket.getaddrinfo(*key, type=socket.SOCK_STREAM)]
            except (OSError, UnicodeError) as error:
                reason = f"no address is known for {address}"
                fix = "use the plug's IP address; your router lists it"
                raise PlugError(Status.UNAVAILABLE, reason, fix) from error
        return self._known[key]

    def _connect(self, address: Address, end_s: float) -> _TimedSocket:
        failed: OSError = ConnectionRefusedError()
        for family, kind, protocol, _, peer in self._found(address):
            connected = _TimedSocket(family, kind, protocol)
            connected.end_s = end_s
            try:
                connected.limit()
                connected.connect(peer)
            except OSError as error:
                connected.close()
                failed = error
            else:
                return connected
        raise failed


class Web:
    """One plug's web server, asked with the password that was given for it if it wants one.

    Args:
        address: Where it is.
        transport: Carries the requests.
        clock: Monotonic time in ns.
        deadline_s: Longest time from a request to the end of its reply, a password included, s.
    """

    def __init__(
        self, address: Address, transport: Transport, clock: Clock, deadline_s: float
    ) -> None:
        self.address, self._transport, self._clock = address, transport, clock
        self._deadline_s = deadline_s
        self._scheme = ""
        self._challenge: Mapping[str, str] = {}
        self._count = 0

    def get(self, path: str) -> bytes:
        """The body of the reply to ``GET path``.

        Raises:
            PlugError: There is none; its status says whether another try may help.
        """
        end_ns = self._clock() + round(self._deadline_s * 1e9)
        reply = self._ask(path, end_ns)
        if _refused(reply) and self.address.password:
            self._learn(reply)
            reply = self._ask(path, end_ns)
        if _refused(reply):
            given = "and the one that was given is wrong" if self.address.password else ""
            reason = f"{self.address} wants a password {given}".strip()
            fix = f"give it as --meters 'plug:http://user:password@{self.address.host}'"
            raise PlugError(Status.PERMISSION, reason, fix)
        if reply.code != http.HTTPStatus.OK:
            known = reply.code != http.HTTPStatus.NOT_FOUND
            status = Status.ERROR if known else Status.NOT_SUPPORTED
            reason = f"{self.address} answered {path} with code {reply.code}"
            raise PlugError(status, reason, "restart the plug if this goes on")
        if len(reply.body) > _MOST_BYTES:
            reason = f"{self.address} answered {path} with more than {_MOST_BYTES} bytes"
            raise PlugError(Status.ERROR, reason, "is it a plug?")
        return reply.body

    def _ask(self, path: str, end_ns: int) -> Reply:
        left_s = max(0.0, (end_ns - self._clock()) / 1e9)
        sent, authorization = self._signed(path)
        try:
            return self._transport.get(self.address, sent, authorization, left_s)
        except TimeoutError as error:
            reason = f"{self.address} did not answer within {self._deadline_s:g} s"
            fix = "is it in reach of the Wi-Fi, and does no other program ask it all the time?"
            raise PlugError(Status.TIMEOUT, reason, fix) from error
        except OSError as error:
            gone = error.errno in _GONE
            reason = f"{self.address} cannot be reached ({error.strerror or type(error).__name__})"
            fix = "is the plug on, is this its address, and is its web server switched on?"
            raise PlugError(Status.LOST if gone else Status.ERROR, reason, fix) from error
        except (http.client.HTTPException, ValueError) as error:
            reason = f"{self.address} does not speak HTTP ({type(error).__name__})"
            raise PlugError(Status.ERROR, reason, "is it a plug?") from error

    def _learn(self, reply: Reply) -> None:
        """Keeps how the server wants the password: the safest way of those that it offers."""
        offers = {text.partition(" ")[0].lower(): text for text in reply.challenges}
        if "digest" in offers:
            self._scheme, self._count = "digest", 0
            self._challenge = fields(offers["digest"])
            algorithm = self._challenge.get("algorithm", "MD5")
            if algorithm.upper() not in HASHES:
                reason = f"{self.address} wants a password by {ascii(algorithm)[:_SHOWN]}"
                fix = f"only digests by {' and '.join(HASHES)} are known"
                raise PlugError(Status.PERMISSION, reason, fix)
        else:
            self._scheme = "basic" if "basic" in offers else "query"

    def _signed(self, path: str) -> tuple[str, str]:
        """The path and the Authorization header to send."""
        user, password = self.address.user, self.address.password
        if self._scheme == "digest":
            self._count += 1
            once = secrets.token_hex(8)
            return path, digest(self._challenge, (user, password), path, self._count, once)
        if self._scheme == "basic":
            return path, f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        if self._scheme == "query" and path.startswith("/cm?"):
            return f"{path}&user={quote(user, safe='')}&password={quote(password, safe='')}", ""
        return path, ""


def _refused(reply: Reply) -> bool:
    forbidden = {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN}
    return reply.code in forbidden or _TASMOTA_REFUSES in reply.body
