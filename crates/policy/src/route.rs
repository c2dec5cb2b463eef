//! Routes: which path and host need which role.

use std::collections::HashMap;

use portcullis_identity::Roles;
use thiserror::Error;

use crate::{PathRefusal, RequestPath};

/// One route as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The prefix, in canonical form, without a trailing slash (the root is `/`).
    path: String,
    /// The host it is limited to, in lower case.
    host: Option<String>,
    /// Any one of these admits; empty admits every peer that has a permit.
    roles: Roles,
}

/// All routes, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteTable {
    routes: Vec<Route>,
    /// Indexes into `routes`, by folded prefix; at one prefix those with a host stand before the one without.
    by_prefix: HashMap<String, Vec<usize>>,
    /// The longest prefix of the table, in segments: deeper prefixes of a request need no look-up.
    segments_max: usize,
}

/// What a request path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'t> {
    /// This route, with its index in the table.
    Route(usize, &'t Route),
    /// No route: 404.
    NotFound,
    /// The path names a route only to a reader that ignores case or path parameters: 400, since a laxer route must
    /// not answer for it and the stricter one was not asked.
    Ambiguous(&'t Route),
}

/// Why a route cannot be configured.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The path itself would be refused from a client.
    #[error("path {path:?}: {reason}")]
    Path {
        /// As configured.
        path: String,
        /// What is wrong with it.
        reason: PathRefusal,
    },
    /// The path has characters by which a lenient reader takes it for another one.
    #[error("path {path:?} must not have path parameters or segments that end in a dot or space")]
    Lenient {
        /// As configured.
        path: String,
    },
    /// Another route has this path, or one that differs only in case, and the same host.
    #[error("path {path:?} is the same route as {other:?}")]
    Duplicate {
        /// As configured.
        path: String,
        /// The path of the earlier route.
        other: String,
    },
}

impl Route {
    /// Checks a route as configured. `path` may end in a slash, which says nothing more.
    ///
    /// # Errors
    /// [`RouteError`] where no request could name this path without doubt.
    pub fn new(path: &str, host: Option<&str>, roles: Roles) -> Result<Self, RouteError> {
        let parsed =
            RequestPath::parse(path).map_err(|reason| RouteError::Path { path: path.to_owned(), reason })?;
        if !parsed.as_str().eq_ignore_ascii_case(parsed.folded()) {
            return Err(RouteError::Lenient { path: path.to_owned() });
        }
        let path = match parsed.as_str().trim_end_matches('/') {
            "" => "/",
            trimmed => trimmed,
        };
        Ok(Self { path: path.to_owned(), host: host.map(str::to_ascii_lowercase), roles })
    }

    /// The prefix in canonical form.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The host this route is limited to.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The roles of which one is needed; empty for any admitted peer.
    pub const fn roles(&self) -> Roles {
        self.roles
    }

    /// The roles as one word for labels: `PSP_AI|PSP_PI`, or `any`.
    pub fn roles_label(&self) -> String {
        match self.roles.is_empty() {
            true => "any".to_owned(),
            false => self.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join("|"),
        }
    }

