//! Saves an answer that is too large to be held.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use axum::body::Body;
use futures::StreamExt as _;
use openframe_fault::{BoxError, Fault};

use crate::output;

/// Writes `body` to `file`, or to standard output. The file appears under its name only when all of it
/// is on disk: an answer that breaks off leaves nothing that could be taken for a whole one.
pub(crate) async fn save(body: Body, file: Option<&Path>) -> Result<(), Fault> {
    let Some(file) = file else {
        return pour(body, &mut output::raw()).await;
    };
    let part = part_of(file);
    let saved = async {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut out = BufWriter::new(options.open(&part).map_err(cannot_write)?);
        pour(body, &mut out).await?;
        let out = out.into_inner().map_err(|error| cannot_write(error.into_error()))?;
        out.sync_all().and_then(|()| fs::rename(&part, file)).map_err(cannot_write)
    };
    let saved = saved.await;
    if saved.is_err() {
        // It may not be there at all; what failed is told.
        drop(fs::remove_file(&part));
    }
    saved
}

fn part_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

async fn pour(body: Body, out: &mut impl Write) -> Result<(), Fault> {
    let mut body = body.into_data_stream();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| {
            let message = "the answer broke off; what came is not all";
            Fault::unavailable("stream_broken", message).because(error)
        })?;
        out.write_all(&piece).map_err(cannot_write)?;
    }
    out.flush().map_err(cannot_write)
}

fn cannot_write(error: impl Into<BoxError>) -> Fault {
    Fault::invalid("cannot_write", "the answer could not be written").because(error)
}
