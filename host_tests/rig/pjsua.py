"""pjsua: PJSIP's user agent, in a process of its own (pjsua_phone.py), with no sound card.

    with Pjsua(folder, source=wav) as phone:
        phone.do("call", "sip:door@127.0.100.9")
        phone.wait("confirmed")
        phone.packets()             -> (sent, received)
"""
import json
import os
import sys
import time

from . import addresses
from .process import Process, RigError, Stopped


class Pjsua(Stopped):
    """A phone `user` at an address of its own that plays the WAV `source`. `answers` "auto" or "manual"; `transports` those it
    opens ("udp", "tcp", "tls" as client, trusting `authority`, a PEM file's path). With `registrar`, a URI as
    "sip:127.0.100.3:5061;transport=tls", it registers there. `timer` (RFC 4028) and `prack` (RFC 3262) are "no", "yes" or
    "required"; `timer` "always" offers one whatever the other side supports. `big`: its offers have video and ICE, 2 KB.
    `reinvites`: at once when a call is up, as it does by itself after an answer with two codecs."""

    def __init__(self, folder, source, user="paul", registrar="", password="", answers="auto", port=5060, transports=("udp",),
                 codecs=("PCMU", "PCMA"), authority="", big=False, timer="no", timer_s=1800, prack="no", reinvites=False):
        self.folder = str(folder)
        self.address = addresses.take()
        self.port = port
        self.user = user
        self.transports = list(transports)
        self._read = 0
        self.events = []            # those not yet consumed by wait(), oldest first
        there, self._input = os.pipe()
        over = "" if "udp" in transports else ";transport=" + transports[0]
        host = registrar.split(":")[1].split(";")[0] if registrar else "%s:%d" % (self.address, port)
        settings = dict(user=user, address=self.address, port=port, transports=transports, codecs=codecs, source=str(source),
                        id="sip:%s@%s%s" % (user, host, "" if registrar else over), rtp=addresses.rtp_ports(self.address)[0],
                        registrar=registrar, password=password, answers=answers, authority=authority, big=big, timer=timer,
                        timer_s=timer_s, prack=prack, reinvites=reinvites)
        self._tell(settings)
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pjsua_phone.py")
        self.process = Process([sys.executable, script], self.folder, stdin=there)
        os.close(there)
        try:
            self.wait("ready")
            if registrar:
                assert self.wait("registration")["status"] == 200, self.process.said(3000)
        except BaseException:
            self.stop()
            raise

    @property
    def uri(self):
        over = "" if "udp" in self.transports else ";transport=" + self.transports[0]
        return "sip:%s@%s:%d%s" % (self.user, self.address, self.port, over)

    def _tell(self, what):
        os.write(self._input, json.dumps(what).encode() + b"\n")

    def _more(self):
        """What it wrote since -> self.events."""
        with open(self.process.log, errors="replace") as log:
            log.seek(self._read)
            while True:
                line = log.readline()
                if not line.endswith("\n"):
                    return
                self._read = log.tell()
                if line.startswith("@ "):
                    self.events.append(json.loads(line[2:]))

    def wait(self, what, timeout_s=15, **more):
        """The next event of this type with these values; those before it are dropped."""
        end = time.monotonic() + timeout_s
        before = []
        while True:
            self._more()
            while self.events:
                event = self.events.pop(0)
                if event["type"] == what and all(event.get(key) == value for key, value in more.items()):
                    return event
                before.append(event)
            if time.monotonic() > end or not self.process.running():
                raise RigError("pjsua: no %s %s in %g s, only %s\n%s" % (what, more, timeout_s, before, self.process.said(3000)))
            time.sleep(0.01)

    def do(self, command, *arguments):
        """Runs one of Phone's methods -> what it returned; RigError when it failed."""
        self._tell([command, *arguments])
        end = time.monotonic() + 10
        while True:
            self._more()
            for event in self.events:
                if event["type"] == "done":
                    self.events.remove(event)
                    if "error" in event:
                        raise RigError("pjsua %s: %s" % (command, event["error"]))
                    return event["result"]
            if time.monotonic() > end or not self.process.running():
                raise RigError("pjsua does not answer %s\n%s" % (command, self.process.said(3000)))
            time.sleep(0.01)

    def forget(self):
        """What wait() waits for next is yet to come."""
        self._more()
        self.events.clear()

    def wait_said(self, words, timeout_s=15):
        """Until its log, which has each message, has these words."""
        self.process.until(lambda: words in self.process.said(), "says %r" % words, timeout_s)

    def packets(self):
        """RTP packets of its newest call -> (sent, received)."""
        return tuple(self.do("packets"))

    def stop(self):
        os.close(self._input)       # it ends by itself then, after a BYE
        try:
            self.process.wait(2)
        except RigError:
            pass
        self.process.stop(patience_s=0.5)
        addresses.give_back(self.address)
