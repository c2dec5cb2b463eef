//! From a request to its answer: who, where, whether.

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header};
use hyper::{
    body::{Body, Incoming},
    service::Service,
};
use portcullis_http1::{CONTENT_LENGTH_MAX, HeadRefusal, is_token};
use portcullis_policy::{Permit, authorise};
use portcullis_telemetry::{AccessRecord, Refused, now_unix_s};
use portcullis_upstream::{BodySource, OutgoingRequest, Upstream};

use crate::{
    http::{
        answer,
        body::{OutgoingBody, Remainder},
        forward::{self, BodyTerms},
        problem::Problem,
        routing::{host_of, meet, path_of},
        seal::{AwaitedStatus, SealedBody, SealedHead, Unsealed, is_sealed},
        seal_refusal::SealRefusal,
        sealed_answer::AnswerSeal,
        sealed_body::{self, Bounds},
        token::Awaited,
    },
    judge::Standing,
    plan::{Action, HandOffField, Plan, TokenPlan},
    session::{InFlight, Session},
    view::{UpstreamView, View},
};

/// Answers the requests of one connection.
#[derive(Debug, Clone)]
pub(crate) struct RequestService(pub(crate) Rc<Session>);

impl Service<Request<Incoming>> for RequestService {
    type Response = Response<OutgoingBody>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        self.0.answer(request)
    }
}

/// An answer on its way.
// hyper keeps one a connection, in room of its own: a box would be an allocation a request for nothing.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Answering {
    /// The gate's own.
    Own(Ready<Result<Response<OutgoingBody>, Infallible>>),
    /// An upstream's.
    Relayed(Pin<Box<dyn Future<Output = Result<Response<OutgoingBody>, Infallible>>>>),
}

impl Future for Answering {
    type Output = Result<Response<OutgoingBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Own(answer) => Pin::new(answer).poll(cx),
            Self::Relayed(answer) => answer.as_mut().poll(cx),
        }
    }
}

/// What becomes of a request that was granted.
#[allow(clippy::large_enum_variant)] // It lives for a moment, on the stack.
enum Granted {
    Answer(Response<OutgoingBody>),
    /// To the upstream of that index, with this head so far.
    Forward(usize, Vec<u8>),
}

/// What becomes of a sealed request, if its body is the one that was sealed.
struct GrantedSealed {
    granted: Granted,
    body: SealedBody,
}

/// What is done for a request that was sealed.
#[derive(Debug, Default)]
struct Sealing {
    /// How its answer is sealed, if it is.
    answer: Option<AnswerSeal>,
    /// Whether who is refused reads `tppMessages`.
    tells_tpp: bool,
}

/// Why a request is not granted at once.
enum Unanswered {
    /// It never is.
    Refused(Problem),
    /// Its token is signed with a key that its issuer may have published since, or its issuer is to be asked about it.
    AwaitsIssuer(Awaited),
    /// Nobody has said yet whether the certificate of its seal is revoked.
    AwaitsStatus(AwaitedStatus),
}

impl From<Problem> for Unanswered {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

/// What a request has waited for. For each it waits once, but for an issuer again where another plan came meanwhile, which may ask another.
#[derive(Debug, Clone, Copy, Default)]
struct Waited {
    issuer: bool,
    status: bool,
    /// For either: what it takes of what its client may have is taken.
    at_all: bool,
}

/// How long a request waits for an issuer: for keys, which are fetched at a bounded rate, or for what it says of the token.
const ISSUER_WAIT: Duration = Duration::from_secs(2);

/// What is known of a request when it comes, for when it is answered.
struct Taken {
    session: Rc<Session>,
    started: Instant,
    /// Method and path, where access is recorded.
    record: Option<(Method, String)>,
}

/// What is asked on a connection that is about to end. Most are refused for what became of their client; where its trust domain is
/// gone, or asks for a certificate that was not presented, there is nothing to say of it.
fn no_longer_admitted() -> Problem {
    let detail =
        "the client is no longer admitted on this connection, which ends when what is under way is answered";
    Problem::new(StatusCode::FORBIDDEN, "connection.no-longer-admitted", detail)
}

impl Session {
    fn answer(self: &Rc<Self>, request: Request<Incoming>) -> Answering {
        let in_flight = self.begin_request();
        self.look_for_status();
        self.note_presence();
        let record =
            self.view().plan.access_log.then(|| (request.method().clone(), request.uri().path().to_owned()));
        let taken = Taken { session: Rc::clone(self), started: Instant::now(), record };
        self.answer_taken(request, taken, in_flight, Waited::default())
    }

