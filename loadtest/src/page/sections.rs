//! What a page says of runs, each part with its numbers under it.

use anyhow::Result;
use maud::{Markup, html};

use super::axis::{Axis, Scale, short};
use super::document::Table;
use super::plot::{self, Bar, Line};
use super::run_result::{RunResult, Second};

/// Runs with the names that they have on the page. A run's place is the number of its colour.
pub(crate) type Runs = [(String, RunResult)];

/// What was asked and what came of it.
pub(crate) fn overview(runs: &Runs) -> Markup {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let count = |value: Option<u64>| value.map(|value| value.to_string()).unwrap_or_default();
    let mut table = by_run("", runs);
    let mut add = |name: &str, value: &dyn Fn(&RunResult) -> String| {
        let values: Vec<_> = runs.iter().map(|(_, run)| value(run)).collect();
        if values.iter().any(|value| !value.is_empty()) {
            table.lines.push(std::iter::once(name.to_owned()).chain(values).collect());
        }
    };
    add("command", &|run| text(&run.command));
    add("target", &|run| text(&run.target));
    add("name asked for", &|run| text(&run.sni));
    add("path", &|run| text(&run.path));
    add("connections", &|run| count(run.connections));
    add("HTTP", &|run| text(&run.http));
    add("streams of a connection", &|run| count(run.streams));
    add("body of a request, bytes", &|run| count(run.body_bytes.filter(|bytes| *bytes > 0)));
    add("operations asked for", &|run| count(run.count));
    add("completed", &|run| count(run.completed));
    add("refused as expected", &|run| count(run.refused.filter(|refused| *refused > 0)));
    add("failed", &|run| count(run.failed));
    add("unexpected status", &|run| count(run.unexpected_status));
    add("failed in the warm-up", &|run| count(run.warmup_failed));
    add("connections attempted", &|run| count(run.attempted));
    add("not connected", &|run| count(run.not_connected));
    add("ended by the server", &|run| count(run.ended_by_server));
    add("held", &|run| count(run.held));
    add("lost", &|run| count(run.lost));
    add("handshakes", &|run| count(run.handshakes));
    add("resumed", &|run| count(run.resumed));
    add("tickets received", &|run| count(run.tickets_received));
    add("reconnects", &|run| count(run.reconnects));
    add("received, bytes", &|run| count(run.bytes_received));
    add("time, s", &|run| decimal(run.elapsed_s, 3));
    add("rate, 1/s", &|run| decimal(run.rate_per_s, 1));
    add("load busy, share of its threads' time", &|run| decimal(run.client_busy, 2));
    add("load was the limit", &|run| {
        if run.client_was_limit == Some(true) { "yes".to_owned() } else { String::new() }
    });
    add("server switches for an operation, voluntary", &|run| {
        decimal(run.server_voluntary_switches_per_op, 3)
    });
    add("server switches for an operation, involuntary", &|run| {
        decimal(run.server_involuntary_switches_per_op, 3)
    });
    add("server memory before, bytes", &|run| count(run.server_pss_before_bytes));
    add("server memory at most, bytes", &|run| count(run.server_pss_max_bytes));
    add("TLS", &|run| text(&run.tls_version));
    add("cipher suite", &|run| text(&run.cipher_suite));
    add("key exchange", &|run| text(&run.key_exchange));
    add("I/O", &|run| text(&run.io));
    html! { h2 { "Runs" } (table.markup()) }
}

/// Failures by cause, and statuses.
pub(crate) fn causes(runs: &Runs) -> Markup {
    let mut table = Table::new(&["run", "times", "what"]);
    for (name, run) in runs {
        let failures = run.failures.iter().flatten().map(|(cause, times)| (times, cause.clone()));
        let statuses =
            run.statuses.iter().flatten().map(|(status, times)| (times, format!("status {status}")));
        let endings = run.endings.iter().flatten().map(|(ending, times)| (times, ending.clone()));
        for (times, what) in failures.chain(statuses).chain(endings) {
            table.lines.push(vec![name.clone(), times.to_string(), what]);
        }
    }
    html! {
        @if !table.lines.is_empty() {
            h2 { "Answers by status, failures by cause" }
            (table.markup())
        }
    }
}

/// The steps of scenarios.
pub(crate) fn steps(runs: &Runs) -> Markup {
    let heads = ["run", "step", "completed", "refused", "unexpected status", "failed", "p50, µs", "p99, µs"];
    let mut table = Table::new(&heads);
    for (name, run) in runs {
        for step in run.steps.iter().flatten() {
            let counts = [step.completed, step.refused, step.unexpected_status, step.failed];
            let mut line = vec![name.clone(), step.name.clone()];
            line.extend(counts.map(|count| count.to_string()));
            line.extend([step.p50_us, step.p99_us].map(|us| decimal(us, 1)));
            table.lines.push(line);
        }
    }
    html! {
        @if !table.lines.is_empty() {
            h2 { "Steps of scenarios" }
            (table.markup())
        }
    }
}

