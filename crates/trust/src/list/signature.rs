//! Whether a list is signed by one who may (TS 119 612 clause 5.7, EN 319 132-1).
//!
//! The mathematics of XML signatures are bergshamra's. What they must be over, with which algorithms and by whom is
//! settled here, before it is asked: a signature that holds over something else than the list is worth nothing.

use aws_lc_rs::digest;
use bergshamra::keys::loader::load_x509_cert_der;
use bergshamra::xml::uppsala::{Document, NodeId};
use bergshamra::{DsigContext, KeysManager, VerifyResult};
use portcullis_identity::{Thumbprint, Validity};
use rustls_pki_types::CertificateDer;

use super::element::{Element, ns};
use super::error::ListError;
use super::short_rsa::ShortRsa;
use super::time::unix_seconds;

const SIGNED_PROPERTIES: &str = "http://uri.etsi.org/01903#SignedProperties";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
/// Canonicalisations without comments: what is read leaves them out too.
const CANONICALISATIONS: [&str; 3] = [
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/2006/12/xml-c14n11",
];
/// Digests of references. SHA-1 is none of them.
const DIGESTS: [&str; 3] = [
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
];
/// Signatures with a public key. A MAC is none of them: a certificate's key, which everybody has, would make it.
const SIGNATURES: [&str; 9] = [
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
    "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1",
    "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
];
/// Certificates in a signature that are looked at.
const CERTIFICATES_MAX: usize = 16;

/// A signature that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// SHA-256 of the signer's certificate, which is byte for byte one of those that may sign.
    pub signer: Thumbprint,
    /// When it was signed, as the signer says, in Unix seconds.
    pub signing_time: i64,
}

impl Signature {
    /// Verifies the signature of a document, of which `text` is the text. It holds if it is the only one, is enveloped in
    /// the document, signs all of it and its own `SignedProperties` and nothing else, was made with the key of one of
    /// `signers`, names that certificate by its digest, and was made in its validity.
    ///
    /// Whether the certificate is valid now does not matter, nor who issued it (TS 119 615 clause 4.1): the pointer to it
    /// is what counts.
    pub(super) fn verify(
        document: &Document<'_>,
        text: &str,
        signers: &[CertificateDer<'_>],
    ) -> Result<Self, ListError> {
        let signature = only_signature(document)?;
        let signed = SignedParts::read(document, signature)?;
        let signer = signed.signer(signers)?;
        let time = signed.signing_time;
        let validity = Validity::of_certificate(signer).map_err(|error| {
            ListError::signature(format!("the signer's certificate cannot be read: {error}"))
        })?;
        if !(validity.not_before..=validity.not_after).contains(&time) {
            return Err(ListError::signature("it was made outside the validity of the signer's certificate"));
        }
        verify_mathematics(document, text, signature.node(), &signed, signer)?;
        Ok(Self { signer: Thumbprint::of(signer), signing_time: time })
    }
}

/// The signature, a child of the outermost element. One that is elsewhere counts too, so that none can hide.
fn only_signature<'d>(document: &'d Document<'d>) -> Result<Element<'d>, ListError> {
    let signatures = Element::everywhere(document, ns::DSIG, "Signature");
    match signatures.as_slice() {
        [] => Err(ListError::NoSignature),
        [only] if only.parent() == document.document_element() => Ok(*only),
        [_] => Err(ListError::signature("it is not enveloped: its parent is not the outermost element")),
        several => Err(ListError::NotOneSignature { found: several.len() }),
    }
}

/// The parts of a signature, found to be in their places.
struct SignedParts<'d> {
    /// Those in `KeyInfo`.
    certificates: Vec<CertificateDer<'static>>,
    properties: Element<'d>,
    /// The signature's algorithm.
    method: &'d str,
    /// The digest of the signer's certificate, with its algorithm.
    certificate_digest: (&'static digest::Algorithm, Vec<u8>),
    signing_time: i64,
}

impl<'d> SignedParts<'d> {
    fn read(document: &'d Document<'d>, signature: Element<'d>) -> Result<Self, ListError> {
        let broken = |error: ListError| match error {
            ListError::Content { reason } => ListError::signature(reason),
            other => other,
        };
        let info = signature.required(ns::DSIG, "SignedInfo").map_err(broken)?;
        signature.required(ns::DSIG, "SignatureValue").map_err(broken)?;
        let properties = signed_properties(signature).map_err(broken)?;
        let method = signature_method(info).map_err(broken)?;
        check_references(document, info, properties).map_err(broken)?;
        let certificates =
            signature.child(ns::DSIG, "KeyInfo").map_err(broken)?.map(certificates).unwrap_or_default();
        let signed = properties.required(ns::XADES, "SignedSignatureProperties").map_err(broken)?;
        let time = signed.required(ns::XADES, "SigningTime").map_err(broken)?.text();
        Ok(Self {
            certificates,
            properties,
            method,
            certificate_digest: certificate_digest(signed).map_err(broken)?,
            signing_time: unix_seconds(&time).ok_or_else(|| {
                ListError::signature(format!("SigningTime `{}` is no time", time.escape_debug()))
            })?,
        })
    }

