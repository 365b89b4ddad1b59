"""Smart plugs that are not here: Shelly of both generations and Tasmota, driven by a known power.

`EmulatedPlug` answers requests as shared/counters.md §7.4 and published replies show; `Lan` carries
them in virtual time, and `serving` puts one behind a real socket.
"""

import contextlib
import hashlib
import json
import math
import socketserver
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest
from emulators import VirtualClock
from known_power import KnownPower

from bench.meter import MeterUnavailable, Reading
from bench.meters._plug_digest import fields
from bench.meters._plug_http import Address, Reply
from bench.meters.plug import PlugMeter

SETTLED_S = 20.0
Fault = Reply | Exception | None
NEED_USER = b'{"WARNING":"Need user=<username>&password=<password>"}'
PATHS = {
    "gen2": "/rpc/Switch.GetStatus?id=0",
    "pm1": "/rpc/PM1.GetStatus?id=0",
    "em1": "/rpc/EM1.GetStatus?id=0",
    "gen1": "/status",
    "tasmota": "/cm?cmnd=Status%208",
    "tasmota10": "/cm?cmnd=Status%2010",
}


def eventful(random: Random, most_w: float, dwell_s: float, levels: int = 600) -> KnownPower:
    """A power that moves all the time until `SETTLED_S`, and then in levels of *dwell_s*.

    A meter is opened in that time: a machine's power is never at rest, and so shows a refresh.
    """
    quick = round(SETTLED_S / 0.25)
    watts = [random.uniform(0.05, 1.0) * most_w for _ in range(quick + levels)]
    seconds = [0.25] * quick + [dwell_s * random.uniform(1, 4) for _ in range(levels)]
    return KnownPower(watts, seconds)


