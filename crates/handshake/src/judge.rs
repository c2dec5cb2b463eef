//! Where the handshake asks about a client.
//!
//! rustls asks for a verdict before the client has proved that it holds the key, and verifies and opens tickets through
//! shared objects that know no connection. Both are turned round here: the chain is kept until CertificateVerify holds
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
    PeerChain,
    config::ClientCertificates,
    possession::{Handshake, Proof},
    ticket::{Origin, TicketRefusal},
};

/// Judges the client of one connection.
pub trait ClientJudge {
    /// The key of a certificate that webpki does not read, so that its holder can prove it and be judged nevertheless.
    /// `None` for one in which no key can be found; nothing more is said of it then.
    fn key_of<'c>(&self, leaf: &'c CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'c>>;

    /// Called once a full handshake, after the client has proved possession of the leaf's key. An error ends the
    /// handshake with the alert that rustls has for it.
    ///
    /// # Errors
    /// The reason for which the client is refused by an alert.
    fn judge(&self, chain: PeerChain, now: UnixTime) -> Result<Passage, CertificateError>;

    /// Called for a session that the client offers to resume: whether whoever proved the key of this chain may pass at present.
    /// The client has yet to show that the session is its own, and may be offering several.
    fn judge_offered(&self, leaf: &[u8; 32], chain: PeerChain, now: UnixTime) -> Passage;

    /// A ticket was made or opened, or was not opened.
    fn ticket(&self, event: TicketEvent);
}

/// What a verdict means for the client's session.
#[derive(Debug, Clone)]
pub enum Passage {
    /// It may be resumed.
    Granted {
        /// SHA-256 of the leaf.
        leaf: [u8; 32],
        /// The chain that was judged.
        chain: Rc<PeerChain>,
    },
    /// It may not, though the client may have to be told why over this connection.
    Denied,
}

/// What happened to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketEvent {
    /// The client was given one.
    Issued,
    /// The client's was opened. What it offers is resumed unless the client cannot, or wants another.
    Opened,
    /// The client's was not taken.
    Refused(TicketRefusal),
}

impl TicketEvent {
    /// The label in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Opened => "opened",
            Self::Refused(refusal) => refusal.as_str(),
        }
    }
}

/// Tickets of one client that are looked at in a handshake: clients offer one, or two after a reconnection. Each more would be
/// a verdict more for a single ClientHello.
const TICKETS_MAX: u32 = 4;

thread_local! {
    static CURRENT: RefCell<Option<HandshakeContext>> = const { RefCell::new(None) };
}

/// What verifier and ticketer may know of the connection whose bytes rustls is processing.
///
/// [`ClientHello::finish`](crate::ClientHello::finish) has one for each connection. It is public for whoever moves the bytes of a
/// handshake without a socket, as benchmarks do: a configuration of [`server_config`](crate::server_config) that processes bytes
/// outside a context refuses every client certificate.
pub struct HandshakeContext {
    judge: Rc<dyn ClientJudge>,
    presented: Option<(PeerChain, UnixTime)>,
    tickets_offered: u32,
    basis: Option<Basis>,
}

/// What a new ticket goes back to: what the client proved in this handshake, or else the last session of its offer that could
/// have been resumed. rustls takes the first that it can resume and asks for no other; where it takes none, the client proves a
/// key, or the new session has no chain and gets no ticket.
#[derive(Clone)]
pub(crate) struct Basis {
    pub(crate) origin: Origin,
    pub(crate) chain: Rc<PeerChain>,
}

impl HandshakeContext {
    /// For one connection, whose client `judge` judges.
    pub fn new(judge: Rc<dyn ClientJudge>) -> Self {
        Self { judge, presented: None, tickets_offered: 0, basis: None }
    }

    /// Runs `call` with this context in place. Nothing of it is left behind, not even if `call` panics.
    pub fn during<T>(context: &mut Option<Self>, call: impl FnOnce() -> T) -> T {
        struct Restore<'a>(&'a mut Option<HandshakeContext>);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                *self.0 = CURRENT.take();
            }
        }
        CURRENT.set(context.take());
        let _restore = Restore(context);
        call()
    }

    /// The judge of the connection; none outside a handshake.
    pub(crate) fn judge() -> Option<Rc<dyn ClientJudge>> {
        CURRENT.with_borrow(|context| Some(Rc::clone(&context.as_ref()?.judge)))
    }

    /// Counts a ticket that the client offers, and says whether it is looked at.
    pub(crate) fn takes_ticket() -> bool {
        CURRENT.with_borrow_mut(|context| {
            context.as_mut().is_some_and(|context| {
                context.tickets_offered += 1;
                context.tickets_offered <= TICKETS_MAX
            })
        })
    }

    /// What the next ticket goes back to.
    pub(crate) fn basis() -> Option<Basis> {
        CURRENT.with_borrow(|context| context.as_ref()?.basis.clone())
    }

    /// From now on tickets go back to this, or there are none.
    pub(crate) fn set_basis(basis: Option<Basis>) {
        CURRENT.with_borrow_mut(|context| {
            if let Some(context) = context {
                context.basis = basis;
            }
        });
    }
}

impl Basis {
    /// What a client was judged by that proved its key, or offered a session, at a time in Unix seconds.
    pub(crate) fn of(passage: Passage, proved_at: u64) -> Option<Self> {
        match passage {
            Passage::Granted { leaf, chain } => Some(Self { origin: Origin { leaf, proved_at }, chain }),
            Passage::Denied => None,
        }
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
        let key = || HandshakeContext::judge()?.key_of(leaf);
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
        // Whatever sessions were offered: none was resumed.
        HandshakeContext::set_basis(None);
        let passage = judge.judge(chain, now)?;
        HandshakeContext::set_basis(Basis::of(passage, now.as_secs()));
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
