"""sipp's scenarios, written step by step in Python instead of page by page in XML.

    s = Calling("hold")                 sipp calls
    s.invite(sdp())
    s.expect(200)
    s.ack()
    s.request("INVITE", sdp("sendonly"))
    s.expect(200, has="a=recvonly")
    s.ack()
    s.bye()
    Sipp(folder, s, door.address + ":5060").done()

    s = Called("early")                 sipp is called
    s.expect("INVITE"); s.answer(183, "Session Progress", sdp()); ...

What a step waits for must come, and nothing else in between (but 100, and what is said to be `optional`); `has` and `lacks` are
regular expressions (POSIX) that the whole message must match, or must not.
"""
_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport"
_CONTACT = "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>"
_TAG = ";tag=[pid]sipp[call_number]"


def sdp(direction="sendrecv", host="[media_ip]", port="6100", formats="0 8 101", version=1, more=()):
    """A session with one audio line, at the address where sipp's Rtp listens, as lines."""
    lines = ["v=0", "o=sipp 5365 %d IN IP4 [local_ip]" % version, "s=-", "c=IN IP4 " + host, "t=0 0",
             "m=audio %s RTP/AVP %s" % (port, formats)]
    if "101" in formats:
        lines += ["a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15"]
    return lines + (["a=" + direction] if direction else []) + list(more)


class _Scenario:
    def __init__(self, name):
        self.name = name
        self.cseq = 0
        self._parts = []
        self._variables = []
        self._by_proxy = []
        self._last = ""             # the method of our newest request

    # --- What XML there is.

    def _send(self, lines, body=(), retransmitted=True, lost=0, kind="application/sdp"):
        if body:
            lines = lines + ["Content-Type: " + kind]
        lines = lines + ["Content-Length: " + ("[len]" if body else "0"), ""] + list(body)
        text = "\n".join("      " + line if line else "" for line in lines)
        self._parts.append("<send%s%s><![CDATA[\n%s\n\n]]></send>" % (
            ' retrans="500"' if retransmitted else "", ' lost="%d"' % lost if lost else "", text))

    def _save(self, pattern, header, name):
        """An action that keeps a header field's value, or the part in parentheses, as [$name]."""
        self._variables.append(name)
        if "(" in pattern:
            self._variables.append(name + "_whole")
        return '<ereg regexp="%s" search_in="hdr" header="%s" check_it="true" assign_to="%s" />' % (
            pattern.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;"), header,
            "%s_whole,%s" % (name, name) if "(" in pattern else name)

    def expect(self, what, has="", lacks="", optional=False, actions=(), asks=False):
        """A response's status or a request's method. One that `asks` for a password is answered by [authentication ...]."""
        actions = list(actions)
        for attribute, pattern in (("check_it", has), ("check_it_inverse", lacks)):
            if pattern:
                name = "v%d" % len(self._variables)
                self._variables.append(name)
                actions.append('<ereg regexp="%s" search_in="msg" %s="true" assign_to="%s" />' % (
                    pattern.replace("<", "&lt;").replace(">", "&gt;"), attribute, name))
        if isinstance(what, int):
            if what > 100 and not optional:
                self.expect(100, optional=True)
            head = 'response="%d"%s%s' % (what, ' rrs="true"' if 180 <= what < 300 and self._last == "INVITE" else "",
                                          ' auth="true"' if asks else "")
        else:
            head = 'request="%s"' % what
        self._parts.append("<recv %s%s%s" % (head, ' optional="true"' if optional else "", " />" if not actions else
                                             ">\n<action>\n%s\n</action>\n</recv>" % "\n".join(actions)))

    def pause(self, ms):
        self._parts.append('<pause milliseconds="%d" />' % ms)

    def answer(self, status, reason, body=(), headers=(), to="", tag=_TAG):
        """Answers the request that came last, or the one that was kept as `to` (see keep)."""
        lines = ["SIP/2.0 %d %s" % (status, reason)]
        if to:
            lines += ["[$%s_path]" % to if to in self._by_proxy else "Via:[$%s_via]" % to, "From:[$%s_from]" % to, "To:[$%s_to]%s" % (to, tag), "Call-ID: [call_id]",
                      "CSeq:[$%s_cseq]" % to]
        else:
            lines += ["[last_Via:]", "[last_Record-Route:]", "[last_From:]", "[last_To:]" + tag, "[last_Call-ID:]", "[last_CSeq:]"]
        contact = [] if any(header.startswith("Contact:") for header in headers) else [_CONTACT]
        self._send(lines + contact + list(headers), body, status >= 200 and to != "" or status >= 300)

    def keep(self, name, by_proxy=False):
        """Actions for expect(): the request is answered later, by answer(..., to=name). `by_proxy`: one that stays in the way put
        its Record-Route and Via on top."""
        kept = [self._save(".*", header + ":", "%s_%s" % (name, header.lower())) for header in ("Via", "From", "To", "CSeq")]
        if by_proxy:
            self._by_proxy.append(name)
            path = self._save("(Record-Route:.*[^\\r\\n])[\\r\\n]+Max-Forwards", "Via:", name + "_path")
            kept.append(path.replace('search_in="hdr" header="Via:"', 'search_in="msg"'))
        return kept

    def xml(self):
        used = '\n<Reference variables="%s" />' % ",".join(self._variables) if self._variables else ""
        return ('<?xml version="1.0" encoding="UTF-8" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n<scenario name="%s">\n%s%s\n'
                '</scenario>\n' % (self.name, "\n".join(self._parts), used))

    # --- Inside a call, either way.

    def straight_to(self, host, port=5060):
        """What follows is sent there (sipp looks at no Contact for that), by a socket of its own: `-t un`."""
        self._parts.append('<nop><action><setdest host="%s" port="%d" protocol="udp" /></action></nop>' % (host, port))

    def request(self, method, body=(), headers=(), kind="application/sdp", cseq=None, via=_VIA, lost=0):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        self._last = method
        target, routes, ours, theirs = self._dialog()
        self._send(["%s %s SIP/2.0" % (method, target), via, "Max-Forwards: 70"] + routes + [
            "From:" + ours, "To:" + theirs, "Call-ID: [call_id]", "CSeq: %d %s" % (cseq, method), _CONTACT] + list(headers), body,
            method != "ACK", lost, kind)

    def ack(self, body=()):
        """For a 2xx."""
        self.request("ACK", body, cseq=self.cseq)

    def ack_refusal(self):
        """For a refusal of a re-INVITE: same branch, no more than the transaction."""
        self.request("ACK", cseq=self.cseq, via="[last_Via:]")

    def bye(self):
        self.request("BYE")
        self.expect(200)

    def expect_bye(self):
        self.expect("BYE")
        self.answer(200, "OK", tag="")