    /// The certificate that the signature says it was made with, if it is one of `signers`.
    fn signer<'s, 'c>(&self, signers: &'s [CertificateDer<'c>]) -> Result<&'s CertificateDer<'c>, ListError> {
        let mut shown = self
            .certificates
            .iter()
            .filter_map(|shown| signers.iter().find(|signer| *signer == shown))
            .peekable();
        if shown.peek().is_none() {
            let presented = self.certificates.first().map(|certificate| Thumbprint::of(certificate));
            return Err(ListError::WrongSigner { presented, allowed: signers.len() });
        }
        let (algorithm, expected) = &self.certificate_digest;
        shown.find(|signer| digest::digest(algorithm, signer).as_ref() == expected.as_slice()).ok_or_else(
            || ListError::signature("its SigningCertificate is not the digest of the signer's certificate"),
        )
    }
}

fn certificates(key_info: Element<'_>) -> Vec<CertificateDer<'static>> {
    let elements = key_info.below(&[(ns::DSIG, "X509Data"), (ns::DSIG, "X509Certificate")]);
    let certificates = elements.into_iter().take(CERTIFICATES_MAX).filter_map(Element::base64);
    certificates.map(CertificateDer::from).collect()
}

/// The `SignedProperties` of this very signature.
fn signed_properties(signature: Element<'_>) -> Result<Element<'_>, ListError> {
    let qualifying = signature.below(&[(ns::DSIG, "Object"), (ns::XADES, "QualifyingProperties")]);
    match qualifying.as_slice() {
        [only] => only.required(ns::XADES, "SignedProperties"),
        [] => Err(ListError::content("it has no QualifyingProperties, so it is no XAdES signature")),
        _ => Err(ListError::content("it has several QualifyingProperties")),
    }
}

/// The algorithm of the signature, one of those that are accepted, as is that of canonicalisation.
fn signature_method(info: Element<'_>) -> Result<&str, ListError> {
    let canonicalisation = algorithm(info, "CanonicalizationMethod")?;
    if !CANONICALISATIONS.contains(&canonicalisation) {
        return Err(ListError::content(format!(
            "canonicalisation `{}` is not accepted",
            canonicalisation.escape_debug()
        )));
    }
    let method = algorithm(info, "SignatureMethod")?;
    if !SIGNATURES.contains(&method) {
        return Err(ListError::content(format!(
            "signature method `{}` is not accepted",
            method.escape_debug()
        )));
    }
    Ok(method)
}

/// One reference to the whole document, one to the signed properties, and no third.
fn check_references(
    document: &Document<'_>,
    info: Element<'_>,
    properties: Element<'_>,
) -> Result<(), ListError> {
    let references: Vec<_> = info.children(ns::DSIG, "Reference").collect();
    let [first, second] = references.as_slice() else {
        let found = references.len();
        return Err(ListError::content(format!("it has {found} references; it must have two")));
    };
    let (to_document, to_properties) = match first.attribute("Type") {
        Some(SIGNED_PROPERTIES) => (*second, *first),
        _ => (*first, *second),
    };
    if to_properties.attribute("Type") != Some(SIGNED_PROPERTIES) {
        return Err(ListError::content("none of its references is to SignedProperties"));
    }
    let root = Element::root(document).ok_or_else(|| ListError::content("the document is empty"))?;
    let uri = to_document.attribute("URI").ok_or_else(|| ListError::content("a reference has no URI"))?;
    if !uri.is_empty() && !is_fragment_of(uri, root) {
        return Err(ListError::content("it does not sign the whole document"));
    }
    if !to_properties.attribute("URI").is_some_and(|uri| is_fragment_of(uri, properties)) {
        return Err(ListError::content("it does not sign its own SignedProperties"));
    }
    check_reference(to_document, true)?;
    check_reference(to_properties, false)
}

fn is_fragment_of(uri: &str, element: Element<'_>) -> bool {
    uri.strip_prefix('#').is_some_and(|id| !id.is_empty() && element.attribute("Id") == Some(id))
}

/// Transforms could sign another thing than what is read: none but leaving out the signature, from the document, and
/// canonicalisation.
fn check_reference(reference: Element<'_>, is_enveloping: bool) -> Result<(), ListError> {
    let method = algorithm(reference, "DigestMethod")?;
    if !DIGESTS.contains(&method) {
        return Err(ListError::content(format!("digest method `{}` is not accepted", method.escape_debug())));
    }
    let transforms = reference.below(&[(ns::DSIG, "Transforms"), (ns::DSIG, "Transform")]);
    let transforms: Vec<_> =
        transforms.iter().map(|transform| transform.attribute("Algorithm").unwrap_or_default()).collect();
    let rest = match (is_enveloping, transforms.as_slice()) {
        (true, [ENVELOPED, rest @ ..]) => rest,
        (true, _) => {
            return Err(ListError::content("its reference to the document does not leave out the signature"));
        }
        (false, all) => all,
    };
    match rest {
        [] => Ok(()),
        [only] if CANONICALISATIONS.contains(only) => Ok(()),
        _ => Err(ListError::content("it has transforms that are not accepted")),
    }
}

fn algorithm<'d>(parent: Element<'d>, name: &'static str) -> Result<&'d str, ListError> {
    let method = parent.required(ns::DSIG, name)?;
    method.attribute("Algorithm").ok_or_else(|| ListError::content(format!("{name} has no Algorithm")))
}

/// The digest of the signer's certificate: of the first in `SigningCertificate` or `SigningCertificateV2` (EN 319 132-1
/// clause 5.2.2). Here SHA-1 does no harm, since the certificate is known byte for byte.
fn certificate_digest(signed: Element<'_>) -> Result<(&'static digest::Algorithm, Vec<u8>), ListError> {
    let old = signed.child(ns::XADES, "SigningCertificate")?;
    let certificates = match (old, signed.child(ns::XADES, "SigningCertificateV2")?) {
        (None, None) => return Err(ListError::content("it has no SigningCertificate")),
        (Some(_), Some(_)) => return Err(ListError::content("it has SigningCertificate in both versions")),
        (Some(only), None) | (None, Some(only)) => only,
    };
    let first = certificates.children(ns::XADES, "Cert").next();
    let first = first.ok_or_else(|| ListError::content("its SigningCertificate is empty"))?;
    let digest = first.required(ns::XADES, "CertDigest")?;
    let algorithm = match algorithm(digest, "DigestMethod")? {
        "http://www.w3.org/2000/09/xmldsig#sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "http://www.w3.org/2001/04/xmlenc#sha256" => &digest::SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => &digest::SHA384,
        "http://www.w3.org/2001/04/xmlenc#sha512" => &digest::SHA512,
        other => {
            let other = other.escape_debug();
            return Err(ListError::content(format!(
                "the digest `{other}` of SigningCertificate is not known"
            )));
        }
    };
    let value = digest.required(ns::DSIG, "DigestValue")?.base64();
    Ok((
        algorithm,
        value.ok_or_else(|| ListError::content("the digest of SigningCertificate is not base64"))?,
    ))
}

fn verify_mathematics(
    document: &Document<'_>,
    text: &str,
    signature: NodeId,
    signed: &SignedParts<'_>,
    signer: &CertificateDer<'_>,
) -> Result<(), ListError> {
    let mut keys = KeysManager::new();
    let short = ShortRsa::of(signer, signed.method);
    if short.is_none() {
        let key = load_x509_cert_der(signer)
            .map_err(|error| ListError::signature(format!("the signer's key cannot be used: {error}")))?;
        keys.add_key(key);
    }
    // Strict mode wants references to siblings of the signature; SignedProperties lies within it.
    let mut context = DsigContext::new(keys).with_trusted_keys_only(true).with_strict_verification(false);
    context.hsm_verifier = short.map(|verifier| Box::new(verifier) as Box<dyn kryptering::Verifier>);
    let result = bergshamra::dsig::verify::verify_document_with_source(&context, document, Some(text))
        .map_err(|error| ListError::signature(error.to_string()))?;
    let VerifyResult::Valid { signature_node, references, .. } = result else {
        let VerifyResult::Invalid { reason } = result else {
            return Err(ListError::signature("it does not hold"));
        };
        return Err(ListError::signature(reason));
    };
    let root = document.document_element();
    let resolved =
        |wanted| references.iter().filter(|it| it.digest_verified && it.resolved_node == wanted).count();
    let to_document = references
        .iter()
        .filter(|it| it.digest_verified && (it.uri.is_empty() || it.resolved_node == root))
        .count();
    if signature_node != signature
        || references.len() != 2
        || to_document != 1
        || resolved(Some(signed.properties.node())) != 1
    {
        return Err(ListError::signature("what was verified is not what should have been signed"));
    }
    Ok(())
}
