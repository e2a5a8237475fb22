"""The rig itself, peer against peer, before any door is judged by it."""
import os
import signal
import socket
import ssl
import subprocess
import sys
import time

import numpy as np
import pytest

from host_tests.rig import addresses, speech
from host_tests.rig.baresip import Baresip
from host_tests.rig.certificates import Authority
from host_tests.rig.kamailio import Kamailio
from host_tests.rig.process import Process, RigError
from host_tests.rig.sipp import Sipp
from host_tests.rig.wire import Wire


@pytest.mark.needs("baresip", "kamailio", "espeak-ng", "pesq")
def test_two_phones_through_kamailio_sound_like_one_g711_pass(tmp_path):
    with Kamailio(tmp_path / "kamailio", {"anna": "a", "ben": "b"}) as kamailio:
        with Baresip(tmp_path / "anna", speech.wav("visitor", 8000), "anna", kamailio.server, "a") as anna, \
             Baresip(tmp_path / "ben", speech.wav("phone", 8000), "ben", kamailio.server, "b") as ben:
            assert len(kamailio.contacts("anna")) == len(kamailio.contacts("ben")) == 1
            anna.dial("sip:ben@" + kamailio.server)
            anna.wait("CALL_ESTABLISHED")
            ben.wait("CALL_ESTABLISHED")
            time.sleep(speech.seconds("visitor") + 0.3)
            anna.hangup()
            ben.wait("CALL_CLOSED")
            for name, phone in (("visitor", ben), ("phone", anna)):
                assert speech.score(name, speech.load(phone.heard())) > speech.reference_score(name) - 0.1


@pytest.mark.needs("baresip", "kamailio-tls", "espeak-ng")
def test_two_proxies_in_a_row_over_tls_and_tcp(tmp_path):
    """One phone is behind both proxies, over TLS, the other over TCP at the second: calls and requests inside them, both ways."""
    authority = Authority(tmp_path / "authority")
    with Kamailio(tmp_path / "kamailio", {"anna": "a", "ben": "b"}, calls_need_password=True, inside_need_password=["anna"],
                  certificate=authority.server) as kamailio, \
            Kamailio(tmp_path / "edge", {}, certificate=authority.server, behind=kamailio) as edge:
        context = ssl.create_default_context(cafile=authority.pem)
        for server in (kamailio, edge):
            with context.wrap_socket(socket.create_connection((server.address, server.tls_port)),
                                     server_hostname=server.address):
                assert [one["type"] for one in server.connections()] == ["TLS"]
        with Baresip(tmp_path / "anna", speech.wav("phone", 8000), "anna", edge.address + ":5061", "a", transport="tls") as anna, \
             Baresip(tmp_path / "ben", speech.wav("phone", 8000), "ben", kamailio.server, "b", transport="tcp") as ben:
            for caller, called, server in ((anna, ben, edge), (ben, anna, kamailio)):
                caller.dial("sip:%s@%s" % (called.user, server.address))
                caller.wait("CALL_ESTABLISHED")
                called.wait("CALL_ESTABLISHED")
                anna.hangup()
                ben.wait("CALL_CLOSED")
                anna.forget()


def test_certificates_are_what_they_say(tmp_path):
    def shown(pem, key, name, authority):
        """What a client that trusts `authority` says of a server with this certificate, as `name`."""
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pem, key)
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        here = ssl.create_default_context(cafile=authority).wrap_bio(into, out, server_hostname=name)
        there = server.wrap_bio(out, into, server_side=True)
        for _ in range(3):
            for side in (here, there):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLCertVerificationError as error:
                    return error.verify_message
        return "good"

    for kind in ("ec", "rsa"):
        ours, others = Authority(tmp_path / kind, kind), Authority(tmp_path / ("other-" + kind), kind)
        good = ours.server("127.0.0.1", "pbx.test")
        assert shown(*good, "pbx.test", ours.pem) == shown(*good, "127.0.0.1", ours.pem) == "good"
        assert "Hostname mismatch" in shown(*good, "other.test", ours.pem)
        assert shown(*good, "pbx.test", others.pem) != "good"
        assert "expired" in shown(*ours.server("pbx.test", from_days=-9, to_days=-1), "pbx.test", ours.pem)
        assert "not yet valid" in shown(*ours.server("pbx.test", from_days=1, to_days=9), "pbx.test", ours.pem)
        alone = ours.server("pbx.test", self_signed=True)
        assert shown(*alone, "pbx.test", alone[0]) == "good"
        assert shown(*alone, "pbx.test", ours.pem) != "good"


