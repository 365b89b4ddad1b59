"""Requests to a plug: passwords stay hidden, and whatever a server does, a request ends in time."""

import socketserver
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import md5

import pytest
from emulated_plug import Conversation, EmulatedPlug, Lan, answers, asked, serving
from emulators import VirtualClock
from known_power import KnownPower

from bench.meter import MeterUnavailable, Status
from bench.meters._plug_digest import digest, fields
from bench.meters._plug_http import Address, Network, addresses
from bench.meters.plug import PlugMeter

SECRET = "s3cr/t;#?@:%"
WRITTEN = "s3cr%2Ft%3B%23%3F%40%3A%25"
TEXT = f"http://admin:{WRITTEN}@plug.lan"
Serve = Callable[[Conversation], str]
"""Starts a server, and gives its host and port."""


def emulated(kind: str = "gen2", **changes: object) -> EmulatedPlug:
    power = KnownPower([100.0, 101.0, 99.0, 102.0], [0.7] * 4)
    plug = EmulatedPlug(power, VirtualClock(1_000_000), kind)
    for name, value in changes.items():
        setattr(plug, name, value)
    return plug


def opened(plug: EmulatedPlug, text: str = TEXT) -> PlugMeter:
    lan = Lan({"plug.lan": plug})
    return PlugMeter(text, transport=lan, clock=plug.clock, sleep=plug.clock.pass_s)


def over_network(text: str, clock: VirtualClock, deadline_s: float = 5.0) -> PlugMeter:
    """A meter over real sockets; only its time stamps and its pauses are virtual."""
    return PlugMeter(text, clock=clock, sleep=clock.pass_s, deadline_s=deadline_s)


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as servers:
        yield lambda conversation: servers.enter_context(serving(conversation))


# Addresses


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://10.0.0.7", Address("10.0.0.7", 80, "admin", "")),
        ("http://10.0.0.7/", Address("10.0.0.7", 80, "admin", "")),
        ("10.0.0.7:8080", Address("10.0.0.7", 8080, "admin", "")),
        ("http://me:pw@plug.lan", Address("plug.lan", 80, "me", "pw")),
        ("http://:pw@plug.lan", Address("plug.lan", 80, "admin", "pw")),
        (TEXT, Address("plug.lan", 80, "admin", SECRET)),
        ("http://[fe80::1]:81", Address("fe80::1", 81, "admin", "")),
    ],
)
def test_an_address_is_read_with_its_password(text: str, address: Address) -> None:
    assert addresses(text) == (address,)
    assert addresses(str(address)) == (Address(address.host, address.port, "admin", ""),)


@pytest.mark.parametrize(
    "text",
    [
        "http://admin:s3cr/t@plug.lan",
        "http://admin:12/s3cr@plug.lan",
        "http://admin:s3cr?t@plug.lan",
        "http://admin:s3cr#t@plug.lan",
        "https://admin:s3crt@plug.lan",
        "http://admin:s3crt@",
        "http://admin:s3crt@plug.lan:s3cr",
        "http://plug.lan/s3cr",
        "http://[s3cr",
    ],
)
def test_an_address_that_is_not_understood_is_not_repeated(text: str) -> None:
    with pytest.raises(MeterUnavailable, match="address 1 of JOULES_PLUG") as caught:
        addresses(text)
    assert "s3cr" not in "".join(traceback.format_exception(caught.value))
    assert "%2F" in caught.value.absent.fix


def test_a_name_that_nobody_knows_is_a_reason_and_no_crash() -> None:
    with pytest.raises(MeterUnavailable, match="no address is known for http://a") as caught:
        PlugMeter("http://a..b")  # no lookup is made for it: the name itself is impossible
    assert caught.value.status is Status.UNAVAILABLE
    assert "use the plug's IP address" in caught.value.absent.fix


# Passwords


@pytest.mark.parametrize(
    ("kind", "scheme", "algorithm"),
    [
        ("gen2", "digest", "SHA-256"),
        ("pm1", "digest", "MD5"),
        ("gen1", "basic", ""),
        ("tasmota", "query", ""),
    ],
)
def test_a_password_is_given_in_the_way_that_the_plug_wants(
    kind: str, scheme: str, algorithm: str
) -> None:
    plug = emulated(kind, password=SECRET, scheme=scheme, algorithm=algorithm)
    meter = opened(plug)
    before = plug.requests
    assert meter.read()[0].status is Status.OK
    assert plug.requests == before + 1  # it is not asked for again each time


