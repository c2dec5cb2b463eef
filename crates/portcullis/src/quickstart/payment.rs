//! A payment of the quickstart, to be sealed: the request, its body, and the certificate for seals of whoever initiates it.

use std::{fs, path::Path};

use portcullis_test_pki::qc_statements::qc_type;
use portcullis_test_pki::{Authority, QcStatements, Role, TppCertificate, oid};

/// Who issues certificates for seals.
pub(super) const ANCHOR: &str = "qtsp-seals.pem";
/// The certificate in `tpp/`.
pub(super) const SEAL: &str = "pisp-seal";
pub(super) const REQUEST: &str = "payment.http";
pub(super) const BODY: &str = "payment.json";
const PAYMENT: &str = r#"{"instructedAmount":{"currency":"EUR","amount":"123.50"},"creditorName":"Buchhandlung am Markt","creditorAccount":{"iban":"DE02100100109307118603"}}"#;
/// qcp-l-qscd of EN 319 411-2 section 5.3.
const POLICY: &[u64] = &[0, 4, 0, 194_112, 1, 3];

/// Writes all of it. `pisp` is what the certificates of the provider have in common.
pub(super) fn make(directory: &Path, qtsp: &Authority, pisp: TppCertificate) -> anyhow::Result<()> {
    let statements = QcStatements::qwac().set(oid::QC_TYPE, Some(&qc_type(&[oid::QCT_ESEAL])));
    let seal = pisp.qc_statements(statements).roles([Role::PspPi]).policies([POLICY]);
    let seal = seal.extended_key_usages([]).names(Vec::<String>::new());
    seal.issue(qtsp)?.write(&directory.join("tpp"), SEAL)?;
    fs::write(directory.join(ANCHOR), qtsp.issuing_pem())?;
    fs::write(directory.join(BODY), PAYMENT)?;
    let head = "POST /v1/payments HTTP/1.1\nHost: localhost\nContent-Type: application/json\n";
    let length = PAYMENT.len();
    fs::write(directory.join(REQUEST), format!("{head}Content-Length: {length}\n\n{PAYMENT}"))?;
    Ok(())
}
