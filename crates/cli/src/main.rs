#![allow(dead_code, unused_imports)]
mod client; mod config; mod printer; mod suggest; mod failure; mod server;
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;
use clap::Parser;
#[derive(Parser)]
struct Cli { #[command(subcommand)] command: Command }
#[derive(clap::Subcommand)]
enum Command { Serve(config::ServerFlags) }
fn main() -> anyhow::Result<()> {
    if std::env::args_os().nth(1).is_some_and(|a| a == "__sandbox") { marquetry_sandbox::helper_main() }
    let cli = Cli::parse();
    let environment: config::Environment = std::env::vars().collect();
    let Command::Serve(flags) = cli.command;
    let config = match config::ServerConfig::load(&flags, &environment) { Ok(c) => c, Err(e) => { for f in &e.0 { eprintln!("{f}"); } std::process::exit(1) } };
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    tokio::runtime::Runtime::new()?.block_on(async move {
        let server = server::Server::start(&config, server::Choices::default(), environment.get("PATH").map_or("/usr/bin:/bin", String::as_str)).await?;
        eprintln!("listening on {}", server.url);
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        term.recv().await;
        server.stop().await
    })
}