@dataclass
class EmulatedPlug:
    """One plug.

    Args:
        power: What hangs on it, W.
        clock: Virtual time.
        kind: Which of `PATHS` it answers.
        hold_s: Time between two refreshes of its power.
        window_s: Time over which its power is averaged; 0 for the instant.
        decimals: Digits of its power after the point.
        total_hold_s: Time between two refreshes of its total.
        total_decimals: Digits of its total after the point, in its own unit.
        latency_s: Time that a request takes.
        scheme: How it wants *password*, if it has one: digest, basic or query.
        edit: Changes a reply before it is sent.
        fault: What it answers instead, by the number of the request.
        outputs: How many of them it has.
    """

    power: KnownPower
    clock: VirtualClock
    kind: str = "gen2"
    hold_s: float = 1.0
    window_s: float = 1.0
    phase_s: float = 0.0
    decimals: int = 1
    total_hold_s: float = 1.0
    total_decimals: int = 3
    latency_s: float = 0.03
    password: str = ""
    scheme: str = "digest"
    algorithm: str = "SHA-256"
    nonce: str = "5f1e"
    start_wh: float = 1204.71
    rebooted_s: float = 0.0
    edit: Callable[[dict[str, object]], None] = field(default=lambda _: None)
    fault: Callable[[int], Fault] = field(default=lambda _: None)
    outputs: int = 1
    requests: int = 0
    paths: list[str] = field(default_factory=list)
    nonces: list[tuple[str, str]] = field(default_factory=list)

    def watts(self, now_s: float) -> float:
        """What its power shows at a time, before it is cut to digits."""
        tick = self._tick(now_s, self.hold_s)
        return self.power.mean(tick - min(self.window_s, tick), tick)

    def joules(self, now_s: float) -> float:
        """What it has counted up to a time, before it is cut to digits."""
        tick = self._tick(now_s, self.total_hold_s)
        if self.rebooted_s and tick >= self.rebooted_s:
            return self.power.energy(self.rebooted_s, tick)
        return self.start_wh * 3600 + self.power.energy(0, tick)

    def _tick(self, now_s: float, hold_s: float) -> float:
        return max(0.0, math.floor((now_s - self.phase_s) / hold_s) * hold_s + self.phase_s)

    def reply(self, path: str, authorization: str) -> Reply:
        """The reply to one request."""
        self.requests += 1
        self.paths.append(path)
        fault = self.fault(self.requests)
        if isinstance(fault, Exception):
            raise fault
        if fault is not None:
            return fault
        open_to_all = self.scheme == "query" and not path.startswith("/cm?")
        if self.password and not open_to_all and not self._may(path, authorization):
            return self._challenge()
        query = parse_qs(urlsplit(path).query)
        plain = path.partition("&user=")[0] if "user" in query else path
        known = [PATHS[self.kind].replace("id=0", f"id={each}") for each in range(self.outputs)]
        if plain not in known:
            return Reply(404, (), b"Not Found")
        return Reply(200, (), self.body())

    def body(self) -> bytes:
        """The JSON of its state now, with its digits as they are printed."""
        now_s = self.clock.now_ns / 1e9
        watts, joules = self.watts(now_s), self.joules(now_s)
        reply: dict[str, object]
        shown = f"@{watts:.{self.decimals}f}@"
        if self.kind in {"gen2", "pm1"}:
            total = _cut(joules / 3600, self.total_decimals)
            reply = {
                "id": 0,
                "source": "init",
                "output": True,
                "apower": shown,
                "voltage": 229.8,
                "current": 0.152,
                "aenergy": {"total": total, "by_minute": [523.1, 522.8], "minute_ts": 1700000040},
                "temperature": {"tC": 41.2, "tF": 106.2},
            }
        elif self.kind == "em1":
            reply = {"id": 0, "current": 2.598, "act_power": shown, "aprt_power": 612.4, "pf": 0.84}
        elif self.kind == "gen1":
            meter = {"power": shown, "overpower": 0.0, "is_valid": True, "timestamp": 1662887194}
            meter |= {"counters": [0.0, 0.0, 0.0], "total": _cut(joules / 60, 0)}
            reply = {"relays": [{"ison": True, "overpower": False}], "meters": [meter]}
        else:
            energy = {"TotalStartTime": "2023-12-01T00:00:00", "Power": shown, "Voltage": 230}
            energy["Total"] = _cut(joules / 3.6e6, self.total_decimals)
            reply = {"StatusSNS": {"Time": "2024-01-01T12:00:00", "ENERGY": energy}}
        self.edit(reply)
        # ECMAScript would shorten 31.40: the firmware prints a fixed number of digits
        return json.dumps(reply).replace('"@', "").replace('@"', "").encode()

    def _may(self, path: str, authorization: str) -> bool:
        if self.scheme == "query":
            query = parse_qs(urlsplit(path).query)
            return query.get("user") == ["admin"] and query.get("password") == [self.password]
        if self.scheme == "basic":
            return authorization == f"Basic {b64encode(f'admin:{self.password}'.encode()).decode()}"
        given = fields(authorization)
        self.nonces.append((given.get("nonce", ""), given.get("nc", "")))
        name = {"MD5": "md5", "SHA-256": "sha256"}.get(self.algorithm, "sha256")

        def hashed(text: str) -> str:
            return hashlib.new(name, text.encode()).hexdigest()

        secret, asked = hashed(f"admin:shellyplug:{self.password}"), hashed(f"GET:{path}")
        count, once = given.get("nc", ""), given.get("cnonce", "")
        wanted = hashed(f"{secret}:{self.nonce}:{count}:{once}:auth:{asked}")
        return given.get("response") == wanted and given.get("uri") == path

    def _challenge(self) -> Reply:
        if self.scheme == "query":
            return Reply(200, (), NEED_USER)
        if self.scheme == "basic":
            return Reply(401, ('Basic realm="shelly"',), b"401 Unauthorized")
        offer = f'Digest qop="auth", realm="shellyplug", nonce="{self.nonce}"'
        return Reply(401, (f"{offer}, algorithm={self.algorithm}",), b"")


