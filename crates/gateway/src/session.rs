//! A connection after its handshake: who is on it, how it stands, and when it must end.

mod allowance;

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    sync::Arc,
    task::Context,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use portcullis_handshake::Activity;
use portcullis_http1::HeadLimits;
use portcullis_identity::Thumbprint;
use portcullis_keys::{Claim, KeyEntry, KeyIdentity};
use portcullis_policy::{DomainId, Generation, Grant, TrustDomain, admit_anonymous};
use rustls_pki_types::UnixTime;
use slab::Slab;

use self::allowance::Allowance;
use crate::{
    assertion::{Addressed, AssertionLines},
    bell::Ear,
    http::{Presenter, identity_lines},
    judge::{Judged, Standing, Status, told_by_alert},
    plan::{HandOffFields, Limits},
    shard::{Shard, unix_now},
    view::View,
};

/// Why a connection ended. Every end after a handshake has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// The peer closed, or its last request said so.
    Finished,
    /// The socket or the protocol failed.
    Failed,
    /// No request came for too long.
    Idle,
    /// A request head did not end in time.
    HeadTimeout,
    /// The peer did not take what it was sent.
    Stalled,
    /// What came was no request.
    Refused,
    /// The shard drains.
    Drained,
    /// The client's path has reached its end.
    Expired,
    /// The rules changed, and by the new ones the client does not pass.
    NoLongerAdmitted,
}

impl Closed {
    /// The label in metrics and logs.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Idle => "idle",
            Self::HeadTimeout => "head_timeout",
            Self::Stalled => "stalled",
            Self::Refused => "refused",
            Self::Drained => "drained",
            Self::Expired => "expired",
            Self::NoLongerAdmitted => "no_longer_admitted",
        }
    }
}

/// What a connection must do about the news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Finish what is in flight, take nothing more.
    Drain,
    /// Take nothing more, finish what is in flight until that is [overdue](Session::overdue).
    Finish(Closed),
    /// End now.
    Close(Closed),
    /// Nothing but that limits may be others.
    Rules,
}

/// Shared by a connection and the service that answers its requests.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) shard: Rc<Shard>,
    pub(crate) listener: usize,
    pub(crate) peer: SocketAddr,
    pub(crate) activity: Rc<Activity>,
    ear: Ear,
    /// Why it ends, and when at the latest, where requests in flight are given time.
    ending: Cell<Option<(Closed, Instant)>>,
    basis: RefCell<Basis>,
    judged: RefCell<Rc<Judged>>,
    /// Its key, if it has one.
    key: RefCell<Option<Arc<KeyEntry>>>,
    /// What its holder may do.
    allowance: RefCell<Option<Allowance>>,
    /// What was known of the client's status.
    status: Cell<Status>,
    /// The turn of the ledger that it is from; `None` before the first look of the session itself.
    turn: Cell<Option<u64>>,
    in_flight: RefCell<Slab<Exchange>>,
    /// What is said of its client under the gate's signature.
    assertions: RefCell<AssertionLines>,
}

/// A request that is under way.
#[derive(Debug, Default)]
struct Exchange {
    /// Since when it is the client's turn, if it is.
    clients_since: Option<Instant>,
    /// Counts it where its client may have so many.
    claim: Option<Claim>,
}

/// A request that has not come to its end: its answer, or its body, is under way.
#[derive(Debug)]
pub(crate) struct InFlight {
    session: Rc<Session>,
    place: usize,
    /// Bytes that came of its body, and bytes that went out of its answer's.
    received: Option<Rc<Cell<u64>>>,
    sent: u64,
}

impl InFlight {
    /// Says whose move is next. The time that the client has for its own counts from now.
    pub(crate) fn set_turn(&self, turn: Turn) {
        let since = match turn {
            Turn::Ours => None,
            Turn::Clients => Some(self.session.shard.now()),
        };
        self.session.in_flight.borrow_mut()[self.place].clients_since = since;
    }

    /// Has the bytes of its body counted that are told there.
    pub(crate) fn count_received(&mut self, received: Rc<Cell<u64>>) {
        self.received = Some(received);
    }

    /// Counts bytes of the body of its answer.
    pub(crate) const fn count_sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// Counts the request for as long as it is under way.
    pub(crate) fn hold(&self, claim: Option<Claim>) {
        self.session.in_flight.borrow_mut()[self.place].claim = claim;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let received = self.received.as_ref().map_or(0, |received| received.get());
        self.session.tally(|tally| tally.moved(received, self.sent));
        let mut in_flight = self.session.in_flight.borrow_mut();
        in_flight.remove(self.place);
        if in_flight.is_empty() {
            // What came in meanwhile was of its body.
            self.session.activity.request();
        }
    }
}

