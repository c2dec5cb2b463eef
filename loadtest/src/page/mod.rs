//! `loadtest page`: one HTML page of one or several results, which opens without a network.

mod axis;
mod document;
mod palette;
mod plot;
mod run_result;
mod sections;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use maud::html;

pub(crate) use self::axis::short;
pub(crate) use self::document::{Table, document, legend};
pub(crate) use self::plot::{Bar, bars};

use self::palette::SERIES_MAX;
use self::run_result::RunResult;

/// Options of `page`.
#[derive(Debug, Args)]
pub(crate) struct PageArguments {
    /// Results of this program, written with --format json
    #[arg(required = true)]
    pub(crate) results: Vec<PathBuf>,
    /// The page to write
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// What stands above the page
    #[arg(long)]
    pub(crate) title: Option<String>,
}

/// Reads the results and writes the page.
pub(crate) fn run(arguments: &PageArguments) -> Result<ExitCode> {
    if arguments.results.len() > SERIES_MAX {
        bail!("{} results; a page can tell {SERIES_MAX} apart", arguments.results.len());
    }
    let results = arguments.results.iter().map(|path| RunResult::read(path)).collect::<Result<Vec<_>>>()?;
    let page = page(arguments.title.as_deref(), results)?;
    fs::write(&arguments.out, page).with_context(|| arguments.out.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn page(title: Option<&str>, results: Vec<RunResult>) -> Result<String> {
    let several = results.len() > 1;
    // Numbers keep runs of one name apart.
    let name = |(index, run): (usize, RunResult)| {
        (if several { format!("{}: {}", index + 1, run.name()) } else { run.name() }, run)
    };
    let runs: Vec<(String, RunResult)> = results.into_iter().enumerate().map(name).collect();
    let default = runs.first().map(|(name, _)| if several { "Runs compared" } else { name.as_str() });
    let title = title.or(default).unwrap_or_default();
    let wrong: Vec<_> = runs.iter().filter(|(_, run)| run.went_wrong()).map(|(name, _)| name).collect();
    let content = html! {
        (legend(runs.iter().enumerate().map(|(colour, (name, _))| (colour, name.as_str()))))
        @if !wrong.is_empty() {
            p { strong { "Not everything went well in: " } @for name in &wrong { (name) " " } }
        }
        (sections::overview(&runs))
        (sections::over_time(&runs)?)
        (sections::steps(&runs))
        (sections::percentiles(&runs)?)
        (sections::costs(&runs)?)
        (sections::causes(&runs))
    };
    Ok(document(title, &content))
}
