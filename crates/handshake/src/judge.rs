//! Where the handshake asks about a client's certificate.
//!
//! rustls asks for a verdict before the client has proved that it holds the key, and verifies through a shared
//! object that knows no connection. Both are turned round here: the chain is kept until CertificateVerify holds
//! (RFC 8446 4.4.3, RFC 5246 7.4.8), and only then is the judge of the connection asked, which a thread-local names
//! for the length of one call into rustls.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::WebPkiSupportedAlgorithms,
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};

use crate::{
    config::ClientCertificates,
    possession::{Handshake, Proof},
};

/// The chain that a client presented, as presented. Every byte is the peer's.
#[derive(Debug, Clone)]
pub struct PeerChain {
    /// The certificate whose key the client holds.
    pub leaf: CertificateDer<'static>,
    /// What it sent beside, in its order.
    pub intermediates: Vec<CertificateDer<'static>>,
}

/// Judges the client of one connection.
pub trait ClientJudge {
    /// The key of a certificate that webpki does not read, so that its holder can prove it and be judged nevertheless.
    /// `None` for one in which no key can be found; nothing more is said of it then.
    fn key_of<'c>(&self, leaf: &'c CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'c>>;

    /// Called once a handshake, after the client has proved possession of the leaf's key. An error ends the
    /// handshake with the alert that rustls has for it.
    ///
    /// # Errors
    /// The reason for which the client is refused by an alert.
    fn judge(&self, chain: PeerChain, now: UnixTime) -> Result<(), CertificateError>;
}

thread_local! {
    static CURRENT: RefCell<Option<JudgeContext>> = const { RefCell::new(None) };
}

/// What the verifier may know of the connection whose bytes rustls is processing.
pub(crate) struct JudgeContext {
    judge: Rc<dyn ClientJudge>,
    presented: Option<(PeerChain, UnixTime)>,
}

impl JudgeContext {
    pub(crate) fn new(judge: Rc<dyn ClientJudge>) -> Self {
        Self { judge, presented: None }
    }

    /// Runs `call` with this context in place. Nothing of it is left behind, not even if `call` panics.
    pub(crate) fn during<T>(context: &mut Option<Self>, call: impl FnOnce() -> T) -> T {
        struct Restore<'a>(&'a mut Option<JudgeContext>);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                *self.0 = CURRENT.take();
            }
        }
        CURRENT.set(context.take());
        let _restore = Restore(context);
        call()
    }
}

/// The verifier that every trust domain's configuration holds.
#[derive(Debug)]
pub(crate) struct PossessionFirst {
    pub(crate) certificates: ClientCertificates,
    pub(crate) algorithms: WebPkiSupportedAlgorithms,
}

impl PossessionFirst {
    pub(crate) fn shared(
        certificates: ClientCertificates,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Arc<Self> {
        Arc::new(Self { certificates, algorithms })
    }

    fn prove(&self, leaf: &CertificateDer<'_>, proof: Proof<'_>) -> Result<HandshakeSignatureValid, Error> {
        let key = || {
            let judge = CURRENT.with_borrow(|context| Some(Rc::clone(&context.as_ref()?.judge)));
            judge?.key_of(leaf)
        };
        Self::judge_presented(proof.verify(leaf, key, &self.algorithms)?)
    }

    fn judge_presented(valid: HandshakeSignatureValid) -> Result<HandshakeSignatureValid, Error> {
        let taken = CURRENT.with_borrow_mut(|context| {
            let context = context.as_mut()?;
            Some((Rc::clone(&context.judge), context.presented.take()?))
        });
        let Some((judge, (chain, now))) = taken else {
            return Err(Error::General("a client certificate outside a judged handshake".to_owned()));
        };
        judge.judge(chain, now)?;
        Ok(valid)
    }
}

impl ClientCertVerifier for PossessionFirst {
    fn offer_client_auth(&self) -> bool {
        self.certificates != ClientCertificates::NotAsked
    }

    fn client_auth_mandatory(&self) -> bool {
        self.certificates == ClientCertificates::Required
    }

    /// None: a list of names would make clients that hold no matching certificate send none, and the refusal would
    /// then say less than `unknown_ca` does.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain = PeerChain {
            leaf: end_entity.clone().into_owned(),
            intermediates: intermediates.iter().map(|der| der.clone().into_owned()).collect(),
        };
        CURRENT.with_borrow_mut(|context| {
            if let Some(context) = context {
                context.presented = Some((chain, now));
            }
        });
        // Not a verdict yet: without a signature that holds, rustls ends the handshake, and with one
        // `judge_presented` decides.
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.prove(cert, Proof { handshake: Handshake::Tls12, message, signed: dss })
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.prove(cert, Proof { handshake: Handshake::Tls13, message, signed: dss })
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
