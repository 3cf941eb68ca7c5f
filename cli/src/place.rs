//! `openframe place`: the organisations, sites and groups of the tenant.

use std::collections::BTreeMap;

use clap::Subcommand;
use openframe_auth_api::{AuthClient, NewPlace, Page, Place, PlaceChange};
use openframe_fault::{Fault, Kind};
use openframe_ids::PlaceId;

use crate::connection::Connection;
use crate::{Format, output};

/// What can be done with places. A place is named by its id, or by the names on the way to it:
/// `Acme/Berlin`.
#[derive(Debug, Subcommand)]
pub enum PlaceCommand {
    /// List the places whose devices you may read, and those that they lie in
    List,
    /// Make an organisation, a site in one, or a group in a site
    Add {
        /// What it is called
        name: String,
        /// What it lies in; without it it is an organisation
        #[arg(long, value_name = "PLACE")]
        within: Option<String>,
    },
    /// Give a place another name
    Rename {
        /// The place
        place: String,
        /// The new name
        name: String,
    },
    /// Remove a place in which nothing is
    Remove {
        /// The place
        place: String,
    },
}

pub(crate) async fn run(
    connection: &Connection,
    format: Format,
    command: PlaceCommand,
) -> Result<(), Fault> {
    let auth = connection.auth();
    match command {
        PlaceCommand::List => {
            let page = auth.places().await?;
            let names = Names::of(&page);
            let row = |place: &Place| {
                vec![place.id.to_string(), place.kind.clone(), names.way(&place.path)]
            };
            let mut rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
            rows.sort_by(|a, b| a.last().cmp(&b.last()));
            output::print(format, &page, &["ID", "KIND", "PLACE"], rows)
        }
        PlaceCommand::Add { name, within } => {
            let within = match within {
                None => None,
                Some(named) => find(&auth, &named).await?,
            };
            let place = auth.create_place(&NewPlace { name, within }).await?;
            shown(format, &place)
        }
        PlaceCommand::Rename { place, name } => {
            let id = find_one(&auth, &place).await?;
            shown(format, &auth.change_place(id, &PlaceChange { name }).await?)
        }
        PlaceCommand::Remove { place } => {
            let id = find_one(&auth, &place).await?;
            auth.remove_place(id).await?;
            output::done(format, &id.to_string(), "removed")
        }
    }
}

fn shown(format: Format, place: &Place) -> Result<(), Fault> {
    match format {
        Format::Json => output::json(place),
        Format::Table => {
            output::line(&format!("{} {} {}", place.id, place.kind, output::visible(&place.name)))
        }
    }
}

/// What places are called.
pub(crate) struct Names(BTreeMap<PlaceId, String>);

impl Names {
    fn of(page: &Page<Place>) -> Self {
        Self(page.items.iter().map(|place| (place.id, place.name.clone())).collect())
    }

    /// Those that the caller may know.
    pub(crate) async fn read(auth: &AuthClient) -> Result<Self, Fault> {
        Ok(Self::of(&auth.places().await?))
    }

    /// The names on the way to a place; `/` for the whole tenant.
    pub(crate) fn way(&self, path: &[PlaceId]) -> String {
        let name = |id: &PlaceId| self.0.get(id).cloned().unwrap_or_else(|| id.to_string());
        if path.is_empty() {
            return "/".to_owned();
        }
        path.iter().map(name).collect::<Vec<_>>().join("/")
    }
}

/// The place that `named` names, by its id or by the names on the way to it; `/` names the whole tenant.
pub(crate) async fn find(auth: &AuthClient, named: &str) -> Result<Option<PlaceId>, Fault> {
    if named == "/" {
        return Ok(None);
    }
    if let Ok(id) = named.parse() {
        return Ok(Some(id));
    }
    let page = auth.places().await?;
    let names = Names::of(&page);
    let found = page.items.iter().find(|place| names.way(&place.path) == named);
    found.map(|place| Some(place.id)).ok_or_else(|| {
        let message = format!("no place {named:?}; `openframe place list` shows them");
        Fault::new(Kind::NotFound, "no_such_place", message)
    })
}

async fn find_one(auth: &AuthClient, named: &str) -> Result<PlaceId, Fault> {
    let found = find(auth, named).await?;
    found.ok_or_else(|| Fault::invalid("whole_tenant", "the whole tenant is no place of this kind"))
}
