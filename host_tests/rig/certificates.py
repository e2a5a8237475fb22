"""Certificates for the tests' servers, made on the spot: an authority, and what it signs.

    authority = Authority(folder)
    certificate, key = authority.server("127.0.100.3", "pbx.test")      paths of PEM files
    authority.pem, authority.der                                        paths of the authority's own certificate
"""
import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


def _key(kind):
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


def _write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


class Authority:
    """A certificate authority in `folder`. `kind` of its key, and of the servers': "ec" (P-256) or "rsa" (2048 bits)."""

    def __init__(self, folder, kind="ec", name="sipdoor tests"):
        self.folder = str(folder)
        self.kind = kind
        os.makedirs(self.folder, exist_ok=True)
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = _key(kind)
        self._certificate = self._sign(self._name, self._key, None, x509.BasicConstraints(True, 0), -1, 10)
        self.pem = _write(os.path.join(self.folder, "authority.pem"), self._pem(self._certificate))
        self.der = _write(os.path.join(self.folder, "authority.der"),
                          self._certificate.public_bytes(serialization.Encoding.DER))

    @staticmethod
    def _pem(certificate):
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _sign(self, subject, key, names, constraints, from_days, to_days, issuer=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or self._name)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days=from_days))
                   .not_valid_after(now + datetime.timedelta(days=to_days))
                   .add_extension(constraints, critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key((key if issuer else self._key).public_key()),
                                  critical=False))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        else:
            builder = builder.add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
        return builder.sign(key if issuer else self._key, hashes.SHA256())

    def server(self, *names, from_days=-1, to_days=1, self_signed=False):
        """A certificate for these names and addresses, the first also its common name, good from `from_days` to `to_days`
        from now -> (path of the certificate, path of its key), PEM. `self_signed`: the authority has no part in it."""
        key = _key(self.kind)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        alternatives = []
        for name in names:
            try:
                alternatives.append(x509.IPAddress(ipaddress.ip_address(name)))
            except ValueError:
                alternatives.append(x509.DNSName(name))
        certificate = self._sign(subject, key, alternatives, x509.BasicConstraints(self_signed, None), from_days, to_days,
                                 subject if self_signed else None)
        base = os.path.join(self.folder, "%s-%x" % (names[0], certificate.serial_number & 0xFFFFFF))
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL,
                                    serialization.NoEncryption())
        return _write(base + ".pem", self._pem(certificate)), _write(base + ".key", private)

    @staticmethod
    def to_der(path):
        """A PEM certificate's bytes as DER."""
        with open(path, "rb") as f:
            return x509.load_pem_x509_certificate(f.read()).public_bytes(serialization.Encoding.DER)