class Calling(_Scenario):
    """sipp calls, as `user`. With a `password` it is asked for it, and gives it (by MD5: it knows no other algorithm)."""

    def __init__(self, name, user="sipp", password=""):
        super().__init__(name)
        self.user = user
        self._credentials = "[authentication username=%s password=%s]" % (user, password) if password else ""

    def _dialog(self):
        return ("[next_url]", ["[routes]"], " <sip:%s@[local_ip]:[local_port]>" % self.user + _TAG,
                " <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]")

    def first(self, method, body=(), headers=(), kind="application/sdp", to="[service]"):
        """A request outside a call."""
        self.cseq += 1
        self._last = method
        self._send(["%s sip:%s@[remote_ip]:[remote_port] SIP/2.0" % (method, to), _VIA, "Max-Forwards: 70",
                    "From: <sip:%s@[local_ip]:[local_port]>" % self.user + _TAG, "To: <sip:%s@[remote_ip]:[remote_port]>" % to,
                    "Call-ID: [call_id]", "CSeq: %d %s" % (self.cseq, method), _CONTACT] + list(headers), body, kind=kind)

    def register(self, lasts_s=300):
        """Where it is asked for SHA-256 or MD5 it cannot answer; asked once more, a house asks for MD5 alone."""
        lines = ["Expires: %d" % lasts_s]
        self.first("REGISTER", headers=lines, to=self.user)
        self.expect(401)
        self.first("REGISTER", headers=lines, to=self.user)
        self.expect(401, asks=True)
        self.first("REGISTER", headers=lines + [self._credentials], to=self.user)
        self.expect(200, has="Contact: <sip:sipp@")

    def invite(self, body=(), headers=()):
        self.first("INVITE", body, headers)
        for lines in ((), [self._credentials]) if self._credentials else ():
            self.expect(407, asks=bool(lines))  # as for register()
            self.ack_first()
            self.first("INVITE", body, list(headers) + list(lines))

    def cancel(self):
        """Of an INVITE that rings."""
        self._send(["CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0", "[last_Via:]", "Max-Forwards: 70",
                    "From: <sip:%s@[local_ip]:[local_port]>" % self.user + _TAG, "To: <sip:[service]@[remote_ip]:[remote_port]>",
                    "Call-ID: [call_id]", "CSeq: %d CANCEL" % self.cseq])
        self.expect(200)
        self.expect(487)
        self.ack_first()

    def ack_first(self):
        """For a refusal of the INVITE itself."""
        self._send(["ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0", "[last_Via:]", "Max-Forwards: 70",
                    "From: <sip:%s@[local_ip]:[local_port]>" % self.user + _TAG,
                    "To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]", "Call-ID: [call_id]",
                    "CSeq: %d ACK" % self.cseq], retransmitted=False)

    def call(self, body=None, headers=(), has=""):
        """INVITE, 180 and 200, ACK."""
        self.invite(sdp() if body is None else body, headers)
        self.expect(180, optional=True)
        self.expect(200, has=has)
        self.ack()


class Called(_Scenario):
    """sipp is called."""

    def _dialog(self):
        return "[$target]", [], "[$us]" + _TAG, "[$them]"

    def expect_invite(self, has="", lacks="", keep=""):
        """The INVITE of the call; with `keep` it may be answered later."""
        self.expect("INVITE", has, lacks, actions=[
            self._save("<(sip:[^>]+)>", "Contact:", "target"), self._save(".*", "From:", "them"),
            self._save(".*", "To:", "us")] + (self.keep(keep) if keep else []))

    def take(self, body=None, headers=()):
        """INVITE, 200, ACK."""
        self.expect_invite()
        self.answer(200, "OK", sdp() if body is None else body, headers)
        self.expect("ACK")
