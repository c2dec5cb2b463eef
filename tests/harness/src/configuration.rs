//! The configuration of a gate under test, as text that a test changes in one place.

use std::net::SocketAddr;

/// The parts of a configuration file, each as the lines that stand there. The default is a gate with one shard, one listener on
/// a port of the kernel's choice, certificates required under profile `x509`, one open route, and an admin listener.
#[derive(Clone, Debug)]
pub struct Configuration {
    runtime: String,
    listener: String,
    certificates: String,
    client_auth: String,
    limits: String,
    routes: String,
    rest: String,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            runtime: "shards = 1".to_owned(),
            listener: "name = \"tpp\"\naddress = \"127.0.0.1:0\"".to_owned(),
            certificates: "[[listener.certificate]]\nchain = \"server.pem\"\nkey = \"server.key\"".to_owned(),
            client_auth: "mode = \"required\"\nprofile = \"x509\"\nanchors = [\"qtsp.pem\"]".to_owned(),
            limits: String::new(),
            routes: "[[route]]\npath = \"/\"\nrespond = { status = 200, body = \"ok\\n\" }".to_owned(),
            rest: String::new(),
        }
    }
}

impl Configuration {
    /// Profile `psd2` and the routes of the quickstart: accounts for `PSP_AI`, payments for `PSP_PI`, confirmations for
    /// `PSP_IC`, and the rest for every TPP.
    #[must_use]
    pub fn psd2() -> Self {
        let route = |path: &str, roles: &str| {
            format!(
                "[[route]]\npath = \"{path}\"\n{roles}respond = {{ status = 200, echo = \"identity\" }}\n\n"
            )
        };
        let routes = [
            route("/v1/accounts", "roles = [\"PSP_AI\"]\n"),
            route("/v1/payments", "roles = [\"PSP_PI\"]\n"),
            route("/v1/funds-confirmations", "roles = [\"PSP_IC\"]\n"),
            "[[route]]\npath = \"/\"\nrespond = { status = 200, body = \"open\\n\" }".to_owned(),
        ];
        Self::default()
            .client_auth("mode = \"required\"\nprofile = \"psd2\"\nanchors = [\"qtsp.pem\"]")
            .routes(&routes.concat())
    }

    /// Profile `psd2`, and one route that leads every TPP with the role `PSP_AI` to the upstream `bank`: these servers, and these
    /// further lines.
    #[must_use]
    pub fn passing_on(servers: &[SocketAddr], lines: &str) -> Self {
        Self::psd2()
            .routes("[[route]]\npath = \"/\"\nroles = [\"PSP_AI\"]\nupstream = \"bank\"")
            .and(&Self::upstream("bank", servers, lines))
    }

    /// The table of an upstream, for [`and`](Self::and).
    #[must_use]
    pub fn upstream(name: &str, servers: &[SocketAddr], lines: &str) -> String {
        let servers: Vec<_> = servers.iter().map(|server| format!("\"{server}\"")).collect();
        format!("[upstream.{name}]\nservers = [{}]\n{lines}\n", servers.join(", "))
    }

    /// These lines in `[runtime]`.
    #[must_use]
    pub fn runtime(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.runtime);
        self
    }

    /// These lines in `[[listener]]`, before its tables.
    #[must_use]
    pub fn listener(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.listener);
        self
    }

    /// These tables in place of the one `[[listener.certificate]]`.
    #[must_use]
    pub fn certificates(mut self, tables: &str) -> Self {
        tables.clone_into(&mut self.certificates);
        self
    }

    /// These lines in `[listener.client_auth]`.
    #[must_use]
    pub fn client_auth(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.client_auth);
        self
    }

    /// These lines in `[listener.limits]`.
    #[must_use]
    pub fn limits(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.limits);
        self
    }

    /// These tables in place of the one `[[route]]`.
    #[must_use]
    pub fn routes(mut self, tables: &str) -> Self {
        tables.clone_into(&mut self.routes);
        self
    }

    /// These tables behind all others.
    #[must_use]
    pub fn and(mut self, tables: &str) -> Self {
        tables.clone_into(&mut self.rest);
        self
    }

    /// The file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let Self { runtime, listener, certificates, client_auth, limits, routes, rest } = self;
        format!(
            "[runtime]\n{runtime}\n\n[[listener]]\n{listener}\n\n{certificates}\n\n[listener.client_auth]\n{client_auth}\n\n\
             [listener.limits]\n{limits}\n\n{routes}\n\n[admin]\naddress = \"127.0.0.1:0\"\n\n{rest}\n"
        )
    }
}
