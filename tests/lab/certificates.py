"""The certificates and tokens of a test cluster, made with openssl."""
import base64
import json
import time

from .shell import run


def _openssl(*arguments, stdin=None):
    return run(["openssl", *arguments], stdin=stdin)


class Authority:
    """A certificate authority in a directory: ca.crt and ca.key."""

    def __init__(self, directory, name="strata-test"):
        self.directory = directory
        self.certificate, self.key = directory / "ca.crt", directory / "ca.key"
        directory.mkdir(parents=True, exist_ok=True)
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 3650,
                 "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self.key,
                 "-out", self.certificate)

    def issue(self, name, alternatives, days=3650):
        """A server's certificate: NAME.crt and NAME.key, written anew each time."""
        certificate, key = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", days,
                 "-subj", f"/CN={name}", "-addext", f"subjectAltName={','.join(alternatives)}",
                 "-addext", "basicConstraints=critical,CA:FALSE", "-CA", self.certificate, "-CAkey", self.key,
                 "-keyout", key, "-out", certificate)
        return certificate, key


def rsa_key(path):
    _openssl("genrsa", "-out", path, "2048")
    return path


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign_token(key, claims, directory):
    """A JSON Web Token, signed with an RSA key (RS256)."""
    head = _base64url(json.dumps({"alg": "RS256", "typ": "JWT"}).encode())
    signed = f"{head}.{_base64url(json.dumps(claims).encode())}"
    signature = directory / f"token-{time.monotonic_ns()}.sig"
    _openssl("dgst", "-sha256", "-sign", key, "-out", signature, stdin=signed)
    try:
        return f"{signed}.{_base64url(signature.read_bytes())}"
    finally:
        signature.unlink()
