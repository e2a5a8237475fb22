"""baresip, headless: plays a WAV file into the call, records what it hears, obeys over its control socket.

    with Baresip(folder, source=wav) as phone:
        phone.dial("sip:door@127.0.100.9")
        phone.wait("CALL_ESTABLISHED")
        phone.hangup()
        phone.heard()           -> path of the recording

What bites: it hangs up when its WAV ends (give it a long one); its RTP and its TCP come from 127.0.0.1 whatever address its
SDP and Contact name; it does not look at a server's certificate.
"""
import glob
import json
import os
import re
import socket
import time

from . import addresses
from .process import Process, RigError, Stopped

_CONTROL_PORT = 4444
_CONFIG = """poll_method epoll
sip_listen {address}:{port}
{certificate}
call_local_timeout 120
call_max_calls {max_calls}
audio_buffer 20-160
audio_player aubridge,{user}
audio_source aufile,{source}
audio_alert aubridge,alert{user}
audio_level no
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
ausrc_srate {rate_hz}
auplay_srate {rate_hz}
ausrc_channels 1
auplay_channels 1
rtp_ports {rtp[0]}-{rtp[1]}
rtcp_mux no
jitter_buffer_delay 1-5
rtp_stats yes
statmode_default off
net_interface {address}
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module srtp.so
module sndfile.so
module aufile.so
module aubridge.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app debug_cmd.so
module_app ctrl_tcp.so
module_app contact.so
ctrl_tcp_listen {address}:{control}
snd_path {folder}/heard
ringback_disabled yes
"""


