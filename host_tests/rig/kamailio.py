"""Kamailio as a registrar and a record-routing, forking proxy with digest authentication and no database, over UDP, TCP and,
given a certificate, TLS.

    with Kamailio(folder, {"door": "secret", "phone": "secret"}) as kamailio:
        kamailio.contacts("door")       -> ["sip:door@127.0.100.7:5060", ...]

    Kamailio(folder, users, certificate=authority.server)           with TLS; authority: see certificates.py
    Exported(folder, write)                                         what tools/export_kamailio.py made of a door's house
    Kamailio(folder, {}, behind=kamailio)                           a second proxy, before the first: it passes everything on,
                                                                    REGISTER with Path, and stays in the way (Record-Route)
"""
import json
import os
import re
import shutil
import socket
import time

from . import addresses
from .process import Process, RigError, Stopped

_CONFIG = """#!KAMAILIO
debug=2
log_stderror=yes
log_prefix="[$ci] "
fork=yes
children=2
tcp_children=2
tcp_accept_no_cl=no
auto_aliases=no
dns=no
rev_dns=no
use_dns_cache=no
server_signature=no
listen=udp:{address}:{port}
listen=tcp:{address}:{port}
{listen_tls}
loadmodule "jsonrpcs.so"
loadmodule "kex.so"
loadmodule "corex.so"
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "sanity.so"
loadmodule "htable.so"
loadmodule "auth.so"
loadmodule "nathelper.so"
loadmodule "path.so"
loadmodule "tcpops.so"
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "fifo_name", "")
modparam("jsonrpcs", "dgram_socket", "{folder}/rpc")
modparam("jsonrpcs", "dgram_timeout", 2000)
modparam("tm", "fr_timer", 8000)
modparam("tm", "fr_inv_timer", 30000)
modparam("rr", "enable_full_lr", 1)
modparam("rr", "append_fromtag", 1)
modparam("registrar", "max_expires", {max_expires_s})
modparam("registrar", "min_expires", {min_expires_s})
modparam("registrar", "min_expires_mode", 1)
modparam("registrar", "append_branches", 1)
modparam("registrar", "use_path", 1)
modparam("registrar", "path_mode", 0)
modparam("path", "use_received", 1)
modparam("nathelper|registrar", "received_avp", "$avp(received)")
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "timer_interval", 2)
modparam("htable", "htable", "password=>size=6;")
modparam("auth", "nonce_expire", {nonce_expire_s})
modparam("auth", "secret", "never outside loopback")
modparam("auth", "algorithm", "{algorithm}")
{qop}

event_route[htable:mod-init] {{
{passwords}
}}
request_route {{
	xlog("L_INFO", "$rm $ru over $proto from $si:$sp, $fu to $tu, Route $hdr(Route)\\n");
	if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
	if (!sanity_check("1511", "7")) {{ xlog("L_WARN", "INSANE $rm from $si:$sp\\n"); exit; }}
	if (is_method("CANCEL")) {{ if (t_check_trans()) route(RELAY); exit; }}
	if (!is_method("ACK")) {{ if (t_precheck_trans()) {{ t_check_trans(); exit; }} t_check_trans(); }}
	if (has_totag()) {{
		if (loose_route()) {{
			{who_speaks}
			if ($du == $null) handle_ruri_alias();
			route(RELAY);
		}}
		if (is_method("ACK")) {{ if (t_check_trans()) route(RELAY); exit; }}
		sl_send_reply("404", "Not here");
		exit;
	}}
	{pass_on}
	remove_hf("Route");
	if (is_method("OPTIONS") && $rU == $null) {{ sl_send_reply("200", "OK"); exit; }}
	if (is_method("REGISTER")) {{
		route(WHO_REGISTERS);
		# Whom a connection serves is called on it: nobody can connect to a TLS client.
		if ($proto != "udp") fix_nated_register();
		if (!save("location")) sl_reply_error();
		exit;
	}}
	{who_calls}
	if (is_method("INVITE|SUBSCRIBE|REFER")) record_route();
	if (is_method("INVITE") && $proto != "udp") add_contact_alias();
	if ($rU == $null) {{ sl_send_reply("484", "Address Incomplete"); exit; }}
	if (!lookup("location")) {{ send_reply("404", "Not Found"); exit; }}
	route(RELAY);
}}
route[WHO_REGISTERS] {{
	if (!pv_www_authenticate("$td", "$sht(password=>$au)", "0")) {{
		$var(why) = $rc;
		xlog("L_INFO", "CHALLENGE $var(why) user $au\\n");
		if ($var(why) == -4) www_challenge("$td", "{stale_flags}");
		else www_challenge("$td", "{flags}");
		exit;
	}}
	if ($au != $tU) {{ sl_send_reply("403", "Forbidden"); exit; }}
	consume_credentials();
}}
route[WHO_CALLS] {{
	if (is_method("ACK|CANCEL|PRACK")) return;
	if (!pv_proxy_authenticate("$fd", "$sht(password=>$au)", "0")) {{
		proxy_challenge("$fd", "{flags}");
		exit;
	}}
	consume_credentials();
}}
route[RELAY] {{
	if (!t_relay()) sl_reply_error();
	exit;
}}
# Before the proxy above (`behind`): what comes from there goes where its Route or Request-URI says, all else goes there.
route[PASS_ON] {{
	if (is_method("OPTIONS") && $rU == $null) {{ sl_send_reply("200", "OK"); exit; }}
	loose_route();
	if (is_method("REGISTER")) {{
		add_path_received();
		{service_route}
	}} else record_route();
	if (is_method("INVITE") && $proto != "udp") add_contact_alias();
	if (src_ip != {behind_address}) $du = "sip:{behind_address}:{behind_port}";
	route(RELAY);
}}
onreply_route {{
	xlog("L_INFO", "$rs $rr to $rm over $proto from $si:$sp\\n");
	if (is_method("INVITE") && $proto != "udp") add_contact_alias();
}}
{service_routes}
"""


