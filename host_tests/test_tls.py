"""TLS, by CPython's ssl and by MicroPython's, against a server of Python's own: certificates, names, and the clock."""

import socket
import ssl
import subprocess
import sys
import threading

import pytest

from host_tests.rig import addresses
from host_tests.rig.certificates import Authority
from tools import build

ROOT = build.ROOT
SCRIPT = ROOT / "host_tests" / "agent_script.py"


class Server:
    """Answers each OPTIONS on a TLS connection with 200; counts connections and remembers the names asked for. Without a
    certificate it says something else than TLS."""

    def __init__(self, address, certificate):
        self.names, self.connections = [], 0
        self.context = certificate and ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if certificate:
            self.context.load_cert_chain(*certificate)
            self.context.sni_callback = lambda sock, name, context: self.names.append(name)
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        from sip.message import parse, response
        from sip.stream import frame

        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            data = b""
            try:
                raw.settimeout(10)
                if self.context is None:
                    raw.sendall(b"220 mail.test ESMTP\r\n")
                    raw.recv(5000)
                    raw.close()
                    continue
                with self.context.wrap_socket(raw, server_side=True) as sock:
                    while True:
                        more = sock.recv(5000)
                        if not more:
                            break
                        data += more
                        if frame(data) > 0:
                            assert b"Via: SIP/2.0/TLS " in data
                            answer = response(parse(data), 200, to_tag=b"t")
                            sock.sendall(answer[:100])  # in two records
                            sock.sendall(answer[100:])
                            data = b""
            except OSError:
                pass

    def stop(self):
        self.listener.close()


@pytest.fixture(params=["cpython", "micropython"])
def run(request, built):
    """A function: (certificate, ca path, name) -> the lines that the script printed, and the Server."""
    address = addresses.take()
    servers = []

    def go(certificate, ca, name="", *more):
        server = Server(address, certificate)
        servers.append(server)
        if request.param == "cpython":
            command = [sys.executable, str(SCRIPT), "%s,%s" % (ROOT / "build/plain", ROOT / "boards/PC")]
        else:
            command = [build.interpreter(), "-X", "heapsize=1M", str(SCRIPT), str(built)]
        done = subprocess.run(command + [address, "5060", str(server.port), "TLS", name, str(ca), *more], capture_output=True, text=True,
                              timeout=60)
        assert "faults 0" in done.stdout, done.stdout + done.stderr
        return [line.split(" ", 1) for line in done.stdout.splitlines()], server

    yield go
    for server in servers:
        server.stop()
    addresses.give_back(address)


@pytest.fixture(scope="module", params=["ec", "rsa"])
def authority(request, tmp_path_factory):
    return Authority(tmp_path_factory.mktemp(request.param), request.param)


def outcomes(lines):
    return [line[1] for line in lines if line[0] == "outcome"]


def test_a_server_that_our_authority_knows_is_talked_to_on_one_connection(run, authority):
    lines, server = run(authority.server("pbx.test"), authority.der, "pbx.test")
    assert outcomes(lines) == ["200", "200"]
    assert server.connections == 1 and server.names == ["pbx.test"]
    print("the longest that the loop stood still: %s ms" % dict(lines)["longest"])


def test_a_self_signed_certificate_is_its_own_anchor(run, authority, tmp_path):
    certificate = authority.server("pbx.test", self_signed=True)
    (tmp_path / "own.der").write_bytes(authority.to_der(certificate[0]))
    lines, _ = run(certificate, tmp_path / "own.der", "pbx.test")
    assert outcomes(lines) == ["200", "200"]


def test_the_anchor_may_be_one_of_several(run, authority, tmp_path):
    others = [Authority(tmp_path / name, "ec", name) for name in ("one", "two")]
    with open(tmp_path / "all.der", "wb") as file:
        for path in (others[0].der, authority.der, others[1].der):
            with open(path, "rb") as one:
                file.write(one.read())
    lines, _ = run(authority.server("pbx.test"), tmp_path / "all.der", "pbx.test")
    assert outcomes(lines) == ["200", "200"]


@pytest.mark.parametrize(
    "how, words",
    [
        (dict(from_days=-3, to_days=-2), "has expired, or the clock is wrong: it says 20"),
        (dict(from_days=2, to_days=3), "is not valid yet, or the clock is wrong: it says 20"),
        (dict(self_signed=True), "is signed by nobody the door trusts: sip.tls_ca must name"),
        (dict(name="other.test"), "is for another name than 'pbx.test': set sip.tls_name"),
    ],
    ids=["expired", "future", "unknown", "name"],
)
def test_a_certificate_that_is_not_to_be_believed_is_refused_in_words(run, authority, how, words):
    how = dict(how)
    lines, _ = run(authority.server(how.pop("name", "pbx.test"), **how), authority.der, "pbx.test")
    for outcome in outcomes(lines):
        assert outcome.startswith("TLS: the server's certificate " + words), outcome
    assert len(outcomes(lines)) == 2


@pytest.mark.parametrize("content, words", [(None, "there is no file"), (b"-----BEGIN", "is no DER certificate")])
def test_what_is_no_certificate_is_said(run, authority, tmp_path, content, words):
    if content:
        (tmp_path / "ca.der").write_bytes(content)
    lines, _ = run(authority.server("pbx.test"), tmp_path / "ca.der", "pbx.test")
    assert all(outcome.startswith("TLS: ") and words in outcome for outcome in outcomes(lines)), lines


def test_nothing_is_said_before_the_time_is_known(run, authority):
    lines, server = run(authority.server("pbx.test"), authority.der, "pbx.test", "wait")
    assert lines[0] == ["flows", "[(b'TLS', None)]"]
    assert outcomes(lines) == ["200", "200"]


def test_a_server_that_speaks_no_tls_is_said_to(run, authority):
    lines, _ = run(None, authority.der, "pbx.test")
    assert len(outcomes(lines)) == 2
    assert all(outcome.startswith("TLS: ") for outcome in outcomes(lines))
