"""The process that pjsua.py starts: PJSIP's user agent in its Python binding, with no sound card. It reads its settings (one line
of JSON) and then commands (a JSON list a line) from standard input, and writes what happens as lines "@ JSON" between its log."""
import ctypes
import json
import os
import sys

import pjsua2 as pj

_UNHOLD = 1                     # PJSUA_CALL_UNHOLD
_STATES = {pj.PJSIP_INV_STATE_CALLING: "calling", pj.PJSIP_INV_STATE_INCOMING: "incoming", pj.PJSIP_INV_STATE_EARLY: "early",
           pj.PJSIP_INV_STATE_CONNECTING: "connecting", pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
           pj.PJSIP_INV_STATE_DISCONNECTED: "disconnected"}
_MEDIA = {pj.PJSUA_CALL_MEDIA_NONE: "none", pj.PJSUA_CALL_MEDIA_ACTIVE: "active", pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: "we hold",
          pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: "they hold", pj.PJSUA_CALL_MEDIA_ERROR: "error"}

_VIDEO = """m=video 40100 RTP/AVP 97 98
c=IN IP4 192.0.2.1
a=rtpmap:97 H264/90000
a=fmtp:97 profile-level-id=42e01f;packetization-mode=1
a=rtpmap:98 VP8/90000
a=rtcp-fb:* nack pli
a=sendrecv
""".replace("\n", "\r\n")
_ICE = "a=ice-ufrag:3f6a1c22\r\na=ice-pwd:5d20c97e611fb8a40c2b71ee\r\n" + "".join(
    "a=candidate:H%x %d UDP %d 192.0.2.%d %d typ host\r\n" % (n, 1 + n % 2, 2130706431 - n, 1 + n // 2, 40000 + n)
    for n in range(12))


def tell(what, **more):
    sys.stdout.write("@ %s\n" % json.dumps({"type": what, **more}))
    sys.stdout.flush()


class Call(pj.Call):
    def __init__(self, phone, call_id=pj.PJSUA_INVALID_ID):
        super().__init__(phone.account, call_id)
        self.phone = phone

    def onCallState(self, prm):
        info = self.getInfo()
        tell(_STATES.get(info.state, "?"), call=info.id, status=info.lastStatusCode, reason=info.lastReason)
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED and self.phone.settings["reinvites"]:
            self.phone.reinvite(info.id)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.phone.calls.pop(info.id, None)
        else:
            self.phone.calls[info.id] = self

    def onCallMediaState(self, prm):
        info = self.getInfo()
        for n, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO:
                tell("media", call=info.id, state=_MEDIA.get(media.status, "?"))
                if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                    self.phone.player.startTransmit(self.getAudioMedia(n))

    def onCallSdpCreated(self, prm):
        """With "big": an offer as a phone with video and ICE makes it. This build has no video, so its second audio line is made
        one, and on loopback PJSIP has no candidates."""
        if self.phone.settings["big"] and not prm.remSdp.wholeSdp:
            head, first, _ = prm.sdp.wholeSdp.split("m=audio", 2)
            prm.sdp.wholeSdp = head + "m=audio" + first + _ICE + _VIDEO + _ICE

    def onDtmfDigit(self, prm):
        tell("key", key=prm.digit)

    def onCallTransferRequest(self, prm):
        tell("transfer", target=prm.dstUri)
        prm.newCall = self.phone.next = Call(self.phone)

    def onCallTransferStatus(self, prm):
        tell("transfer status", status=prm.statusCode, final=prm.finalNotify)
        if prm.statusCode >= 200:
            prm.cont = False

    def onCallReplaceRequest(self, prm):
        tell("replace")
        prm.newCall = self.phone.next = Call(self.phone)

    def onCallReplaced(self, prm):
        tell("replaced", call=prm.newCallId)

    def onCallRxReinvite(self, prm):
        tell("reinvite")

    def onInstantMessage(self, prm):
        tell("message", text=prm.msgBody)


class Account(pj.Account):
    def __init__(self, phone):
        super().__init__()
        self.phone = phone

    def onRegState(self, prm):
        tell("registration", status=prm.code, reason=prm.reason)

    def onIncomingCall(self, prm):
        call = Call(self.phone, prm.callId)
        self.phone.calls[prm.callId] = call
        tell("incoming", call=prm.callId, uri=call.getInfo().remoteUri)
        if self.phone.settings["answers"] == "auto":
            self.phone.answer(prm.callId)

    def onInstantMessage(self, prm):
        tell("message", text=prm.msgBody)


class Phone:
    def __init__(self, settings):
        self.settings = settings
        self.calls = {}
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.maxCalls = 8
        config.uaConfig.userAgent = "pjsua"
        config.logConfig.level = config.logConfig.consoleLevel = 5
        config.medConfig.threadCnt = 1
        config.medConfig.noVad = True
        config.medConfig.ecTailLen = 0
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        self.endpoint.libInit(config)
        for codec in self.endpoint.codecEnum2():
            wanted = codec.codecId.split("/")[0] in settings["codecs"]
            self.endpoint.codecSetPriority(codec.codecId, 200 - settings["codecs"].index(codec.codecId.split("/")[0])
                                           if wanted else 0)
        self.transports = {}
        for kind in settings["transports"]:
            transport = pj.TransportConfig()
            transport.boundAddress = settings["address"]
            transport.port = settings["port"] + (kind == "tls")
            if kind == "tls":
                transport.tlsConfig.CaListFile = settings["authority"]
                transport.tlsConfig.verifyServer = True
                transport.tlsConfig.method = pj.PJSIP_TLSV1_2_METHOD
            code = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}[kind]
            self.transports[kind] = self.endpoint.transportCreate(code, transport)
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        self.player = pj.AudioMediaPlayer()
        self.player.createPlayer(settings["source"])
        account = pj.AccountConfig()
        account.idUri = settings["id"]
        account.mediaConfig.transportConfig.boundAddress = settings["address"]
        account.mediaConfig.transportConfig.port = settings["rtp"]
        account.mediaConfig.lockCodecEnabled = True
        account.natConfig.contactRewriteUse = 0
        account.natConfig.sdpNatRewriteUse = 0
        account.natConfig.viaRewriteUse = 0
        account.callConfig.timerUse = {"no": pj.PJSUA_SIP_TIMER_INACTIVE, "yes": pj.PJSUA_SIP_TIMER_OPTIONAL,
                                       "always": pj.PJSUA_SIP_TIMER_ALWAYS,
                                       "required": pj.PJSUA_SIP_TIMER_REQUIRED}[settings["timer"]]
        account.callConfig.timerSessExpiresSec = settings["timer_s"]
        account.callConfig.timerMinSESec = 90
        account.callConfig.prackUse = {"no": pj.PJSUA_100REL_NOT_USED, "yes": pj.PJSUA_100REL_OPTIONAL,
                                       "required": pj.PJSUA_100REL_MANDATORY}[settings["prack"]]
        if settings["transports"] == ["tcp"]:
            account.sipConfig.contactForced = "<%s>" % settings["id"]   # its own one names 127.0.0.1
        if settings["registrar"]:
            account.regConfig.registrarUri = settings["registrar"]
            account.regConfig.timeoutSec = 120
            account.sipConfig.proxies.append(settings["registrar"] + ";lr")
            account.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", settings["user"], 0, settings["password"]))
        self.account = Account(self)
        self.account.create(account)

    def call(self, uri):
        call = Call(self)
        prm = pj.CallOpParam(True)
        prm.opt.audioCount = 2 if self.settings["big"] else 1
        prm.opt.videoCount = 0
        call.makeCall(uri, prm)
        self.calls[call.getId()] = call
        return call.getId()

    def answer(self, n=None, code=200):
        prm = pj.CallOpParam(True)
        prm.statusCode = code
        prm.opt.videoCount = 0
        self._of(n).answer(prm)

    def _of(self, n):
        return self.calls[n if n is not None else list(self.calls)[-1]]

    def hold(self, n=None):
        self._of(n).setHold(pj.CallOpParam(True))

    def resume(self, n=None):
        self.reinvite(n, _UNHOLD)

    def reinvite(self, n=None, flag=0):
        prm = pj.CallOpParam(True)
        prm.opt.flag = flag
        prm.opt.videoCount = 0
        self._of(n).reinvite(prm)

    def update(self, n=None):
        prm = pj.CallOpParam(True)
        prm.opt.videoCount = 0
        self._of(n).update(prm)

    def transfer(self, target, n=None):
        self._of(n).xfer(target, pj.CallOpParam(True))

    def attended(self, n, other):
        self._of(n).xferReplaces(self._of(other), pj.CallOpParam(True))

    def keys(self, digits, n=None):
        self._of(n).dialDtmf(digits)

    def keys_by_info(self, digits, n=None):
        prm = pj.CallSendDtmfParam()
        prm.method = pj.PJSUA_DTMF_METHOD_SIP_INFO
        prm.digits = digits
        self._of(n).sendDtmf(prm)

    def message(self, text, n=None):
        prm = pj.SendInstantMessageParam()
        prm.content = text
        self._of(n).sendInstantMessage(prm)

    def hangup(self, n=None):
        self._of(n).hangup(pj.CallOpParam(True))

    def hang_up_all(self):
        self.endpoint.hangupAllCalls()

    def packets(self, n=None):
        rtcp = self._of(n).getStreamStat(0).rtcp
        return [rtcp.txStat.pkt, rtcp.rxStat.pkt]

    def dump(self, n=None):
        return self._of(n).dump(True, " ")

    def run(self):
        os.set_blocking(0, False)
        held = b""
        while True:
            self.endpoint.libHandleEvents(10)
            try:
                data = os.read(0, 65536)
            except BlockingIOError:
                continue
            if not data:
                break
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                name, *arguments = json.loads(line)
                try:
                    tell("done", result=getattr(self, name)(*arguments))
                except pj.Error as error:
                    tell("done", error=error.info())
                except KeyError as error:
                    tell("done", error="no call %s" % error)
        if self.calls:
            self.endpoint.hangupAllCalls()
            for _ in range(20):
                self.endpoint.libHandleEvents(10)


def _flush_each_line():
    """PJSIP's log goes through C's stdout, which a file would get in blocks."""
    libc = ctypes.CDLL(None)
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, 1, ctypes.c_size_t(0))


if __name__ == "__main__":
    _flush_each_line()
    phone = Phone(json.loads(sys.stdin.buffer.raw.readline()))
    tell("ready")
    phone.run()
    os._exit(0)                 # taken down in order it takes a second, and un-registers