@pytest.mark.needs("espeak-ng", "pesq")
def test_the_score_falls_when_speech_is_damaged():
    whole = speech.bare_g711(speech.said("visitor"))
    damaged = whole.copy()
    for frame in range(0, len(damaged) // 160, 20):             # every twentieth packet lost
        damaged[frame * 160:frame * 160 + 160] = 0
    silence = np.zeros(4000)
    shifted = np.concatenate((silence, whole, silence))
    assert abs(speech.score("visitor", shifted) - speech.reference_score("visitor")) < 0.02
    assert speech.score("visitor", damaged) < speech.reference_score("visitor") - 0.5


@pytest.mark.needs("sipp", "baresip", "espeak-ng")
def test_own_scenarios_agree_with_baresip(tmp_path):
    with Baresip(tmp_path / "phone", speech.wav("phone", 8000)) as phone:
        with Sipp(tmp_path / "refuse", "uas_refuse", keys={"refusal": "486 Busy Here"}) as sipp:
            phone.dial(sipp.uri)
            assert "486" in phone.wait("CALL_CLOSED")["param"]
            sipp.done()
        with Sipp(tmp_path / "ring", "uas_ring") as sipp:
            phone.dial(sipp.uri)
            phone.wait("CALL_RINGING")
            phone.hangup()
            sipp.done()
        with Sipp(tmp_path / "early", "uas_early") as sipp:
            phone.dial(sipp.uri)
            phone.wait("CALL_ESTABLISHED")
            phone.hangup()
            sipp.done()
        phone.forget()
        with Sipp(tmp_path / "route", "uac_route", phone.address + ":5060", phone.user) as sipp:
            phone.wait("CALL_ESTABLISHED")
            phone.hangup()
            sipp.done()
        with Wire((phone.address, 5060)) as wire:
            ok = wire.call(uri=phone.uri)
            assert wire.receive_rtp()[0] == 0
            assert wire.bye(ok).status == 200


def test_addresses_are_ones_own():
    taken = [addresses.take() for _ in range(20)]
    try:
        other = subprocess.run([sys.executable, "-c", "from host_tests.rig import addresses\n"
                                "for _ in range(480): print(addresses.take())"], stdout=subprocess.PIPE, text=True,
                               cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))), timeout=30).stdout.split()
        assert other and not set(other) & set(taken)
        assert len({addresses.rtp_ports(address) for address in taken}) == 20
    finally:
        for address in taken:
            addresses.give_back(address)


def _alive(pid):
    """Running: neither gone nor a zombie nobody waited for."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _gone(pid, seconds=5):
    end = time.monotonic() + seconds
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not _alive(pid)


def test_a_process_ends_with_the_test_that_started_it(tmp_path):
    with pytest.raises(ZeroDivisionError):
        with Process(["sleep", "60"], tmp_path) as process:
            raise ZeroDivisionError
    assert _gone(process.pid)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_process_ends_with_an_interrupted_run(tmp_path, how):
    source = ("import sys, time\nfrom host_tests.rig.process import Process\n"
              "print(Process(['sleep', '60'], sys.argv[1]).pid, flush=True)\ntime.sleep(60)")
    with subprocess.Popen([sys.executable, "-c", source, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) as run:
        pid = int(run.stdout.readline())
        assert _alive(pid)
        run.send_signal(how)
        assert _gone(pid)


def test_a_peer_that_ends_early_says_why(tmp_path):
    with Process(["sh", "-c", "echo no such module; exit 3"], tmp_path) as process:
        with pytest.raises(RigError, match="no such module"):
            process.until(lambda: False, "is ready")
