"""The hot path: bytes in, an index of their parts out.

Positions are 16 bits wide, so a message is at most 65,535 bytes.
"""

from micropython import const

# Known header fields. An id is the place of the name in _NAMES.
H_VIA = const(1)
H_FROM = const(2)
H_TO = const(3)
H_CALL_ID = const(4)
H_CSEQ = const(5)
H_CONTACT = const(6)
H_MAX_FORWARDS = const(7)
H_CONTENT_LENGTH = const(8)
H_CONTENT_TYPE = const(9)
H_RECORD_ROUTE = const(10)
H_ROUTE = const(11)
H_EXPIRES = const(12)
H_ALLOW = const(13)
H_SUPPORTED = const(14)
H_REQUIRE = const(15)
H_USER_AGENT = const(16)
H_AUTHORIZATION = const(17)
H_PROXY_AUTHORIZATION = const(18)
H_WWW_AUTHENTICATE = const(19)
H_PROXY_AUTHENTICATE = const(20)
H_SESSION_EXPIRES = const(21)
H_MIN_SE = const(22)
H_MIN_EXPIRES = const(23)
H_RACK = const(24)
H_RSEQ = const(25)
H_EVENT = const(26)
H_REFER_TO = const(27)
H_REFERRED_BY = const(28)
H_REPLACES = const(29)
H_RETRY_AFTER = const(30)
H_UNSUPPORTED = const(31)
H_PROXY_REQUIRE = const(32)
H_CONTENT_ENCODING = const(33)
H_TIMESTAMP = const(34)
H_DATE = const(35)
H_SUBSCRIPTION_STATE = const(36)
H_ALERT_INFO = const(37)
H_CALL_INFO = const(38)
H_P_ASSERTED_IDENTITY = const(39)
H_PRIVACY = const(40)
H_DIVERSION = const(41)
H_PATH = const(42)
H_SERVICE_ROUTE = const(43)
H_ACCEPT = const(44)
H_REASON = const(45)
H_SERVER = const(46)
H_WARNING = const(47)
H_SUBJECT = const(48)
H_CONTENT_DISPOSITION = const(49)
H_ALLOW_EVENTS = const(50)
H_AUTHENTICATION_INFO = const(51)

_NAMES = (
    b"", b"via", b"from", b"to", b"call-id", b"cseq", b"contact", b"max-forwards", b"content-length",
    b"content-type", b"record-route", b"route", b"expires", b"allow", b"supported", b"require", b"user-agent",
    b"authorization", b"proxy-authorization", b"www-authenticate", b"proxy-authenticate", b"session-expires",
    b"min-se", b"min-expires", b"rack", b"rseq", b"event", b"refer-to", b"referred-by", b"replaces",
    b"retry-after", b"unsupported", b"proxy-require", b"content-encoding", b"timestamp", b"date",
    b"subscription-state", b"alert-info", b"call-info", b"p-asserted-identity", b"privacy", b"diversion",
    b"path", b"service-route", b"accept", b"reason", b"server", b"warning", b"subject", b"content-disposition",
    b"allow-events", b"authentication-info",
)  # fmt: skip
_COMPACT = {
    b"v": 1, b"f": 2, b"t": 3, b"i": 4, b"m": 6, b"l": 8, b"c": 9, b"k": 14, b"x": 21, b"o": 26, b"r": 27,
    b"b": 28, b"e": 33, b"s": 48, b"u": 50,
}  # fmt: skip

# an index: eight words about the message, then four for each header field line
START = const(0)
START_END = const(1)
BODY = const(2)
COUNT = const(3)
SPACE1 = const(4)
SPACE2 = const(5)
STATUS = const(6)
FLAGS = const(7)
FIELDS = const(8)
MAX_FIELDS = const(64)
NO_BLANK_LINE = const(1)
TOO_MANY = const(2)
BAD_LINE = const(4)
BAD_VERSION = const(8)
BAD_START = const(16)
FOLDED = const(256)

def scan(buf, n, idx):
    for k in range(8):
        idx[k] = 0
    i = 0
    while i < n and buf[i] in b"\r\n":
        i += 1
    e = buf.find(b"\n", i)
    if e < 0:
        idx[7] = 1 | 16
        return 0
    idx[0] = i
    nxt = e + 1
    if buf[e - 1] == 13:
        e -= 1
    idx[1] = e
    s1 = buf.find(b" ", i, e)
    s2 = buf.rfind(b" ", i, e)
    if buf[i : i + 4].upper() == b"SIP/":
        s2 = buf.find(b" ", s1 + 1, e)
        if s2 < 0:
            s2 = e
        v = buf[i:s1]
        st = buf[s1 + 1 : s2]
        if s1 < 0 or len(st) != 3 or not st.isdigit() or st < b"100":
            idx[7] |= 16
        else:
            idx[6] = int(st)
    else:
        v = buf[s2 + 1 : e]
        if s1 < 0 or s2 <= s1:
            idx[7] |= 16
    if v.upper() != b"SIP/2.0":
        idx[7] |= 8
    idx[4] = max(s1, 0)
    idx[5] = max(s2, 0)
    k = 8
    while True:
        i = nxt
        e = buf.find(b"\n", i)
        if e < 0:
            idx[7] |= 1
            idx[2] = n
            break
        nxt = e + 1
        if buf[i:e] in (b"", b"\r"):
            idx[2] = nxt
            break
        folded = 0
        while buf[nxt : nxt + 1] in (b" ", b"\t"):
            folded = 256
            e2 = buf.find(b"\n", nxt)
            if e2 < 0:
                break
            e = e2
            nxt = e + 1
        colon = buf.find(b":", i, e)
        name = buf[i:colon].rstrip(b" \t").lower() if colon >= 0 else b""
        if not name or any(c <= 32 for c in name):
            idx[7] |= 4
            continue
        if k >= 8 + 4 * 64:
            idx[7] |= 2
            continue
        h = _COMPACT.get(name, 0)
        if not h and name in _NAMES:
            h = _NAMES.index(name)
        a = colon + 1
        while a < e and buf[a] in b" \t\r\n":
            a += 1
        while e > a and buf[e - 1] in b" \t\r\n":
            e -= 1
        idx[k] = h | folded
        idx[k + 1] = i
        idx[k + 2] = a
        idx[k + 3] = e
        k += 4
        idx[3] += 1
    return k