def _cut(value: float, decimals: int) -> str:
    return f"@{math.floor(value * 10**decimals) / 10**decimals:.{decimals}f}@"


@dataclass
class Lan:
    """Carries requests to plugs by their host names, and takes their latency of virtual time."""

    plugs: Mapping[str, EmulatedPlug]
    names: Mapping[str, str] = field(default_factory=dict)

    def peers(self, address: Address) -> frozenset[str]:
        return frozenset({f"{self.names.get(address.host, address.host)}:{address.port}"})

    def get(self, address: Address, path: str, authorization: str, seconds: float) -> Reply:
        plug = self.plugs[self.names.get(address.host, address.host)]
        plug.clock.pass_s(min(plug.latency_s / 2, seconds))
        if plug.latency_s > seconds:
            raise TimeoutError
        reply = plug.reply(path, authorization)
        plug.clock.pass_s(plug.latency_s / 2)
        return reply


Conversation = Callable[[socketserver.StreamRequestHandler, threading.Event], None]
"""What a server says to one client, until the event says that the test is over."""


@contextlib.contextmanager
def serving(conversation: Conversation) -> Iterator[str]:
    """A real server on this machine, as ``host:port``."""
    over = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                conversation(self, over)

        def finish(self) -> None:
            with contextlib.suppress(OSError):
                super().finish()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            over.set()
            server.shutdown()
            thread.join()


def asked(handler: socketserver.StreamRequestHandler) -> tuple[str, str]:
    """The path and the Authorization header of a request."""
    path = handler.rfile.readline().decode().split(" ")[1]
    authorization = ""
    while line := handler.rfile.readline().decode().strip():
        name, _, value = line.partition(": ")
        authorization = value if name.lower() == "authorization" else authorization
    return path, authorization


def answers(plug: EmulatedPlug) -> Conversation:
    """A server that answers as the plug does."""

    def talk(handler: socketserver.StreamRequestHandler, _: threading.Event) -> None:
        reply = plug.reply(*asked(handler))
        lines = [f"HTTP/1.1 {reply.code} Whatever", f"Content-Length: {len(reply.body)}"]
        lines += [f"WWW-Authenticate: {challenge}" for challenge in reply.challenges]
        handler.wfile.write("\r\n".join([*lines, "", ""]).encode() + reply.body)

    return talk


JITTER = [100.0, 101.0, 99.0, 102.0]
"""About 100 W, and never at rest."""


def jittering(watts: float = 100.0) -> KnownPower:
    return KnownPower([watts * level / 100 for level in JITTER], [0.7] * 4)


def emulated(
    kind: str = "gen2", power: KnownPower | None = None, **changes: object
) -> EmulatedPlug:
    clock = VirtualClock(1_000_000)
    made = EmulatedPlug(power or jittering(), clock, kind)
    made.decimals = {"gen1": 2, "tasmota": 0}.get(kind, 1)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def opened(plug: EmulatedPlug, text: str = "http://plug.lan", **names: str) -> PlugMeter:
    lan = Lan({"plug.lan": plug}, names)
    return PlugMeter(text, transport=lan, clock=plug.clock, sleep=plug.clock.pass_s)


def reads(meter: PlugMeter, plug: EmulatedPlug, seconds: float) -> list[Reading]:
    """The readings of the first channel, one a second."""
    found = [meter.read()[0]]
    for _ in range(round(seconds)):
        plug.clock.pass_s(1.0)
        found.append(meter.read()[0])
    return found


def settle(plug: EmulatedPlug) -> None:
    """Lets the time pass in which its power changes faster than a plug can show."""
    assert plug.clock.now_ns < SETTLED_S * 1e9, "the meter was opened while the power moved"
    plug.clock.now_ns = round(SETTLED_S * 1e9) + 5_000_000_000


def refusal(plug: EmulatedPlug, text: str = "http://plug.lan") -> MeterUnavailable:
    with pytest.raises(MeterUnavailable) as caught:
        opened(plug, text)
    return caught.value
