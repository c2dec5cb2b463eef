//! A path means one thing. Payments need `PSP_PI`; everything else is open to every TPP. A client without that role spells the way
//! to payments in every manner that some server somewhere takes for the same: encoded, doubled, dotted, in capitals, with
//! parameters. None of them may be answered by the open route, or a backend that reads more kindly than the gate would serve
//! what the gate took for something else. Nor does a client with the role get payments by a spelling that is not one of them.

use portcullis_test_harness::{
    Configuration, Gate, H2Client, H2Refusal, HOST, Refusal, Site, TlsClient, eventually,
};
use portcullis_test_pki::Role;

const PORTCULLIS: &str = env!("CARGO_BIN_EXE_portcullis");

/// Spellings of `/v1/payments` that are illegal or that two readers could take differently.
const DOUBTFUL: &[&str] = &[
    "//v1/payments",
    "/v1//payments",
    "/v1/payments//",
    "///v1///payments",
    "/./v1/payments",
    "/v1/./payments",
    "/v1/payments/.",
    "/v1/x/../payments",
    "/x/../v1/payments",
    "/v1/payments/../payments",
    "/v1/payments/..",
    "/../v1/payments",
    "/v1/accounts/../../v1/payments",
    "/v1/%2e/payments",
    "/v1/x/%2e%2e/payments",
    "/v1/x/%2E%2E/payments",
    "/v1/x/.%2e/payments",
    "/v1/x/..;/payments",
    "/v1/x/..;a=b/payments",
    "/v1/;/payments",
    "/v1%2fpayments",
    "/v1%2Fpayments",
    "/%2fv1/payments",
    "/v1/payments%2f",
    "/v1%252fpayments",
    "/v1/p%2561yments",
    "/v1/payments%25",
    "/v1\\payments",
    "\\v1\\payments",
    "/v1%5cpayments",
    "/v1/x\\..\\payments",
    "/v1/payments%00",
    "/v1/payments%00.json",
    "/v1/pay%00ments",
    "/v1/payments%0a",
    "/v1/payments%0d%0aHost:%20x",
    "/v1/payments%7f",
    "/v1/payments\t",
    "/v1/payments%",
    "/v1/payments%2",
    "/v1/payments%zz",
    "/v1/payments%c0%af",
    "/v1%c0%afpayments",
    "/v1/payment\u{17f}",
    "/v1/payment%C5%BF",
    "/V1/payments",
    "/v1/Payments",
    "/v1/PAYMENTS",
    "/V1/PAYMENTS/7",
    "/v1/payments;",
    "/v1/payments;a=b",
    "/v1/payments;jsessionid=1/7",
    "/v1;x/payments",
    "/v1/payments%3b",
    "/v1/payments%3bx=1",
    "/v1/payments.",
    "/v1/payments...",
    "/v1/payments%20",
    "/v1/payments%20/7",
    "/v1/payments%3f",
    "/v1/payments%23",
    "v1/payments",
];

/// Spellings that are `/v1/payments` or lie below it for every reader: unreserved characters encoded (RFC 3986 6.2.2.2), a query.
const LEGAL: &[&str] = &[
    "/v1/payments",
    "/v1/payments/",
    "/v1/payments/7",
    "/v1/p%61yments",
    "/%761/%70%61%79%6d%65%6e%74%73",
    "/v1/payments?",
    "/v1/payments?next=/../v1/accounts",
    "/v1/payments?a=%2e%2e%2f",
    "/v1/payments/7;v=1",
];

/// Other resources, as near as they come.
const OTHERS: &[&str] =
    &["/", "/v1", "/v1/payment", "/v1/paymentsx", "/v1/payments-x", "/v1/xpayments", "/v2/payments"];

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Status(u16, String),
    Refused,
}

impl Answer {
    fn is_from_the_open_route(&self) -> bool {
        matches!(self, Self::Status(_, body) if body == "open\n")
    }

    fn status(&self) -> u16 {
        match self {
            Self::Status(status, _) => *status,
            Self::Refused => 0,
        }
    }

