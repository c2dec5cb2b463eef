//! Faults of what any certificate has: key, usages, names, sources of revocation, validity.

use super::{Fault, fault};
use crate::blueprint::{
    AIA, ALT_NAME, BASIC_CONSTRAINTS, CRL_POINTS, EKU, KEY_USAGE, POLICIES, access, crl_points, rsa_info,
};
use crate::der::{null, oid, oids, sequence, tlv, uri};

const OCSP: (&str, &str) = ("1.3.6.1.5.5.7.48.1", "http://ocsp.qtsp.example.com");
const CA_ISSUERS: (&str, &str) = ("1.3.6.1.5.5.7.48.2", "http://www.qtsp.example.com/ca3.cer");
const SERVER: &str = "1.3.6.1.5.5.7.3.1";
const CLIENT: &str = "1.3.6.1.5.5.7.3.2";

#[rustfmt::skip]
pub(super) const FAULTS: &[Fault] = &[
    fault("eku-absent", "no extKeyUsage", |c| c.without_extension(EKU)),
    fault("eku-server", "serverAuth alone", |c| c.extension(EKU, oids(&[SERVER]))),
    fault("eku-client", "clientAuth alone", |c| c.extension(EKU, oids(&[CLIENT]))),
    fault("eku-tls-binding", "tlsBinding alone: a 2-QWAC", |c| c.extension(EKU, oids(&["0.4.0.194115.1.0"]))),
    fault("eku-tls-binding-and-client", "tlsBinding beside clientAuth", |c| c.extension(EKU, oids(&["0.4.0.194115.1.0", CLIENT]))),
    fault("eku-email", "emailProtection alone", |c| c.extension(EKU, oids(&["1.3.6.1.5.5.7.3.4"]))),
    fault("eku-email-too", "emailProtection beside the others", |c| c.extension(EKU, oids(&[SERVER, CLIENT, "1.3.6.1.5.5.7.3.4"]))),
    fault("eku-any", "anyExtendedKeyUsage", |c| c.extension(EKU, oids(&["2.5.29.37.0"]))),
    fault("eku-empty", "extKeyUsage that names nothing", |c| c.extension(EKU, sequence(&[]))),
    fault("eku-null", "extKeyUsage that is no list", |c| c.extension(EKU, null())),
    fault("eku-critical", "extKeyUsage critical", |c| c.critical(EKU)),
    fault("eku-twice", "the extension extKeyUsage twice", |c| c.double(EKU)),
    fault("key-usage-absent", "no keyUsage", |c| c.without_extension(KEY_USAGE)),
    fault("key-usage-encipherment", "keyEncipherment alone", |c| c.extension(KEY_USAGE, tlv(0x03, &[5, 0x20]))),
    fault("key-usage-both", "digitalSignature and keyEncipherment", |c| c.extension(KEY_USAGE, tlv(0x03, &[5, 0xa0]))),
    fault("key-usage-cert-sign", "digitalSignature and keyCertSign", |c| c.extension(KEY_USAGE, tlv(0x03, &[2, 0x84]))),
    fault("key-usage-non-repudiation", "nonRepudiation alone", |c| c.extension(KEY_USAGE, tlv(0x03, &[6, 0x40]))),
    fault("key-usage-empty", "keyUsage without a bit", |c| c.extension(KEY_USAGE, tlv(0x03, &[0]))),
    fault("key-usage-padded", "keyUsage with trailing zero bits", |c| c.extension(KEY_USAGE, tlv(0x03, &[0, 0x80]))),
    fault("key-usage-not-critical", "keyUsage not critical", |c| c.uncritical(KEY_USAGE)),
    fault("aia-absent", "no authorityInfoAccess", |c| c.without_extension(AIA)),
    fault("aia-only-issuers", "no OCSP responder", |c| c.extension(AIA, access(&[CA_ISSUERS]))),
    fault("aia-only-ocsp", "no place of the issuer's certificate", |c| c.extension(AIA, access(&[OCSP]))),
    fault("aia-ldap", "an OCSP responder at ldap", |c| c.extension(AIA, access(&[("1.3.6.1.5.5.7.48.1", "ldap://ocsp.qtsp.example.com"), CA_ISSUERS]))),
    fault("aia-empty", "authorityInfoAccess that names nothing", |c| c.extension(AIA, sequence(&[]))),
    fault("aia-flat", "authorityInfoAccess without the inner SEQUENCE", |c| c.extension(AIA, sequence(&[&oid(OCSP.0), &uri(OCSP.1)]))),
    fault("crl-absent", "no cRLDistributionPoints beside an OCSP responder", |c| c.without_extension(CRL_POINTS)),
    fault("crl-ldap", "a CRL at ldap", |c| c.extension(CRL_POINTS, crl_points("ldap://crl.qtsp.example.com"))),
    fault("crl-empty", "cRLDistributionPoints that name nothing", |c| c.extension(CRL_POINTS, sequence(&[]))),
    fault("no-revocation-source", "neither OCSP responder nor CRL", |c| { c.extension(AIA, access(&[CA_ISSUERS])); c.without_extension(CRL_POINTS); }),
    fault("no-rev-avail", "noRevAvail and no source", |c| {
        c.extension(AIA, access(&[CA_ISSUERS]));
        c.without_extension(CRL_POINTS);
        c.extension("2.5.29.56", null());
    }),
    fault("validity-assured", "validity-assured short term and no source", |c| {
        c.extension(AIA, access(&[CA_ISSUERS]));
        c.without_extension(CRL_POINTS);
        c.extension("0.4.0.194121.2.1", null());
    }),
    fault("alt-name-absent", "no subjectAltName", |c| c.without_extension(ALT_NAME)),
    fault("alt-name-email", "an e-mail address alone", |c| c.extension(ALT_NAME, sequence(&[&tlv(0x81, b"a@tpp.example.com")]))),
    fault("alt-name-ip", "an IP address beside the name", |c| c.extension(ALT_NAME, sequence(&[&tlv(0x82, b"api.tpp.example.com"), &tlv(0x87, &[192, 0, 2, 1])]))),
    fault("alt-name-short-ip", "an IP address of three octets", |c| c.extension(ALT_NAME, sequence(&[&tlv(0x82, b"api.tpp.example.com"), &tlv(0x87, &[192, 0, 2])]))),
    fault("alt-name-not-ascii", "a dNSName that is not ASCII", |c| c.extension(ALT_NAME, sequence(&[&tlv(0x82, "käse.example.com".as_bytes())]))),
    fault("alt-name-empty", "subjectAltName that names nothing", |c| c.extension(ALT_NAME, sequence(&[]))),
    fault("alt-name-utf8", "subjectAltName of a UTF8String", |c| c.extension(ALT_NAME, sequence(&[&tlv(0x0c, b"api.tpp.example.com")]))),
    fault("ca", "a CA's certificate", |c| { c.extension(BASIC_CONSTRAINTS, sequence(&[&[0x01, 0x01, 0xff]])); c.critical(BASIC_CONSTRAINTS); }),
    fault("not-a-ca", "basicConstraints of no CA", |c| c.extension(BASIC_CONSTRAINTS, sequence(&[]))),
    fault("basic-constraints-null", "basicConstraints that are none", |c| c.extension(BASIC_CONSTRAINTS, null())),
    fault("unknown-critical", "an unknown extension marked critical", |c| { c.extension("1.2.3.4", null()); c.critical("1.2.3.4"); }),
    fault("unknown-extension", "an unknown extension, which is to be ignored", |c| c.extension("1.2.3.4", null())),
    fault("policies-extension-twice", "the extension certificatePolicies twice", |c| c.double(POLICIES)),
    fault("key-rsa-1024", "an RSA key of 1,024 bits", |c| c.key_info = Some(rsa_info(128))),
    fault("key-rsa-2048", "an RSA key of 2,048 bits", |c| c.key_info = Some(rsa_info(256))),
    fault("key-brainpool", "a key on brainpoolP256r1", |c| {
        let point = [&[0, 4][..], &[0x5a; 64]].concat();
        let algorithm = sequence(&[&oid("1.2.840.10045.2.1"), &oid("1.3.36.3.3.2.8.1.1.7")]);
        c.key_info = Some(sequence(&[&algorithm, &tlv(0x03, &point)]));
    }),
    fault("key-short-point", "a P-256 key of 63 octets", |c| {
        let point = [&[0, 4][..], &[0x5a; 63]].concat();
        let algorithm = sequence(&[&oid("1.2.840.10045.2.1"), &oid("1.2.840.10045.3.1.7")]);
        c.key_info = Some(sequence(&[&algorithm, &tlv(0x03, &point)]));
    }),
    fault("serial-negative", "a negative serial number", |c| c.serial_number = vec![0x80, 1]),
    fault("serial-zero", "the serial number 0", |c| c.serial_number = vec![0]),
    fault("serial-long", "a serial number of 21 octets", |c| c.serial_number = vec![0x4a; 21]),
    fault("expired", "ended in 2025", |c| { c.not_before = "250301000000Z"; c.not_after = "250831235959Z"; }),
    fault("not-yet-valid", "begins in 2049", |c| { c.not_before = "490101000000Z"; c.not_after = "490630235959Z"; }),
    fault("long-validity", "valid for ten years", |c| c.not_after = "360831235959Z"),
];
