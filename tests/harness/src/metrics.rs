//! What the admin listener says: a plain HTTP request, and the text format of Prometheus.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use crate::{DEADLINE, Response};

/// One scrape.
#[derive(Clone, Debug)]
pub struct Metrics {
    text: String,
    samples: Vec<Sample>,
}

#[derive(Clone, Debug)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Metrics {
    /// Asks for `/metrics`.
    ///
    /// # Panics
    ///
    /// When there is no answer or it is not in the text format.
    #[must_use]
    pub fn scrape(admin: SocketAddr) -> Self {
        let response = Self::get(admin, "/metrics");
        assert_eq!(response.status, 200, "{}", response.text());
        Self::parse(response.text())
    }

    /// Asks the admin listener for any path.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    #[must_use]
    pub fn get(admin: SocketAddr, path: &str) -> Response {
        let mut stream = TcpStream::connect(admin).expect("the admin listener accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes a timeout");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the admin listener reads");
        Response::read(&mut stream, &mut Vec::new()).expect("the admin listener answers")
    }

    /// The page as it came.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of all families that have a sample or a description.
    #[must_use]
    pub fn families(&self) -> BTreeSet<&str> {
        let described = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        described.chain(self.samples.iter().map(|sample| sample.name.as_str())).collect()
    }

    /// The sum over all samples of this name that have these labels, whatever others they have; 0 where there is none, since a
    /// counter may appear with its first event.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let fits = |sample: &&Sample| sample.name == name && sample.has(labels);
        self.samples.iter().filter(fits).map(|sample| sample.value).sum()
    }

    /// Whether there is a sample of this name with these labels.
    #[must_use]
    pub fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        self.samples.iter().any(|sample| sample.name == name && sample.has(labels))
    }

    /// The values that a label takes in a family.
    #[must_use]
    pub fn label_values(&self, name: &str, label: &str) -> BTreeSet<&str> {
        let of_name =
            self.samples.iter().filter(|sample| sample.name == name).flat_map(|sample| &sample.labels);
        of_name.filter(|(known, _)| known == label).map(|(_, value)| value.as_str()).collect()
    }

    fn parse(text: String) -> Self {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples =
            lines.map(|line| Sample::parse(line).unwrap_or_else(|| panic!("no sample: {line}"))).collect();
        Self { text, samples }
    }
}

impl Sample {
    fn has(&self, labels: &[(&str, &str)]) -> bool {
        let has = |(name, value): &(&str, &str)| self.labels.iter().any(|(n, v)| n == name && v == value);
        labels.iter().all(has)
    }

    /// Label values of the gate hold no quotes or backslashes, which keeps this short.
    fn parse(line: &str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}')?),
            None => (series, ""),
        };
        let label = |pair: &str| {
            let (name, value) = pair.trim_start_matches(',').split_once("=\"")?;
            Some((name.to_owned(), value.to_owned()))
        };
        let labels = labels.split_terminator('"').collect::<Vec<_>>();
        let labels = labels.chunks(2).map(|pair| label(&pair.join("\""))).collect::<Option<_>>()?;
        Some(Self { name: name.to_owned(), labels, value: value.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_found_by_name_and_labels() {
        let text = "# TYPE a_total counter\na_total{shard=\"0\",kind=\"x, y\"} 2\na_total{shard=\"1\",kind=\"z\"} 3\nb 1e3\n";
        let metrics = Metrics::parse(text.to_owned());
        assert_eq!(metrics.sum("a_total", &[]), 5.0);
        assert_eq!(metrics.sum("a_total", &[("kind", "x, y")]), 2.0);
        assert_eq!(metrics.sum("a_total", &[("kind", "z"), ("shard", "0")]), 0.0);
        assert_eq!(metrics.sum("b", &[]), 1000.0);
        assert!(!metrics.has("b", &[("kind", "z")]));
        assert_eq!(metrics.label_values("a_total", "shard"), BTreeSet::from(["0", "1"]));
        assert_eq!(metrics.families(), BTreeSet::from(["a_total", "b"]));
    }
}
