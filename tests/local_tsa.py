"""A time stamping authority on this machine: OpenSSL's, behind a small HTTP server on the loopback.

`openssl ts -reply` makes every token, so no code of ours signs what ours verifies. No chain is added to the tokens:
OpenSSL 3.0 would write its certificates as a SET out of DER order, which strict readers refuse.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

POLICY = "1.3.6.1.4.1.57264.2"
"""Under which the local authority stamps; any object identifier does."""

OTHER_POLICY = "1.3.6.1.4.1.57264.3"

_CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = {policy}
other_policies = {other_policy}
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@dataclass(frozen=True)
class LocalTsa:
    """An authority with its keys in a folder. root: its root certificate, PEM."""

    folder: Path
    root: bytes

    def reply(self, query: bytes) -> bytes:
        """The response to a TimeStampReq, DER: granted, or a rejection."""
        (self.folder / "query.tsq").write_bytes(query)
        return self._openssl("ts", "-reply", "-queryfile", "query.tsq", "-config", "tsa.cnf")

    def stamp(self, data: bytes, *options: str) -> bytes:
        """A response over `data`, asked for with OpenSSL too. options: of `openssl ts -query`."""
        (self.folder / "data").write_bytes(data)
        query = self._openssl("ts", "-query", "-data", "data", "-cert", *(options or ("-sha256",)))
        return self.reply(query)

    def signed_as_token(self, response: bytes) -> bytes:
        """A response that states what `response` does, signed by this authority's key with OpenSSL's CMS command."""
        granted = tsp.TimeStampResp.load(response)
        content = granted["time_stamp_token"]["content"]["encap_content_info"]["content"]
        (self.folder / "tst.der").write_bytes(content.parsed.dump())
        signed = self._openssl(
            *("cms", "-sign", "-binary", "-nodetach", "-cades", "-nosmimecap", "-md", "sha256", "-outform", "DER"),
            *("-econtent_type", "1.2.840.113549.1.9.16.1.4", "-in", "tst.der"),
            *("-signer", "tsa.pem", "-inkey", "tsa.key"),
        )
        token = cms.ContentInfo.load(signed)
        remade: bytes = tsp.TimeStampResp({"status": granted["status"], "time_stamp_token": token}).dump()
        return remade

    def openssl_accepts(self, response: bytes, data: bytes) -> bool:
        """Whether `openssl ts -verify` takes the response for one over `data` by this authority."""
        (self.folder / "response.tsr").write_bytes(response)
        (self.folder / "data").write_bytes(data)
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-in", "response.tsr", "-data", "data", "-CAfile", "root.pem"],
            cwd=self.folder,
            capture_output=True,
        )
        assert (done.returncode == 0) == (b"Verification: OK" in done.stdout), done
        return done.returncode == 0

    def _openssl(self, *arguments: str) -> bytes:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


def make_local_tsa(
    folder: Path,
    *,
    lasts: timedelta = timedelta(days=30),
    since: datetime | None = None,
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    name: str = "Local Test TSA",
) -> LocalTsa:
    """An authority in `folder`. since, lasts: validity of its own certificate, by default from yesterday on; of the
    root, ten years around that. usages: what its certificate may be used for."""
    folder.mkdir(parents=True, exist_ok=True)
    begin = datetime.now(UTC) - timedelta(days=1) if since is None else since
    root_key, tsa_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = _name(f"{name} Root")
    root = (
        _builder(root_name, root_name, root_key.public_key(), begin - timedelta(days=1800), timedelta(days=3600))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    tsa = (
        _builder(_name(name), root_name, tsa_key.public_key(), begin, lasts)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    pem = root.public_bytes(Encoding.PEM)
    (folder / "root.pem").write_bytes(pem)
    (folder / "tsa.pem").write_bytes(tsa.public_bytes(Encoding.PEM))
    (folder / "tsa.key").write_bytes(tsa_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder, policy=POLICY, other_policy=OTHER_POLICY))
    return LocalTsa(folder, pem)


Answer = Callable[[bytes], tuple[int, str, bytes]]
"""Query -> status, content type, body."""


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Address of a server on the loopback that answers every POST with what `answer` gives."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.headers["Content-Type"], query))
            status, content_type, body = answer(query)
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:  # who asked had enough of it
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    asked: list[tuple[str, bytes]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/tsa"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def honest(tsa: LocalTsa) -> Answer:
    """What `tsa` answers."""
    lock = threading.Lock()  # its files are there once

    def answer(query: bytes) -> tuple[int, str, bytes]:
        with lock:
            return 200, "application/timestamp-reply", tsa.reply(query)

    return answer


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, begin: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
