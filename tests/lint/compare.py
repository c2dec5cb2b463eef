#!/usr/bin/env python3
"""Two judges of the same certificates: lint_etsi_cert (package pkilint) and `portcullis inspect`.

usage: compare.py PORTCULLIS DIRECTORY [TABLE]

DIRECTORY is where `cargo run -p portcullis-test-pki --example faulty_certificates -- DIRECTORY` wrote the certificates,
PORTCULLIS the built binary. Run it with a Python that has pkilint: `python3 -m venv V && V/bin/pip install pkilint==0.13.3`.
TABLE is where the result goes, docs/lint-comparison.md by default.

mapping.json beside this file says which rules the two share, and which only one of them has and why. Where one of them
reports a shared rule and the other says nothing, and no reason is written down, the exit status is 1.
"""

import json
import logging
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from pkilint import etsi, finding_filter, loader
from pkilint.etsi import etsi_constants
from pkilint.pkix import certificate

# A PSD2 QWAC outside browsers' hierarchies.
TYPE = "QEVCP-W-PSD2-EIDAS-NON-BROWSER-FINAL-CERTIFICATE"
# Within the validity of the certificates.
AT = "2026-11-24T00:00:00Z"
ERRORS = {"ERROR", "FATAL"}
MENTIONED = ERRORS | {"WARNING"}


class Linter:
    def __init__(self):
        logging.disable(logging.CRITICAL)
        kind = etsi_constants.CertificateType.from_option_str(TYPE)
        self.filters = etsi.create_etsi_finding_filters(kind)
        self.validator = certificate.create_pkix_certificate_validator_container(
            etsi.create_decoding_validators(kind), etsi.create_validators(kind)
        )

    def findings(self, path):
        """Pairs of code and severity."""
        with open(path, "rb") as file:
            document = loader.RFC5280CertificateDocumentLoader().load_der_file(file, path.name)
        results, _ = finding_filter.filter_results(self.filters, self.validator.validate(document.root))
        described = (one.finding for result in results for one in result.finding_descriptions)
        return {(finding.code, finding.severity.name) for finding in described}


def inspect(portcullis, path):
    """Codes with their severities, in order."""
    command = [portcullis, "inspect", "--format", "json", "--at", AT, str(path)]
    output = subprocess.run(command, capture_output=True, check=False)
    if output.returncode not in (0, 1):
        sys.exit(f"{path}: {output.stderr.decode()}")
    return [(finding["code"], finding["severity"]) for finding in json.loads(output.stdout)["findings"]]


def unmatched(mapping, theirs, ours):
    """Codes of either side that the other has no counterpart for, and that no list excuses."""
    said_by_us = {code for code, _ in ours}
    said_by_them = {code for code, severity in theirs if severity in MENTIONED}
    silent = []
    for code in sorted(code for code, severity in theirs if severity in ERRORS):
        groups = [group for group in mapping["shared"] if code in group["theirs"]]
        if code not in mapping["theirs_only"] and not any(said_by_us & set(group["ours"]) for group in groups):
            silent.append(f"they: {code}")
    for code in sorted(said_by_us - mapping["ours_only"].keys()):
        groups = [group for group in mapping["shared"] if code in group["ours"]]
        if not any(said_by_them & set(group["theirs"]) for group in groups):
            silent.append(f"we: {code}")
    return silent


def row(cells):
    return "| " + " | ".join(cells) + " |\n"


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    portcullis, directory = sys.argv[1], Path(sys.argv[2])
    here = Path(__file__).resolve().parent
    table = Path(sys.argv[3]) if len(sys.argv) == 4 else here / "../../docs/lint-comparison.md"
    mapping = json.loads((here / "mapping.json").read_text())
    linter, rows, disagreements, excused = Linter(), [], [], set()
    cases = [line.split("\t") for line in (directory / "cases.tsv").read_text().splitlines()]
    for name, what in cases:
        path = directory / f"{name}.der"
        theirs, ours = linter.findings(path), inspect(portcullis, path)
        silent = unmatched(mapping, theirs, ours)
        reason = mapping["cases"].get(name) if silent else None
        if reason:
            excused.add(name)
        elif silent:
            disagreements.append(f"{name}: {', '.join(silent)}")
        errors = sorted(code for code, severity in theirs if severity in ERRORS and code not in mapping["theirs_only"])
        told = "; ".join(f"`{code}`" for code in errors) or "–"
        ours = "; ".join(f"{severity} `{code}`" for code, severity in ours) or "–"
        rows.append(row([name, what, told, ours, reason or ("differs" if silent else "agrees")]))
    table.write_text(page(mapping, cases, rows, len(excused)))
    for unused in sorted(mapping["cases"].keys() - excused):
        disagreements.append(f"{unused}: a reason is written down, and there is nothing to excuse")
    print(f"{len(cases)} certificates, {len(excused)} with a reason for a difference, {len(disagreements)} without")
    print(*disagreements, sep="\n", end="\n" if disagreements else "")
    return 1 if disagreements else 0


def page(mapping, cases, rows, excused):
    head = f"""# Beside another judge

The same {len(cases)} certificates judged by `lint_etsi_cert` of pkilint {version("pkilint")} (type `{TYPE}`) and by
[`portcullis inspect`](inspect.md) with its defaults at {AT}. The test PKI makes them: a conforming QWAC with one property
broken, or with a few. `tests/lint/compare.py` writes this page and fails where one judge reports a rule that both have
and the other says nothing, unless the reason is written down in `tests/lint/mapping.json`. {len(cases) - excused} agree in the rules that
both have; of {excused} the last column tells why not. A form error that stops `lint_etsi_cert` from reading a structure is
`itu.invalid_asn1_syntax` to it, and has a code of its own here.

"""
    rules = "".join(row([f"`{code}`", reason]) for code, reason in sorted(mapping["theirs_only"].items()))
    own = "".join(row([f"`{code}`", reason]) for code, reason in sorted(mapping["ours_only"].items()))
    return (
        head
        + row(["case", "what is broken", "errors of lint_etsi_cert", "portcullis", "result"])
        + "|---|---|---|---|---|\n"
        + "".join(rows)
        + "\n## Rules that only lint_etsi_cert has\n\nLeft out of the table above.\n\n| code | why |\n|---|---|\n"
        + rules
        + "\n## Rules that only Portcullis has\n\n| code | why lint_etsi_cert says nothing |\n|---|---|\n"
        + own
    )


if __name__ == "__main__":
    sys.exit(main())
