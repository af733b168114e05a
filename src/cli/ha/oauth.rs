//! `provisor ha oauth`: signing in at the service behind an integration, without Home Assistant.

use std::path::PathBuf;

use clap::ValueEnum;
use url::Url;

use super::sealed::{Form, Sealed};
use crate::cli::console::Console;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::Common;
use crate::cli::{session, signals};
use crate::diagnostic::Problem;
use crate::home_assistant::sign_in::{self, Ask, Flow, Provider, Service};
use crate::manifest::kinds::common::Span;
use crate::secret::Secret;
use crate::secret::reference::SecretRef;
use crate::secret::source::Sources;

const AFTER: &str = "\
Examples:
  provisor ha oauth tado --recipient age1... --out ha-tado.age
  provisor ha oauth tado | agenix -e ha-tado.age
  provisor ha oauth spotify --client-id 0123abcd --recipient age1... --out ha-spotify.age

Says on standard error which address to open, waits, and writes the refresh token: exactly it, with no
line end. It is written encrypted, or to a pipe; never to a terminal.

For an integration that provisor knows no service of, name the addresses. With `--flow code` the
service must accept the redirect address http://127.0.0.1:PORT/callback with any port.

Exit codes: 0 written; 1 refused, not signed in in time, or no refresh token in the answer.";

/// Sign in at the service of an integration and get its refresh token
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(super) struct Args {
    /// The integration, such as `tado`
    integration: String,
    /// Which flow of OAuth 2.0; default: the one that the service is known for, else by the addresses given
    #[arg(long, value_name = "FLOW")]
    flow: Option<FlowName>,
    /// Where a browser is sent
    #[arg(long, value_name = "URL")]
    authorize_url: Option<Url>,
    /// Where a token is given
    #[arg(long, value_name = "URL")]
    token_url: Option<Url>,
    /// Where a device asks for its code
    #[arg(long, value_name = "URL")]
    device_url: Option<Url>,
    /// Our name at the service
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// A file that holds our secret at the service, where it has given us one
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// What to ask for, instead of what the integration is known to need; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A PEM file of certificate authorities to trust besides the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How long to wait for somebody to sign in
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    timeout: Span,
    /// Who can decrypt the file: an age or SSH public key; may be repeated
    #[arg(long = "recipient", value_name = "KEY", requires = "out")]
    recipients: Vec<String>,
    /// The encrypted file, instead of standard output
    #[arg(long, value_name = "FILE", requires = "recipients")]
    out: Option<PathBuf>,
    /// How it is encrypted
    #[arg(long, value_name = "FORM", default_value = "age", requires = "out")]
    format: Form,
}

/// Which flow of OAuth 2.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FlowName {
    /// Authorization code with PKCE, in a browser on this machine
    Code,
    /// Device code, in any browser
    Device,
}

impl From<FlowName> for Flow {
    fn from(name: FlowName) -> Self {
        match name {
            FlowName::Code => Self::Code,
            FlowName::Device => Self::Device,
        }
    }
}

pub(super) fn run(args: &Args, common: &Common, console: &Console) -> Result<Exit, Failure> {
    // Everything that can be known to fail, before somebody signs in for nothing.
    let sealed = match &args.out {
        Some(out) => Some(Sealed::new(out.clone(), args.recipients.clone(), args.format)?),
        None if console.terminal.output => return Err(on_a_terminal().into()),
        None => None,
    };
    let provider = sign_in::known(&args.integration);
    let service = service(args, provider, common)?;
    let token = session::block_on(async {
        let stop = signals::watch(console)?;
        let signing_in = sign_in::sign_in(&service, flow(args, provider), |ask| console.say(&words(&ask)));
        stop.or(signing_in).await?.map_err(|error| error.to_problem().into())
    })?;
    deliver(&token, sealed.as_ref(), console)?;
    Ok(Exit::Done)
}

fn deliver(token: &Secret, sealed: Option<&Sealed>, console: &Console) -> Result<(), Failure> {
    let Some(sealed) = sealed else { return Console::hand_over(token) };
    sealed.write(token)?;
    console.say(&format!("Wrote the refresh token to `{}`.\n", sealed.file().display()));
    Ok(())
}

fn on_a_terminal() -> Problem {
    Problem::new("provisor::sign_in::terminal", "a token is not printed on a terminal")
        .with_hint("name `--recipient` and `--out`, or pipe it into what encrypts it")
}

fn flow(args: &Args, provider: Option<&Provider>) -> Flow {
    match (args.flow, &args.authorize_url, &args.device_url, provider) {
        (Some(flow), ..) => flow.into(),
        (None, None, Some(_), _) => Flow::Device,
        (None, None, None, Some(provider)) => provider.flow,
        _ => Flow::Code,
    }
}

/// What is known of the service, and instead of it what the command line says.
fn service(args: &Args, provider: Option<&Provider>, common: &Common) -> Result<Service, Failure> {
    let url = |given: &Option<Url>, known: Option<&str>| given.clone().or_else(|| known?.parse().ok());
    let token_url = url(&args.token_url, provider.map(|provider| provider.token_url));
    let client_id = args.client_id.clone().or_else(|| Some(provider?.client_id?.to_owned()));
    let client_secret = args.client_secret_file.as_ref().map(|file| {
        let sources = Sources::from_environment(common.credentials_dir.clone());
        sources.resolve(&SecretRef::File(file.clone())).map_err(|error| error.to_problem())
    });
    let scopes = match (&args.scopes[..], provider) {
        ([], Some(provider)) => provider.scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        (given, _) => given.to_vec(),
    };
    let parameters = provider.map(|provider| provider.parameters).unwrap_or_default();
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Ok(Service {
        authorize_url: url(&args.authorize_url, provider.and_then(|provider| provider.authorize_url)),
        device_url: url(&args.device_url, provider.and_then(|provider| provider.device_url)),
        token_url: token_url.ok_or_else(|| unknown_service(&args.integration))?,
        client_id: client_id.ok_or_else(|| no_client(&args.integration))?,
        client_secret: client_secret.transpose()?,
        scopes,
        parameters: parameters.iter().map(own).collect(),
        ca_file: args.ca_file.clone(),
        patience: args.timeout.duration(),
    })
}

fn unknown_service(integration: &str) -> Failure {
    let known: Vec<&str> = sign_in::domains().collect();
    Failure::usage(
        format!("the service behind `{integration}` is not known"),
        format!(
            "name `--token-url`, `--authorize-url` or `--device-url`, and `--client-id`; known: {}",
            known.join(", ")
        ),
    )
}

fn no_client(integration: &str) -> Failure {
    Failure::usage(
        format!("the service behind `{integration}` has no client for everybody"),
        "register an application there, and name it with `--client-id`",
    )
}

fn words(ask: &Ask<'_>) -> String {
    match ask {
        Ask::Open(url) => format!("Open this address in a browser on this machine, and sign in:\n\n  {url}\n\n"),
        Ask::Enter { url, code } => {
            format!("Open this address in any browser, sign in, and confirm the code `{code}`:\n\n  {url}\n\n")
        }
    }
}
