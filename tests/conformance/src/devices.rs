//! What the devices service's stores promise.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use openframe_devices::domain::{
    Change, Chunk, Command, Device, Facts, Goodbye, Hello, Seen, State, Stream, Version,
};
use openframe_devices::store::memory::Memory;
use openframe_devices::store::{Batch, Keep, LastSeen, UsedKey, Whose};
use openframe_devices::{Error, Stores};
use openframe_ids::{CommandId, DeviceId, PlaceId, TenantId};
use openframe_tokens::Place;
use uuid::Uuid;

/// How much inventory is kept here.
const KEEP: Keep = Keep { versions: 2, bytes: 8 };

/// One random operation: what to do, to which of a few things, with which value.
pub type Act = (u8, u8, u8);

fn id(kind: u8, n: u8) -> Uuid {
    Uuid::from_u128((u128::from(kind) << 64) | u128::from(n) | 1 << 100)
}

fn at(n: u8) -> Timestamp {
    Timestamp::from_second(n.into()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// One of two tenants of `space`, and one of its devices: tests that share a store use spaces of
/// their own.
fn whose(space: TenantId, n: u8) -> Whose {
    let tenant = Uuid::from_u128(space.0.as_u128().wrapping_add(u128::from(n % 2)));
    (TenantId(tenant), DeviceId(id(1, n)))
}

fn hello(n: u8) -> Hello {
    Hello {
        facts: Facts {
            hostname: format!("host {n} <b>\u{0}"),
            os_family: "linux".to_owned(),
            os_name: "Debian".to_owned(),
            os_version: "12".to_owned(),
            kernel: "6.1".to_owned(),
            arch: "x86_64".to_owned(),
            vendor: String::new(),
            model: String::new(),
            serial: "\u{fffd}".to_owned(),
            cpu_count: n.into(),
            memory_bytes: u64::MAX >> 1,
            addresses: vec!["192.0.2.1".to_owned()],
        },
        agent_version: "0.1.0".to_owned(),
        capabilities: vec!["commands".to_owned()],
        remote_address: "192.0.2.2".to_owned(),
        clock_offset_ms: -5,
    }
}

/// The whole tenant, or an organisation.
fn place(value: u8) -> Place {
    let organisation = Place::ROOT.child(PlaceId(id(3, value)));
    organisation.filter(|_| !value.is_multiple_of(2)).unwrap_or(Place::ROOT)
}

fn command((tenant, device): Whose, n: u8, value: u8) -> Command {
    Command {
        id: CommandId(id(2, n)),
        tenant,
        device,
        version: 1,
        state: State::Queued,
        script: "echo \u{0}".to_owned(),
        interpreter: "sh".to_owned(),
        timeout_s: 60,
        idempotent: false,
        created_at: at(value),
        expires_at: at(value.saturating_add(2)),
        started_at: None,
        finished_at: None,
        exit_code: None,
        status_reason: String::new(),
        created_by: "user ann".to_owned(),
        reason: String::new(),
        cancel_requested: false,
        output_bytes: 0,
        output_chunks: 0,
        output_end: 0,
        output_truncated: false,
    }
}

fn key(value: u8) -> UsedKey {
    UsedKey {
        caller: "user ann".to_owned(),
        key: format!("key {}", value % 2),
        request: [value; 32],
        until: at(value.saturating_add(3)),
    }
}

/// Runs the operations and writes down what each answered.
pub async fn log(stores: &Stores, space: TenantId, acts: &[Act]) -> String {
    let mut log = String::new();
    for (what, n, value) in acts.iter().copied() {
        let answer = match what {
            0..=5 => on_device(stores, space, (what, n, value)).await,
            _ => on_command(stores, space, (what, n, value)).await,
        };
        writeln!(log, "{what} {n} {value}: {answer}").unwrap_or_default();
    }
    for n in 0..6 {
        writeln!(log, "{}", read(stores, whose(space, n)).await).unwrap_or_default();
    }
    log
}

async fn on_device(stores: &Stores, space: TenantId, (what, n, value): Act) -> String {
    let (devices, whose) = (&stores.devices, whose(space, n));
    match what {
        0 | 1 => {
            format!(
                "{:?}",
                devices
                    .connect(whose, (&hello(value), &place(value)), at(value))
                    .await
                    .map_err(told)
            )
        }
        2 => {
            let name = (value.is_multiple_of(2)).then(|| format!("name {value}"));
            let tags = (value.is_multiple_of(3)).then(|| vec!["a".to_owned(), "b".to_owned()]);
            let place = value.is_multiple_of(5).then(|| place(value));
            let change = Change { name, tags, place };
            format!("{:?}", devices.change(whose, &change).await.map_err(told))
        }
        3 if value == 0 => format!("{:?}", devices.retire(whose).await.map_err(told)),
        3 | 4 => {
            let goodbye = Goodbye::of_code(i64::from(value % 3));
            let seen = [LastSeen { whose, at: at(value), goodbye }];
            format!("{:?}", devices.seen(&seen).await.map_err(told))
        }
        _ => format!("{:?}", all(stores, space, u32::from(value) + 1).await.map_err(told)),
    }
}

/// Every device of the space, read in pages of `limit`; sorted, since each store has its own order.
async fn all(stores: &Stores, space: TenantId, limit: u32) -> Result<Vec<Device>, Error> {
    let own = [whose(space, 0).0, whose(space, 1).0];
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = stores.devices.all(after, limit).await?;
        after = page.last().map(|device| (device.tenant, device.id));
        let last = page.len() < limit as usize;
        all.extend(page.into_iter().filter(|device| own.contains(&device.tenant)));
        if last {
            all.sort_by_key(|device| (device.tenant, device.id));
            return Ok(all);
        }
    }
}

async fn on_command(stores: &Stores, space: TenantId, (what, n, value): Act) -> String {
    let commands = &stores.commands;
    let whose = whose(space, n / 2);
    match what {
        6 | 7 => {
            let key = (value.is_multiple_of(2)).then(|| key(value));
            let wanted = command(whose, n, value);
            // Ids are never used twice: that is what they are for.
            if commands.command(wanted.tenant, wanted.id).await.ok().flatten().is_some() {
                return String::new();
            }
            format!("{:?}", commands.create(&wanted, key.as_ref(), 2).await.map_err(told))
        }
        8 => {
            let name = key(value).key;
            format!(
                "{:?}",
                commands.used(whose.0, ("user ann", &name), at(value)).await.map_err(told)
            )
        }
        9 => {
            // Long enough after for what was sent, and for what runs.
            let now = at(value) + SignedDuration::from_mins(i64::from(value) * 15);
            let overdue = overdue(stores, space, now, u32::from(n) + 1).await.map_err(told);
            // No key's time is over by then: all are still known afterwards.
            format!("{overdue:?} {:?}", commands.forget_keys(at(0)).await.map_err(told))
        }
        _ => {
            let old = commands.command(whose.0, CommandId(id(2, n))).await.ok().flatten();
            format!("{:?}", stores.reports.commit(whose, &batch(old, value), KEEP).await.ok())
        }
    }
}

/// Every command of the space that is due by `now`, read in pages of `limit`.
async fn overdue(
    stores: &Stores,
    space: TenantId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(Timestamp, Command)>, Error> {
    let own = [whose(space, 0).0, whose(space, 1).0];
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = stores.commands.overdue(now, after, limit).await?;
        let Some((due, last)) = page.last() else { return Ok(all) };
        after = Some((*due, last.id));
        all.extend(page.into_iter().filter(|(_, command)| own.contains(&command.tenant)));
    }
}

fn batch(old: Option<Command>, value: u8) -> Batch {
    let seen = Seen {
        section: if value.is_multiple_of(2) { "os" } else { "software" }.to_owned(),
        reported_at: at(value),
        hash: [value; 32],
        body: vec![b' '; usize::from(value) + 1],
    };
    let mut batch = Batch { sections: vec![Version { at: at(value), seen }], ..Batch::default() };
    if let Some(old) = old {
        // Sometimes somebody was quicker.
        let read = if value == 3 { old.version + 1 } else { old.version };
        let data = vec![value; usize::from(value % 3) + 1];
        let stream = if value < 4 { Stream::Stdout } else { Stream::Stderr };
        let chunk = Chunk { stream, offset: old.output_end, data };
        let mut next = old;
        next.version += 1;
        next.state = if value.is_multiple_of(2) { State::Running } else { State::Succeeded };
        (next.output_bytes, next.output_end) = (chunk.end(), chunk.end());
        next.output_chunks += 1;
        batch.chunks.push((next.id, chunk));
        batch.commands.push((read, next));
    }
    batch
}

/// A refusal with its causes: no two stores have the same ones.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` gives it")]
fn told(error: Error) -> String {
    openframe_fault::chain(&error)
}

/// Everything about one device, as readers see it.
async fn read(stores: &Stores, whose: Whose) -> String {
    let mut text = format!("{:?}\n", stores.devices.get(whose.0, &[whose.1]).await.map_err(told));
    let inventory = &stores.inventory;
    for moment in [None, Some(at(2))] {
        writeln!(text, "{:?}", inventory.sections(whose, moment).await.map_err(told))
            .unwrap_or_default();
    }
    writeln!(text, "{:?}", inventory.history(whose, "os").await.map_err(told)).unwrap_or_default();
    let commands = &stores.commands;
    writeln!(text, "{:?}", commands.unfinished(whose, 10).await.map_err(told)).unwrap_or_default();
    let all = commands.commands(whose, None, 10).await.unwrap_or_default();
    for command in &all {
        let of = (whose.0, command.id);
        let output = commands.output(of, 1, 10).await.map_err(told);
        for (stream, before) in [(Stream::Stdout, 7), (Stream::Stderr, 99), (Stream::Stdout, 0)] {
            writeln!(text, "{:?}", commands.tail(of, stream, before).await.map_err(told))
                .unwrap_or_default();
        }
        writeln!(text, "{command:?} {output:?}").unwrap_or_default();
    }
    let before = all.first().map(|command| command.id);
    writeln!(text, "{:?}", commands.commands(whose, before, 1).await.map_err(told))
        .unwrap_or_default();
    text
}

/// Runs operations on one device at the same time, and checks that their answers are those that the
/// model gives one after another, in the order of the versions; and that nothing is left of a device
/// that was retired meanwhile.
pub async fn race(stores: &Stores, space: TenantId, acts: &[(u8, u8)]) -> Result<(), String> {
    let whose = whose(space, 0);
    let tasks = acts.iter().map(|act| tokio::spawn(racing(stores.clone(), whose, *act)));
    let (mut written, mut retired) = (Vec::new(), 0);
    for (act, task) in acts.iter().zip(tasks.collect::<Vec<_>>()) {
        match task.await.map_err(|cause| cause.to_string())? {
            (Some(device), _) => written.push((device, *act)),
            (None, gone) => retired += u32::from(gone),
        }
    }
    written.sort_by_key(|(device, _)| device.version);
    let model = Stores::of(Memory::default());
    for (device, act) in &written {
        let (want, _) = racing(model.clone(), whose, *act).await;
        if want.as_ref() != Some(device) {
            return Err(format!("{act:?} gave {device:?} instead of {want:?}"));
        }
    }
    let left = stores.devices.get(whose.0, &[whose.1]).await.unwrap_or_default();
    let all = all(stores, space, 10).await.unwrap_or_default();
    let last = written.pop().map(|(device, _)| device).filter(|_| retired == 0);
    if retired > 1 || left != Vec::from_iter(last) || left != all {
        return Err(format!("retired {retired} times, and left {left:?}, {all:?}"));
    }
    let back = stores.devices.connect(whose, (&hello(9), &Place::ROOT), at(9)).await.ok().flatten();
    if (retired > 0) == back.is_some() {
        return Err(format!("retired {retired} times, and back as {back:?}"));
    }
    Ok(())
}

/// One of the racing operations: the record that it wrote, or whether it retired the device.
async fn racing(stores: Stores, whose: Whose, (what, value): (u8, u8)) -> (Option<Device>, bool) {
    let devices = stores.devices;
    match what {
        0..=2 => (
            devices.connect(whose, (&hello(value), &place(value)), at(value)).await.ok().flatten(),
            false,
        ),
        3..=6 => {
            let change = Change { name: Some(format!("name {value}")), ..Change::default() };
            (devices.change(whose, &change).await.ok().flatten(), false)
        }
        _ => (None, devices.retire(whose).await.is_ok_and(|gone| gone)),
    }
}