    /// Whether the gate turned the path itself down, rather than the client.
    fn is_of_the_path(&self) -> bool {
        match self {
            Self::Status(400 | 414, body) => body.is_empty() || body.contains("\"code\":\"path."),
            Self::Status(..) => false,
            Self::Refused => true,
        }
    }
}

/// Asks by HTTP/1.1 and by HTTP/2, each over a connection of its own, since a refusal may end it.
fn ask(gate: &Gate, client: &TlsClient, path: &str) -> [Answer; 2] {
    let http1 = match client.get(gate.address("tpp"), path) {
        Ok(response) => Answer::Status(response.status, response.text()),
        Err(Refusal::Closed) => Answer::Refused,
        Err(refusal) => panic!("{path}: {refusal:?}"),
    };
    let mut h2 = H2Client::connect(client, gate.address("tpp")).expect("a session");
    let http2 = match h2.get(HOST.as_bytes(), path.as_bytes()) {
        Ok(response) => Answer::Status(response.status, response.text()),
        Err(H2Refusal::Reset(_) | H2Refusal::GoAway(_) | H2Refusal::Tls(Refusal::Closed)) => Answer::Refused,
        Err(refusal) => panic!("{path}: {refusal:?}"),
    };
    [http1, http2]
}

fn client(site: &Site, role: Role) -> TlsClient {
    TlsClient::new(&site.bank).credential(&site.tpp(&[role]))
}

#[test]
fn no_spelling_leads_to_a_laxer_route() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let aisp = client(&site, Role::PspAi);
    for path in DOUBTFUL {
        for answer in ask(&gate, &aisp, path) {
            assert!(!answer.is_from_the_open_route(), "{path:?} is answered by the open route");
            assert!(answer.is_of_the_path(), "{path:?}: {answer:?}");
        }
    }
    for path in LEGAL {
        for answer in ask(&gate, &aisp, path) {
            assert_eq!(answer.status(), 403, "{path:?}: {answer:?}");
        }
    }
    for path in OTHERS {
        for answer in ask(&gate, &aisp, path) {
            assert!(answer.is_from_the_open_route(), "{path:?}: {answer:?}");
        }
    }
}

#[test]
fn a_client_of_http1_is_told_what_is_wrong_with_its_path() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let aisp = client(&site, Role::PspAi);
    for path in DOUBTFUL {
        let [http1, _] = ask(&gate, &aisp, path);
        assert_eq!(http1.status(), 400, "{path:?}: {http1:?}");
    }
}

#[test]
fn the_role_opens_the_resource_and_not_its_look_alikes() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let pisp = client(&site, Role::PspPi);
    for path in LEGAL {
        for answer in ask(&gate, &pisp, path) {
            assert_eq!(answer.status(), 200, "{path:?}: {answer:?}");
            assert!(!answer.is_from_the_open_route(), "{path:?}");
        }
    }
    for path in DOUBTFUL {
        for answer in ask(&gate, &pisp, path) {
            assert!(answer.is_of_the_path(), "{path:?}: {answer:?}");
        }
    }
    eventually("no connection is left open", || gate.metrics().sum("portcullis_connections", &[]) == 0.0);
}

#[test]
fn without_an_open_route_there_is_nothing_there() {
    let site = Site::new();
    let routes = "[[route]]\npath = \"/v1/payments\"\nroles = [\"PSP_PI\"]\nrespond = { status = 200 }";
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2().routes(routes));
    let pisp = client(&site, Role::PspPi);
    for path in OTHERS {
        for answer in ask(&gate, &pisp, path) {
            assert_eq!(answer.status(), 404, "{path:?}: {answer:?}");
        }
    }
    for answer in ask(&gate, &pisp, "/v1/payments") {
        assert_eq!(answer.status(), 200);
    }
}

#[test]
fn a_path_longer_than_is_read_is_refused() {
    let site = Site::new();
    let gate = Gate::start(PORTCULLIS, &site, &Configuration::psd2());
    let path = format!("/v1/payments/{}", "a".repeat(9 * 1024));
    for answer in ask(&gate, &client(&site, Role::PspPi), &path) {
        assert!(matches!(answer.status(), 414 | 431), "{answer:?}");
    }
}
