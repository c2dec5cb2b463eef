//! Servers that send us elsewhere.

use super::*;

#[tokio::test]
async fn redirects_are_followed_with_the_conditions() {
    let target = Server::start(|_| ok("list")).await;
    let location = target.url("/moved.xml");
    let server = Server::start(move |head| match head.starts_with("GET /tl.xml ") {
        true => vec![text("HTTP/1.1 301 Moved\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n")],
        false => {
            vec![text(format!("HTTP/1.1 307 Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"))]
        }
    })
    .await;
    let fetcher = Fetcher::new(Access::Https, LIMITS, &[server.root(), target.root()]).unwrap();
    let known = Validators { etag: Some("\"6\"".to_owned()), last_modified: None };
    assert_eq!(bytes(fetcher.get(&server.url("/tl.xml"), Some(&known)).await), b"list");
    let heads = target.heads();
    assert!(
        heads[0].starts_with("GET /moved.xml ") && heads[0].contains("if-none-match: \"6\""),
        "{heads:?}"
    );
    assert!(!heads[0].contains("referer"), "{heads:?}");
}

#[tokio::test]
async fn a_loop_of_redirects_has_an_end() {
    let acts = vec![text("HTTP/1.1 302 Found\r\nlocation: /tl.xml\r\ncontent-length: 0\r\n\r\n")];
    let server = Server::start(move |_| acts.clone()).await;
    let error = get(&server, LIMITS).await.unwrap_err();
    let many = RedirectRefusal::TooMany { redirects_max: 3 };
    assert!(matches!(&error, FetchError::Redirect { refusal, .. } if *refusal == many), "{error:?}");
    assert_eq!(server.heads().len(), 4);
}

#[tokio::test]
async fn redirects_leave_https_for_nothing() {
    let server = Server::start(|_| ok("never asked")).await;
    let secret = format!("https://me:pw@127.0.0.1:{}/", server.port());
    for (location, told) in [
        ("http://127.0.0.1/", "to http,"),
        ("file:///etc/passwd", "to file,"),
        ("data:,list", "to data,"),
        (&secret, "user name or a password"),
        ("https://127.0.0.1:99999/", "no URL"),
        // A reference to the same document: a loop.
        ("", "more than 3 redirects"),
    ] {
        let moved = format!("HTTP/1.1 308 Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
        let error = refusal(vec![text(moved)], LIMITS).await;
        let message = error.to_string();
        assert_eq!(error.code(), "fetch.redirect", "{error:?}");
        assert!(message.contains(told), "{message}");
        assert!(!message.contains("pw"), "{message}");
    }
    let error = refusal(vec![text("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n")], LIMITS).await;
    assert!(matches!(error, FetchError::Redirect { refusal: RedirectRefusal::Location, .. }), "{error:?}");
    assert!(server.heads().is_empty());
}
