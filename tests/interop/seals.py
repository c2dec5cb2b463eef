#!/usr/bin/env python3
"""The same seals by two implementations: Python packages, and Portcullis.

usage: seals.py PORTCULLIS SEAL [TABLE]

PORTCULLIS is the built binary, SEAL the example `seal` of crates/seal (`cargo build -p portcullis-seal --example seal`).
Run it with a Python that has both packages: `python3 -m venv V && V/bin/pip install http-message-signatures==3.0.0
httpsig==1.3.0 requests==2.34.2 'setuptools<81'` (httpsig needs pkg_resources). TABLE is where the result goes,
docs/seals-comparison.md by default.

Each request is sealed by one and judged by the other, whole and spoilt. Where a judge says something else than CASES
expect, the exit status is 1.
"""

import base64
import datetime
import hashlib
import json
import subprocess
import sys
import tempfile
from email.utils import formatdate
from importlib.metadata import version
from pathlib import Path

import http_message_signatures
import httpsig.sign
import httpsig.verify
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, InvalidSignature, algorithms
from requests.structures import CaseInsensitiveDict

NOW = int(datetime.datetime.now(datetime.timezone.utc).timestamp())
HOUR_S = 3600
AUTHORITY = "api.bank.example"
TARGET = "/v1/payments/sepa-credit-transfers?dry-run=true&name=M%C3%BCller"
BODY = b'{"instructedAmount":{"currency":"EUR","amount":"123.50"}}'
CERTIFICATE = "TPP-Signature-Certificate"

# Names of an algorithm: Portcullis', httpsig's or http-message-signatures', and the kind of key.
DRAFT = [("rsa-v1_5-sha256", "rsa-sha256", "rsa"), ("rsa-v1_5-sha512", "rsa-sha512", "rsa")]
RFC = [
    ("rsa-pss-sha512", algorithms.RSA_PSS_SHA512, "rsa"),
    ("rsa-v1_5-sha256", algorithms.RSA_V1_5_SHA256, "rsa"),
    ("ecdsa-p256-sha256", algorithms.ECDSA_P256_SHA256, "p256"),
    ("ecdsa-p384-sha384", algorithms.ECDSA_P384_SHA384, "p384"),
    ("ed25519", algorithms.ED25519, "ed25519"),
]


class Credential:
    """A key and its certificate, from a CA of its own."""

    SERIAL = 0x00F3A1_0000_0000_0000_0000_0000_0000_0B

    def __init__(self, kind):
        make = {
            "rsa": lambda: rsa.generate_private_key(65537, 2048),
            "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
            "ed25519": ed25519.Ed25519PrivateKey.generate,
        }
        self.key = make[kind]()
        issuer = x509.Name([
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Falkenberg Vertrauensdienste, GmbH"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Falkenberg Seal CA 2"),
        ])
        subject = x509.Name([
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Lindenblatt Kontodienst GmbH"),
            x509.NameAttribute(ObjectIdentifier("2.5.4.97"), "PSDDE-BAFIN-104114"),
        ])
        now = datetime.datetime.now(datetime.timezone.utc)
        day = datetime.timedelta(days=1)
        builder = x509.CertificateBuilder(issuer, subject, self.key.public_key(), self.SERIAL, now - day, now + day)
        certificate = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        self.der = certificate.public_bytes(serialization.Encoding.DER)
        self.key_id = f"SN={self.SERIAL:X},CA={issuer.rfc4514_string()}"
        self.thumbprint = base64.urlsafe_b64encode(hashlib.sha256(self.der).digest()).rstrip(b"=").decode()

    def private(self, encoding):
        return self.key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def public_pem(self):
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(encoding, form)


