//! A folder with certificates, and a configuration that is right until a test breaks it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use portcullis_test_pki::{Authority, Credential, ServerCertificate};

use crate::configuration::{Configuration, Mistakes};

/// The configuration of the issue, with every table.
pub(super) const GOOD: &str = r#"[runtime]
shards = 1
cpus = [0]
io = "auto"

[[listener]]
name = "tpp"
address = "127.0.0.1:8443"
[[listener.certificate]]
chain = "server.pem"
key = "server.key"
[listener.client_auth]
mode = "required"
profile = "x509"
anchors = ["root.pem"]

[[route]]
path = "/direct"
respond = { status = 200, body = "ok\n" }
[[route]]
path = "/v1/payments"
roles = ["PSP_PI"]
respond = { status = 200, echo = "identity" }

[admin]
address = "127.0.0.1:9090"
"#;

/// A folder of its own, gone in the end.
pub(super) struct Bench {
    folder: PathBuf,
    pub(super) bank: Authority,
}

impl Bench {
    /// With `server.pem`, `server.key` for `a.example` and `*.b.example`, `other.pem`, `other.key` for `other.example`,
    /// and `root.pem`.
    pub(super) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("portcullis-check-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let bank = Authority::bank().unwrap();
        let bench = Self { folder, bank };
        bench.server("server", &["a.example", "*.b.example"]);
        bench.server("other", &["other.example"]);
        bench.file("root.pem", &Authority::qtsp().unwrap().root_pem());
        bench
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A server certificate with its key.
    pub(super) fn server(&self, file: &str, names: &[&str]) -> Credential {
        let credential = ServerCertificate::new(names.iter().copied()).issue(&self.bank).unwrap();
        credential.write(&self.folder, file).unwrap();
        credential
    }

    pub(super) fn file(&self, name: &str, content: &str) {
        fs::write(self.folder.join(name), content).unwrap();
    }

    pub(super) fn load(&self, text: &str) -> Result<Configuration, Mistakes> {
        self.file("portcullis.toml", text);
        Configuration::load(&self.folder.join("portcullis.toml"), None, None)
    }

    /// The configuration, which has no mistakes.
    pub(super) fn good(&self, text: &str) -> Configuration {
        self.load(text).unwrap_or_else(|mistakes| panic!("{mistakes}\n{text}"))
    }

    /// Line, key and sentence of each mistake.
    pub(super) fn mistakes(&self, text: &str) -> Vec<(usize, String, String)> {
        let Err(mistakes) = self.load(text) else { panic!("no mistake in\n{text}") };
        let told = |mistake: &crate::Mistake| {
            (mistake.line().unwrap_or(0), mistake.key().to_owned(), mistake.message().to_owned())
        };
        mistakes.iter().map(told).collect()
    }

    /// Breaks the good configuration in one place, and sees that exactly this is told: at the line of `needle` in the
    /// broken text, under `key`, with `words` in the sentence.
    pub(super) fn breaks(&self, old: &str, new: &str, needle: &str, key: &str, words: &str) {
        assert!(GOOD.contains(old), "{old}");
        self.tells(&GOOD.replacen(old, new, 1), needle, key, words);
    }

    /// Sees that exactly one mistake is told of `text`: at the line of `needle`, under `key`, with `words`.
    pub(super) fn tells(&self, text: &str, needle: &str, key: &str, words: &str) {
        let mistakes = self.mistakes(text);
        let [(line, told_key, sentence)] = mistakes.as_slice() else { panic!("{mistakes:#?}\n{text}") };
        assert_eq!((*line, told_key.as_str()), (line_of(text, needle), key), "{sentence}");
        assert!(sentence.contains(words), "{sentence}");
    }

    /// The sentences of the warnings about `text`, which has no mistakes.
    pub(super) fn warnings(&self, text: &str) -> Vec<(String, String)> {
        let warnings = self.good(text).warnings;
        warnings.iter().map(|warning| (warning.key().to_owned(), warning.message().to_owned())).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// The line in which `needle` begins, counted from 1; 0 for no needle, which stands for the file as a whole.
pub(super) fn line_of(text: &str, needle: &str) -> usize {
    match needle {
        "" => 0,
        needle => text[..text.find(needle).unwrap()].matches('\n').count() + 1,
    }
}