/// Who has the next move in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The gate, or the upstream behind it.
    Ours,
    /// The client: there is something for it to take.
    Clients,
}

/// What the standing rests on.
#[derive(Debug)]
struct Basis {
    view: Rc<View>,
    domain: DomainId,
    since: Generation,
}

impl Session {
    /// A session for a client as it was judged, or one that presented nothing. `None` where it had to.
    pub(crate) fn new(
        (shard, listener, peer): (Rc<Shard>, usize, SocketAddr),
        (view, domain): (Rc<View>, DomainId),
        judged: Option<Rc<Judged>>,
        activity: Rc<Activity>,
    ) -> Option<Rc<Self>> {
        let (rules, since) = view.plan.policy.domain(domain);
        let judged = match judged {
            Some(judged) => judged,
            None => Rc::new(Judged::anonymous(admit_anonymous(rules)?)),
        };
        let session = Rc::new(Self {
            ear: shard.begin_listening(judged.thumbprint()),
            ending: Cell::default(),
            shard,
            listener,
            peer,
            activity,
            basis: RefCell::new(Basis { view, domain, since }),
            status: Cell::new(judged.status.get()),
            key: RefCell::default(),
            allowance: RefCell::default(),
            judged: RefCell::new(judged),
            turn: Cell::default(),
            in_flight: RefCell::default(),
            assertions: RefCell::default(),
        });
        session.take_up_key();
        Some(session)
    }

    /// How the client stands at present.
    pub(crate) fn with_standing<T>(&self, read: impl FnOnce(&Standing) -> T) -> T {
        read(&self.judged.borrow().standing)
    }