    fn answer_taken(
        self: &Rc<Self>,
        request: Request<Incoming>,
        taken: Taken,
        mut in_flight: InFlight,
        waited: Waited,
    ) -> Answering {
        let view = self.view();
        let outcome = self.with_standing(|standing| match standing {
            Standing::Admitted(_) if self.ending().is_some() => Err(no_longer_admitted().into()),
            Standing::Admitted(permit) => {
                self.route(&view, permit, &request, (&in_flight, taken.started, waited))
            }
            Standing::Refused { denial, assessment } => {
                Err(Problem::refused(denial, assessment.as_deref()).into())
            }
        });
        let outcome = match outcome {
            Err(Unanswered::AwaitsIssuer(awaited)) => {
                let session = Rc::clone(self);
                return Answering::Relayed(Box::pin(async move {
                    awaited.ask(ISSUER_WAIT).await;
                    let issuer = Rc::ptr_eq(&view, &session.view());
                    let waited = Waited { issuer, at_all: true, ..waited };
                    session.answer_taken(request, taken, in_flight, waited).await
                }));
            }
            Err(Unanswered::AwaitsStatus(awaited)) => {
                let (session, waited) = (Rc::clone(self), Waited { status: true, at_all: true, ..waited });
                return Answering::Relayed(Box::pin(async move {
                    awaited.come().await;
                    session.answer_taken(request, taken, in_flight, waited).await
                }));
            }
            Err(Unanswered::Refused(problem)) => Err(problem),
            Ok((granted, Some(body))) => {
                let granted = GrantedSealed { granted, body };
                return Answering::Relayed(Box::pin(answer_sealed(
                    request,
                    taken,
                    (in_flight, view),
                    granted,
                )));
            }
            Ok((granted, None)) => Ok(granted),
        };
        let (parts, body) = request.into_parts();
        let stall_timeout = self.with_limits(|limits| limits.stall_timeout);
        let is_h2 = parts.version >= Version::HTTP_2;
        let response = match outcome {
            Ok(Granted::Forward(index, head)) => {
                let UpstreamView { upstream, hand_off } = &view.upstreams[index];
                let trailers = upstream.config().trailers.then(|| Rc::clone(hand_off));
                let terms = BodyTerms { stall_timeout, bytes_max: self.body_bytes_max(), trailers };
                let body = forward::framing_of(&body).map(|framing| (framing, BodySource::Client(body)));
                let outgoing = forward::outgoing(&parts, body, head, terms);
                if let Some(body) = &outgoing.body {
                    in_flight.count_received(Rc::clone(&body.received));
                }
                let remainder = Remainder::new(in_flight, is_h2, stall_timeout);
                let relayed = taken.relay(Rc::clone(upstream), outgoing, (remainder, Sealing::default()));
                return Answering::Relayed(Box::pin(relayed));
            }
            Ok(Granted::Answer(response)) => taken.answered(response),
            Err(problem) => taken.refused(problem),
        };
        // A client that waits for leave to send its body (RFC 9110 10.1.1) has its answer instead.
        let waits = parts.headers.contains_key(header::EXPECT);
        let remainder = Remainder::new(in_flight, is_h2, stall_timeout);
        let remainder = if waits { remainder } else { remainder.of(body) };
        Answering::Own(ready(Ok(with_remainder(response, remainder))))
    }

