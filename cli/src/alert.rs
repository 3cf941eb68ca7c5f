//! `openframe alert`: what is wrong now.

use clap::Subcommand;
use openframe_fault::Fault;
use openframe_monitoring_api::Alert;

use crate::connection::Connection;
use crate::{Format, output};

/// What can be done with alerts.
#[derive(Debug, Subcommand)]
pub enum AlertCommand {
    /// List pending and firing alerts, and those resolved lately
    List,
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: AlertCommand,
) -> Result<(), Fault> {
    match command {
        AlertCommand::List => {
            let alerts = connection.monitoring().alerts().await?;
            let rows = alerts.items.iter().map(row).collect();
            let headings = ["STATE", "SEVERITY", "NAME", "SINCE", "VALUE", "DEVICE"];
            output::print(format, &alerts, &headings, rows)
        }
    }
}

fn row(alert: &Alert) -> Vec<String> {
    vec![
        alert.state.clone(),
        alert.severity.clone(),
        alert.name.clone(),
        alert.active_at.to_string(),
        alert.value.to_string(),
        alert.device_id.map(|id| id.to_string()).unwrap_or_default(),
    ]
}