    /// Who presents what comes over the connection.
    pub(crate) fn with_presenter<T>(&self, read: impl FnOnce(Presenter<'_>) -> T) -> T {
        let judged = self.judged.borrow();
        let identity = judged.key_identity.as_ref().map(KeyIdentity::as_str);
        read(Presenter { certificate: judged.thumbprint(), identity })
    }

    /// The view that the next request is judged by.
    pub(crate) fn view(&self) -> Rc<View> {
        Rc::clone(&self.basis.borrow().view)
    }

    /// The trust domain that the connection was made in, by its present rules.
    pub(crate) fn with_domain<T>(&self, read: impl FnOnce(&TrustDomain) -> T) -> T {
        let basis = self.basis.borrow();
        read(basis.view.plan.policy.domain(basis.domain).0)
    }

    /// The limits of the listener at present.
    pub(crate) fn with_limits<T>(&self, read: impl FnOnce(&Limits) -> T) -> T {
        read(&self.basis.borrow().view.plan.listeners[self.listener].limits)
    }

    /// What the head of an HTTP/1.1 request may be.
    pub(crate) fn head_limits(&self) -> HeadLimits {
        let view = self.view();
        let limits = &view.plan.listeners[self.listener].limits;
        HeadLimits {
            bytes_max: limits.head_bytes_max,
            fields_max: limits.head_fields_max,
            trailers: view.takes_trailers,
        }
    }

    /// Counts a request as in flight until what comes back is dropped.
    pub(crate) fn begin_request(self: &Rc<Self>) -> InFlight {
        self.activity.request();
        let place = self.in_flight.borrow_mut().insert(Exchange::default());
        InFlight { session: Rc::clone(self), place, received: None, sent: 0 }
    }

    /// The field lines that say who the client is. The grant is the proof that it may pass.
    pub(crate) fn identity_lines(&self, grant: &Grant<'_>, fields: HandOffFields) -> Rc<[u8]> {
        let judged = self.judged.borrow();
        let mut known = judged.identity_lines.borrow_mut();
        if let Some((_, lines)) = known.iter().find(|(of, _)| *of == fields) {
            return Rc::clone(lines);
        }
        let lines: Rc<[u8]> = identity_lines(fields, grant.permit(), judged.chain.as_deref()).into();
        known.push((fields, Rc::clone(&lines)));
        lines
    }

    /// The field line that says who the client is under the gate's signature. The grant is the proof that it may pass.
    pub(crate) fn assertion_line(&self, grant: &Grant<'_>, to: &Addressed) -> Option<Rc<[u8]>> {
        let times = (self.shard.unix_now(), self.judged.borrow().valid_until);
        self.assertions.borrow_mut().line(to, grant.permit(), times)
    }

    /// Listens for news; wakes the task when there is some.
    pub(crate) fn poll_news(&self, cx: &Context<'_>) -> Option<News> {
        if !self.ear.poll(&self.shard.bell, cx) {
            return None;
        }
        if let Err(closed) = self.refresh() {
            return Some(if self.ends_now(closed) { News::Close(closed) } else { News::Finish(closed) });
        }
        Some(if self.shard.is_draining() { News::Drain } else { News::Rules })
    }

    /// The deadline that has passed, if one has.
    pub(crate) fn overdue(&self, is_h2: bool) -> Option<Closed> {
        let now = self.shard.now();
        let passed = |since: Option<Instant>, limit: Duration| {
            since.is_some_and(|since| now.saturating_duration_since(since) >= limit)
        };
        let in_flight = self.in_flight.borrow();
        let is_between = in_flight.is_empty();
        if let Some((closed, by)) = self.ending.get() {
            return (is_between || now >= by).then_some(closed);
        }
        let ended = self.hold().err().filter(|closed| self.ends_now(*closed));
        self.with_limits(|limits| {
            if ended.is_some() {
                ended
            } else if passed(self.activity.output_since(), limits.stall_timeout) {
                Some(Closed::Stalled)
            } else if is_h2 && in_flight.iter().any(|(_, it)| passed(it.clients_since, limits.stall_timeout))
            {
                // Nothing is queued for a stream without a window. With HTTP/1.1 what a client does not take is queued.
                Some(Closed::Stalled)
            } else if is_between && !is_h2 && passed(self.activity.input_since(), limits.head_timeout) {
                // Frames that make no request are ordinary on h2; there the idle deadline bounds them.
                Some(Closed::HeadTimeout)
            } else if is_between && self.idle() >= limits.idle_timeout {
                Some(Closed::Idle)
            } else {
                None
            }
        })
    }

    /// Why the connection ends, once that is certain. Whatever is asked then is refused.
    pub(crate) fn ending(&self) -> Option<Closed> {
        self.ending.get().map(|(closed, _)| closed)
    }

    /// Whether a connection whose client is no longer admitted ends at once: unless a request is in flight, and the trust domain
    /// gives that time.
    fn ends_now(&self, closed: Closed) -> bool {
        let grace = self
            .with_domain(|domain| domain.client_auth.revocation.as_ref().map(|revocation| revocation.grace))
            .unwrap_or_default();
        if self.ending.get().is_none() {
            self.ending.set(Some((closed, self.shard.now() + grace)));
        }
        grace.is_zero() || self.in_flight.borrow().is_empty()
    }

    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.in_flight.borrow().is_empty() && self.activity.is_quiet()
    }

    /// Whether the head of a request has begun to come.
    pub(crate) fn is_reading_head(&self) -> bool {
        self.in_flight.borrow().is_empty() && self.activity.input_since().is_some()
    }

    /// How long a quiet connection may wait at most before a deadline has to be looked at.
    pub(crate) fn quiet_for(&self) -> Duration {
        self.with_limits(|limits| limits.idle_timeout).saturating_sub(self.idle()).min(self.holds_for())
    }

