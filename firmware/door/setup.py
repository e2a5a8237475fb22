"""Connecting: sound, network, user agent, registration. Loaded for the moment by lend(), at the start, when the network
comes back and when a person changes something."""

import asyncio
import gc
from time import gmtime, ticks_add, ticks_diff, ticks_ms

from lend import lend
from micropython import const

_CLOCK_S = const(60)
_AGAIN_MS = const(1000)
# What every call loads. Names are never forgotten by the interpreter: those in here come to lie low, together, at the start,
# and not one by one in the middle of what a call leaves free.
_DOOR = const("calls incoming sound over wait words fault enter steps python keys keypad")
_MEDIA = const("setup latch tables sounds tones keys words digits wideband")
_SIP = const("outset invited offer sdp answering accepting endings tidy")


async def connect(door):
    """Brings up what is not yet as the network and the configuration want it; returns when all is."""
    if door._stream is None:  # its buffers are the largest there are: now, while the heap is whole
        from board.audio import Audio
        from board.net import mark, pack, unpack
        from media.stream import Stream

        gc.collect()  # so that it comes to lie low, where it stays; as below
        door._stream = Stream(Audio(door._wiring), pack, unpack, mark if door.config.get("net.dscp") == "on" else None)
        gc.collect()
    get = door.config.get
    network = door._network
    if network is None:
        from board.net import Network

        network = door._network = Network(door._wiring, get("net.hostname"))
    renew = 0
    if door._renew and ticks_diff(ticks_ms(), door._renew_at) >= 0:
        renew, door._renew = door._renew, 0
    if renew > 1 or not network.is_up():
        await _up(door, network)
        if door._agent:
            door._tell(network.words())
            _again(door)
    host = network.address()
    if not host:
        return
    agent = door._agent
    if agent is None or door._moved and door._call is None:
        await _start_agent(door, host)
        return
    if agent.host != host:
        try:
            lend("sip.accounts").move(agent, host)
        except OSError:  # gone again, or not there yet
            await asyncio.sleep_ms(1000)
            return
        door.say("The address is now %s." % host)
        if door._offered:
            lend("door.provision").check(door)
        _again(door)
        call = door._call
        if call is not None and call.state == "up":
            door._stop_sound()
            port = lend("door.sound").start(door)
            door._on_event(call, "media")
            call.renew(host, port)
    if renew == 1:
        try:
            await _register(door)
        except MemoryError:  # something else is being done: what was changed is put in force when that has given its memory back
            door._renew = 1
            door._renew_at = ticks_add(ticks_ms(), _AGAIN_MS)
            agent.make_room()
    if 0 <= door._clock_s <= door._up_s:
        await _set_clock(door, agent)


async def _up(door, network):
    """Until the network is up."""
    get = door.config.get
    while True:
        if door._wiring.NETWORK == "wifi" and not get("wifi.ssid"):
            door._tell(lend("door.words").network_words(door))
            door._renew = 0
            while not door._renew:
                await asyncio.sleep_ms(200)
            continue
        await network.up(get("wifi.ssid"), get("wifi.password"))
        if network.is_up():
            return
        door._tell(network.words())


def _again(door):
    """The network is back, or the address is another: registers at once."""
    if door._registration:
        door._registration.start()


async def _start_agent(door, host):
    """A user agent on this address, in place of the one there was; and its registration."""
    from board.net import mark, pack, unpack
    from sip.agent import Agent

    door._moved = False
    old, door._agent = door._agent, None
    house = None
    if old:
        door._registration = None
        house = old.house
        if house:
            house.forwards.clear()
            lend("door.bindings").save(house)
        await old.stop()
    get = door.config.get
    trace = old.transport.trace if old else None
    old = None
    for leaf in _DOOR.split():
        lend("door." + leaf)
    for leaf in _MEDIA.split():
        lend("media." + leaf)
    for leaf in _SIP.split():
        lend("sip." + leaf)
    gc.collect()
    agent = Agent(host, get("sip.port"), pack, unpack, get("sip.user"), get("sip.display"), door._on_call, door._admit,
                  dns=door._network.dns)
    if get("net.dscp") == "on":
        agent.transport.mark = mark
    try:
        await agent.start()
    except OSError as e:
        if trace:
            trace.is_on = False
        door._trouble = "UDP port %d of %s cannot be used (%s)" % (agent.port, host, lend("sip.sockets").words(e))
        door._tell(door._trouble)
        await asyncio.sleep_ms(2000)
        return
    agent.transport.trace = trace
    agent.time_known = door._knows_time
    agent.on_message = agent.on_info = agent.on_replaced = door._told
    agent.house = house
    door._agent = agent
    lend("door.apply").levels(door)
    words = lend("media.setup").echo(door._stream, get("audio.echo"))
    if words:
        door._tell(words)
    lend("door.apply").secrecy(door)
    agent.codecs = lend("door.apply").codecs(door)
    door.say("Listening for calls at sip:%s@%s:%d." % (get("sip.user"), host, agent.port))
    await _register(door)
    gc.collect()


async def _set_clock(door, agent):
    """Asks the time; again in a minute if nobody tells."""
    door._clock_s = door._up_s + _CLOCK_S
    server = door.config.get("net.ntp")
    why = 'door.set("net.ntp", "pool.ntp.org") names a server that tells it'
    if server:
        try:
            resolver = lend("sip.resolver")
            try:
                agent.pack(server, 0)
                servers = [server]
            except ValueError:
                servers = await resolver.Dns(agent.dns, agent.pack, agent.dns_cache).address(server.encode())
            resolver = None
            why = await lend("board.clock").set_from(servers, agent.pack)
        except OSError as e:
            why = lend("sip.sockets").words(e)
    if why:
        door._tell("TLS waits for the right time: %s." % why)
        return
    door._clock_s = -1
    door.say("The time was set: %d-%02d-%02d %02d:%02d UTC." % gmtime()[:5])


async def _register(door):
    """Begins a registration with what is configured now, in place of the one there was."""
    agent = door._agent
    get = door.config.get
    door._trouble = ""
    door._renew = 0
    old, door._registration = door._registration, None
    if old:
        # Its last word first: it may be about the very address that is registered next.
        done = []
        old.stop(lambda: done.append(1))
        for _ in range(50):
            if done:
                break
            await asyncio.sleep_ms(20)
        agent.registration = None
    agent.user = get("sip.user")
    agent.display = get("sip.display")
    agent.tls_name = get("sip.tls_name")
    agent.tls_ca = get("sip.tls_ca")
    agent.session_expires_s = get("sip.session_s")
    server = get("sip.server")
    if get("sip.mode") == "house":
        lend("door.household").begin(door, agent)
    elif agent.house:
        lend("door.household").end(agent)
    if door._offered:
        lend("door.provision").check(door)
    if not server and not agent.house:
        return
    transport = lend("door.apply").transport(door)
    try:
        registration = lend("door.outside").begin(door, agent, transport) if agent.house else agent.register(
            server, get("sip.user"), get("sip.password"), get("sip.auth_user"), get("sip.expires_s"), get("sip.display"),
            get("sip.proxy"), transport, get("sip.backup"),
        )  # fmt: skip
    except ValueError as e:
        door._trouble = "Not registered: %s; write %s as names or addresses, like pbx.example." % (
            e, "house.out.server" if agent.house else "sip.server, sip.proxy and sip.backup")
        door._tell(door._trouble)
        return
    door._registration = registration
    if registration:
        registration.changed = door._on_registration