class Kamailio(Stopped):
    """`users` is {name: password}. `qop` "auth" or "" (RFC 2069 style); `calls_need_password`: INVITEs are challenged with 407.
    A nonce is good for `nonce_expire_s`; bindings live `min_expires_s` (less is refused with 423) to `max_expires_s`.
    `inside_need_password` are users whose requests inside a call (BYE, re-INVITE, ...) are challenged too. `certificate` is a
    function of the address that gives the paths of a certificate and its key, PEM, for TLS on `tls_port`. `behind` another
    Kamailio: this one registers nobody and passes on; with `service_route` what registers hears of it as its Service-Route
    (RFC 3608), <sip:out@...;lr>."""

    _rpc = "rpc"                # its JSON-RPC socket, in its folder

    def __init__(self, folder, users, algorithm="MD5", qop="auth", nonce_expire_s=300, min_expires_s=0, max_expires_s=3600,
                 calls_need_password=False, port=5060, inside_need_password=(), certificate=None, tls_port=5061, behind=None,
                 service_route=False):
        self.folder = str(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.address = addresses.take()
        self.port = port
        self.tls_port = tls_port
        flag = 1 if qop else 0
        config = _CONFIG.format(
            address=self.address, port=port, folder=self.folder, algorithm=algorithm, nonce_expire_s=nonce_expire_s,
            min_expires_s=min_expires_s, max_expires_s=max_expires_s, flags=flag, stale_flags=flag | 16,
            qop='modparam("auth", "qop", "%s")\nmodparam("auth", "nonce_count", 1)' % qop if qop else "",
            who_calls="route(WHO_CALLS);" if calls_need_password else "",
            who_speaks='if ($fU =~ "^(%s)$") route(WHO_CALLS);' % "|".join(inside_need_password) if inside_need_password else "",
            listen_tls=self._tls(certificate) if certificate else "",
            pass_on="route(PASS_ON);" if behind else "", behind_address=behind.address if behind else self.address,
            behind_port=behind.port if behind else port,
            service_route="".join('if ($proto == "%s") t_on_reply("FOR_%s"); ' % (proto, proto.upper())
                                  for proto in ("udp", "tcp", "tls")) if service_route else "",
            service_routes="".join(self._service_route(proto) for proto in ("udp", "tcp", "tls")) if service_route else "",
            passwords="\n".join('\t$sht(password=>%s) = "%s";' % item for item in users.items()) or "\treturn;")
        with open(self.folder + "/kamailio.cfg", "w") as f:
            f.write(config)
        self._start()

    def _tls(self, certificate):
        pem, key = certificate(self.address)
        return ("enable_tls=yes\nlisten=tls:%s:%d\nloadmodule \"tls.so\"\n" % (self.address, self.tls_port) +
                'modparam("tls", "certificate", "%s")\nmodparam("tls", "private_key", "%s")\n' % (pem, key) +
                'modparam("tls", "tls_method", "TLSv1.2+")')

    def _service_route(self, proto):
        port, over = {"udp": (self.port, ""), "tcp": (self.port, ";transport=tcp"), "tls": (self.tls_port, ";transport=tls")}[proto]
        return ('onreply_route[FOR_%s] { if ($rs == "200") append_hf("Service-Route: <sip:out@%s:%d%s;lr>\\r\\n"); }\n'
                % (proto.upper(), self.address, port, over))

    def _start(self):
        path = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"        # Debian puts servers there
        self.process = Process([
            shutil.which("kamailio", path=path) or "kamailio", "-DD", "-E", "-f", self.folder + "/kamailio.cfg",
            "-w", self.folder, "-Y", self.folder, "-P", self.folder + "/pid", "-m", "64", "-M", "8"], self.folder)
        try:
            self.process.until(self._answers, "answers OPTIONS")
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((self.address, 0))
            s.settimeout(0.1)
            me = s.getsockname()
            try:
                s.sendto(b"\r\n".join((
                    b"OPTIONS sip:%s:%d SIP/2.0" % (self.address.encode(), self.port),
                    b"Via: SIP/2.0/UDP %s:%d;branch=z9hG4bK%d" % (me[0].encode(), me[1], time.monotonic_ns()),
                    b"Max-Forwards: 70", b"From: <sip:rig@%s>;tag=1" % self.address.encode(),
                    b"To: <sip:%s>" % self.address.encode(), b"Call-ID: %d" % time.monotonic_ns(), b"CSeq: 1 OPTIONS",
                    b"Content-Length: 0", b"", b"")), (self.address, self.port))
                return s.recv(2000).startswith(b"SIP/2.0 200")
            except OSError:
                return False

    @property
    def server(self):
        """What to put in sip.server."""
        return self.address if self.port == 5060 else "%s:%d" % (self.address, self.port)

    def rpc(self, method, *params):
        """JSON-RPC over its datagram socket -> the result; RigError on an error."""
        me = "%s/rpc.%d" % (self.folder, time.monotonic_ns())
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(me)
            try:
                s.settimeout(5)
                s.sendto(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).encode(),
                         "%s/%s" % (self.folder, self._rpc))
                answer = json.loads(s.recv(200000))
            finally:
                os.unlink(me)
        if "error" in answer:
            raise RigError("kamailio %s: %s" % (method, answer["error"]))
        return answer.get("result")

    def bindings(self, user):
        """Each registered contact of `user` as kamailio keeps it: dicts with Address, Expires, CSeq, User-Agent, ..."""
        found = []
        for domain in self.rpc("ul.dump")["Domains"]:
            for entry in domain["Domain"]["AoRs"]:
                if entry["Info"]["AoR"].split("@")[0] == user:
                    found += [contact["Contact"] for contact in entry["Info"]["Contacts"]]
        return found

    def contacts(self, user):
        return [binding["Address"] for binding in self.bindings(user)]

    def wait_contacts(self, user, count=1, timeout_s=15):
        """Until `user` has `count` contacts -> them."""
        self.process.until(lambda: len(self.contacts(user)) == count, "%d contact(s) of %s" % (count, user), timeout_s)
        return self.contacts(user)

    def add_contact(self, user, uri):
        """`uri` is where `user` is called, too, as if it had registered."""
        self.rpc("ul.add", "location", user, uri, 600, 0.5, "", 0, 0, 6143)

    def seen(self, method, status=None):
        """How many requests of this method came, or answers with this status to them."""
        said = self.process.said()
        return said.count(">: %s " % method) if status is None else len(re.findall(">: %d [^\n]* to %s over" % (status, method), said))

    def forget_contacts(self):
        """Empty the location table: who was switched off without a word is not called any more."""
        for domain in self.rpc("ul.dump")["Domains"]:
            for entry in domain["Domain"]["AoRs"]:
                self.rpc("ul.rm", domain["Domain"]["Domain"], entry["Info"]["AoR"])

    def stale_nonces(self):
        """How often an answer came with a nonce that had expired."""
        return self.process.said().count("CHALLENGE -4")

    def connections(self):
        """Each open connection over TCP or TLS: dicts with id, type, dst, dst_port, ..."""
        return [one for one in self.rpc("core.tcp_list") or [] if one.get("state") != "BAD"]

    def off(self):
        """Ended, its address kept; on() starts it again, with nobody registered."""
        self.process.stop()

    def on(self):
        self._start()

    def stop(self):
        self.process.stop()
        addresses.give_back(self.address)


class Exported(Kamailio):
    """A folder that tools/export_kamailio.py wrote, started: `write(address)` writes it, to listen there."""

    _rpc = "kamailio_rpc.sock"  # Kamailio's own default

    def __init__(self, folder, write):
        self.folder = str(folder)
        self.address = addresses.take()
        self.port = 5060
        write(self.address)
        self._start()