    /// How long what the client was admitted by holds at least, if there is no news.
    pub(crate) fn holds_for(&self) -> Duration {
        let until = self.judged.borrow().holds_until.get().min(self.status.get().until());
        // The last valid second counts whole.
        let end =
            UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(until).unwrap_or(0).saturating_add(1)));
        end.map_or(Duration::MAX, |end| end.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// For how long no request has come.
    fn idle(&self) -> Duration {
        self.shard.now().saturating_duration_since(self.activity.last_request())
    }

    /// Looks whether what the client was admitted by has come to its end, and nothing has taken its place.
    fn hold(&self) -> Result<(), Closed> {
        let now = unix_now();
        let (valid_until, holds_until) = {
            let judged = self.judged.borrow();
            (judged.valid_until, judged.holds_until.get())
        };
        if now > holds_until {
            let basis = self.basis.borrow();
            let judged = self.judge_again(&basis.view, basis.domain);
            judged.map_err(|closed| if now > valid_until { Closed::Expired } else { closed })
        } else if now > self.status.get().until() {
            self.look_again()
        } else {
            Ok(())
        }
    }

    fn is_status_unknown(&self) -> bool {
        self.judged.borrow().is_status_unknown()
    }

    /// Holds a client of whose status nothing is known yet until something is, or for as long as its domain waits. What it
    /// is in the end, its first request is told.
    pub(crate) async fn await_status(&self) {
        let wait = self.with_domain(|domain| domain.client_auth.revocation.as_ref().map(|rules| rules.wait));
        let Some(wait) = wait.filter(|wait| !wait.is_zero() && self.is_status_unknown()) else { return };
        let is_known = || {
            self.look_for_status();
            !self.is_status_unknown()
        };
        Box::pin(self.shard.ledger_bell.until(wait, is_known)).await;
    }

    /// Where nothing but that is wrong: looks whether more is known of the client's status than when it was judged, and whether its key
    /// was made since. A refusal stands as it is then, and is told.
    pub(crate) fn look_for_status(&self) {
        if self.is_status_unknown() || self.has_key_since() {
            let _ = self.look_again();
        }
    }

    /// Looks up what is known of the client's status at present, and judges it again where that makes a difference.
    fn look_again(&self) -> Result<(), Closed> {
        let basis = self.basis.borrow();
        let (rules, _) = basis.view.plan.policy.domain(basis.domain);
        let status = {
            let judged = self.judged.borrow();
            self.shard.with_ledger(|ledger| judged.status_at(rules, ledger, unix_now()))
        };
        if status.is_like(self.status.get()) {
            self.status.set(status);
            // It may have another policy, or other tags.
            self.take_up_key();
            return Ok(());
        }
        self.judge_again(&basis.view, basis.domain)
    }

    /// Asks for the verdict on the client again. Whatever comes of it is how it stands from now on.
    fn judge_again(&self, view: &View, domain: DomainId) -> Result<(), Closed> {
        let (rules, _) = view.plan.policy.domain(domain);
        let chain = self.judged.borrow().chain.clone();
        let judged = match chain {
            Some(chain) => {
                let leaf = Thumbprint::of(&chain.leaf);
                let verified = self.shard.verify(view, domain, (leaf, chain), UnixTime::now());
                let judged = self.shard.remember(verified);
                self.shard.judged((self.listener, self.peer), view, rules, &judged);
                judged
            }
            None => Rc::new(Judged::anonymous(admit_anonymous(rules).ok_or(Closed::NoLongerAdmitted)?)),
        };
        let listener = &self.shard.listeners[self.listener];
        let was_refused = self.with_standing(|before| matches!(before, Standing::Refused { .. }));
        let refused = match &judged.standing {
            // It was never admitted on this connection, and goes on to be told why.
            Standing::Refused { denial, .. } if was_refused && !told_by_alert(denial, rules) => Ok(()),
            Standing::Refused { denial, .. } => {
                let who = judged.standing.refused(&listener.name, self.peer);
                self.shard.refused(denial.code(), &who, || denial.to_string());
                Err(Closed::NoLongerAdmitted)
            }
            Standing::Admitted(_) => Ok(()),
        };
        self.status.set(judged.status.get());
        self.judged.replace(judged);
        self.assertions.take();
        self.take_up_key();
        refused
    }

    /// Takes up what is new and judges the client by it again where that makes a difference.
    fn refresh(&self) -> Result<(), Closed> {
        self.take_up_view()?;
        let turn = self.shard.with_ledger(|ledger| ledger.news.turn());
        if self.turn.replace(Some(turn)) != Some(turn) {
            self.look_again()?;
        }
        // Time has gone on since the verdict, too.
        self.hold()
    }

    fn take_up_view(&self) -> Result<(), Closed> {
        let view = self.shard.view();
        let (before, since_before) = {
            let Basis { view, domain, since } = &*self.basis.borrow();
            (Rc::clone(view), (*domain, *since))
        };
        if Rc::ptr_eq(&view, &before) {
            return Ok(());
        }
        let (old_rules, _) = before.plan.policy.domain(since_before.0);
        let domain = view.plan.policy.domain_named(&old_rules.name).ok_or(Closed::NoLongerAdmitted)?;
        let (_, since) = view.plan.policy.domain(domain);
        if since != since_before.1 {
            self.judge_again(&view, domain)?;
        }
        self.basis.replace(Basis { domain, since, view });
        // Policies may be others, whatever became of the domain.
        self.take_up_key();
        Ok(())
    }

    /// The name of the listener, for records.
    pub(crate) fn listener_name(&self) -> &Arc<str> {
        &self.shard.listeners[self.listener].name
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.shard.end_listening(&self.ear, self.judged.borrow().thumbprint());
    }
}