@pytest.mark.failure_mode(2, "plug")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://plug.lan", "wants a password;"),
        ("http://admin:wrong@plug.lan", "wants a password and the one that was given is wrong;"),
    ],
)
@pytest.mark.parametrize("scheme", ["digest", "basic", "query"])
def test_a_plug_that_wants_a_password_says_how_to_give_it(
    text: str, said: str, scheme: str
) -> None:
    kind = "tasmota" if scheme == "query" else "gen2"
    with pytest.raises(MeterUnavailable) as caught:
        opened(emulated(kind, password=SECRET, scheme=scheme), text)
    assert caught.value.status is Status.PERMISSION
    assert said in str(caught.value)
    assert "--meters 'plug:http://user:password@plug.lan'" in caught.value.absent.fix


def test_a_digest_counts_its_uses_and_begins_anew_with_a_new_nonce() -> None:
    plug = emulated(password=SECRET)
    meter = opened(plug)
    plug.nonces.clear()
    meter.read()
    meter.read()
    first, second = (int(count, 16) for _, count in plug.nonces)
    assert second == first + 1
    plug.nonce = "6a2b"  # the plug was restarted
    assert meter.read()[0].status is Status.OK
    assert plug.nonces[-1] == ("6a2b", "00000001")


def test_a_digest_of_the_first_kind_has_no_count_and_gives_back_what_is_opaque() -> None:
    challenge = {"realm": "r", "nonce": "n", "opaque": "o"}
    given = fields(digest(challenge, ("u", "p"), "/status", 1, "once"))
    secret, asked_for = (md5(text).hexdigest() for text in (b"u:r:p", b"GET:/status"))
    assert given["response"] == md5(f"{secret}:n:{asked_for}".encode()).hexdigest()
    assert given["opaque"] == "o"
    assert "nc" not in given


def test_a_digest_of_an_unknown_kind_is_refused_and_named() -> None:
    with pytest.raises(MeterUnavailable, match="'SHA-512-256'") as caught:
        opened(emulated(password=SECRET, algorithm="SHA-512-256"))
    assert "MD5 and SHA-256" in str(caught.value)


@pytest.mark.parametrize("scheme", ["digest", "basic", "query"])
def test_a_password_is_shown_nowhere(scheme: str) -> None:
    kind = "tasmota" if scheme == "query" else "gen2"
    plug = emulated(kind, password=SECRET, scheme=scheme, total_decimals=3)
    meter = opened(plug)
    shown = [repr(meter.channels), repr(meter.unusable), repr(addresses(TEXT))]
    plug.password = "another"
    shown += [reading.reason for reading in meter.read()]
    for fault in (TimeoutError(), ConnectionResetError(), ValueError(TEXT)):
        plug.fault = lambda _, fault=fault: fault  # type: ignore[misc]
        shown += [reading.reason for reading in meter.read()]
    with pytest.raises(MeterUnavailable) as caught:
        opened(plug)
    shown += [str(caught.value), repr(caught.value)]
    everything = " ".join(shown)
    assert "wants a password" in everything
    assert "plug.lan" in everything
    for secret in (SECRET, WRITTEN, "s3cr", "admin"):
        assert secret not in everything


# Real sockets


@pytest.mark.parametrize("kind", ["gen2", "gen1", "tasmota"])
def test_a_plug_behind_a_real_socket_is_opened_and_read(serve: Serve, kind: str) -> None:
    plug = emulated(kind)
    host = serve(answers(plug))
    meter = over_network(f"http://{host}", plug.clock)
    reading = meter.read()[0]
    meter.close()
    assert reading.status is Status.OK
    assert reading.value == pytest.approx(100.5, abs=2)


def test_a_digest_is_answered_over_a_real_socket(serve: Serve) -> None:
    plug = emulated(password=SECRET)
    host = serve(answers(plug))
    meter = over_network(f"http://admin:{WRITTEN}@{host}", plug.clock)
    assert meter.read()[0].status is Status.OK


