//! From a request to its answer: who, where, whether.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, service::Service};
use portcullis_policy::{Lookup, PathRefusal, Permit, RequestPath, authorise};
use portcullis_telemetry::{AccessRecord, Refused};

use crate::{
    http::{answer, authority::RequestHost, head::HeadRefusal, problem::Problem},
    judge::Standing,
    session::Session,
    view::View,
};

/// Answers the requests of one connection.
#[derive(Debug, Clone)]
pub(crate) struct RequestService(pub(crate) Rc<Session>);

impl Service<Request<Incoming>> for RequestService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        ready(Ok(self.0.answer(&request)))
    }
}

impl Session {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let started = Instant::now();
        self.activity.request();
        let view = self.view();
        let outcome = self.with_standing(|standing| match standing {
            Standing::Admitted(permit) => self.route(&view, permit, request),
            Standing::Refused { denial, .. } => Err(Problem::denied(denial)),
        });
        let metrics = &self.shard.listeners[self.listener].metrics.requests;
        let (response, code) = match outcome {
            Ok(response) => (response, None),
            Err(problem) => {
                let code = problem.code;
                metrics.refused(code);
                self.log_refusal(&problem);
                (problem.into_response(), Some(code))
            }
        };
        let took = started.elapsed();
        metrics.answered(response.status().as_u16(), took);
        if view.plan.access_log {
            self.record(request, response.status(), code, took);
        }
        response
    }

    /// The last answer on a connection whose bytes were not taken as a request (HTTP/1.1). Counted and logged.
    pub(crate) fn refuse_head(&self, refusal: HeadRefusal) -> Vec<u8> {
        let status = match refusal {
            HeadRefusal::TooLarge { .. } | HeadRefusal::TooManyFields { .. } => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            _ => StatusCode::BAD_REQUEST,
        };
        let metrics = &self.shard.listeners[self.listener].metrics.requests;
        metrics.refused(refusal.code());
        metrics.answered(status.as_u16(), Duration::ZERO);
        let problem = Problem::new(status, refusal.code(), refusal.to_string());
        self.log_refusal(&problem);
        problem.into_last_message()
    }

    /// The answer of the route that the request names, if its peer may enter it.
    fn route<B>(
        &self,
        view: &View,
        permit: &Permit,
        request: &Request<B>,
    ) -> Result<Response<Full<Bytes>>, Problem> {
        let host = RequestHost::of(request.uri(), request.headers())
            .map_err(|refusal| Problem::new(StatusCode::BAD_REQUEST, refusal.code(), refusal.sentence()))?;
        if !self.with_domain(|domain| domain.serves(host.as_str())) {
            let detail = "this connection was not made for that host: connect with its name as SNI";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host.misdirected", detail));
        }
        if request.method() == Method::CONNECT {
            let detail = "the gate is no tunnel";
            return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method.connect", detail));
        }
        let path = RequestPath::parse(request.uri().path()).map_err(refused_path)?;
        match view.plan.policy.routes().find(host.as_str(), &path) {
            Lookup::Route(index, route) => {
                let grant = authorise(permit, route).map_err(|denial| {
                    view.routes[index].denied.increment(1);
                    Problem::denied(&denial)
                })?;
                view.routes[index].granted.increment(1);
                Ok(answer::answer(&grant, &view.plan.answers[index]))
            }
            Lookup::NotFound => {
                Err(Problem::new(StatusCode::NOT_FOUND, "route.none", "no route has this path"))
            }
            Lookup::Ambiguous(route) => {
                let detail = format!(
                    "the path differs from {} only by case, parameters, or trailing dots and spaces",
                    route.path()
                );
                Err(Problem::new(StatusCode::BAD_REQUEST, "path.ambiguous", detail))
            }
        }
    }

    fn log_refusal(&self, problem: &Problem) {
        self.with_standing(|standing| {
            let who: Refused<'_> = standing.refused(self.listener_name(), self.peer);
            self.shard.refused(problem.code, &who, || problem.detail().to_owned());
        });
    }

    fn record<B>(
        &self,
        request: &Request<B>,
        status: StatusCode,
        code: Option<&'static str>,
        took: Duration,
    ) {
        let (thumbprint_sha256, organization_identifier) = self.with_standing(|standing| {
            let identity = standing.identity();
            let organization = identity.and_then(|it| it.subject.organization_identifier.clone());
            (identity.map(|it| it.thumbprint.to_string()), organization)
        });
        self.shard.access(AccessRecord {
            time_unix_s: AccessRecord::now_unix_s(),
            listener: Arc::clone(self.listener_name()),
            peer: self.peer,
            thumbprint_sha256,
            organization_identifier,
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            status: status.as_u16(),
            code,
            duration_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        });
    }
}

fn refused_path(refusal: PathRefusal) -> Problem {
    let status = match refusal {
        PathRefusal::TooLong => StatusCode::URI_TOO_LONG,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, refusal.code(), refusal.to_string())
}
