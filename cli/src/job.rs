//! `openframe job`: run something on a device and see what it writes.

use clap::Subcommand;
use openframe_devices_api::{Command, DevicesClient, NewCommand, Output};
use openframe_fault::{Fault, Kind};
use openframe_ids::{CommandId, DeviceId};

use crate::connection::Connection;
use crate::sse::Events;
use crate::{Format, output};

/// What can be done with commands.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Run a command on a device and print what it writes
    Run {
        /// The device's id
        #[arg(long)]
        on: DeviceId,
        /// What runs the script
        #[arg(long, default_value = "sh")]
        interpreter: String,
        /// Seconds it may run
        #[arg(long, default_value_t = 60)]
        timeout: u32,
        /// Seconds until it is no longer started
        #[arg(long, default_value_t = 86_400)]
        expires: u32,
        /// Why, for the audit trail
        #[arg(long)]
        reason: Option<String>,
        /// Return at once instead of waiting for the end
        #[arg(long)]
        no_wait: bool,
        /// The command and its arguments
        #[arg(trailing_var_arg = true, required = true)]
        command: Vec<String>,
    },
    /// List a device's commands, newest first
    List {
        /// The device's id
        #[arg(long)]
        on: DeviceId,
    },
    /// Show one command
    Show {
        /// The command's id
        job: CommandId,
    },
    /// Cancel a command that has not finished
    Cancel {
        /// The command's id
        job: CommandId,
    },
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: JobCommand,
) -> Result<(), Fault> {
    let devices = connection.devices();
    match command {
        JobCommand::Run { on, interpreter, timeout, expires, reason, no_wait, command } => {
            let wanted = NewCommand {
                script: command.join(" "),
                interpreter: Some(interpreter),
                timeout_s: Some(timeout),
                expires_in_s: Some(expires),
                idempotent: None,
                reason,
            };
            let made = devices.run(on, &wanted).await?;
            if no_wait {
                return show(format, &made);
            }
            say_if_away(&devices, &made).await?;
            follow(&devices, format, made.id).await
        }
        JobCommand::List { on } => {
            let page = devices.commands(on, None).await?;
            let rows = page.items.iter().map(row).collect();
            output::print(format, &page, &HEADINGS, rows)
        }
        JobCommand::Show { job } => show(format, &devices.command(job).await?),
        JobCommand::Cancel { job } => show(format, &devices.cancel(job).await?),
    }
}

/// Says that a command waits for a device that is away: nothing may come of it for long.
async fn say_if_away(devices: &DevicesClient, made: &Command) -> Result<(), Fault> {
    let device = devices.device(made.device_id).await?;
    if device.presence == "online" {
        return Ok(());
    }
    output::error_line(&format!(
        "{} is {}; the command runs when it returns, until {}",
        output::visible(&device.name),
        device.presence,
        made.expires_at
    ));
    let id = made.id;
    output::error_line(&format!(
        "Ctrl+C stops waiting only; see `openframe job show {id}`, or `openframe job cancel {id}`"
    ));
    Ok(())
}

/// Prints what the command writes until it has finished; fails unless it succeeded.
async fn follow(devices: &DevicesClient, format: Format, job: CommandId) -> Result<(), Fault> {
    let mut events = Events::new(devices.stream(job).await?);
    while let Some(event) = events.next().await? {
        if event.name == "output" && format == Format::Table {
            let Ok(written) = serde_json::from_str::<Output>(&event.data) else { continue };
            for chunk in written.chunks {
                output::raw(&chunk.text, chunk.stream == "stderr")?;
            }
        }
    }
    let ended = devices.command(job).await?;
    if format == Format::Json {
        output::json(&ended)?;
    }
    if ended.state == "succeeded" {
        return Ok(());
    }
    let why = match (ended.exit_code, ended.status_reason.as_str()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, "") => "no reason given".to_owned(),
        (None, reason) => output::visible(reason),
    };
    Err(Fault::new(Kind::Conflict, "job_failed", format!("the command {}: {why}", ended.state)))
}

const HEADINGS: [&str; 5] = ["ID", "STATE", "EXIT", "CREATED", "SCRIPT"];

fn row(command: &Command) -> Vec<String> {
    vec![
        command.id.to_string(),
        command.state.clone(),
        command.exit_code.map(|code| code.to_string()).unwrap_or_default(),
        command.created_at.to_string(),
        command.script.clone(),
    ]
}

fn show(format: Format, command: &Command) -> Result<(), Fault> {
    output::print(format, command, &HEADINGS, vec![row(command)])
}