def test_proxies_of_the_environment_are_not_used(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    plug = emulated()
    assert over_network(f"http://{serve(answers(plug))}", plug.clock).channels


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    lured: list[str] = []

    def trap(handler: socketserver.StreamRequestHandler, _: threading.Event) -> None:
        lured.append(asked(handler)[1])

    away = serve(trap)

    def redirect(handler: socketserver.StreamRequestHandler, _: threading.Event) -> None:
        asked(handler)
        reply = f"HTTP/1.1 302 Found\r\nLocation: http://{away}/\r\nContent-Length: 0\r\n\r\n"
        handler.wfile.write(reply.encode())

    with pytest.raises(MeterUnavailable, match="code 302"):
        over_network(f"http://admin:{WRITTEN}@{serve(redirect)}", VirtualClock(1_000_000))
    assert lured == []


def _silent(handler: socketserver.StreamRequestHandler, over: threading.Event) -> None:
    over.wait()


def _drips_headers(handler: socketserver.StreamRequestHandler, over: threading.Event) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not over.wait(0.02):
        handler.wfile.write(b"X-Still: there\r\n")


def _drips_its_body(handler: socketserver.StreamRequestHandler, over: threading.Event) -> None:
    asked(handler)
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
    while not over.wait(0.02):
        handler.wfile.write(b" ")


@pytest.mark.failure_mode(22, "plug")
@pytest.mark.parametrize("conversation", [_silent, _drips_headers, _drips_its_body])
def test_a_server_that_never_ends_is_left_in_time(serve: Serve, conversation: Conversation) -> None:
    with pytest.raises(MeterUnavailable) as caught:
        over_network(f"http://{serve(conversation)}", VirtualClock(1_000), deadline_s=0.3)
    assert caught.value.status is Status.TIMEOUT
    assert "did not answer within 0.3 s" in caught.value.absent.reason
    assert "in reach of the Wi-Fi" in caught.value.absent.fix


@pytest.mark.failure_mode(22, "plug")
def test_a_plug_that_hangs_in_a_window_costs_one_reading(serve: Serve) -> None:
    plug = emulated()
    hangs = threading.Event()

    def talk(handler: socketserver.StreamRequestHandler, over: threading.Event) -> None:
        (_silent if hangs.is_set() else answers(plug))(handler, over)

    meter = over_network(f"http://{serve(talk)}", plug.clock, deadline_s=1.5)
    hangs.set()
    assert {reading.status for reading in meter.read()} == {Status.TIMEOUT}
    hangs.clear()
    assert {reading.status for reading in meter.read()} == {Status.OK}


def _says(reply: bytes) -> Conversation:
    def talk(handler: socketserver.StreamRequestHandler, over: threading.Event) -> None:
        asked(handler)
        handler.wfile.write(reply)

    return talk


@pytest.mark.failure_mode(7, "plug")
@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"", "cannot be reached"),
        (b"220 mail.example ESMTP\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 200_000, "more than 65536 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n{}", "has no"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "does not speak HTTP"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{"apower": 31', "wanted JSON"),
    ],
)
def test_a_server_that_sends_what_no_plug_sends_is_refused(
    serve: Serve, reply: bytes, said: str
) -> None:
    with pytest.raises(MeterUnavailable) as caught:
        over_network(f"http://{serve(_says(reply))}", VirtualClock(1_000_000))
    assert caught.value.status is Status.ERROR
    assert said in caught.value.absent.reason


@pytest.mark.failure_mode(18, "plug")
def test_a_port_on_which_nobody_listens_is_no_plug() -> None:
    with serving(_silent) as host:
        pass
    with pytest.raises(MeterUnavailable, match="cannot be reached") as caught:
        over_network(f"http://{host}", VirtualClock(1_000_000))
    assert caught.value.status is Status.UNAVAILABLE
    assert "is the plug on" in caught.value.absent.fix


def test_a_name_is_looked_up_once() -> None:
    network = Network()
    here = Address("127.0.0.1", 8123)
    assert network.peers(here) == frozenset({"127.0.0.1:8123"})
    assert network._found(here) is network._found(here)