/// Throughput, and latency, second by second.
pub(crate) fn over_time(runs: &Runs) -> Result<Markup> {
    let lines = |value: &dyn Fn(&Second) -> Option<f64>| {
        let points = |run: &RunResult| {
            run.seconds().iter().filter_map(|second| Some((second.at_s, value(second)?))).collect::<Vec<_>>()
        };
        let lines = runs.iter().enumerate().map(|(colour, (_, run))| Line { colour, points: points(run) });
        lines.collect::<Vec<_>>()
    };
    let time = Axis { name: "time, s", scale: Scale::Linear };
    let rate = Axis { name: "completed, 1/s", scale: Scale::Linear };
    let latency = Axis { name: "latency p99, µs", scale: Scale::Log };
    let throughput = plot::lines(time, rate, &lines(&|second| Some(second.completed as f64)))?;
    let latencies = plot::lines(time, latency, &lines(&|second| second.p99_us))?;
    let mut table = Table::new(&["run", "at, s", "completed", "failed", "p50, µs", "p99, µs"]);
    for (name, run) in runs {
        for second in run.seconds() {
            let counts = [second.completed, second.failed].map(|count| count.to_string());
            let latencies = [second.p50_us, second.p99_us].map(|latency_us| decimal(latency_us, 1));
            let line =
                [name.clone(), decimal(Some(second.at_s), 1)].into_iter().chain(counts).chain(latencies);
            table.lines.push(line.collect());
        }
    }
    Ok(html! {
        @if let Some(throughput) = throughput {
            h2 { "Throughput over time" }
            figure { (throughput) }
        }
        @if let Some(latencies) = latencies {
            h2 { "Latency over time" }
            p.quiet { "99th percentile of the operations that ended in each second. The axis is logarithmic." }
            figure { (latencies) }
        }
        @if !table.lines.is_empty() {
            details open[table.lines.len() <= 60] { summary { "Second by second" } (table.markup()) }
        }
    })
}

/// Latency by percentile.
pub(crate) fn percentiles(runs: &Runs) -> Result<Markup> {
    let lines = runs.iter().enumerate().map(|(colour, (_, run))| Line { colour, points: run.percentiles() });
    let x = Axis { name: "percentile", scale: Scale::Percentile };
    let y = Axis { name: "latency, µs", scale: Scale::Log };
    let Some(plot) = plot::lines(x, y, &lines.collect::<Vec<_>>())? else { return Ok(html! {}) };
    let mut places: Vec<f64> =
        runs.iter().flat_map(|(_, run)| run.percentiles()).map(|(place, _)| place).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let mut table = by_run("percentile", runs);
    for place in places {
        let latency_us = |run: &RunResult| {
            run.percentiles()
                .into_iter()
                .find(|(percentile, _)| *percentile == place)
                .map(|(_, latency_us)| latency_us)
        };
        let values = runs.iter().map(|(_, run)| decimal(latency_us(run), 1));
        table.lines.push(std::iter::once(place.to_string()).chain(values).collect());
    }
    Ok(html! {
        h2 { "Latency by percentile" }
        p.quiet { "The greatest latency, percentile 100, has no place on the axis; it is in the table. Both axes are logarithmic." }
        figure { (plot) }
        (table.markup())
    })
}

/// CPU time of an operation, and memory of a connection.
pub(crate) fn costs(runs: &Runs) -> Result<Markup> {
    let cpu = [
        cost(runs, "Server CPU for an operation", "µs", &|run| run.server_cpu_us_per_op)?,
        cost(runs, "CPU of the load for an operation", "µs", &|run| run.client_cpu_us_per_op)?,
        cost(runs, "Server memory for a connection", "bytes", &|run| run.server_pss_bytes_per_connection)?,
        cost(runs, "Cryptography that a full handshake cannot avoid", "µs", &|run| run.floor_us)?,
    ];
    Ok(html! { @for part in cpu { (part) } })
}

fn cost(runs: &Runs, title: &str, unit: &str, value: &dyn Fn(&RunResult) -> Option<f64>) -> Result<Markup> {
    let measured =
        || runs.iter().enumerate().filter_map(|(colour, (name, run))| Some((colour, name, value(run)?)));
    let bars: Vec<_> = measured()
        .map(|(colour, name, value)| {
            let text = format!("{} {unit}", short(value));
            Bar { name: name.clone(), colour, value, text, spread: None }
        })
        .collect();
    let mut table = Table::new(&["run", unit, "of the first"]);
    let first = measured().next().map(|(_, _, value)| value);
    for (_, name, value) in measured() {
        let share = first.filter(|first| *first > 0.0).map(|first| value / first);
        table.lines.push(vec![name.clone(), decimal(Some(value), 1), decimal(share, 2)]);
    }
    let plot = plot::bars(&format!("{title}, {unit}"), &bars)?;
    Ok(html! {
        @if let Some(plot) = plot {
            h2 { (title) }
            figure { (plot) }
            (table.markup())
        }
    })
}

fn by_run(first: &str, runs: &Runs) -> Table {
    let names = runs.iter().map(|(name, _)| name.as_str());
    Table::new(&std::iter::once(first).chain(names).collect::<Vec<_>>())
}

fn decimal(value: Option<f64>, digits: usize) -> String {
    value.map(|value| format!("{value:.digits$}")).unwrap_or_default()
}