class Baresip(Stopped):
    """A phone `user` at an address of its own, `source` the WAV it speaks, of `rate_hz`, as its recording is. It speaks
    `codecs`, the best first ("G722/16000/1": wants a `rate_hz` of 16000). With `registrar` ("host[:port]") it registers
    there with `password` and calls through it. `answers` "auto" takes calls by itself, "manual" waits for accept().
    `transport` "udp", "tcp" or "tls" is how it registers, or is called directly (TLS: at its port plus one, and `certificate`
    is a function of its address that gives the paths of a certificate and its key). `secure`: "srtp" offers keys in RTP/AVP and
    goes on without them, "srtp-mand" wants RTP/SAVP. `more`: {setting: value} that its configuration has otherwise. With
    `keeps_flow` it registers by RFC 5626. It sends all it says to its registrar, or to another host, `by`; "": to where it goes.
    The file uuid in its folder is its instance."""

    def __init__(self, folder, source, user="phone", registrar=None, password="", answers="auto", port=5060,
                 codecs="PCMU/8000/1,PCMA/8000/1", rate_hz=8000, max_calls=4, transport="udp", certificate=None, secure="",
                 more=(), keeps_flow=False, by=None):
        self.folder = str(folder)
        self.address = addresses.take()
        self.port = port
        self.user = user
        self._control = None
        self._buffer = b""
        self._token = 0
        self.events = []            # every event not yet consumed by wait(), oldest first
        os.makedirs(self.folder + "/heard", exist_ok=True)
        where = registrar or "%s:%d" % (self.address, port)
        self.transport = transport
        over = "" if transport == "udp" else ";transport=" + transport
        account = '"%s" <sip:%s@%s%s>;auth_pass=%s;regint=%d;answermode=%s;audio_codecs=%s;ptime=20' % (
            user, user, where, over, password, 60 if registrar else 0, answers, codecs)
        if by or registrar and by is None:
            account += ';outbound="sip:%s%s"' % (by or registrar, over)
        if keeps_flow:
            account += ";sipnat=outbound;regq=0.5"
        if secure:
            account += ";mediaenc=" + secure
        if certificate:
            both = ""
            for path in certificate(self.address):
                with open(path) as f:
                    both += f.read()
            self._write("certificate", both)
        config = _CONFIG.format(address=self.address, port=port, user=user, source=source, folder=self.folder, rate_hz=rate_hz,
                                rtp=addresses.rtp_ports(self.address), control=_CONTROL_PORT, max_calls=max_calls,
                                certificate="sip_certificate %s/certificate" % self.folder if certificate else "")
        for name, value in dict(more).items():
            config = re.sub("(?m)^%s .*$" % name, "%s %s" % (name, value), config)
        self._write("config", config)
        self._write("accounts", account + "\n")
        self._write("contacts", "")
        self.process = Process(["baresip", "-4", "-s", "-f", self.folder], self.folder, dict(os.environ, HOME=self.folder))
        try:
            self.process.until(self._connect, "its control socket listens")
            if registrar:
                self.process.until(lambda: "binding]" in self.process.said(), "registered at " + registrar)
        except BaseException:
            self.stop()
            raise

    def _write(self, name, text):
        with open("%s/%s" % (self.folder, name), "w") as f:
            f.write(text)

    def _connect(self):
        try:
            self._control = socket.create_connection((self.address, _CONTROL_PORT), 1)
        except OSError:
            return False
        return True

    @property
    def uri(self):
        """Where it is called directly."""
        port = self.port + 1 if self.transport == "tls" else self.port
        over = "" if self.transport == "udp" else ";transport=" + self.transport
        return "sip:%s@%s%s%s" % (self.user, self.address, "" if port == 5060 else ":%d" % port, over)

    def _read(self, end):
        """One netstring of JSON from the control socket -> dict, or None when `end` (monotonic seconds) has come."""
        while True:
            head, colon, rest = self._buffer.partition(b":")
            if colon and len(rest) > int(head):
                size = int(head)
                self._buffer = rest[size + 1:]
                return json.loads(rest[:size])
            left = end - time.monotonic()
            if left <= 0:
                return None
            self._control.settimeout(left)
            try:
                data = self._control.recv(65536)
            except socket.timeout:
                return None
            if not data:
                raise RigError("baresip closed its control socket\n" + self.process.said(3000))
            self._buffer += data

    def command(self, name, params=""):
        """Run one of baresip's commands -> what it said."""
        self._token += 1
        request = json.dumps({"command": name, "params": params, "token": str(self._token)}).encode()
        self._control.sendall(b"%d:%s," % (len(request), request))
        end = time.monotonic() + 10
        while True:
            message = self._read(end)
            if message is None:
                raise RigError("baresip did not answer '%s %s'\n%s" % (name, params, self.process.said(3000)))
            if message.get("response"):
                if message.get("token") == str(self._token):
                    return message.get("data", "")
            else:
                self.events.append(message)

    def wait(self, *types, timeout_s=15):
        """The next event of one of these types (CALL_INCOMING, CALL_RINGING, CALL_ESTABLISHED, CALL_CLOSED, ...); those before
        it are dropped. RigError if it does not come in time."""
        end = time.monotonic() + timeout_s
        before = []
        while True:
            while self.events:
                event = self.events.pop(0)
                if event.get("type") in types:
                    return event
                before.append(event.get("type"))
            message = self._read(end)
            if message is None:
                raise RigError("baresip: no %s in %g s, only %s\n%s" % (" or ".join(types), timeout_s, before,
                                                                        self.process.said(3000)))
            if message.get("event"):
                self.events.append(message)

    def forget(self):
        """Drop every event so far: what is waited for next is yet to come."""
        self.command("listcalls")
        self.events.clear()

    def dial(self, uri):
        self.forget()
        return self.command("dial", uri)

    def accept(self):
        return self.command("accept")

    def hangup(self):
        return self.command("hangup")

    def calls(self):
        """How many it is in."""
        return self.command("listcalls").count("[line")

    def hold(self):
        """A re-INVITE; it is silent then. resume() takes it back."""
        return self.command("hold")

    def resume(self):
        return self.command("resume")

    def transfer(self, target):
        """REFER (RFC 3515): the other side shall call `target`."""
        return self.command("transfer", target)

    def send_digits(self, digits):
        """RFC 4733, one key after the other."""
        return self.command("sndcode", digits)

    def heard(self, timeout_s=5):
        """The path of the recording of what the last call brought, once the call is over and the file is closed."""
        end = time.monotonic() + timeout_s
        while True:
            files = sorted(glob.glob(self.folder + "/heard/*-dec.wav"), key=os.path.getmtime)
            if files and os.path.getsize(files[-1]) > 44:
                return files[-1]
            if time.monotonic() > end:
                raise RigError("baresip recorded nothing in %s/heard\n%s" % (self.folder, self.process.said(3000)))
            time.sleep(0.05)

    def stop(self):
        if self._control:
            self._control.close()
        self.process.stop(patience_s=0.5)       # it would wait for the answer to its BYE, from a door that may be gone
        addresses.give_back(self.address)