    /// The last answer on a connection whose bytes were not taken as a request (HTTP/1.1). Counted and logged.
    pub(crate) fn refuse_head(&self, refusal: HeadRefusal) -> Vec<u8> {
        let problem = refused_head(refusal);
        let metrics = &self.shard.listeners[self.listener].metrics.requests;
        metrics.refused(refusal.code());
        metrics.answered(problem.status(), Duration::ZERO);
        self.tally(|tally| {
            tally.refused(refusal.code());
            tally.answered(problem.status(), Duration::ZERO);
        });
        self.log_refusal(&problem);
        problem.into_last_message()
    }

    /// What the route that the request names does with it, if its peer may enter.
    fn route(
        &self,
        view: &View,
        permit: &Permit,
        request: &Request<Incoming>,
        (in_flight, started, waited): (&InFlight, Instant, Waited),
    ) -> Result<(Granted, Option<SealedBody>), Unanswered> {
        let serves = |host: &str| self.with_domain(|domain| domain.serves(host));
        let host = host_of(request.uri(), request.headers(), serves)?;
        // Heads of HTTP/1.1 were scanned.
        if request.version() >= Version::HTTP_2 {
            self.check_h2_head(request).map_err(refused_head)?;
        }
        let path = path_of(request.method(), request.uri())?;
        let body_bytes = request.body().size_hint().lower();
        if !waited.at_all {
            let claim = self.spend((request.method().as_str(), path.as_str(), body_bytes), started);
            in_flight.hold(claim.map_err(|overstep| Problem::overstepped(&overstep))?);
        }
        let (index, route) = meet(view.plan.policy.routes(), &host, &path)?;
        let grant = authorise(permit, route).map_err(|denial| {
            view.routes[index].denied.increment(1);
            Problem::denied(&denial)
        })?;
        if let Some(asked) = &view.plan.tokens[index] {
            let checked = self.check_token((&view.plan, asked), request.headers(), waited);
            checked.inspect_err(|why| {
                if matches!(why, Unanswered::Refused(_)) {
                    view.routes[index].denied.increment(1);
                }
            })?;
        }
        let sealed = self.check_seal((&view.plan, index), (request, host.authority()), (permit, waited))?;
        view.routes[index].granted.increment(1);
        let granted = match &view.plan.actions[index] {
            Action::Respond(answer) => Granted::Answer(answer::answer(&grant, answer)),
            Action::Forward(upstream) => {
                let hand_off = &view.upstreams[*upstream].hand_off;
                let mut head = forward::head(self, &grant, (&host, &path), request, hand_off);
                if let Some(sealed) = sealed.as_ref().filter(|_| hand_off.fields.contains(HandOffField::Seal))
                {
                    head.extend_from_slice(&sealed.line);
                }
                Granted::Forward(*upstream, head)
            }
        };
        Ok((granted, sealed.map(|sealed| sealed.body)))
    }

    /// Whether the token of a request is what its route asks for.
    fn check_token(
        &self,
        asked: (&Plan, &TokenPlan),
        fields: &HeaderMap,
        waited: Waited,
    ) -> Result<(), Unanswered> {
        let checked = self.with_presenter(|presenter| {
            self.shard.tokens.check(asked, fields, presenter, self.shard.unix_now())
        });
        checked.map_err(|refusal| match refusal.awaited {
            Some(awaited) if !waited.issuer => Unanswered::AwaitsIssuer(awaited),
            _ => Problem::token(&refusal.error).into(),
        })
    }

