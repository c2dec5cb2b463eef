//! An https server whose answers a test changes while it runs.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portcullis_test_pki::Credential;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the server does when it is asked for a path.
#[derive(Clone, Debug)]
pub enum Answering {
    /// Sends the document, with an `ETag` of its content; says 304 to who knows it.
    Document(Vec<u8>),
    /// Sends the document as JSON, whoever asks.
    Json(Vec<u8>),
    /// Sends a status without a body.
    Status(u16),
    /// Redirects to a URL.
    Redirect(String),
    /// Sends what is no HTTP.
    Garbage,
    /// Sends zeros without end, and no length.
    Endless,
    /// Sends half of a document, and ends the connection.
    Half(Vec<u8>),
    /// Says nothing until the server is dropped.
    Silent,
}

type Answers = Arc<Mutex<HashMap<String, Answering>>>;
/// The last request for each path, head and body.
type Received = Arc<Mutex<HashMap<String, String>>>;

/// The server. It ends with the value.
#[derive(Debug)]
pub struct HttpsServer {
    address: SocketAddr,
    answers: Answers,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
    received: Received,
    is_over: Arc<AtomicBool>,
}

impl HttpsServer {
    /// A server on 127.0.0.1 that knows no path yet, with a certificate for `localhost`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(credential: &Credential) -> Self {
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(credential.chain(), credential.key()).expect("a certificate");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = Self {
            address: listener.local_addr().expect("an address"),
            answers: Arc::default(),
            asked: Arc::default(),
            received: Arc::default(),
            is_over: Arc::default(),
        };
        let (config, answers) = (Arc::new(config), Arc::clone(&server.answers));
        let (asked, is_over) = (Arc::clone(&server.asked), Arc::clone(&server.is_over));
        let received = Arc::clone(&server.received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let (config, answers) = (Arc::clone(&config), Arc::clone(&answers));
                let (asked, is_over) = (Arc::clone(&asked), Arc::clone(&is_over));
                let received = Arc::clone(&received);
                // How a client ends its connection is its affair.
                std::thread::spawn(move || {
                    drop(serve(stream, config, &answers, (&asked, &received), &is_over));
                });
            }
        });
        server
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// Changes what is answered for a path.
    pub fn answer(&self, path: &str, answering: Answering) {
        lock(&self.answers).insert(path.to_owned(), answering);
    }

    /// The last request for a path, head and body.
    pub fn received(&self, path: &str) -> Option<String> {
        lock(&self.received).get(path).cloned()
    }

    /// How often a path was answered with a status.
    pub fn count(&self, path: &str, status: u16) -> usize {
        lock(&self.asked).iter().filter(|(asked, answered)| asked == path && *answered == status).count()
    }
}

impl Drop for HttpsServer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    answers: &Answers,
    (asked, received): (&Mutex<Vec<(String, u16)>>, &Received),
    is_over: &AtomicBool,
) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let session = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(session, stream));
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let length = lines
        .iter()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let whole = format!("{}\n\n{}", lines.join("\n"), String::from_utf8_lossy(&body));
    lock(received).insert(path.clone(), whole);
    let answering = lock(answers).get(&path).cloned().unwrap_or(Answering::Status(404));
    let known = lines
        .iter()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("if-none-match: ").map(str::to_owned));
    let mut stream = reader.into_inner();
    let mut head = |status: u16, more: &str| {
        lock(asked).push((path.clone(), status));
        write!(stream, "HTTP/1.1 {status} X\r\nconnection: close\r\n{more}\r\n")
    };
    match answering {
        Answering::Document(bytes) => {
            let tag = format!(
                "\"{:x}\"",
                bytes.iter().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte))
            );
            if known.as_deref() == Some(&tag) {
                head(304, "")?;
            } else {
                head(200, &format!("etag: {tag}\r\ncontent-length: {}\r\n", bytes.len()))?;
                stream.write_all(&bytes)?;
            }
        }
        Answering::Json(bytes) => {
            head(200, &format!("content-type: application/json\r\ncontent-length: {}\r\n", bytes.len()))?;
            stream.write_all(&bytes)?;
        }
        Answering::Status(status) => head(status, "content-length: 0\r\n")?,
        Answering::Redirect(location) => {
            head(302, &format!("location: {location}\r\ncontent-length: 0\r\n"))?;
        }
        Answering::Garbage => stream.write_all(&[0x16; 512])?,
        Answering::Endless => {
            head(200, "")?;
            while !is_over.load(Ordering::Relaxed) {
                stream.write_all(&[b'0'; 1 << 16])?;
            }
        }
        Answering::Half(bytes) => {
            head(200, &format!("content-length: {}\r\n", bytes.len()))?;
            stream.write_all(&bytes[..bytes.len() / 2])?;
        }
        Answering::Silent => {
            while !is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    stream.conn.send_close_notify();
    stream.flush()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
