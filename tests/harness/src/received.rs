//! A request as it came to a backend, byte by byte.

/// A request. Nothing in it was mended or left out.
#[derive(Clone, Debug, Default)]
pub struct Received {
    pub(crate) id: u64,
    /// The number of its connection, counted from 0.
    pub connection: usize,
    /// From the method to the empty line; without the empty line, bytes that ended too early to be a head.
    pub head: Vec<u8>,
    /// What followed the head, with its framing, as far as the script read it.
    pub wire: Vec<u8>,
    /// The body without its framing, as far as the script read it.
    pub body: Vec<u8>,
    /// The fields behind the last chunk.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// Whether the body came to its end.
    pub complete: bool,
}

impl Received {
    /// The request line.
    #[must_use]
    pub fn line(&self) -> String {
        let end = self.head.windows(2).position(|pair| pair == b"\r\n").unwrap_or(self.head.len());
        String::from_utf8_lossy(&self.head[..end]).into_owned()
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> String {
        self.line().split(' ').next().unwrap_or_default().to_owned()
    }

    /// The target, as it stands in the request line.
    #[must_use]
    pub fn target(&self) -> String {
        self.line().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// The fields in order, names in lower case, values without white space around them.
    #[must_use]
    pub fn fields(&self) -> Vec<(String, Vec<u8>)> {
        fields(self.head.split(|byte| *byte == b'\n').skip(1))
    }

    /// All values of a field, whose name is in lower case.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<String> {
        let fields = self.fields().into_iter().filter(|(known, _)| known == name);
        fields.map(|(_, value)| String::from_utf8_lossy(&value).into_owned()).collect()
    }

    /// The value of a field that is there once.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        match &self.values(name)[..] {
            [value] => Some(value.clone()),
            _ => None,
        }
    }

    /// Whether these bytes are anywhere in what came.
    #[must_use]
    pub fn contains(&self, bytes: &[u8]) -> bool {
        [&self.head, &self.wire].iter().any(|part| part.windows(bytes.len()).any(|window| window == bytes))
    }
}

pub(crate) fn fields<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Vec<(String, Vec<u8>)> {
    let field = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = String::from_utf8_lossy(&line[..colon]).to_lowercase();
        Some((name, line[colon + 1..].trim_ascii().to_vec()))
    };
    lines.filter_map(field).collect()
}
