"""The door's registration at a real Kamailio: digest in each kind, refusal in words, refresh."""
import pytest

from host_tests.rig.door import BURST_HEAP, Door
from host_tests.rig.kamailio import Kamailio

pytestmark = pytest.mark.needs("kamailio", "micropython")


def _account(kamailio, **more):
    return {"sip.server": kamailio.server, "sip.user": "door", "sip.password": "open sesame", **more}


@pytest.fixture(scope="module", autouse=True)
def unheard(tmp_path_factory):
    """A door whose server does not answer. It takes 32 s (timer F) to be sure: those of the other tests of this file."""
    account = {"sip.server": "127.0.99.1", "sip.user": "door", "sip.password": "x"}
    with Door(tmp_path_factory.mktemp("unheard"), account) as door:
        yield door


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", ["auth", ""])
def test_digest(tmp_path, algorithm, qop):
    with Kamailio(tmp_path / "kamailio", {"door": "open sesame"}, algorithm, qop) as kamailio:
        with Door(tmp_path / "door", _account(kamailio)) as door:
            assert kamailio.wait_contacts("door") == ["sip:door@%s:5060" % door.address]
            binding, = kamailio.bindings("door")
            assert 290 <= binding["Expires"] <= 300
            assert binding["CSeq"] == 2                     # one challenge, one answer to it
            status = door.wait_status("Registered at " + kamailio.address)
            assert "as door" in status and "open sesame" not in status
        log = kamailio.process.said()
        assert "CHALLENGE" in log and "INSANE" not in log


def test_wrong_password_is_said_in_words_and_can_be_put_right(tmp_path):
    with Kamailio(tmp_path / "kamailio", {"door": "open sesame"}) as kamailio:
        with Door(tmp_path / "door", {**_account(kamailio), "sip.password": "wrong"}) as door:
            status = door.wait_status("Not registered at %s as door: refused with 401" % kamailio.address)
            assert "sip.password" in status and "wrong" not in status
            assert kamailio.contacts("door") == []
            door.set("sip.password", "open sesame")
            kamailio.wait_contacts("door")
            door.wait_status("Registered at")


def test_unknown_user_is_said_in_words(tmp_path):
    with Kamailio(tmp_path / "kamailio", {"phone": "x"}) as kamailio:
        with Door(tmp_path / "door", _account(kamailio)) as door:
            assert "sip.user" in door.wait_status("Not registered at")


def test_account_with_another_name_for_authentication(tmp_path):
    """The Authorization names sip.auth_user; this Kamailio then refuses, as the name is not the account's."""
    with Kamailio(tmp_path / "kamailio", {"door": "open sesame", "id77": "open sesame"}) as kamailio:
        with Door(tmp_path / "door", {**_account(kamailio), "sip.auth_user": "id77"}) as door:
            assert "sip.auth_user" in door.wait_status("refused with 403 Forbidden")


def test_423_takes_the_interval_the_registrar_wants(tmp_path):
    with Kamailio(tmp_path / "kamailio", {"door": "open sesame"}, min_expires_s=120) as kamailio:
        with Door(tmp_path / "door", {**_account(kamailio), "sip.expires_s": 60}) as door:
            kamailio.wait_contacts("door")
            binding, = kamailio.bindings("door")
            assert 110 <= binding["Expires"] <= 120
            door.wait_status("Registered at")


def test_refresh_keeps_one_binding_and_survives_a_stale_nonce(tmp_path):
    """Bindings live 4 s and nonces 1 s here, so every refresh comes with a stale nonce: asked again, not given up."""
    with Kamailio(tmp_path / "kamailio", {"door": "open sesame"}, nonce_expire_s=1, max_expires_s=4) as kamailio:
        with Door(tmp_path / "door", _account(kamailio)) as door:
            kamailio.wait_contacts("door")
            first, = kamailio.bindings("door")
            kamailio.process.until(lambda: kamailio.stale_nonces() >= 2, "two refreshes with a stale nonce", 20)
            kamailio.process.until(lambda: kamailio.bindings("door")[0]["CSeq"] > first["CSeq"] + 2, "two refreshes", 5)
            last, = kamailio.bindings("door")
            assert last["Call-ID"] == first["Call-ID"] and last["Address"] == first["Address"]
            assert "Not registered" not in door.status()


def test_refresh_reuses_the_nonce(tmp_path):
    """A nonce that still lives is used again (its nonce count grows): one message a refresh, not two."""
    with Kamailio(tmp_path / "kamailio", {"door": "open sesame"}, max_expires_s=4) as kamailio:
        with Door(tmp_path / "door", _account(kamailio)):
            kamailio.wait_contacts("door")
            challenges = kamailio.process.said().count("CHALLENGE")
            first = kamailio.bindings("door")[0]["CSeq"]
            kamailio.process.until(lambda: kamailio.bindings("door")[0]["CSeq"] >= first + 2, "two refreshes", 20)
            assert kamailio.process.said().count("CHALLENGE") == challenges == 1


def test_leaving_for_the_plain_prompt_takes_the_binding_back(tmp_path):
    with Kamailio(tmp_path / "kamailio", {"door": "open sesame"}) as kamailio:
        with Door(tmp_path / "door", _account(kamailio)) as door:
            kamailio.wait_contacts("door")
            door.leave()
            kamailio.wait_contacts("door", 0)
            door.enter()
            kamailio.wait_contacts("door")


def test_an_account_is_set_while_it_runs(tmp_path):
    with Kamailio(tmp_path / "kamailio", {"door": "open sesame"}) as kamailio:
        with Door(tmp_path / "door", {}) as door:
            for key, value in _account(kamailio).items():
                door.set(key, value)
            kamailio.wait_contacts("door")
            door.wait_status("Registered at")


def test_a_server_that_does_not_answer_is_said_in_words(unheard):
    status = unheard.wait_status("Not registered", timeout_s=45)
    assert "no answer from 127.0.99.1" in status


def test_through_a_proxy_and_at_the_second_server_over_tcp(tmp_path):
    """The proxy's route on every request; then without it, and the server is gone for a while."""
    with Kamailio(tmp_path / "one", {"door": "open sesame"}) as one, Kamailio(tmp_path / "two", {"door": "open sesame"}) as two:
        with Kamailio(tmp_path / "edge", {}, behind=one, service_route=True) as edge:
            settings = _account(one, **{"sip.transport": "tcp", "sip.proxy": edge.address, "button.1.target": "nobody"})
            with Door(tmp_path / "door", settings, heap=BURST_HEAP) as door:
                door.wait_status("Registered at %s through %s as door" % (one.address, edge.address))
                binding, = one.bindings("door")
                assert edge.address in binding["Path"] and ";transport=tcp" in binding["Address"]
                door.press()
                door.expect("no such number there (404)")
                assert "Route <sip:out@%s:5060" % edge.address in edge.process.said()
                door.set("sip.proxy", "")
                door.set("sip.backup", two.address)
                one.wait_contacts("door")
                door.wait_status("Registered at %s as door" % one.address)
                one.off()
                two.wait_contacts("door", timeout_s=30)
                door.wait_status("Registered at %s as door" % two.address)
                one.on()
                one.wait_contacts("door", timeout_s=40)
                two.wait_contacts("door", 0)
                assert two.address not in door.status() and "MemoryError" not in door.said()