    /// Whether the head of a request is sealed as its route asks, and by whom it should be. `None` where there need be no seal, and is
    /// none.
    fn check_seal(
        &self,
        (plan, route): (&Arc<Plan>, usize),
        (request, authority): (&Request<Incoming>, &str),
        (permit, waited): (&Permit, Waited),
    ) -> Result<Option<SealedHead>, Unanswered> {
        let Some(asked) = plan.sealed[route] else { return Ok(None) };
        let seal = &plan.seals[asked.seal];
        if !asked.is_required && !is_sealed(request, seal) {
            return Ok(None);
        }
        let client = (permit.identity(), !waited.status);
        self.judge_seal((plan, seal), (request, authority), client).map(Some).map_err(|why| match why {
            Unsealed::Awaits(status) => Unanswered::AwaitsStatus(status),
            Unsealed::Refused(refusal) => {
                self.shard.listeners[self.listener].metrics.seal(refusal.code());
                Problem::seal(&refusal, seal.tells_tpp()).into()
            }
        })
    }

    /// Holds an h2 head to what a head of HTTP/1.1 was held to: the parser of h2 is laxer.
    fn check_h2_head(&self, request: &Request<Incoming>) -> Result<(), HeadRefusal> {
        let fields_max = self.with_limits(|limits| limits.head_fields_max);
        if !request.headers().keys().all(|name| is_token(name.as_str().as_bytes())) {
            return Err(HeadRefusal::FieldName);
        }
        if request.headers().len() > fields_max {
            return Err(HeadRefusal::TooManyFields { fields_max });
        }
        if request.body().size_hint().exact().is_some_and(|length| length > CONTENT_LENGTH_MAX) {
            return Err(HeadRefusal::ContentLength);
        }
        Ok(())
    }

    fn log_refusal(&self, problem: &Problem) {
        self.with_standing(|standing| {
            let who: Refused<'_> = standing.refused(self.listener_name(), self.peer);
            self.shard.refused(problem.code, &who, || problem.detail().to_owned());
        });
    }
}

impl Taken {
    /// The upstream's answer, or why there is none.
    async fn relay(
        self,
        upstream: Rc<Upstream>,
        mut request: OutgoingRequest,
        (remainder, sealing): (Remainder, Sealing),
    ) -> Result<Response<OutgoingBody>, Infallible> {
        Ok(match upstream.exchange(&mut request).await {
            Ok(response) => self.finished(response.map(OutgoingBody::relayed), (remainder, sealing)).await,
            Err(error) => {
                let refusal = self.refused(Problem::upstream(&error, sealing.tells_tpp));
                match request.body.take().and_then(|unread| unread.source.into_unread()) {
                    Some(unread) => with_remainder(refusal, remainder.of(unread)),
                    None => refusal,
                }
            }
        })
    }

    /// The answer to a request, sealed where it is to be.
    async fn finished(
        self,
        response: Response<OutgoingBody>,
        (remainder, sealing): (Remainder, Sealing),
    ) -> Response<OutgoingBody> {
        match sealing.answer {
            None => with_remainder(self.answered(response), remainder),
            // Boxed: the usual answer, which is not sealed, needs no room for it.
            Some(answer) => Box::pin(self.sealed(answer, response, (remainder, sealing.tells_tpp))).await,
        }
    }

    async fn sealed(
        self,
        answer: AnswerSeal,
        response: Response<OutgoingBody>,
        (remainder, tells_tpp): (Remainder, bool),
    ) -> Response<OutgoingBody> {
        let (sealed, unread) = answer.seal(response, &self.session.shard.seals.spool).await;
        let response = match sealed {
            Ok(response) => self.answered(response),
            // The answer did not come: its head has not been passed on yet.
            Err(SealRefusal::Body(error)) => self.refused(Problem::upstream(&error, tells_tpp)),
            Err(refusal) => self.refused(Problem::seal(&refusal, tells_tpp)),
        };
        let remainder = match unread {
            Some(unread) => remainder.of(unread),
            None => remainder,
        };
        with_remainder(response, remainder)
    }

    fn refused(self, problem: Problem) -> Response<OutgoingBody> {
        let code = problem.code;
        self.session.shard.listeners[self.session.listener].metrics.requests.refused(code);
        self.session.tally(|tally| tally.refused(code));
        self.session.log_refusal(&problem);
        self.finish(problem.into_response(), Some(code))
    }