class Request:
    """A request; fields in a list, since one may come twice."""

    method = "POST"
    url = f"https://{AUTHORITY}{TARGET}"

    def __init__(self, fields, body):
        self.fields, self.body = list(fields), body

    @classmethod
    def new(cls, body, sealed_at):
        date = formatdate(sealed_at, usegmt=True)
        identifier = "b463a960-9616-4df6-909f-f80884190c22"
        return cls([("Host", AUTHORITY), ("Date", date), ("X-Request-ID", identifier), ("PSU-ID", "Anna")], body)

    @property
    def headers(self):
        """As both packages take them: values under one name joined, in order."""
        joined = CaseInsensitiveDict()
        for name, value in self.fields:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return joined

    def dump(self):
        lines = [f"{self.method} {TARGET} HTTP/1.1", *(f"{name}: {value}" for name, value in self.fields), "", ""]
        return "\r\n".join(lines).encode() + self.body

    @classmethod
    def parse(cls, dump):
        head, body = dump.split(b"\r\n\r\n", 1)
        return cls([tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")[1:]], body)


def sealed_by_httpsig(request, credential, name):
    digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    request.fields += [("Digest", f"SHA-256={digest}"), (CERTIFICATE, base64.b64encode(credential.der).decode())]
    covered = ["digest", "x-request-id", "psu-id", "date"]
    # A backslash of a name in text needs another before it within quotes.
    key_id = credential.key_id.replace("\\", "\\\\")
    pem = credential.private(serialization.Encoding.PEM)
    signer = httpsig.sign.HeaderSigner(key_id, pem, name, covered, sign_header="signature")
    request.fields.append(("Signature", signer.sign(request.headers)["signature"]))
    return request


def sealed_by_http_message_signatures(request, credential, algorithm, sealed_at):
    request.fields.append((CERTIFICATE, base64.b64encode(credential.der).decode()))
    keys = http_message_signatures.MappingKeyResolver(
        public_keys={}, private_keys={credential.thumbprint: credential.key}
    )
    headers = request.headers
    message = type("Message", (), {"method": request.method, "url": request.url, "headers": headers})()
    HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=keys).sign(
        message,
        key_id=credential.thumbprint,
        created=datetime.datetime.fromtimestamp(sealed_at, datetime.timezone.utc),
        covered_component_ids=("@method", "@target-uri", "x-request-id", "psu-id", '"@query-param";name="name"'),
        body=request.body,
    )
    known = {name.lower() for name, _ in request.fields}
    request.fields += [(name, value) for name, value in headers.items() if name.lower() not in known]
    return request


def sealed_by_portcullis(seal, request, credential, profile, algorithm, sealed_at):
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.der"), Path(folder, "certificate.der")
        key.write_bytes(credential.private(serialization.Encoding.DER))
        certificate.write_bytes(credential.der)
        command = [seal, profile, algorithm, key, certificate, str(sealed_at)]
        output = subprocess.run(command, input=request.dump(), capture_output=True, check=False)
    if output.returncode != 0:
        sys.exit(f"{profile} {algorithm}: {output.stderr.decode()}")
    return Request.parse(output.stdout)


def told_by_portcullis(portcullis, request, profile):
    """The code, or `verified`."""
    command = [portcullis, "verify-request", "-", "--format", "json", "--profile", profile]
    output = subprocess.run(command, input=request.dump(), capture_output=True, check=False)
    if output.returncode not in (0, 1):
        sys.exit(output.stderr.decode())
    return json.loads(output.stdout)["code"] or "verified"


def told_by_httpsig(request, credential):
    try:
        verifier = httpsig.verify.HeaderVerifier(
            request.headers, credential.public_pem(), ["digest", "x-request-id"], sign_header="signature"
        )
        return "verified" if verifier.verify() else "signature"
    except Exception as error:  # It has no type of its own for a field that is missing.
        return f"error: {error}"


def told_by_http_message_signatures(request, credential, algorithm):
    keys = http_message_signatures.MappingKeyResolver(
        public_keys={credential.thumbprint: credential.key.public_key()}, private_keys={}
    )
    message = type("Message", (), {"method": request.method, "url": request.url, "headers": request.headers})()
    try:
        HTTPMessageVerifier(signature_algorithm=algorithm, key_resolver=keys).verify(
            message, max_age=datetime.timedelta(minutes=5), body=request.body
        )
        return "verified"
    except (InvalidSignature, http_message_signatures.HTTPMessageSignaturesException) as error:
        return f"error: {error}" if str(error) else "signature"


def with_leading_zero():
    """A body whose digest begins with a zero byte."""
    for number in range(1 << 16):
        body = b'{"number":%d}' % number
        if hashlib.sha256(body).digest()[0] == 0:
            return body
    sys.exit("no such body")


def change_body(request):
    request.body = request.body[:-2] + bytes([request.body[-2] ^ 1]) + request.body[-1:]


def drop(request):
    request.fields = [field for field in request.fields if field[0].lower() != "x-request-id"]


def double(request):
    request.fields.append(("X-Request-ID", request.headers["x-request-id"]))


def leave(_):
    pass


# How a request is spoilt once it is sealed, what its body is, how long before the present it is sealed, whether the
# judge is to think that a foreign key sealed it; what Portcullis says, what httpsig, what http-message-signatures.
CASES = {
    "nothing": (leave, BODY, 0, False, "verified", "verified", "verified"),
    "its digest begins with a zero byte": (leave, with_leading_zero(), 0, False, "verified", "verified", "verified"),
    "a byte of the body": (change_body, BODY, 0, False, "seal.digest", "verified", "error"),
    "X-Request-ID dropped": (drop, BODY, 0, False, "seal.component", "error", "error"),
    "X-Request-ID doubled": (double, BODY, 0, False, "seal.duplicate-field", "signature", "signature"),
    "sealed an hour ago": (leave, BODY, HOUR_S, False, "seal.stale", "verified", "error"),
    "sealed with a foreign key": (leave, BODY, 0, True, "seal.signature", "signature", "signature"),
}
REMARKS = {
    ("httpsig", "a byte of the body"): "it does not look at the body",
    ("httpsig", "sealed an hour ago"): "it does not look at the time",
}


def with_key_of(credential, other):
    """A certificate, and a key that is not its."""
    foreign = object.__new__(Credential)
    foreign.__dict__ = {**credential.__dict__, "key": other.key}
    return foreign


def rows(portcullis, seal):
    """Who sealed and who judged, the algorithm, the case, what was told, what was expected."""
    credentials = {kind: Credential(kind) for kind in ("rsa", "p256", "p384", "ed25519")}
    others = {kind: Credential(kind) for kind in credentials}
    for case, (spoil, body, age, is_foreign, *expected) in CASES.items():
        sealed_at = NOW - age
        for profile, algorithm_rows in (("berlin-group", DRAFT), ("message-signatures", RFC)):
            is_draft = profile == "berlin-group"
            package = "httpsig" if is_draft else "http-message-signatures"
            for ours, theirs, kind in algorithm_rows:
                credential = credentials[kind]
                signer = with_key_of(credential, others[kind]) if is_foreign else credential
                new = Request.new(body, sealed_at)
                if is_draft:
                    request = sealed_by_httpsig(new, signer, theirs)
                else:
                    request = sealed_by_http_message_signatures(new, signer, theirs, sealed_at)
                spoil(request)
                yield package, "Portcullis", ours, case, told_by_portcullis(portcullis, request, profile), expected[0]
                new = Request.new(body, sealed_at)
                request = sealed_by_portcullis(seal, new, signer, profile, ours, sealed_at)
                spoil(request)
                if is_draft:
                    told = told_by_httpsig(request, credential)
                else:
                    told = told_by_http_message_signatures(request, credential, theirs)
                yield "Portcullis", package, ours, case, told, expected[1 if is_draft else 2]


def page(table):
    packages = " and ".join(f"{name} {version(name)}" for name in ("httpsig", "http-message-signatures"))
    draft, rfc = (", ".join(f"`{row[0]}`" for row in rows) for rows in (DRAFT, RFC))
    pairs = list(dict.fromkeys((sealed_by, judged_by) for sealed_by, judged_by, *_ in table))
    lines = [
        "# Seals beside other implementations",
        "",
        f"The same requests sealed by two Python packages, {packages}, and judged by",
        "[`portcullis verify-request`](seals.md), and sealed by the example `seal` of `crates/seal` and judged by the packages: whole, and",
        f"spoilt in one way each. httpsig has what the Berlin Group builds on, with {draft};",
        f"http-message-signatures has RFC 9421, with {rfc}.",
        "httpsig knows no ECDSA, so that ECDSA under the Berlin Group's profile is not compared here. The certificate's issuer has a comma in",
        'its name; the target has a parameter that is percent-encoded, which http-message-signatures covers by `"@query-param"` too.',
        "`tests/interop/seals.py` makes keys and certificates, writes this page, and fails where a judge says something else than is",
        f"expected of it. {len(table)} judgements of {datetime.date.today()}; where algorithms differ in what is told, a cell has more than one entry.",
        "",
        f"| spoilt | {' | '.join(f'{sealed_by}, judged by {judged_by}' for sealed_by, judged_by in pairs)} |",
        "|---" * (len(pairs) + 1) + "|",
    ]
    for case in CASES:
        cells = []
        for pair in pairs:
            told = dict.fromkeys(row[4] for row in table if row[:2] == pair and row[3] == case)
            remark = REMARKS.get((pair[1], case))
            cells.append("; ".join(told) + (f": {remark}" if remark else ""))
        lines.append(f"| {case} | {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    portcullis, seal, *rest = sys.argv[1:]
    target = Path(rest[0]) if rest else Path(__file__).parents[2] / "docs/seals-comparison.md"
    table = list(rows(portcullis, seal))
    target.write_text(page(table))
    unexpected = [row for row in table if row[4].split(":")[0] != row[5]]
    for row in unexpected:
        print(*row, sep="\t")
    print(f"{len(table)} judgements, {len(unexpected)} of them not as expected")
    sys.exit(1 if unexpected else 0)


if __name__ == "__main__":
    main()