    fn covers(&self, path: &str) -> bool {
        self.path == "/"
            || path
                .strip_prefix(self.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl RouteTable {
    /// Builds the table; the index of a route is its place in `routes`.
    ///
    /// # Errors
    /// [`RouteError::Duplicate`] for two routes that one request could equally mean.
    pub fn new(routes: Vec<Route>) -> Result<Self, RouteError> {
        let mut by_prefix: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, route) in routes.iter().enumerate() {
            let same_prefix = by_prefix.entry(route.path.to_ascii_lowercase()).or_default();
            let twin = same_prefix.iter().map(|other| &routes[*other]);
            if let Some(other) =
                twin.into_iter().find(|other| other.host == route.host || other.path != route.path)
            {
                return Err(RouteError::Duplicate { path: route.path.clone(), other: other.path.clone() });
            }
            same_prefix.push(index);
            same_prefix.sort_by_key(|index| routes[*index].host.is_none());
        }
        let segments_max = routes.iter().map(|route| segments(&route.path)).max().unwrap_or(0);
        Ok(Self { routes, by_prefix, segments_max })
    }

    /// All routes in the order of the configuration.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The route with the longest prefix, by whole segments, among those without a host or with this `host` (lower
    /// case, no port). At the same prefix the one with the host wins.
    pub fn find(&self, host: &str, path: &RequestPath<'_>) -> Lookup<'_> {
        let folded = path.folded();
        let mut prefix = deepest_prefix(folded, self.segments_max);
        loop {
            let here = self.by_prefix.get(prefix).into_iter().flatten();
            let fits =
                |index: &&usize| self.routes[**index].host.as_deref().is_none_or(|wanted| wanted == host);
            if let Some(index) = here.into_iter().find(fits) {
                let route = &self.routes[*index];
                return match route.covers(path.as_str()) {
                    true => Lookup::Route(*index, route),
                    false => Lookup::Ambiguous(route),
                };
            }
            prefix = match prefix.rfind('/') {
                _ if prefix == "/" => return Lookup::NotFound,
                Some(0) | None => "/",
                Some(slash) => &prefix[..slash],
            };
        }
    }
}

fn segments(path: &str) -> usize {
    if path == "/" { 0 } else { path.matches('/').count() }
}

/// The first `count` segments of `path`; `/` for none.
fn deepest_prefix(path: &str, count: usize) -> &str {
    let end = path.match_indices('/').map(|(at, _)| at).nth(count).unwrap_or(path.len());
    if end == 0 { "/" } else { &path[..end] }
}

#[cfg(test)]
mod tests {
    use portcullis_identity::Role;

    use super::*;

    fn table(paths: &[(&str, Option<&str>)]) -> RouteTable {
        let routes = paths.iter().map(|(path, host)| Route::new(path, *host, Roles::default()).unwrap());
        RouteTable::new(routes.collect()).unwrap()
    }

    fn found<'t>(table: &'t RouteTable, host: &str, path: &str) -> Option<&'t str> {
        match table.find(host, &RequestPath::parse(path).unwrap()) {
            Lookup::Route(_, route) => Some(route.path()),
            Lookup::NotFound => None,
            Lookup::Ambiguous(_) => Some("ambiguous"),
        }
    }

    #[test]
    fn the_longest_prefix_by_whole_segments_wins() {
        let table = table(&[("/", None), ("/v1/payments", None), ("/v1/payments/bulk/", None)]);
        assert_eq!(found(&table, "a", "/"), Some("/"));
        assert_eq!(found(&table, "a", "/v1"), Some("/"));
        assert_eq!(found(&table, "a", "/v1/paymentsx"), Some("/"));
        assert_eq!(found(&table, "a", "/v1/payments"), Some("/v1/payments"));
        assert_eq!(found(&table, "a", "/v1/payments/"), Some("/v1/payments"));
        assert_eq!(found(&table, "a", "/v1/payments/7"), Some("/v1/payments"));
        assert_eq!(found(&table, "a", "/v1/payments/bulk"), Some("/v1/payments/bulk"));
        assert_eq!(found(&table, "a", "/v1/payments/bulk/7/8/9"), Some("/v1/payments/bulk"));
    }

    #[test]
    fn without_a_root_route_there_may_be_none() {
        let table = table(&[("/v1", None)]);
        assert_eq!(found(&table, "a", "/"), None);
        assert_eq!(found(&table, "a", "/v2/x"), None);
        assert_eq!(found(&RouteTable::default(), "a", "/v2/x"), None);
    }

    #[test]
    fn what_only_a_lenient_reader_would_match_is_ambiguous() {
        let table = table(&[("/", None), ("/v1/payments", None)]);
        for path in
            ["/V1/payments", "/v1/payments;x=1", "/v1/payments.", "/v1/payments%3Bx/y", "/v1;a/payments/7"]
        {
            assert_eq!(found(&table, "a", path), Some("ambiguous"), "{path}");
        }
        assert_eq!(found(&table, "a", "/v1/payments/A;x=1"), Some("/v1/payments"));
        assert_eq!(found(&table, "a", "/Other"), Some("/"));
    }

    #[test]
    fn a_host_narrows_and_wins_only_at_the_same_prefix() {
        let table =
            table(&[("/", None), ("/", Some("Two.example")), ("/v1", None), ("/v2", Some("two.example"))]);
        let index = |host, path| match table.find(host, &RequestPath::parse(path).unwrap()) {
            Lookup::Route(index, _) => index,
            other => panic!("{other:?}"),
        };
        assert_eq!(index("one.example", "/"), 0);
        assert_eq!(index("two.example", "/"), 1);
        assert_eq!(index("two.example", "/v1/x"), 2);
        assert_eq!(index("one.example", "/v2"), 0);
        assert_eq!(index("two.example", "/v2"), 3);
    }

    #[test]
    fn twins_and_doubtful_paths_cannot_be_configured() {
        let route = |path| Route::new(path, None, [Role::PspAi].into_iter().collect()).unwrap();
        let error = RouteTable::new(vec![route("/a"), route("/a/")]).unwrap_err();
        assert!(matches!(error, RouteError::Duplicate { .. }), "{error}");
        assert!(RouteTable::new(vec![route("/a"), route("/A")]).is_err());
        assert!(Route::new("/a;b", None, Roles::default()).is_err());
        assert!(Route::new("/a/../b", None, Roles::default()).is_err());
        assert!(Route::new("a", None, Roles::default()).is_err());
    }
}
