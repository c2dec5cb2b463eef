//! What the servers of this program have in common: where they listen, and the one thread that serves.

use std::future::Future;
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use clap::Args;
use monoio::net::{ListenerOpts, TcpListener};

use crate::arguments::Io;
use crate::driver::{self, Driver};

/// Options of a server.
#[derive(Debug, Args)]
pub(crate) struct ServingArguments {
    /// Address to listen on; port 0 lets the system choose
    #[arg(long)]
    listen: SocketAddr,
    /// Core to run on
    #[arg(long)]
    core: Option<usize>,
    /// Kernel interface
    #[arg(long, value_enum, default_value_t = Io::Auto)]
    io: Io,
    /// Allow an address that is not a loopback address
    #[arg(long)]
    allow_remote: bool,
}

impl ServingArguments {
    /// Checks what clap cannot.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.listen.ip().to_canonical().is_loopback() && !self.allow_remote {
            bail!("{} is not a loopback address; --allow-remote permits it", self.listen);
        }
        Ok(())
    }

    /// Listens, and serves on this thread for as long as `serve` does.
    pub(crate) fn run<F>(&self, serve: impl FnOnce(TcpListener, Driver) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>>,
    {
        if let Some(core) = self.core {
            driver::pin(&[core])?;
        }
        driver::raise_descriptor_limit()?;
        driver::run(self.io, |driver| async move {
            // With reuse_port a server that was forgotten would take half of the connections, and nobody would notice.
            let listener = TcpListener::bind_with_config(self.listen, &ListenerOpts::new().reuse_port(false))
                .with_context(|| format!("--listen {}", self.listen))?;
            serve(listener, driver).await
        })
    }
}