    fn answered(self, response: Response<OutgoingBody>) -> Response<OutgoingBody> {
        self.finish(response, None)
    }

    fn finish(self, response: Response<OutgoingBody>, code: Option<&'static str>) -> Response<OutgoingBody> {
        let took = self.started.elapsed();
        let session = &self.session;
        session.shard.listeners[session.listener].metrics.requests.answered(response.status().as_u16(), took);
        session.tally(|tally| tally.answered(response.status().as_u16(), took));
        if let Some((method, path)) = self.record {
            let (thumbprint_sha256, organization_identifier) = session.with_standing(|standing| {
                let identity = standing.identity();
                let organization = identity.and_then(|it| it.subject.organization_identifier.clone());
                (identity.map(|it| it.thumbprint.to_string()), organization)
            });
            session.shard.access(AccessRecord {
                time_unix_s: now_unix_s(),
                listener: Arc::clone(session.listener_name()),
                peer: session.peer,
                thumbprint_sha256,
                organization_identifier,
                method: method.to_string(),
                path,
                status: response.status().as_u16(),
                code,
                duration_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            });
        }
        response
    }
}

/// Answers a request whose head was sealed, once its body has come; or begins to pass it on.
async fn answer_sealed(
    request: Request<Incoming>,
    taken: Taken,
    (mut in_flight, view): (InFlight, Rc<View>),
    GrantedSealed { granted, body: mut sealed }: GrantedSealed,
) -> Result<Response<OutgoingBody>, Infallible> {
    let (parts, body) = request.into_parts();
    let session = Rc::clone(&taken.session);
    let stall_timeout = session.with_limits(|limits| limits.stall_timeout);
    let bounds =
        Bounds { stall_timeout, policy_bytes_max: session.body_bytes_max(), received: Rc::default() };
    in_flight.count_received(Rc::clone(&bounds.received));
    let remainder = Remainder::new(in_flight, parts.version >= Version::HTTP_2, stall_timeout);
    let tells_tpp = sealed.tells_tpp;
    // Of what HEAD would have had there is nothing to hash.
    let answer = sealed.answer.take().filter(|_| parts.method != Method::HEAD);
    let sealing = Sealing { answer, tells_tpp };
    let refused = match granted {
        Granted::Answer(response) => match sealed_body::verify(body, sealed, &bounds).await {
            Ok(()) => return Ok(taken.finished(response, (remainder, sealing)).await),
            Err(refused) => refused,
        },
        Granted::Forward(index, head) => {
            match sealed_body::pass_on(body, sealed, bounds, &session.shard.seals.spool).await {
                Ok(body) => {
                    let terms = BodyTerms { stall_timeout, bytes_max: u64::MAX, trailers: None };
                    let outgoing = forward::outgoing(&parts, body, head, terms);
                    let upstream = Rc::clone(&view.upstreams[index].upstream);
                    return taken.relay(upstream, outgoing, (remainder, sealing)).await;
                }
                Err(refused) => refused,
            }
        }
    };
    let (refusal, body) = refused;
    // A client that waits for leave to send its body (RFC 9110 10.1.1) has its answer instead.
    let waits = parts.headers.contains_key(header::EXPECT);
    let remainder = if waits { remainder } else { remainder.of(body) };
    Ok(with_remainder(taken.refused(Problem::seal(&refusal, tells_tpp)), remainder))
}

fn with_remainder(response: Response<OutgoingBody>, remainder: Remainder) -> Response<OutgoingBody> {
    let status = response.status();
    response.map(|body| body.with_remainder(remainder, status))
}

fn refused_head(refusal: HeadRefusal) -> Problem {
    let status = match refusal {
        HeadRefusal::TooLarge { .. } | HeadRefusal::TooManyFields { .. } => {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        }
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, refusal.code(), refusal.to_string())
}
