//! `openframe job`: run something on a device and see what it writes.

use clap::Subcommand;
use openframe_devices_api::{Command, CommandPage, DevicesClient, NewCommand, Output};
use openframe_fault::{Fault, Kind};
use openframe_ids::{CommandId, DeviceId};

use crate::connection::Connection;
use crate::device::find;
use crate::sse::Events;
use crate::{Format, output};

/// What can be done with commands.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Run a command on a device and print what it writes
    ///
    /// One word is a script as it stands: -- 'uname -a | wc -c'. Several are a program and its
    /// arguments, each of which arrives as it was given: -- sh -c 'exit 3'.
    Run {
        /// The device's id or name
        #[arg(long, value_name = "DEVICE")]
        on: String,
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
        /// The device's id or name
        #[arg(long, value_name = "DEVICE")]
        on: String,
        /// How many at most
        #[arg(long, default_value_t = 50)]
        limit: usize,
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
                script: script(&interpreter, &command)?,
                interpreter: Some(interpreter),
                timeout_s: Some(timeout),
                expires_in_s: Some(expires),
                idempotent: None,
                reason,
            };
            let made = devices.run(find(&devices, &on).await?, &wanted).await?;
            if no_wait {
                return show(format, &made);
            }
            say_if_away(&devices, &made).await?;
            follow(&devices, format, made.id).await
        }
        JobCommand::List { on, limit } => {
            let on = find(&devices, &on).await?;
            let page = list(&devices, on, limit).await?;
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

/// The script that has the effect of `words`.
fn script(interpreter: &str, words: &[String]) -> Result<String, Fault> {
    if let [script] = words {
        return Ok(script.clone());
    }
    let name = interpreter.rsplit('/').next().unwrap_or(interpreter);
    if !["sh", "bash", "dash", "ash", "ksh", "zsh"].contains(&name) {
        let message = format!("a script for {interpreter} is one word: put it into quotes");
        return Err(Fault::invalid("script_in_pieces", message));
    }
    Ok(words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
}

/// A word as a POSIX shell reads it back (XCU 2.2).
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The newest `limit` commands, in as many pages as it takes.
async fn list(devices: &DevicesClient, on: DeviceId, limit: usize) -> Result<CommandPage, Fault> {
    let mut all = devices.commands(on, None).await?;
    while all.items.len() < limit {
        let Some(cursor) = all.next_cursor.take() else { break };
        let page = devices.commands(on, Some(&cursor)).await?;
        all.items.extend(page.items);
        all.next_cursor = page.next_cursor;
    }
    all.items.truncate(limit);
    Ok(all)
}

/// Prints what the command writes until it has finished; fails unless it succeeded.
async fn follow(devices: &DevicesClient, format: Format, job: CommandId) -> Result<(), Fault> {
    let mut events = Events::new(devices.stream(job).await?);
    let mut chunks = Vec::new();
    while let Some(event) = events.next().await? {
        if event.name != "output" {
            continue;
        }
        let Ok(written) = serde_json::from_str::<Output>(&event.data) else { continue };
        match format {
            Format::Json => chunks.extend(written.chunks),
            Format::Table => {
                for chunk in written.chunks {
                    output::written(&chunk.text, chunk.stream == "stderr")?;
                }
            }
        }
    }
    let ended = devices.command(job).await?;
    if format == Format::Json {
        output::json(&serde_json::json!({ "command": ended, "output": chunks }))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_arrive_as_they_were_given() {
        for (interpreter, words, want) in [
            ("sh", &["uname -a | wc"][..], "uname -a | wc"),
            ("sh", &["uname", "-a"], "uname -a"),
            ("bash", &["sh", "-c", "a b"], "sh -c 'a b'"),
            ("/bin/sh", &["echo", "it's", "", "$x"], r"echo 'it'\''s' '' '$x'"),
            ("python3", &["print(1)"], "print(1)"),
        ] {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(script(interpreter, &words).unwrap(), want);
        }
        let pieces = ["print(1)".to_owned(), "x".to_owned()];
        assert_eq!(script("python3", &pieces).unwrap_err().code(), "script_in_pieces");
    }
}
