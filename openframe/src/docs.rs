//! Reference documents, written from the code itself and compared with the checked-in ones.

use clap::CommandFactory as _;
use openframe_fault::Kind;

use crate::args::{Arguments, DocsCommand, Service};
use crate::progress::line;
use crate::settings::Settings;

/// Prints one document.
pub(crate) fn write(document: &DocsCommand) -> anyhow::Result<()> {
    match document {
        DocsCommand::Config => {
            let settings = openframe_config::describe::<Settings>();
            line("# Settings\n\nWritten by `openframe docs config`; do not edit.\n");
            line(settings.trim_end());
        }
        DocsCommand::Openapi { service } => {
            let document = match service {
                None => openapi(),
                Some(Service::Auth) => openframe_auth::openapi(),
                Some(Service::Devices) => openframe_devices::openapi(),
                Some(Service::Monitoring) => openframe_monitoring::openapi(),
                Some(Service::Platform) => openframe_gateway::openapi(),
            };
            line(&serde_json::to_string_pretty(&document)?);
        }
        DocsCommand::Cli => {
            help(&mut Arguments::command(), "openframe");
            exit_codes();
        }
    }
    Ok(())
}

/// The document of the whole API.
pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    let mut whole = openframe_auth::openapi();
    whole.merge(openframe_devices::openapi());
    whole.merge(openframe_monitoring::openapi());
    whole.merge(openframe_gateway::openapi());
    "OpenFrame".clone_into(&mut whole.info.title);
    whole
}

/// Prints what each exit code tells.
fn exit_codes() {
    line("## Exit codes\n\n| code | what it tells |\n|---|---|\n| 0 | done |");
    for (kind, meaning) in [
        (Kind::Invalid, "the command, a setting or the request is wrong and stays wrong"),
        (Kind::Unauthenticated, "no API key, or one that is not good"),
        (Kind::Forbidden, "the key, or the user of the machine, may not do this"),
        (Kind::NotFound, "what was named does not exist"),
        (Kind::Conflict, "it clashes with what is there; a command on a device failed"),
        (Kind::TooMany, "asked too often; wait"),
        (Kind::Unavailable, "the server or something it needs does not answer; try again"),
        (Kind::Internal, "a mistake of OpenFrame, or damaged data"),
    ] {
        line(&format!("| {} | {meaning} |", kind.exit_code()));
    }
}

/// Prints the help of `command` and of each that it has.
fn help(command: &mut clap::Command, name: &str) {
    line(&format!(
        "## {name}\n\n```text\n{}\n```\n",
        command.render_long_help().to_string().trim()
    ));
    for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set()) {
        let name = format!("{name} {}", inner.get_name());
        if inner.get_name() != "help" {
            help(inner, &name);
        }
    }
}
