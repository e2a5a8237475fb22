"""linphonec, headless: a softphone of another family (belle-sip, mediastreamer), driven by lines on its standard input.

    with Linphone(folder, source=wav) as phone:
        phone.call(door)
        phone.hold()

What bites: it opens no port, without a word, when $HOME/.local/share/linphone is missing; it needs auto_net_state_mon=0; codecs
that are not listed as disabled are offered too; it matches a certificate by its names only, not by addresses (so that check is
off); whomever it calls, by a 302 too, it asks its registrar for; over TCP its Contact has the port that its connection comes from.
"""
import os

from . import addresses
from .process import Process, Stopped

_CONFIG = """[sip]
sip_port={udp}
sip_tcp_port={tcp}
sip_tls_port={tls}
bind_address={address}
contact="{user}" <sip:{user}@{address}>
guess_hostname=0
register_only_when_network_is_up=0
auto_net_state_mon=0
use_ipv6=0
use_rfc2833={events}
use_info={info}
media_encryption={encryption}
media_encryption_mandatory={mandatory}
inc_timeout=60
root_ca={authority}
verify_server_certs=1
verify_server_cn=0
keepalive_period=0
default_proxy={default_proxy}
use_session_timers=0
[net]
firewall_policy=none
stun_server=
dns_srv_enabled=0
mtu=1300
[rtp]
audio_rtp_port={rtp}
bind_address={address}
[sound]
remote_ring=
local_ring=
[video]
enabled=0
[misc]
version_check_url_root=
uuid={instance}
{provision}
enable_simple_group_chat_message_state=0
[app]
auto_answer={auto}
"""
_REGISTERED = """[proxy_0]
reg_proxy=<sip:{registrar};transport={transport}>
reg_route=<sip:{registrar};transport={transport};lr>
reg_identity="{user}" <sip:{user}@{host}>
reg_expires=120
reg_sendregister=1
publish=0
dial_escape_plus=0
[auth_info_0]
username={user}
passwd={password}
realm={realm}
"""
# All it was built with, name and rate: what is not wanted must be listed as disabled, or it comes back.
_CODECS = ("PCMU/8000", "PCMA/8000", "opus/48000/2", "G729/8000", "speex/32000", "speex/16000", "speex/8000", "G722/8000", "GSM/8000",
           "iLBC/8000", "BV16/8000", "L16/44100", "L16/44100/2", "AAL2-G726-16/8000", "AAL2-G726-24/8000", "AAL2-G726-32/8000",
           "AAL2-G726-40/8000", "G726-16/8000", "G726-24/8000", "G726-32/8000", "G726-40/8000")


class Linphone(Stopped):
    """A phone `user` at an address of its own, that plays the WAV `source` (8 kHz). `answers` "auto" or "manual". `keys` are sent
    as "rfc2833" events or by "info". With `registrar` it registers there, without a word, over `transport` (TLS: `authority` is
    the path of a PEM file of those it trusts); its password is for `realm`, or else the registrar's host. `secure`: "preferred"
    or "required", SRTP. `instance`: the UUID by which it is known again. `provision`: the address at which it fetches an account as it starts; once it has it, plays() is called."""

    def __init__(self, folder, source, user="carol", registrar=None, password="", answers="auto", port=5060, transport="udp",
                 codecs=("PCMU", "PCMA"), keys="rfc2833", authority="", secure="", realm="", provision="", instance=""):
        self.folder = str(folder)
        self.address = addresses.take()
        self.port = port
        self.user = user
        self.transport = transport
        self._read = 0              # expect() has dealt with its log before this
        for part in (".local/share/linphone", ".config/linphone"):
            os.makedirs("%s/%s" % (self.folder, part), exist_ok=True)
        ports = {"udp": 0, "tcp": 0, "tls": 0}
        ports[transport] = port
        text = _CONFIG.format(address=self.address, user=user, authority=authority, rtp=addresses.rtp_ports(self.address)[0],
                              events=int(keys == "rfc2833"), info=int(keys == "info"), auto=int(answers == "auto"),
                              default_proxy=0 if registrar else -1, encryption="srtp" if secure else "none",
                              mandatory=int(secure == "required"), provision="config-uri=" + provision if provision else "",
                              instance=instance, **ports)
        for n, codec in enumerate(_CODECS):
            name, rate, channels = (codec + "/1").split("/")[:3]
            text += "[audio_codec_%d]\nmime=%s\nrate=%s\nchannels=%s\nenabled=%d\n" % (n, name, rate, channels, name in codecs)
        if registrar:
            text += _REGISTERED.format(registrar=registrar, transport=transport, user=user, password=password,
                                       host=registrar.split(":")[0], realm=realm or registrar.split(":")[0])
        with open(self.folder + "/rc", "w") as f:
            f.write(text)
        there, self._input = os.pipe()
        command = ["linphonec", "-c", self.folder + "/rc", "-d", "5", "-l", self.folder + "/debug"]
        home = dict(os.environ, HOME=self.folder, XDG_DATA_HOME=self.folder, XDG_CONFIG_HOME=self.folder)
        self.process = Process(command + (["-a"] if answers == "auto" else []), self.folder, home, stdin=there)
        os.close(there)
        try:
            self.expect("linphonec> ")
            if not provision:
                self.plays(source)
        except BaseException:
            self.stop()
            raise

    def plays(self, source):
        """A WAV file is its microphone from now on; what it hears goes to another."""
        self.say("soundcard use files")
        self.say("play " + str(source))
        self.say("record %s/heard.wav" % self.folder)

    @property
    def uri(self):
        over = "" if self.transport == "udp" else ";transport=" + self.transport
        return "sip:%s@%s%s" % (self.user, self.address, over)

    def say(self, line):
        os.write(self._input, line.encode() + b"\n")

    def log(self):
        """What it has written of all that it does and that came over the wire."""
        with open(self.folder + "/debug", errors="replace") as log:
            return log.read()

    def expect(self, *words, timeout_s=15):
        """Until it has said all of these, in this order, after what earlier calls of this waited for."""
        at = self._read
        for word in words:
            self.process.until(lambda: self.process.said().find(word, at) >= 0, "says %r" % word, timeout_s)
            at = self.process.said().find(word, at) + len(word)
        self._read = at

    def call(self, door):
        """Until the call is up, its sound too."""
        over = "" if self.transport == "udp" else ";transport=" + self.transport
        self.say("call %s%s" % (door.uri, over))
        self.expect("connected", "Media streams established")

    def hold(self):
        self.say("pause")
        self.expect("is now paused")

    def resume(self):
        self.say("resume")
        self.expect("Media streams established")

    def keys(self, digits):
        self.say(digits)

    def hangup(self):
        self.say("terminate")
        self.expect("ended")

    def stop(self):
        os.close(self._input)
        self.process.stop(patience_s=0.5)
        addresses.give_back(self.address)
